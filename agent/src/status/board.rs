//! The state of each resource, for whoever looks.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use super::history::{Event, History, Way};
use crate::ecds::Protocol;
use crate::{Reason, Sha256};

/// Every resource that the agent has been asked to convert, on any stream; and the last responses of ECDS.
#[derive(Debug, Default)]
pub struct Board {
    notes: Mutex<Notes>,
    history: Mutex<History>,
}

#[derive(Debug, Default)]
struct Notes {
    /// By stream and name.
    resources: BTreeMap<(u64, String), ResourceState>,
    /// How many of them have had no answer. Counted along, so that whoever asks need not.
    unanswered: usize,
    /// Whether Envoy can connect.
    listening: bool,
    /// There was a time at which each resource that Envoy had subscribed to was answered.
    settled: bool,
}

/// Whether Envoy may be sent traffic, as far as it is the agent's to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The proxy listens, and each resource has had an answer (or all had one once: a filter that comes later keeps no
    /// proxy from serving what it serves).
    Ready,
    /// Envoy cannot connect: not yet, or no longer.
    NotListening,
    /// Resources that Envoy waits for, at most ten of them.
    Waiting(Vec<String>),
}

/// What is known of one resource on one stream. Holds no secret: the source is stripped of user, password and query.
#[derive(Clone, Debug)]
pub struct ResourceState {
    /// The number of the stream, from 1.
    pub stream: u64,
    /// The resource's name.
    pub name: String,
    /// Where its module comes from.
    pub source: String,
    /// What Envoy was last given.
    pub serving: Serving,
    /// How things stand with what the control plane last sent.
    pub standing: Standing,
    /// The module that Envoy has, if it has one.
    pub module: Option<(Sha256, String)>,
    /// Attempts since the control plane last sent the resource.
    pub attempts: u32,
    /// Why the last attempt failed.
    pub last_error: Option<(Reason, String)>,
    /// When it is tried again.
    pub next_attempt: Option<SystemTime>,
    /// When any of this changed.
    pub changed: SystemTime,
}

/// What Envoy was last given for a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serving {
    /// Nothing yet.
    Nothing,
    /// The module that the control plane asked for.
    Wanted,
    /// An earlier one, because the one asked for is not there.
    LastGood,
    /// A filter that lets every request pass.
    Allow,
    /// A filter that denies every request.
    Deny,
}

/// How things stand with what the control plane last sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Being fetched.
    Fetching,
    /// Sent to Envoy, which has not answered.
    Sent,
    /// Envoy took it.
    Accepted,
    /// Envoy refused it.
    Refused,
    /// Failed; another attempt is due.
    Waiting,
    /// The resource itself cannot be read: the control plane was told.
    Malformed,
}

impl Board {
    /// Writes down how a resource stands.
    pub fn put(&self, state: ResourceState) {
        let key = (state.stream, state.name.clone());
        let mut notes = self.notes();
        let was_unanswered = notes.resources.get(&key).is_some_and(ResourceState::is_unanswered);
        notes.unanswered += usize::from(state.is_unanswered());
        notes.unanswered -= usize::from(was_unanswered);
        notes.resources.insert(key, state);
        notes.settled |= notes.unanswered == 0;
    }

    /// The resource is no longer subscribed on that stream.
    pub fn remove(&self, stream: u64, name: &str) {
        let mut notes = self.notes();
        if let Some(gone) = notes.resources.remove(&(stream, name.to_owned())) {
            notes.unanswered -= usize::from(gone.is_unanswered());
        }
    }

    /// The stream is over.
    pub fn remove_stream(&self, stream: u64) {
        let mut notes = self.notes();
        notes.resources.retain(|(of, _), _| *of != stream);
        notes.unanswered = notes.resources.values().filter(|state| state.is_unanswered()).count();
    }

    /// All of them, by stream and name.
    #[must_use]
    pub fn all(&self) -> Vec<ResourceState> {
        self.notes().resources.values().cloned().collect()
    }

    /// Envoy can connect now, or no longer.
    pub fn listens(&self, listening: bool) {
        self.notes().listening = listening;
    }

    /// Whether Envoy may be sent traffic.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let notes = self.notes();
        if !notes.listening {
            return Readiness::NotListening;
        }
        if notes.settled || notes.unanswered == 0 {
            return Readiness::Ready;
        }
        let waiting = notes.resources.values().filter(|state| state.is_unanswered());
        Readiness::Waiting(waiting.take(10).map(|state| state.name.clone()).collect())
    }

    /// Writes down a response of ECDS. What is kept of it is bounded, and holds nothing secret.
    pub fn record(&self, stream: u64, protocol: Protocol, way: Way, message: &Bytes) {
        let event = Event::of(stream, protocol, way, message);
        self.history.lock().unwrap_or_else(PoisonError::into_inner).push(event);
    }

    /// The last responses of ECDS, oldest first.
    #[must_use]
    pub fn history(&self) -> Vec<Event> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).all()
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Serving {
    /// Each there is.
    pub const ALL: [Self; 5] = [Self::Nothing, Self::Wanted, Self::LastGood, Self::Allow, Self::Deny];

    /// Whether this is something else than what the control plane asked for.
    #[must_use]
    pub fn is_fallback(self) -> bool {
        matches!(self, Self::LastGood | Self::Allow | Self::Deny)
    }

    /// As a label of a metric, and in JSON.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Wanted => "wanted",
            Self::LastGood => "last_good",
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

impl Standing {
    /// As a label of a metric, and in JSON.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Fetching => "fetching",
            Self::Sent => "sent",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Waiting => "waiting",
            Self::Malformed => "malformed",
        }
    }
}

impl ResourceState {
    /// How long until the next attempt.
    #[must_use]
    pub fn due_in(&self, now: SystemTime) -> Option<Duration> {
        self.next_attempt.map(|at| at.duration_since(now).unwrap_or_default())
    }

    /// Whether Envoy still waits. What is malformed is answered: the control plane has been told.
    fn is_unanswered(&self) -> bool {
        self.serving == Serving::Nothing && self.standing != Standing::Malformed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(name: &str, serving: Serving) -> ResourceState {
        ResourceState {
            stream: 1,
            name: name.to_owned(),
            source: "https://registry.test/a.wasm".to_owned(),
            serving,
            standing: Standing::Fetching,
            module: None,
            attempts: 0,
            last_error: None,
            next_attempt: None,
            changed: SystemTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn the_agent_is_ready_once_it_listens_and_no_resource_waits() {
        let board = Board::default();
        assert_eq!(board.readiness(), Readiness::NotListening);
        board.listens(true);
        assert_eq!(board.readiness(), Readiness::Ready);
        board.put(state("a", Serving::Nothing));
        board.put(state("b", Serving::Nothing));
        assert_eq!(board.readiness(), Readiness::Waiting(vec!["a".to_owned(), "b".to_owned()]));
        board.put(state("a", Serving::Deny));
        assert_eq!(board.readiness(), Readiness::Waiting(vec!["b".to_owned()]));
        board.put(ResourceState { standing: Standing::Malformed, ..state("b", Serving::Nothing) });
        assert_eq!(board.readiness(), Readiness::Ready);
    }

    #[test]
    fn a_filter_that_comes_later_does_not_take_readiness_away() {
        let board = Board::default();
        board.listens(true);
        board.put(state("a", Serving::Wanted));
        board.put(state("b", Serving::Nothing));
        assert_eq!(board.readiness(), Readiness::Ready);
        board.listens(false);
        assert_eq!(board.readiness(), Readiness::NotListening);
    }

    #[test]
    fn a_resource_or_a_stream_that_is_gone_is_not_waited_for() {
        let board = Board::default();
        board.listens(true);
        board.put(state("a", Serving::Nothing));
        board.remove(1, "a");
        assert_eq!(board.readiness(), Readiness::Ready);
        board.put(state("a", Serving::Nothing));
        board.put(state("b", Serving::Nothing));
        board.remove_stream(1);
        assert_eq!(board.readiness(), Readiness::Ready);
        board.put(state("a", Serving::Nothing));
        assert_eq!(board.readiness(), Readiness::Waiting(vec!["a".to_owned()]));
    }
}
