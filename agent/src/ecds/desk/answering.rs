//! Requests of Envoy: what of them the control plane is told, and under which nonce.

use std::time::Instant;

use bytes::Bytes;

use super::ledger::Known;
use super::{Desk, Effect, Protocol};
use crate::wire::{Malformed, Request};

impl Desk {
    pub(super) fn answer(&mut self, message: Bytes, now: Instant, effects: &mut Vec<Effect>) {
        let read = match Request::read(self.protocol, &message) {
            Ok(read) => read,
            Err(why) => {
                // The control plane says better than the agent what is wrong with it.
                tracing::warn!(stream = self.stream, %why, "a request of ECDS cannot be read, and is passed on");
                effects.push(Effect::ToControlPlane(message));
                return;
            }
        };
        let changes = self.subscription.take(&read);
        self.answered(read.nonce, read.error.map(|_| read.error_message()), now);
        match self.told(&message, &read, changes) {
            Ok(Some(request)) => effects.push(Effect::ToControlPlane(request)),
            Ok(None) => {}
            Err(why) => tracing::error!(%why, "a request that was read before cannot be read"),
        }
        if changes {
            self.unsubscribed(now, effects);
        }
        // A control plane ignores names that come with a nonce older than its last. So that it learns of them now, Envoy is
        // shown that last nonce: it answers with all names.
        let behind = changes && !read.nonce.is_empty() && self.protocol == Protocol::Sotw;
        if behind
            && let Some(newest) = self.ledger.newest_waiting()
            && let Some(waiting) = self.ledger.take_waiting(newest)
        {
            self.send_empty(waiting, now, effects);
        }
    }

    /// What the control plane is told of a request, if it is told anything.
    fn told(
        &mut self,
        message: &Bytes,
        read: &Request<'_>,
        changes: bool,
    ) -> Result<Option<Bytes>, Malformed> {
        if read.nonce.is_empty() {
            return self.first(message, read).map(Some);
        }
        let own = self.ledger.is_own(read.nonce);
        if read.error.is_some() {
            if !own {
                // The agent's refusal is the answer, where there is one.
                let refused = self.ledger.is_refused(read.nonce);
                return Ok(if refused { self.quiet(message, changes)? } else { Some(message.clone()) });
            }
            let Some(current) = self.ledger.current() else { return Ok(None) };
            return Request::with_nonce(self.protocol, message, &current.nonce)
                .map(|message| Some(message.into()));
        }
        if own || self.ledger.is_refused(read.nonce) {
            return self.quiet(message, changes);
        }
        if self.protocol == Protocol::Sotw {
            read.version.clone_into(&mut self.ledger.accepted_version);
            // Of a response that Envoy was never sent it does not know the nonce, under which alone it is heard.
            if changes && self.ledger.current().is_some_and(|current| self.ledger.is_refused(&current.nonce))
            {
                return self.quiet(message, changes);
            }
        }
        Ok(Some(message.clone()))
    }

    /// A request that answers nothing. What Envoy has of an earlier stream is not told: what stands in for a module bears
    /// the version of what it stands in for, and the resources behind what Envoy has are to be known here.
    fn first(&self, message: &Bytes, read: &Request<'_>) -> Result<Bytes, Malformed> {
        match self.protocol {
            Protocol::Sotw if !read.version.is_empty() => Request::with_version(message, "").map(Bytes::from),
            Protocol::Delta if read.has_initial_versions => {
                Request::without_initial_versions(message).map(Bytes::from)
            }
            _ => Ok(message.clone()),
        }
    }

    /// A request whose answer is not for the control plane: only what it changes in the subscription is.
    fn quiet(&self, message: &Bytes, changes: bool) -> Result<Option<Bytes>, Malformed> {
        if !changes {
            return Ok(None);
        }
        let changed = Request::without_error(self.protocol, message)?;
        let changed = match self.protocol {
            Protocol::Delta => Request::with_nonce(self.protocol, &changed, "")?,
            Protocol::Sotw => {
                let Some(current) = self.ledger.current() else { return Ok(None) };
                let changed = Request::with_nonce(self.protocol, &changed, &current.nonce)?;
                Request::with_version(&changed, self.version(current))?
            }
        };
        Ok(Some(changed.into()))
    }

    /// The version that goes with a nonce: that of the response, or the last that was accepted if this was refused.
    fn version<'a>(&'a self, current: &'a Known) -> &'a str {
        if self.ledger.is_refused(&current.nonce) { &self.ledger.accepted_version } else { &current.version }
    }

    /// Names that Envoy does not ask for any more are forgotten.
    fn unsubscribed(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let gone: Vec<String> =
            self.entries.keys().filter(|name| !self.subscription.has(name)).cloned().collect();
        for name in gone {
            self.forget(&name, now, effects);
        }
        self.settle(now, effects);
    }
}
