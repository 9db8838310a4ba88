//! A TCP connection.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::task::JoinHandle;

use crate::observation::{End, Message};
use crate::pace::Pace;

pub(crate) struct Socket {
    sending: Option<OwnedWriteHalf>,
    received: Arc<Mutex<Received>>,
    receiving: JoinHandle<()>,
}

/// What came, and how it ended.
#[derive(Clone, Default)]
pub(crate) struct Received {
    pub(crate) bytes: Vec<u8>,
    pub(crate) end: End,
}

impl Socket {
    /// Connects, and receives until the other side closes or `enough` says so.
    pub(crate) async fn connect(
        address: SocketAddr,
        enough: impl Fn(&[u8]) -> bool + Send + 'static,
        pace: Pace,
    ) -> Self {
        let stream = TcpStream::connect(address).await.expect("a connection to the proxy");
        stream.set_nodelay(true).expect("a live connection");
        let (mut reading, sending) = stream.into_split();
        let received = Arc::<Mutex<Received>>::default();
        let kept = Arc::clone(&received);
        let receiving = tokio::spawn(async move {
            let mut part = vec![0; 1 << 16];
            loop {
                let read = reading.read(&mut part).await;
                let mut received = kept.lock().expect("no panic while this is held");
                match read {
                    Ok(0) => received.end = End::Complete,
                    Ok(size) => received.bytes.extend(&part[..size]),
                    Err(_) => received.end = End::Reset,
                }
                pace.event();
                if received.end != End::Open || enough(&received.bytes) {
                    return;
                }
            }
        });
        Self { sending: Some(sending), received, receiving }
    }

    /// Sends bytes; `end` closes this direction. That the proxy has closed the connection shows in what was received.
    pub(crate) async fn send(&mut self, bytes: &[u8], end: bool) {
        let Some(sending) = &mut self.sending else { return };
        let _ = sending.write_all(bytes).await;
        if end {
            let _ = sending.shutdown().await;
        }
    }

    pub(crate) fn close(&mut self) {
        self.receiving.abort();
        self.sending = None;
    }

    pub(crate) async fn finish(&mut self) {
        let _ = (&mut self.receiving).await; // it may have been closed
    }

    pub(crate) fn received(&self) -> Received {
        self.received.lock().expect("no panic while this is held").clone()
    }

    pub(crate) fn seen(&self) -> Message {
        let Received { bytes, end } = self.received();
        Message { body: (!bytes.is_empty()).then_some(bytes), end, ..Message::default() }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.close();
    }
}
