//! What becomes of one stream's ECDS: which message goes where, which module is wanted, what is tried again and when.
//!
//! A response of the control plane goes to Envoy under its own nonce as soon as one of its resources is ready, and
//! without those that are not. Those follow, each when its module is there or something stands in for it, in responses
//! of the agent's own: neither they nor what Envoy answers to them is known to the control plane, but for refusals.
//!
//! What holds, whatever comes in which order:
//!
//! - of each name, Envoy is never sent something older than what it was sent before: a response that names it
//!   supersedes all that is still to come of earlier ones;
//! - nonces of the control plane reach Envoy in the order in which they came, those that nothing is left of not at all;
//! - the control plane never sees a nonce of the agent's own, and is answered each of its own once: by Envoy, or by the
//!   agent if there was something in the response that cannot be read. Only a refusal of what followed later comes in
//!   addition;
//! - what is remembered is bounded by what Envoy subscribes to.

mod accepting;
mod answering;
mod attempting;
mod entry;
mod incoming;
mod ledger;
mod refusing;
mod sending;
mod subscription;
mod timing;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use self::entry::Entry;
use self::ledger::Ledger;
use self::subscription::Subscription;
use self::timing::Timing;
use super::last_good::LastGood;
use super::options::Options;
use crate::status::{Board, Metrics};
use crate::{Held, Library, Unavailable, Wanted};

/// Names that are kept account of, at most: a subscription to everything has no bound of its own.
const MAX_NAMES: usize = 10_000;

/// Decides for one stream between Envoy and the control plane. Does nothing by itself: it is told of messages, modules
/// and time, and says what is to be done, in order.
pub struct Desk {
    stream: u64,
    protocol: Protocol,
    library: Arc<dyn Library>,
    board: Arc<Board>,
    metrics: Arc<Metrics>,
    last_good: Arc<LastGood>,
    options: Options,
    random: StdRng,
    subscription: Subscription,
    ledger: Ledger,
    /// What is known of each name that is subscribed and has, or had, remote code.
    entries: BTreeMap<String, Entry>,
    /// Who waits for an attempt.
    tickets: HashMap<Ticket, String>,
    next_ticket: u64,
    /// Files that are let go at a time, the earliest first.
    releases: VecDeque<(Instant, Vec<Held>)>,
    /// The last time that the desk was told of.
    now: Option<Instant>,
}

/// The variant of the xDS protocol that a stream speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// State of the world: `StreamAggregatedResources`.
    Sotw,
    /// Incremental: `DeltaAggregatedResources`.
    Delta,
}

/// An attempt to obtain a module. Never used again on the same desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send this response to Envoy.
    ToEnvoy(Bytes),
    /// Send this request to the control plane.
    ToControlPlane(Bytes),
    /// Obtain this module, and tell the desk by [`Desk::obtained`].
    Obtain(Ticket, Box<Wanted>),
    /// Nobody waits for that attempt any more.
    GiveUp(Ticket),
}

impl Desk {
    /// The desk of one stream. Streams have numbers of their own, by which the board tells them apart.
    #[must_use]
    pub fn new(
        stream: u64,
        protocol: Protocol,
        library: Arc<dyn Library>,
        board: Arc<Board>,
        metrics: Arc<Metrics>,
        last_good: Arc<LastGood>,
        options: Options,
    ) -> Self {
        let mut random = options.seed.map_or_else(StdRng::from_os_rng, StdRng::seed_from_u64);
        Self {
            stream,
            protocol,
            library,
            board,
            metrics,
            last_good,
            options,
            ledger: Ledger::new(protocol, &mut random),
            random,
            subscription: Subscription::new(protocol),
            entries: BTreeMap::new(),
            tickets: HashMap::new(),
            next_ticket: 0,
            releases: VecDeque::new(),
            now: None,
        }
    }

    /// The control plane sent an ECDS response.
    pub fn response(&mut self, message: Bytes, now: Instant, effects: &mut Vec<Effect>) {
        self.passes(now);
        let timing = Timing::begins(&self.metrics);
        if self.options.convert {
            self.convert_response(message, &timing, now, effects);
        } else {
            effects.push(Effect::ToEnvoy(self.stripped_response(message)));
        }
    }

    /// Envoy sent an ECDS request.
    pub fn request(&mut self, message: Bytes, now: Instant, effects: &mut Vec<Effect>) {
        self.passes(now);
        if self.options.convert {
            self.answer(message, now, effects);
        } else {
            effects.push(Effect::ToControlPlane(message));
        }
    }

    /// An attempt has ended.
    pub fn obtained(
        &mut self,
        ticket: Ticket,
        outcome: Result<Held, Unavailable>,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        self.passes(now);
        self.attempt_ended(ticket, outcome, now, effects);
    }

    /// Time has passed.
    pub fn due(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        self.passes(now);
        self.try_again(now, effects);
        self.budgets_end(now, effects);
    }

    /// When [`due`](Self::due) has to be called next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let releases = self.releases.front().map(|(at, _)| *at);
        self.entries.values().filter_map(Entry::deadline).chain(releases).min()
    }

    /// Files whose time is over are let go, of this stream and of those that have ended.
    fn passes(&mut self, now: Instant) {
        self.now = Some(now);
        self.last_good.release(now);
        while self.releases.front().is_some_and(|(at, _)| *at <= now) {
            self.releases.pop_front();
        }
    }

    /// Keeps files for as long as an Envoy may need them that does not ask for them any more.
    fn release(&mut self, held: Vec<Held>, now: Instant) {
        if !held.is_empty() {
            self.releases.push_back((now + self.options.release_after, held));
        }
    }

    /// Nothing more is to be known of that name on this stream.
    fn forget(&mut self, name: &str, now: Instant, effects: &mut Vec<Effect>) {
        if let Some(entry) = self.entries.remove(name) {
            if let Some(ticket) = entry.running() {
                self.give_up(ticket, effects);
            }
            self.release(entry.into_held(), now);
            self.board.remove(self.stream, name);
        }
    }
}

impl Drop for Desk {
    /// Envoy comes back with another stream, and until then needs the files that it has.
    fn drop(&mut self) {
        self.board.remove_stream(self.stream);
        let Some(now) = self.now else { return };
        let mut held: Vec<Held> =
            std::mem::take(&mut self.entries).into_values().flat_map(Entry::into_held).collect();
        held.extend(self.ledger.drain_held());
        held.extend(self.releases.drain(..).flat_map(|(_, held)| held));
        self.last_good.linger(now + self.options.release_after, held);
    }
}
