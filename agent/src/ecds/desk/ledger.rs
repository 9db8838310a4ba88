//! Nonces: which Envoy knows, which the control plane knows, and which is whose.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use rand::Rng;

use super::Protocol;
use super::entry::Sent;
use crate::Held;
use crate::wire::{Malformed, Response, put_bytes};

/// Resources in responses that Envoy has not answered, at most. It answers each response, so that many are never open.
const MAX_SENT: usize = 1 << 15;
/// Responses that the agent refused by itself and that Envoy has yet to answer, at most.
const MAX_REFUSED: usize = 1024;
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
    /// How many of those there are of each name that stand in for nothing, and how many resources in all.
    unanswered: HashMap<String, usize>,
    sent: usize,
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
            unanswered: HashMap::new(),
            sent: 0,
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
        self.sent += sent.len();
        for sent in sent.iter().filter(|sent| sent.record.is_some()) {
            *self.unanswered.entry(sent.name.clone()).or_default() += 1;
        }
        self.open.push_back(Open { nonce, sent });
        let mut passed_over = Vec::new();
        while self.sent > MAX_SENT && self.open.len() > 1 {
            passed_over.extend(self.close(1).into_iter().flatten().filter_map(|sent| sent.held));
        }
        passed_over
    }

    /// Takes the oldest so many that are open, each with what was in it.
    fn close(&mut self, count: usize) -> Vec<Vec<Sent>> {
        let closed: Vec<Vec<Sent>> = self.open.drain(..count).map(|open| open.sent).collect();
        for sent in closed.iter().flatten() {
            self.sent = self.sent.saturating_sub(1);
            if sent.record.is_some()
                && let Some(count) = self.unanswered.get_mut(&sent.name)
            {
                *count -= 1;
                if *count == 0 {
                    self.unanswered.remove(&sent.name);
                }
            }
        }
        closed
    }

    /// What Envoy answers by that nonce, after what it passed over: the answer to a later response may stand for those
    /// to earlier ones. Nothing if it has answered that nonce before.
    pub(super) fn answered(&mut self, nonce: &str) -> Option<(Vec<Sent>, Vec<Sent>)> {
        let at = self.open.iter().position(|open| open.nonce == nonce)?;
        let mut closed = self.close(at + 1);
        let answered = closed.pop().unwrap_or_default();
        Some((closed.into_iter().flatten().collect(), answered))
    }

    /// Whether something was sent under that name that stands in for nothing and is not answered.
    pub(super) fn is_unanswered(&self, name: &str) -> bool {
        self.unanswered.contains_key(name)
    }

    /// The last that was sent under that name and stands in for nothing, if it is not answered.
    pub(super) fn newest_unanswered(&self, name: &str) -> Option<&Sent> {
        if !self.is_unanswered(name) {
            return None;
        }
        let sent = self.open.iter().rev().flat_map(|open| open.sent.iter().rev());
        sent.filter(|sent| sent.record.is_some()).find(|sent| sent.name == name)
    }

    /// The agent refused that response by itself.
    pub(super) fn refuse(&mut self, known: &Known) {
        if self.refused_open.len() == MAX_REFUSED {
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
