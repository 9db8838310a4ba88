//! The state of each resource, for whoever looks.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use crate::{Reason, Sha256};

/// Every resource that the agent has been asked to convert, on any stream.
#[derive(Debug, Default)]
pub struct Board {
    /// By stream and name.
    resources: Mutex<BTreeMap<(u64, String), ResourceState>>,
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
        self.resources.lock().unwrap_or_else(PoisonError::into_inner).insert(key, state);
    }

    /// The resource is no longer subscribed on that stream.
    pub fn remove(&self, stream: u64, name: &str) {
        self.resources.lock().unwrap_or_else(PoisonError::into_inner).remove(&(stream, name.to_owned()));
    }

    /// The stream is over.
    pub fn remove_stream(&self, stream: u64) {
        self.resources.lock().unwrap_or_else(PoisonError::into_inner).retain(|(of, _), _| *of != stream);
    }

    /// All of them, by stream and name.
    #[must_use]
    pub fn all(&self) -> Vec<ResourceState> {
        self.resources.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

impl Serving {
    /// Whether this is something else than what the control plane asked for.
    #[must_use]
    pub fn is_fallback(self) -> bool {
        matches!(self, Self::LastGood | Self::Allow | Self::Deny)
    }
}

impl ResourceState {
    /// How long until the next attempt.
    #[must_use]
    pub fn due_in(&self, now: SystemTime) -> Option<Duration> {
        self.next_attempt.map(|at| at.duration_since(now).unwrap_or_default())
    }
}
