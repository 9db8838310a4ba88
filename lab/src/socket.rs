//! Bytes by hand: requests that no client library would send, and servers that no library would be.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::envoy::Envoy;

/// How long nothing may come before the test that waits for it fails.
const PATIENCE: Duration = Duration::from_secs(30);

impl Envoy {
    /// A connection to the proxy.
    ///
    /// # Panics
    ///
    /// When there is none to be had.
    #[track_caller]
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.proxy()).expect("a connection to the proxy");
        stream.set_read_timeout(Some(PATIENCE)).expect("a live connection");
        stream
    }

    /// Sends these bytes and no others, and answers what comes back until Envoy closes the connection.
    ///
    /// # Panics
    ///
    /// When Envoy does not within half a minute.
    #[track_caller]
    pub fn raw(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_ref()).expect("the proxy takes bytes");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an end of the answer");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Sends these bytes and no others, and answers the head of what comes back: for what Envoy leaves open.
    #[track_caller]
    pub fn raw_head(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_ref()).expect("the proxy takes bytes");
        read_head(&mut stream)
    }
}

/// Reads to the end of a message's head, and no further. Shorter if the connection ends before.
pub fn read_head(stream: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read > 0) {
        head.extend(byte);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// A server that does with each connection what `serve` says, for what no proper server does.
pub fn serving(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// A server that answers one request by these bytes and ends; and the head of what it was sent.
pub fn answering_once(answer: &'static str) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let head = read_head(&mut stream);
        assert!(head.ends_with("\r\n\r\n"), "the request ends too early: {head}");
        stream.write_all(answer.as_bytes()).expect("the other side takes bytes");
        head
    });
    (address, served)
}
