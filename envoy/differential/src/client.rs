//! Clients that do one thing at a time.

mod http1;
mod http2;
mod socket;

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::timeout;

use crate::observation::Message;
use crate::pace::Pace;
use crate::scenario::{Protocol, Request, Text};
use socket::Socket;

/// How long a response may take.
const PATIENCE: Duration = Duration::from_secs(8);

/// One stream, on a connection of its own.
pub(crate) enum Client {
    Http2(http2::Stream),
    Http1(http1::Exchange),
    Tcp(Socket),
}

impl Client {
    /// Sends the headers of a request; `end` says that nothing follows.
    pub(crate) async fn open(address: SocketAddr, request: &Request, end: bool, pace: Pace) -> Self {
        match request.protocol {
            Protocol::Http2 => Self::Http2(http2::Stream::open(address, request, end, pace).await),
            Protocol::Http1 => Self::Http1(http1::Exchange::open(address, request, end, pace).await),
        }
    }

    /// Opens a TCP connection.
    pub(crate) async fn connect(address: SocketAddr, pace: Pace) -> Self {
        Self::Tcp(Socket::connect(address, |_| false, pace).await)
    }

    /// Sends a part of the body.
    pub(crate) async fn data(&mut self, bytes: Vec<u8>, end: bool) {
        match self {
            Self::Http2(stream) => stream.data(bytes, end),
            Self::Http1(exchange) => exchange.data(&bytes, end).await,
            Self::Tcp(socket) => socket.send(&bytes, end).await,
        }
    }

    pub(crate) async fn trailers(&mut self, trailers: &[(String, Text)]) {
        match self {
            Self::Http2(stream) => stream.trailers(trailers),
            Self::Http1(exchange) => exchange.trailers(trailers).await,
            Self::Tcp(_) => panic!("TCP has no trailers"),
        }
    }

    pub(crate) fn reset(&mut self) {
        match self {
            Self::Http2(stream) => stream.reset(),
            Self::Http1(_) | Self::Tcp(_) => panic!("only HTTP/2 has streams that can be reset"),
        }
    }

    pub(crate) fn disconnect(&mut self) {
        match self {
            Self::Http2(stream) => stream.disconnect(),
            Self::Http1(exchange) => exchange.socket.close(),
            Self::Tcp(socket) => socket.close(),
        }
    }

    /// Waits until the response has ended. If it takes too long, it is seen to be open.
    pub(crate) async fn finish(&mut self) {
        let _ = match self {
            Self::Http2(stream) => timeout(PATIENCE, stream.finish()).await,
            Self::Http1(exchange) => timeout(PATIENCE, exchange.socket.finish()).await,
            Self::Tcp(socket) => timeout(PATIENCE, socket.finish()).await,
        };
    }

    pub(crate) fn seen(&self) -> Message {
        match self {
            Self::Http2(stream) => stream.seen(),
            Self::Http1(exchange) => exchange.seen(),
            Self::Tcp(socket) => socket.seen(),
        }
    }
}
