//! Connections that do not come, and answers that take their time.

use std::time::Duration;

use meshloom_agent::fetch::FetchOptions;
use tokio::net::{TcpListener, TcpStream};

use super::pulling::*;
use super::server::{Authority, Body, Reply, Server};

#[tokio::test]
async fn a_connection_that_does_not_come_does_not_hold_up_a_server_that_is_there() {
    let server = Server::tls(&Authority::new(), |_| Reply::ok(MODULE)).await;
    let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", front.local_addr().unwrap());
    let behind = server.address();
    tokio::spawn(async move {
        // The first is never spoken to, and stays.
        let _first = front.accept().await.unwrap();
        loop {
            let (mut client, _) = front.accept().await.unwrap();
            tokio::spawn(async move {
                let mut upstream = TcpStream::connect(behind).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
            });
        }
    });
    let options = FetchOptions {
        insecure: vec!["*".to_owned()],
        // Whoever waits for the first waits for longer than there is time, and is not let ask again.
        connect_timeout: Duration::from_secs(3600),
        attempts: 1,
        ..options()
    };
    assert_eq!(module(&network(options), &wanted(url)).await, MODULE);
    assert_eq!(server.count(), 1, "asked once");
}

#[tokio::test]
async fn a_server_that_takes_its_time_to_answer_is_asked_once() {
    let late = Server::plain(|_| Reply::new(200, Body::Late(MODULE.to_vec(), Duration::from_secs(3)))).await;
    assert_eq!(module(&network(options()), &wanted(late.url("/"))).await, MODULE);
    assert_eq!((late.connections(), late.count()), (1, 1));
}
