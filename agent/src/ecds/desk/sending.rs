//! What goes to Envoy, and under which nonce.

use std::collections::BTreeSet;
use std::time::Instant;

use bytes::Bytes;

use super::entry::Sent;
use super::{Desk, Effect};

/// A resource that is ready later than the response it came in.
pub(super) struct Ready {
    /// The number of that response.
    pub(super) response: u64,
    /// The resource in its envelope.
    pub(super) resource: Bytes,
    pub(super) sent: Sent,
}

impl Desk {
    /// Sends resources that are ready: under the nonce of the response they came in if nothing of that or of a later
    /// one has been sent, else in a response of the agent's own.
    pub(super) fn send(&mut self, mut ready: Vec<Ready>, now: Instant, effects: &mut Vec<Effect>) {
        ready.sort_by_key(|ready| ready.response);
        let mut own = Vec::new();
        let mut rest = ready.into_iter().peekable();
        while let Some(first) = rest.next() {
            let number = first.response;
            let mut group = vec![first];
            while let Some(next) = rest.next_if(|next| next.response == number) {
                group.push(next);
            }
            let Some(waiting) = self.ledger.take_waiting(number) else {
                own.extend(group);
                continue;
            };
            let (resources, sent) = self.noted(group, now);
            effects.push(Effect::ToEnvoy(waiting.with(&resources)));
            let passed_over = self.ledger.forward(waiting.known, sent);
            self.release(passed_over, now);
        }
        if !own.is_empty() {
            let (resources, sent) = self.noted(own, now);
            let (message, passed_over) = self.ledger.own(&resources, sent);
            effects.push(Effect::ToEnvoy(message));
            self.release(passed_over, now);
        }
    }

    fn noted(&mut self, ready: Vec<Ready>, now: Instant) -> (Vec<Bytes>, Vec<Sent>) {
        let mut sent = Vec::with_capacity(ready.len());
        let mut resources = Vec::with_capacity(ready.len());
        for ready in ready {
            self.note(&ready.sent, now);
            resources.push(ready.resource);
            sent.push(ready.sent);
        }
        (resources, sent)
    }

    /// Writes down what Envoy is sent.
    pub(super) fn note(&mut self, sent: &Sent, now: Instant) {
        if let Some(entry) = self.entries.get_mut(&sent.name) {
            entry.sent(sent);
            entry.show(&self.board, now);
        }
    }

    /// Sends responses of which nothing is left to come, if they are still owed: empty ones, which change nothing but are
    /// answered.
    pub(super) fn settle(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        if self.ledger.newest_waiting().is_none() {
            return;
        }
        let stragglers = self.entries.values().filter_map(|entry| entry.straggler.as_ref());
        let live: BTreeSet<u64> = stragglers.map(|straggler| straggler.response).collect();
        if let Some(owed) = self.ledger.tidy(|number| live.contains(&number)) {
            self.send_empty(owed, now, effects);
        }
    }

    /// Sends that response without any of its resources; they follow in responses of the agent's own.
    pub(super) fn send_empty(
        &mut self,
        waiting: super::ledger::Waiting,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        effects.push(Effect::ToEnvoy(waiting.with(&[])));
        let passed_over = self.ledger.forward(waiting.known, Vec::new());
        self.release(passed_over, now);
    }
}
