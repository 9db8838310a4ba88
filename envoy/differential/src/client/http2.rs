//! An HTTP/2 stream, each part of its body a frame.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, SendStream};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::observation::{End, Message};
use crate::pace::Pace;
use crate::scenario::{Request, Text};
use crate::server::{lines, map};

/// An HTTP/2 stream on a connection of its own.
pub(crate) struct Stream {
    sending: SendStream<Bytes>,
    seen: Arc<Mutex<Message>>,
    receiving: JoinHandle<()>,
    connection: JoinHandle<()>,
}

impl Stream {
    /// Sends the headers of a request; `end` says that nothing follows.
    pub(crate) async fn open(address: SocketAddr, request: &Request, end: bool, pace: Pace) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection to the proxy");
        stream.set_nodelay(true).expect("a live connection");
        let (sender, connection) = h2::client::Builder::new()
            .initial_window_size(8 << 20)
            .initial_connection_window_size(16 << 20)
            .handshake(stream)
            .await
            .expect("an HTTP/2 connection");
        let connection = tokio::spawn(async move {
            let _ = connection.await; // it ends in whatever way
        });
        let mut sender = sender.ready().await.expect("an HTTP/2 connection");
        let mut head = http::Request::builder()
            .method(request.method.as_str())
            .uri(format!("http://{}{}", request.authority, request.path))
            .body(())
            .expect("a request");
        *head.headers_mut() = map(&request.headers);
        let (response, sending) = sender.send_request(head, end).expect("a request that can be sent");
        let seen = Arc::default();
        let receiving = tokio::spawn(receive(response, Arc::clone(&seen), pace));
        Self { sending, seen, receiving, connection }
    }

    /// Sends a part of the body. That the proxy has reset the stream in the meantime shows in what was seen.
    pub(crate) fn data(&mut self, bytes: Vec<u8>, end: bool) {
        let _ = self.sending.send_data(bytes.into(), end);
    }

    pub(crate) fn trailers(&mut self, trailers: &[(String, Text)]) {
        let _ = self.sending.send_trailers(map(trailers)); // as above
    }

    pub(crate) fn reset(&mut self) {
        self.sending.send_reset(Reason::CANCEL);
    }

    pub(crate) fn disconnect(&mut self) {
        self.receiving.abort();
        self.connection.abort();
    }

    /// Waits until the response has ended.
    pub(crate) async fn finish(&mut self) {
        let _ = (&mut self.receiving).await; // it may have been disconnected
    }

    pub(crate) fn seen(&self) -> Message {
        self.seen.lock().expect("no panic while this is held").clone()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.disconnect();
    }
}

async fn receive(response: ResponseFuture, seen: Arc<Mutex<Message>>, pace: Pace) {
    let change = |change: &dyn Fn(&mut Message)| {
        change(&mut seen.lock().expect("no panic while this is held"));
        pace.event();
    };
    let reset = |message: &mut Message| message.end = End::Reset;
    let Ok(response) = response.await else { return change(&reset) };
    let (head, mut body) = response.into_parts();
    change(&|message| {
        message.headers = vec![(":status".to_owned(), head.status.as_str().into())];
        message.headers.extend(lines(&head.headers));
    });
    while let Some(part) = body.data().await {
        let Ok(part) = part else { return change(&reset) };
        let _ = body.flow_control().release_capacity(part.len()); // the stream may just have ended
        change(&|message| message.body.get_or_insert_default().extend(&part));
    }
    match body.trailers().await {
        Ok(trailers) => change(&|message| {
            message.trailers = trailers.as_ref().map(|map| lines(map).collect()).unwrap_or_default();
            message.end = End::Complete;
        }),
        Err(_) => change(&reset),
    }
}
