//! Nonces: which Envoy knows, which the control plane knows, and which is whose.

use std::collections::VecDeque;

use bytes::Bytes;
use rand::Rng;

use super::Protocol;
use super::entry::Sent;
use crate::Held;
use crate::wire::{Malformed, Response, put_bytes};

/// Responses that Envoy has not answered, at most. It answers each, so that many are never open.
const MAX_OPEN: usize = 1024;
/// `resources`, in responses of both variants.
const RESOURCES: u32 = 2;

/// A response of the control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// Its number: the order in which they came.
    pub(super) number: u64,
    pub(super) nonce: String,
    pub(super) version: String,
}

/// A response of which nothing has been sent.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) known: Known,
    /// The message without its resources.
    pub(super) shell: Bytes,
}

/// A response that Envoy has not answered.
#[derive(Debug)]
struct Open {
    nonce: String,
    sent: Vec<Sent>,
}

/// Account of all nonces of a stream.
#[derive(Debug)]
pub(super) struct Ledger {
    protocol: Protocol,
    /// What nonces of the agent's own begin with. Drawn by lot, so that the control plane cannot have it too.
    prefix: String,
    own: u64,
    arrived: u64,
    waiting: VecDeque<Waiting>,
    /// The newest that was sent to Envoy.
    forwarded: Option<Known>,
    /// The newest that the agent refused by itself.
    refused: Option<Known>,
    /// All that the agent refused by itself and that Envoy has yet to answer.
    refused_open: VecDeque<String>,
    open: VecDeque<Open>,
    /// State of the world: the version that the control plane was last told is accepted.
    pub(super) accepted_version: String,
}

impl Ledger {
    pub(super) fn new(protocol: Protocol, random: &mut impl Rng) -> Self {
        Self {
            protocol,
            prefix: format!("meshloom-{:016x}-", random.random::<u64>()),
            own: 0,
            arrived: 0,
            waiting: VecDeque::new(),
            forwarded: None,
            refused: None,
            refused_open: VecDeque::new(),
            open: VecDeque::new(),
            accepted_version: String::new(),
        }
    }

    /// A response came.
    pub(super) fn arrives(&mut self, response: &Response<'_>) -> Known {
        self.arrived += 1;
        Known { number: self.arrived, nonce: response.nonce.to_owned(), version: response.version.to_owned() }
    }

    /// Whether the nonce is one of the agent's own.
    pub(super) fn is_own(&self, nonce: &str) -> bool {
        nonce.starts_with(&self.prefix)
    }

    /// Nothing of that response can be sent yet.
    pub(super) fn wait(&mut self, known: Known, message: &[u8]) -> Result<(), Malformed> {
        let shell = Response::with_resources(message, |_| None)?.into();
        self.waiting.push_back(Waiting { known, shell });
        Ok(())
    }

    /// The response of that number, if nothing of it has been sent. Those that came before it can then no longer be
    /// sent under their own nonces, and are forgotten.
    pub(super) fn take_waiting(&mut self, number: u64) -> Option<Waiting> {
        let at = self.waiting.iter().position(|waiting| waiting.known.number == number)?;
        self.waiting.drain(..=at).next_back()
    }

    /// Forgets those of which nothing is left, as `live` says. If one of them is the last that came, it is returned:
    /// nothing will be sent in its place, so it is owed an answer.
    pub(super) fn tidy(&mut self, live: impl Fn(u64) -> bool) -> Option<Waiting> {
        let arrived = self.arrived;
        let mut owed = None;
        let (live, gone) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting: &Waiting| live(waiting.known.number));
        self.waiting = live;
        for waiting in gone {
            if waiting.known.number == arrived {
                owed = Some(waiting);
            }
        }
        if owed.is_some() {
            // Those before it cannot be sent under their own nonces any more.
            self.waiting.clear();
        }
        owed
    }

    /// The last response of which nothing has been sent.
    pub(super) fn newest_waiting(&self) -> Option<u64> {
        self.waiting.back().map(|waiting| waiting.known.number)
    }

    /// That response was sent to Envoy, with that in it.
    pub(super) fn forward(&mut self, known: Known, sent: Vec<Sent>) -> Vec<Held> {
        self.waiting.retain(|waiting| waiting.known.number > known.number);
        let nonce = known.nonce.clone();
        self.forwarded = Some(known);
        self.opened(nonce, sent)
    }

    /// A response of the agent's own with these resources, which say what is in them.
    pub(super) fn own(&mut self, resources: &[Bytes], sent: Vec<Sent>) -> (Bytes, Vec<Held>) {
        self.own += 1;
        let nonce = format!("{}{}", self.prefix, self.own);
        let version = match self.protocol {
            Protocol::Sotw => self.forwarded.as_ref().map(|known| known.version.as_str()).unwrap_or_default(),
            // It is for people, and of the control plane's.
            Protocol::Delta => "",
        };
        let response = Response {
            type_url: super::super::TYPE_URL,
            nonce: &nonce,
            version,
            resources: resources.iter().map(|resource| &resource[..]).collect(),
            removed: Vec::new(),
        };
        let message = response.encode(self.protocol).into();
        (message, self.opened(nonce, sent))
    }

    fn opened(&mut self, nonce: String, sent: Vec<Sent>) -> Vec<Held> {
        self.open.push_back(Open { nonce, sent });
        if self.open.len() <= MAX_OPEN {
            return Vec::new();
        }
        self.open.pop_front().into_iter().flat_map(|open| open.sent).filter_map(|sent| sent.held).collect()
    }

    /// What Envoy answers by that nonce, after what it passed over: the answer to a later response may stand for those
    /// to earlier ones. Nothing if it has answered that nonce before.
    pub(super) fn answered(&mut self, nonce: &str) -> Option<(Vec<Sent>, Vec<Sent>)> {
        let at = self.open.iter().position(|open| open.nonce == nonce)?;
        let mut drained: Vec<Open> = self.open.drain(..=at).collect();
        let answered = drained.pop().map(|open| open.sent).unwrap_or_default();
        Some((drained.into_iter().flat_map(|open| open.sent).collect(), answered))
    }

    /// The last that was sent under that name and stands in for nothing, if it is not answered.
    pub(super) fn newest_unanswered(&self, name: &str) -> Option<&Sent> {
        let sent = self.open.iter().rev().flat_map(|open| open.sent.iter().rev());
        sent.filter(|sent| sent.record.is_some()).find(|sent| sent.name == name)
    }

    /// The agent refused that response by itself.
    pub(super) fn refuse(&mut self, known: &Known) {
        if self.refused_open.len() == MAX_OPEN {
            self.refused_open.pop_front();
        }
        self.refused_open.push_back(known.nonce.clone());
        self.refused = Some(known.clone());
    }

    /// Whether the agent refused that response by itself.
    pub(super) fn is_refused(&self, nonce: &str) -> bool {
        self.refused_open.iter().any(|refused| refused == nonce)
    }

    /// The newest nonce that the control plane takes for current: of a response that Envoy was sent, or of one that the
    /// agent refused by itself.
    pub(super) fn current(&self) -> Option<&Known> {
        self.forwarded.iter().chain(&self.refused).max_by_key(|known| known.number)
    }

    /// What Envoy was sent and has not answered.
    pub(super) fn drain_held(&mut self) -> Vec<Held> {
        self.open.drain(..).flat_map(|open| open.sent).filter_map(|sent| sent.held).collect()
    }
}

impl Waiting {
    /// The message with these resources.
    pub(super) fn with(&self, resources: &[Bytes]) -> Bytes {
        if resources.is_empty() {
            return self.shell.clone();
        }
        let mut message = self.shell.to_vec();
        for resource in resources {
            put_bytes(&mut message, RESOURCES, resource);
        }
        message.into()
    }
}
