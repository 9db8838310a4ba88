//! A TCP connection in the hands of a test.

use bytes::Bytes;

use crate::abi::PeerType;
use crate::cost::Costs;
use crate::host::Host;
use crate::stream;

/// One TCP connection from a client through the plugins to an upstream. Dropped before it is closed, its client goes
/// away.
#[derive(Debug)]
pub struct Connection {
    host: Host,
    id: usize,
}

impl Connection {
    pub(crate) fn open(host: Host) -> Self {
        let id = host.lock().connect(stream::Connection::default());
        Self { host, id }
    }

    fn read<T>(&self, read: impl FnOnce(&stream::Connection) -> T) -> T {
        let mut machine = self.host.lock();
        #[expect(clippy::expect_used, clippy::indexing_slicing, reason = "it lives as long as its handle")]
        let tcp = machine.world().tcp[self.id].as_ref().expect("the connection lives");
        read(tcp)
    }

    /// The client sends something, and nothing more if it is the end.
    pub fn send(&self, data: impl Into<Bytes>, end: bool) -> &Self {
        self.host.lock().downstream_sends(self.id, data.into(), end);
        self
    }

    /// The upstream sends something, and nothing more if it is the end.
    pub fn upstream_sends(&self, data: impl Into<Bytes>, end: bool) -> &Self {
        self.host.lock().upstream_sends(self.id, data.into(), end);
        self
    }

    /// The client closes the connection, which shows as the end of its data. The upstream's end then closes it on
    /// the other side.
    pub fn close(&self) -> &Self {
        self.send("", true)
    }

    /// The client breaks the connection off.
    pub fn reset(&self) -> &Self {
        self.host.lock().closed(self.id, PeerType::Remote);
        self
    }

    /// What the upstream has received so far.
    #[must_use]
    pub fn forwarded(&self) -> Vec<u8> {
        self.read(|tcp| tcp.upstream.concat())
    }

    /// What the client has received so far.
    #[must_use]
    pub fn received(&self) -> Vec<u8> {
        self.read(|tcp| tcp.downstream.concat())
    }

    /// Whether every filter has let the connection itself through, so that the upstream knows of it.
    #[must_use]
    pub fn was_let_through(&self) -> bool {
        self.read(|tcp| tcp.let_through)
    }

    /// Whether the upstream has been told that the client sends no more.
    #[must_use]
    pub fn has_ended_upstream(&self) -> bool {
        self.read(|tcp| tcp.upstream_end)
    }

    /// Whether the client has been told that the upstream sends no more.
    #[must_use]
    pub fn has_ended_downstream(&self) -> bool {
        self.read(|tcp| tcp.downstream_end)
    }

    /// Who closed the connection, if it is closed.
    #[must_use]
    pub fn closed_by(&self) -> Option<PeerType> {
        self.read(|tcp| tcp.closed)
    }

    /// What the connection's callbacks have cost so far.
    #[must_use]
    pub fn costs(&self) -> Costs {
        self.read(|tcp| tcp.costs.clone())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut machine = self.host.lock();
        machine.closed(self.id, PeerType::Remote);
        if let Some(place) = machine.world().tcp.get_mut(self.id) {
            *place = None;
        }
    }
}
