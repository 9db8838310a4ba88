//! Attempts to obtain modules: what becomes of each, and what Envoy is given meanwhile.

use std::time::Instant;

use bytes::Bytes;

use super::super::filter::Filter;
use super::super::last_good::Record;
use super::super::options::OnFetchFailure;
use super::super::remote::{Remote, Unfetchable};
use super::entry::{Attempt, Entry, Sent, Straggler};
use super::sending::Ready;
use super::{Desk, Effect, Ticket};
use crate::status::{Conversion, Serving};
use crate::{Held, Unavailable, Wanted};

impl Desk {
    /// Begins an attempt for that name.
    pub(super) fn begin(&mut self, name: &str, wanted: &Wanted, effects: &mut Vec<Effect>) -> Attempt {
        self.next_ticket += 1;
        let ticket = Ticket(self.next_ticket);
        self.tickets.insert(ticket, name.to_owned());
        effects.push(Effect::Obtain(ticket, Box::new(wanted.clone())));
        Attempt::Running(ticket)
    }

    /// Nobody waits for that attempt any more.
    pub(super) fn give_up(&mut self, ticket: Ticket, effects: &mut Vec<Effect>) {
        if self.tickets.remove(&ticket).is_some() {
            effects.push(Effect::GiveUp(ticket));
        }
    }

    /// An attempt has ended: the module is sent, or something in its place.
    pub(super) fn attempt_ended(
        &mut self,
        ticket: Ticket,
        outcome: Result<Held, Unavailable>,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        let Some(name) = self.tickets.remove(&ticket) else { return };
        let Some(entry) = self.entries.get_mut(&name) else { return };
        let Some(mut straggler) = entry.straggler.take() else { return };
        straggler.timing = None;
        match outcome {
            Ok(held) => {
                self.metrics.conversion(Conversion::Success);
                let (stream, sha256) = (self.stream, held.sha256);
                let source = source(&straggler.remote);
                tracing::info!(stream, resource = ?name, %source, %sha256, "the module is there");
                let resource = straggler.remote.with_module(&held.path);
                let ready = Ready {
                    response: straggler.response,
                    resource: straggler.envelope.close(resource.clone()),
                    sent: sent(&name, &straggler.remote, resource, held),
                };
                if let Ok(wanted) = &straggler.remote.wanted {
                    self.wake(wanted, now);
                }
                self.send(vec![ready], now, effects);
                // What waits for the same module need not wait any longer.
                self.try_again(now, effects);
            }
            Err(failure) => {
                self.metrics.failed(failure.reason);
                let next = if failure.reason.may_pass() {
                    let at = straggler.schedule.failed(now, &failure, &mut self.random);
                    straggler.attempt = Attempt::Waiting(at);
                    Some(at)
                } else {
                    straggler.attempt = Attempt::Ended;
                    None
                };
                if straggler.failure.is_none() {
                    self.metrics.conversion(Conversion::FetchFailure);
                }
                straggler.failure = Some(failure.clone());
                entry.failed(&failure, next);
                entry.show(&self.board, now);
                self.tell(&name, &straggler.remote, &failure, next, now);
                let ready = self.stand_in(&name, &mut straggler);
                if let Some(entry) = self.entries.get_mut(&name) {
                    entry.straggler = Some(straggler);
                }
                self.send(ready.into_iter().collect(), now, effects);
            }
        }
    }

    /// Logs a failure, once for each attempt.
    fn tell(&self, name: &str, remote: &Remote, failure: &Unavailable, next: Option<Instant>, now: Instant) {
        let source = source(remote);
        let attempt = self.entries.get(name).map_or(0, Entry::attempts);
        let next = next.map(|at| at.saturating_duration_since(now));
        let reason = failure.reason.label();
        let stream = self.stream;
        tracing::error!(
            stream, resource = ?name, %source, attempt, reason, %failure, next_attempt_in = ?next, "no module",
        );
    }

    /// What stands in for a module that is not there, as the policy says. Nothing if Envoy was sent something for this
    /// resource before, or if the policy is to wait.
    pub(super) fn stand_in(&self, name: &str, straggler: &mut Straggler) -> Option<Ready> {
        if straggler.answered {
            return None;
        }
        let (resource, serving, held) = match self.options.on_fetch_failure {
            OnFetchFailure::Wait => return None,
            OnFetchFailure::Open => filter(&straggler.remote, Filter::Allow),
            OnFetchFailure::Close => filter(&straggler.remote, Filter::Deny),
            OnFetchFailure::LastGood => match self.last_good_of(name) {
                Some((record, held)) => (record.resource, Serving::LastGood, held),
                None => filter(&straggler.remote, straggler.remote.filter),
            },
        };
        straggler.answered = true;
        Some(Ready {
            response: straggler.response,
            resource: straggler.envelope.close(resource),
            sent: Sent { name: name.to_owned(), serving, record: None, held },
        })
    }

    /// What Envoy last accepted under that name, or was sent and has not refused, with its module.
    fn last_good_of(&self, name: &str) -> Option<(Record, Option<Held>)> {
        // It is newer than what was accepted. If Envoy refuses it, it refuses it twice, and keeps what it has.
        if let Some(sent) = self.ledger.newest_unanswered(name) {
            return sent.record.clone().map(|record| (record, sent.held.clone()));
        }
        let record = self.last_good.get(name)?;
        let held = record.found(self.library.as_ref()).ok()?;
        Some((record, held))
    }

    /// Attempts for that module that are due later are due now: it is there.
    fn wake(&mut self, wanted: &Wanted, now: Instant) {
        for straggler in self.entries.values_mut().filter_map(|entry| entry.straggler.as_mut()) {
            let same = straggler.remote.wanted.as_ref().is_ok_and(|other| {
                (&other.url, &other.checksum) == (&wanted.url, &wanted.checksum)
                    && other.pull_secret == wanted.pull_secret
                    && other.verification_key == wanted.verification_key
            });
            if same && matches!(straggler.attempt, Attempt::Waiting(_)) {
                straggler.attempt = Attempt::Waiting(now);
            }
        }
    }

    /// Begins the attempts that are due.
    pub(super) fn try_again(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let is_due = |straggler: &Straggler| match straggler.attempt {
            Attempt::Waiting(at) if at <= now => straggler.remote.wanted.clone().ok(),
            _ => None,
        };
        let due: Vec<(String, Wanted)> = self
            .entries
            .iter()
            .filter_map(|(name, entry)| Some((name.clone(), is_due(entry.straggler.as_ref()?)?)))
            .collect();
        for (name, wanted) in due {
            self.metrics.retried();
            let straggler = self.entries.get_mut(&name).and_then(|entry| entry.straggler.as_mut());
            let effort = straggler.map(|straggler| straggler.schedule.begins(now)).unwrap_or_default();
            let attempt = self.begin(&name, &Wanted { effort, ..wanted }, effects);
            if let Some(entry) = self.entries.get_mut(&name) {
                entry.fetching();
                entry.show(&self.board, now);
                if let Some(straggler) = &mut entry.straggler {
                    straggler.attempt = attempt;
                }
            }
        }
    }

    /// Envoy is given something for every resource that it has waited for long enough.
    pub(super) fn budgets_end(&mut self, now: Instant, effects: &mut Vec<Effect>) {
        let is_due = |straggler: &Straggler| {
            !straggler.answered && straggler.budget.is_some_and(|budget| budget <= now)
        };
        let due: Vec<String> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.straggler.as_ref().is_some_and(is_due))
            .map(|(name, _)| name.clone())
            .collect();
        let mut ready = Vec::new();
        for name in due {
            let Some(mut straggler) = self.entries.get_mut(&name).and_then(|entry| entry.straggler.take())
            else {
                continue;
            };
            ready.extend(self.stand_in(&name, &mut straggler));
            // With nothing to send there is nothing to wait for but the module.
            straggler.budget = None;
            if let Some(entry) = self.entries.get_mut(&name) {
                entry.straggler = Some(straggler);
            }
        }
        self.send(ready, now, effects);
    }
}

fn filter(remote: &Remote, filter: Filter) -> (Bytes, Serving, Option<Held>) {
    let serving = match filter {
        Filter::Allow => Serving::Allow,
        Filter::Deny => Serving::Deny,
    };
    (remote.with_filter(filter), serving, None)
}

/// The resource with its module, as it is sent.
pub(super) fn sent(name: &str, remote: &Remote, resource: Bytes, held: Held) -> Sent {
    let record = remote.wanted.as_ref().ok().map(|wanted| Record::of(resource, wanted, &held));
    Sent { name: name.to_owned(), serving: Serving::Wanted, record, held: Some(held) }
}

/// Where a module comes from, as it may be shown.
fn source(remote: &Remote) -> String {
    remote.wanted.as_ref().map(|wanted| crate::shown::text(&wanted.url)).unwrap_or_default()
}

/// As which result of a conversion it counts that a module cannot even be asked for.
pub(super) fn counted(unfetchable: &Unfetchable) -> Conversion {
    match unfetchable {
        Unfetchable::NoUri => Conversion::MissRemoteFetchHint,
        Unfetchable::NoSecret(_) | Unfetchable::Checksum { .. } | Unfetchable::Key { .. } => {
            Conversion::FetchFailure
        }
    }
}
