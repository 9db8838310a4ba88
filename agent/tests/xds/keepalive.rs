//! Peers that die without a word: their connection stays open, and nothing comes of it any more.

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::*;

/// A way on which bytes pass until it is frozen. Both its ends stay open.
struct Way {
    address: SocketAddr,
    frozen: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Way {
    async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let frozen = watch::Sender::new(false);
        let seen = frozen.subscribe();
        let task = tokio::spawn(async move {
            let mut ways = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let mut seen = seen.clone();
                ways.spawn(async move {
                    let mut far = TcpStream::connect(target).await.unwrap();
                    let is_frozen = async { _ = seen.wait_for(|frozen| *frozen).await };
                    tokio::select! {
                        // Whichever end closed: the other is closed as well.
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
                        () = is_frozen => {}
                    }
                    std::future::pending::<()>().await;
                });
            }
        });
        Self { address, frozen, task }
    }

    fn freeze(&self, frozen: bool) {
        self.frozen.send_replace(frozen);
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Short enough for a test, and long enough that a machine that is busy still answers.
const SOON: [&str; 2] = ["--grpc-keepalive-interval=100ms", "--grpc-keepalive-timeout=3s"];

#[tokio::test]
async fn a_control_plane_that_answers_no_ping_ends_the_stream_and_envoy_may_call_again() {
    for delta in [false, true] {
        let mut control_plane = ControlPlane::start().await;
        let way = Way::to(control_plane.address()).await;
        let address = format!("--discovery-address=http://{}", way.address);
        let agent = Agent::start(&[&[address.as_str()], &SOON[..]].concat()).await;
        let connection = Envoy::connect(&agent.address).await;
        let mut envoy = connection.stream(delta).await;
        envoy.send_raw(request(delta, CDS));
        let mut stream = control_plane.stream().await;
        stream.raw_request().await;
        stream.send(&response(CDS, "n")).await;
        envoy.raw_response().await;

        way.freeze(true);
        let end = envoy.end().await;
        assert_eq!(end.code(), Code::Unavailable, "{end}");
        until("the end of the stream", || agent.streams.open() == 0).await;

        way.freeze(false);
        let envoy = connection.stream(delta).await;
        envoy.send_raw(request(delta, CDS));
        control_plane.stream().await.raw_request().await;
    }
}

#[tokio::test]
async fn a_control_plane_that_has_nothing_to_say_for_long_is_no_dead_one() {
    let mut control_plane = ControlPlane::start().await;
    let agent = agent_with(&control_plane, &SOON).await;
    let mut envoy = Envoy::connect(&agent.address).await.sotw().await;
    envoy.send(&first(CDS));
    let mut stream = control_plane.stream().await;
    stream.raw_request().await;
    // Longer than a ping may remain unanswered.
    tokio::time::sleep(Duration::from_secs(4)).await;
    round_trip(&mut envoy, &mut stream, "still there").await;
    assert!(!control_plane.has_another_stream());
}

#[tokio::test]
async fn an_envoy_that_answers_no_ping_ends_the_stream_to_the_control_plane() {
    let mut control_plane = ControlPlane::start().await;
    let listen = ["--xds-listen=127.0.0.1:0"];
    let agent = agent_with(&control_plane, &[&listen[..], &SOON].concat()).await;
    let way = Way::to(agent.address.parse().unwrap()).await;
    let envoy = Envoy::connect(&way.address.to_string()).await.sotw().await;
    envoy.send(&first(CDS));
    let mut stream = control_plane.stream().await;
    stream.raw_request().await;
    way.freeze(true);
    assert_eq!(stream.closed().await, 0);
    until("the end of the stream", || agent.streams.open() == 0).await;
}
