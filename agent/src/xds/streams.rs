//! The streams there are, for whoever looks: the admin page, readiness, tests.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::Notify;

use crate::ecds::Protocol;

/// Characters of a node's identity that are kept, and of an error. Envoy and the control plane choose both.
const KEPT: usize = 512;

/// All streams that Envoy has open.
#[derive(Debug, Default)]
pub struct Streams {
    last_number: AtomicU64,
    open: Mutex<BTreeMap<u64, Arc<Counters>>>,
    last_error: Mutex<Option<(SystemTime, String)>>,
    one_ended: Notify,
}

/// How one stream stands.
#[derive(Clone, Debug)]
pub struct StreamState {
    /// Its number, from 1. No two streams of a process have the same.
    pub number: u64,
    /// The variant of xDS that it speaks.
    pub protocol: Protocol,
    /// Whose it is: the node's identity of the first request. Nothing before that, or if it tells none.
    pub node: Option<String>,
    /// When Envoy opened it.
    pub since: SystemTime,
    /// Whether the control plane has answered it.
    pub connected: bool,
    /// Requests that came from Envoy.
    pub requests: u64,
    /// Responses that came from the control plane.
    pub responses: u64,
    /// Responses that were not forwarded, for their type is none of Envoy's.
    pub dropped: u64,
    /// What Envoy last refused, or the stream's last trouble.
    pub last_error: Option<String>,
}

#[derive(Debug)]
struct Counters {
    protocol: Protocol,
    since: SystemTime,
    connected: AtomicBool,
    requests: AtomicU64,
    responses: AtomicU64,
    dropped: AtomicU64,
    words: Mutex<Words>,
}

#[derive(Debug, Default)]
struct Words {
    node: Option<String>,
    last_error: Option<String>,
}

impl Streams {
    /// How many there are.
    #[must_use]
    pub fn open(&self) -> usize {
        lock(&self.open).len()
    }

    /// How many of them the control plane has answered.
    #[must_use]
    pub fn connected(&self) -> usize {
        lock(&self.open).values().filter(|stream| stream.connected.load(Ordering::Relaxed)).count()
    }

    /// How many there have been.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.last_number.load(Ordering::Relaxed)
    }

    /// The last error that ended a stream, and when.
    #[must_use]
    pub fn last_error(&self) -> Option<(SystemTime, String)> {
        lock(&self.last_error).clone()
    }

    /// How each stands, by number.
    #[must_use]
    pub fn all(&self) -> Vec<StreamState> {
        lock(&self.open).iter().map(|(number, stream)| stream.state(*number)).collect()
    }

    /// Until there is none.
    pub(super) async fn none(&self) {
        loop {
            let ended = self.one_ended.notified();
            tokio::pin!(ended);
            // Before looking, or the last may end in between and nobody be told.
            ended.as_mut().enable();
            if self.open() == 0 {
                return;
            }
            ended.await;
        }
    }

    pub(super) fn begin(self: &Arc<Self>, protocol: Protocol) -> OpenStream {
        let number = self.last_number.fetch_add(1, Ordering::Relaxed) + 1;
        let counters = Arc::new(Counters {
            protocol,
            since: SystemTime::now(),
            connected: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            responses: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            words: Mutex::default(),
        });
        lock(&self.open).insert(number, counters.clone());
        OpenStream { number, counters, streams: self.clone() }
    }
}

impl Counters {
    fn state(&self, number: u64) -> StreamState {
        let words = lock(&self.words);
        StreamState {
            number,
            protocol: self.protocol,
            node: words.node.clone(),
            since: self.since,
            connected: self.connected.load(Ordering::Relaxed),
            requests: self.requests.load(Ordering::Relaxed),
            responses: self.responses.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            last_error: words.last_error.clone(),
        }
    }
}

/// A stream while it is open: no longer shown once this is dropped.
#[derive(Debug)]
pub(super) struct OpenStream {
    number: u64,
    counters: Arc<Counters>,
    streams: Arc<Streams>,
}

impl OpenStream {
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn connected(&self) {
        self.counters.connected.store(true, Ordering::Relaxed);
    }

    /// Counts a request. Says whether it is the first.
    pub(super) fn request(&self) -> bool {
        self.counters.requests.fetch_add(1, Ordering::Relaxed) == 0
    }

    pub(super) fn response(&self) {
        self.counters.responses.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn dropped(&self) {
        self.counters.dropped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn node(&self, id: &str) {
        lock(&self.counters.words).node = Some(shortened(id));
    }

    pub(super) fn error(&self, message: &str) {
        lock(&self.counters.words).last_error = Some(shortened(message));
    }

    /// The error is what the stream ends with.
    pub(super) fn failed(&self, message: &str) {
        self.error(message);
        *lock(&self.streams.last_error) = Some((SystemTime::now(), shortened(message)));
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        lock(&self.streams.open).remove(&self.number);
        self.streams.one_ended.notify_waiters();
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(KEPT).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_shown_as_long_as_it_is_open() {
        let streams = Arc::<Streams>::default();
        let first = streams.begin(Protocol::Sotw);
        let second = streams.begin(Protocol::Delta);
        second.connected();
        assert!(second.request());
        assert!(!second.request());
        second.node("sidecar~10.0.0.1~a.b~b.svc");
        second.failed(&"x".repeat(10_000));
        drop(first);
        let shown = streams.all();
        assert_eq!((shown.len(), shown[0].number, shown[0].requests), (1, 2, 2));
        assert_eq!(shown[0].node.as_deref(), Some("sidecar~10.0.0.1~a.b~b.svc"));
        assert_eq!(shown[0].last_error.as_ref().unwrap().len(), KEPT);
        assert_eq!((streams.open(), streams.connected(), streams.opened()), (1, 1, 2));
        drop(second);
        assert_eq!((streams.open(), streams.connected()), (0, 0));
        assert!(streams.last_error().is_some());
    }

    #[tokio::test]
    async fn whoever_waits_for_the_last_stream_is_told_when_it_ends() {
        let streams = Arc::<Streams>::default();
        let open = streams.begin(Protocol::Sotw);
        let waiting = tokio::spawn({
            let streams = streams.clone();
            async move { streams.none().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(open);
        waiting.await.unwrap();
        streams.none().await;
    }
}
