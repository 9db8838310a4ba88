//! The last responses of ECDS, without what they hold of secrets.

use std::collections::VecDeque;
use std::time::SystemTime;

use bytes::Bytes;
use serde::Serialize;

use crate::ecds::Protocol;

mod summary;

pub use summary::{Code, Resource};

/// How many responses are kept.
const EVENTS: usize = 64;
/// How many bytes are kept in all, of text.
const BYTES: usize = 256 * 1024;
/// How many resources of a response are kept.
const RESOURCES: usize = 32;
/// How many bytes of a name, a version or a source are kept.
const TEXT: usize = 512;

/// Which way a response went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// From the control plane to the agent.
    Received,
    /// From the agent to Envoy.
    Sent,
}

/// A response, as far as it may be shown: only what is listed here is taken from it.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The number of the stream.
    pub stream: u64,
    /// Which way it went.
    pub way: Way,
    /// Its size.
    pub bytes: usize,
    /// What it says its version is.
    pub version: String,
    /// What the answer to it has to name.
    pub nonce: String,
    /// The first of its resources.
    pub resources: Vec<Resource>,
    /// How many more there are.
    pub more: usize,
    /// It is no response that can be read.
    pub malformed: bool,
}

/// A ring of them.
#[derive(Debug, Default)]
pub(super) struct History {
    events: VecDeque<Event>,
    bytes: usize,
}

impl Event {
    /// What of that message may be shown.
    pub(super) fn of(stream: u64, protocol: Protocol, way: Way, message: &Bytes) -> Self {
        let at = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let summary = summary::of(protocol, message);
        let malformed = summary.is_none();
        let summary::Summary { version, nonce, resources, more } = summary.unwrap_or_default();
        Self {
            at_ms: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
            stream,
            way,
            bytes: message.len(),
            version,
            nonce,
            resources,
            more,
            malformed,
        }
    }

    /// What it costs to keep.
    fn cost(&self) -> usize {
        let resources: usize = self.resources.iter().map(Resource::cost).sum();
        size_of::<Self>() + self.version.len() + self.nonce.len() + resources
    }
}

impl History {
    /// Keeps one more, and drops the oldest for it.
    pub(super) fn push(&mut self, event: Event) {
        self.bytes += event.cost();
        self.events.push_back(event);
        while self.events.len() > EVENTS || self.bytes > BYTES {
            match self.events.pop_front() {
                Some(oldest) => self.bytes = self.bytes.saturating_sub(oldest.cost()),
                None => break,
            }
        }
    }

    /// All of them, oldest first.
    pub(super) fn all(&self) -> Vec<Event> {
        self.events.iter().cloned().collect()
    }
}

/// A text of theirs, cut to what is kept.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
