//! Responses of the control plane.

use std::collections::HashSet;
use std::time::Instant;

use bytes::Bytes;

use super::super::convert::{Outcome, convert, strip};
use super::super::envelope::Opened;
use super::super::filter::Filter;
use super::super::last_good::Record;
use super::super::options::OnFetchFailure;
use super::super::remote::Remote;
use super::super::schedule::Schedule;
use super::attempting::{counted, sent};
use super::entry::{Attempt, Entry, Sent, Straggler};
use super::ledger::Known;
use super::refusing::Bad;
use super::timing::Timing;
use super::{Desk, Effect, MAX_NAMES};
use crate::Wanted;
use crate::status::{Conversion, Serving, Standing};
use crate::wire::{Malformed, Response};

/// What of a response is sent at once.
enum Part {
    /// The resource as it came.
    Same,
    /// Something else in its place.
    Other(Bytes),
    /// Nothing: it cannot be read, or something follows later.
    Nothing,
}

/// What becomes of a response.
struct Sorted<'a> {
    known: &'a Known,
    timing: &'a Timing,
    parts: Vec<Part>,
    sent: Vec<Sent>,
    bad: Vec<Bad>,
    seen: HashSet<String>,
    /// Whether something follows later for which nothing has been sent.
    owing: bool,
}

impl Desk {
    pub(super) fn convert_response(
        &mut self,
        message: Bytes,
        timing: &Timing,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        let read = match Response::read(self.protocol, &message) {
            Ok(read) => read,
            Err(why) => return self.refuse_unreadable(&message, &why, effects),
        };
        let known = self.ledger.arrives(&read);
        let mut sorted = Sorted {
            known: &known,
            timing,
            parts: Vec::with_capacity(read.resources.len()),
            sent: Vec::new(),
            bad: Vec::new(),
            seen: HashSet::new(),
            owing: false,
        };
        for raw in &read.resources {
            let part = self.sort(raw, &mut sorted, now, effects);
            sorted.parts.push(part);
        }
        for name in &read.removed {
            self.forget(name, now, effects);
            self.last_good.forget(name);
        }
        let Sorted { parts, sent, bad, owing, .. } = sorted;
        if !bad.is_empty() {
            self.refuse(&known, &bad, effects);
        }
        let ready = parts.iter().any(|part| !matches!(part, Part::Nothing));
        if ready || !read.removed.is_empty() || bad.is_empty() && !owing {
            match changed(&message, &read, &parts) {
                Ok(message) => effects.push(Effect::ToEnvoy(message)),
                Err(why) => tracing::error!(%why, "a response that was read before cannot be read"),
            }
            for sent in &sent {
                self.note(sent, now);
            }
            let passed_over = self.ledger.forward(known, sent);
            self.release(passed_over, now);
        } else if owing && let Err(why) = self.ledger.wait(known, &message) {
            tracing::error!(%why, "a response that was read before cannot be read");
        }
        self.settle(now, effects);
    }

    /// The response for when nothing is to be converted.
    pub(super) fn stripped_response(&self, message: Bytes) -> Bytes {
        let Ok(read) = Response::read(self.protocol, &message) else { return message };
        let mut parts = Vec::with_capacity(read.resources.len());
        for raw in &read.resources {
            let stripped = || {
                let opened = Opened::read(self.protocol, raw).ok()?;
                match strip(opened.any.as_deref()?).outcome {
                    Outcome::Stripped(stripped) => Some(opened.envelope().ok()?.close(stripped)),
                    _ => None,
                }
            };
            parts.push(stripped().map_or(Part::Same, Part::Other));
        }
        changed(&message, &read, &parts).unwrap_or_else(|_| message.clone())
    }

    /// What becomes of one resource of a response.
    fn sort(&mut self, raw: &[u8], sorted: &mut Sorted<'_>, now: Instant, effects: &mut Vec<Effect>) -> Part {
        let position = format!("resource {}", sorted.parts.len());
        let opened = match Opened::read(self.protocol, raw) {
            Ok(opened) => opened,
            Err(why) => {
                sorted.bad.push(Bad { name: position, why: why.to_string() });
                return Part::Nothing;
            }
        };
        let Some(any) = opened.any.as_deref() else { return self.heartbeat(opened.name) };
        let converted = convert(any);
        let name = if opened.name.is_empty() { converted.name } else { opened.name.to_owned() };
        if !name.is_empty() && !sorted.seen.insert(name.clone()) {
            sorted.bad.push(Bad { name, why: "it is in the response more than once".into() });
            return Part::Nothing;
        }
        match converted.outcome {
            Outcome::Malformed(why) => {
                if let Some(entry) = self.entries.get_mut(&name) {
                    entry.stands(Standing::Malformed);
                    entry.show(&self.board, now);
                }
                let name = if name.is_empty() { position } else { name };
                sorted.bad.push(Bad { name, why });
                Part::Nothing
            }
            Outcome::Untouched => {
                self.plain(name, any, sorted, effects);
                Part::Same
            }
            Outcome::Stripped(stripped) => match opened.envelope() {
                Ok(envelope) => {
                    self.plain(name, &stripped, sorted, effects);
                    Part::Other(envelope.close(stripped))
                }
                Err(why) => {
                    sorted.bad.push(Bad { name, why: why.to_string() });
                    Part::Nothing
                }
            },
            Outcome::Remote(remote) => {
                let remote = self.remote(&name, &opened, remote, sorted, now, effects);
                remote.unwrap_or_else(|why| {
                    sorted.bad.push(Bad { name, why: why.to_string() });
                    Part::Nothing
                })
            }
        }
    }

    /// A heartbeat prolongs what Envoy has. If that is not what the control plane thinks it is, it says nothing.
    fn heartbeat(&self, name: &str) -> Part {
        let straggler = self.entries.get(name).and_then(|entry| entry.straggler.as_ref());
        if straggler.is_some_and(|straggler| !straggler.answered) { Part::Nothing } else { Part::Same }
    }

    /// A resource that needs no module.
    fn plain(&mut self, name: String, any: &[u8], sorted: &mut Sorted<'_>, effects: &mut Vec<Effect>) {
        self.metrics.conversion(Conversion::NoRemoteLoad);
        if !self.subscription.has(&name) {
            return;
        }
        if let Some(entry) = self.entries.get_mut(&name) {
            let running = entry.running();
            entry.straggler = None;
            entry.listed = false;
            if let Some(ticket) = running {
                self.give_up(ticket, effects);
            }
            self.board.remove(self.stream, &name);
        }
        let record = Some(Record::plain(any));
        sorted.sent.push(Sent { name, serving: Serving::Wanted, record, held: None });
    }

    /// A resource that needs a module.
    fn remote(
        &mut self,
        name: &str,
        opened: &Opened<'_>,
        remote: Box<Remote>,
        sorted: &mut Sorted<'_>,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) -> Result<Part, Malformed> {
        let envelope = opened.envelope()?;
        let at_hand = remote.wanted.as_ref().ok().and_then(|wanted| self.library.at_hand(wanted));
        let tracked = self.subscription.has(name)
            && (self.entries.contains_key(name) || self.entries.len() < MAX_NAMES);
        if !tracked {
            // Envoy did not ask for it. Nothing is fetched, or names without end would be downloads without end.
            return Ok(match (at_hand, self.options.on_fetch_failure) {
                (Some(held), _) => {
                    self.metrics.conversion(Conversion::Success);
                    Part::Other(envelope.close(remote.with_module(&held.path)))
                }
                (None, OnFetchFailure::Wait) => Part::Nothing,
                (None, policy) => {
                    self.metrics.conversion(Conversion::FetchFailure);
                    let filter = match policy {
                        OnFetchFailure::Open => Filter::Allow,
                        OnFetchFailure::Close => Filter::Deny,
                        OnFetchFailure::LastGood | OnFetchFailure::Wait => remote.filter,
                    };
                    Part::Other(envelope.close(remote.with_filter(filter)))
                }
            });
        }
        let stream = self.stream;
        let entry = self.entries.entry(name.to_owned()).or_insert_with(|| Entry::new(stream, name));
        entry.arrived(&remote);
        let before = entry.straggler.take();
        if let Some(held) = at_hand {
            self.supersede(before.as_ref(), effects);
            self.metrics.conversion(Conversion::Success);
            let resource = remote.with_module(&held.path);
            sorted.sent.push(sent(name, &remote, resource.clone(), held));
            return Ok(Part::Other(envelope.close(resource)));
        }
        let mut straggler = Straggler {
            remote,
            envelope,
            response: sorted.known.number,
            attempt: Attempt::Ended,
            schedule: Schedule::default(),
            timing: Some(sorted.timing.clone()),
            failure: None,
            answered: false,
            budget: Some(now + self.options.start_budget),
        };
        self.attempt(name, &mut straggler, before, now, effects);
        if straggler.failure.is_some() {
            // It is known already what becomes of it.
            straggler.timing = None;
        }
        let ready = if straggler.failure.is_some() { self.stand_in(name, &mut straggler) } else { None };
        sorted.owing |= !straggler.answered;
        if let Some(entry) = self.entries.get_mut(name) {
            entry.straggler = Some(straggler);
            entry.show(&self.board, now);
        }
        Ok(match ready {
            Some(ready) => {
                sorted.sent.push(ready.sent);
                Part::Other(ready.resource)
            }
            None => Part::Nothing,
        })
    }

    /// Begins an attempt for a resource that has come, or takes over the one that goes on for the same module.
    fn attempt(
        &mut self,
        name: &str,
        straggler: &mut Straggler,
        before: Option<Straggler>,
        now: Instant,
        effects: &mut Vec<Effect>,
    ) {
        let wanted = match &straggler.remote.wanted {
            Ok(wanted) => wanted.clone(),
            Err(why) => {
                self.supersede(before.as_ref(), effects);
                self.metrics.conversion(counted(why));
                let failure = why.unavailable();
                tracing::error!(stream = self.stream, resource = ?name, %failure, "no module");
                if let Some(entry) = self.entries.get_mut(name) {
                    entry.waits(&failure, None);
                }
                straggler.failure = Some(failure);
                return;
            }
        };
        match before {
            Some(before) if before.attempt != Attempt::Ended && before.wants(&wanted) => {
                straggler.attempt = before.attempt;
                straggler.schedule = before.schedule;
                // What failed a moment ago is not waited for.
                straggler.failure = before.failure;
                if straggler.failure.is_some() {
                    self.metrics.conversion(Conversion::FetchFailure);
                }
            }
            before => {
                // The new one first: if it is the same module after all, its download goes on.
                let effort = straggler.schedule.begins(now);
                straggler.attempt = self.begin(name, &Wanted { effort, ..wanted }, effects);
                self.supersede(before.as_ref(), effects);
            }
        }
        if let Some(entry) = self.entries.get_mut(name) {
            let next = match straggler.attempt {
                Attempt::Waiting(at) => Some(at),
                _ => None,
            };
            if let Some(failure) = &straggler.failure {
                entry.waits(failure, next);
            }
            if next.is_none() {
                entry.fetching();
            }
        }
    }

    /// Gives up what went on for an earlier resource of the same name.
    fn supersede(&mut self, before: Option<&Straggler>, effects: &mut Vec<Effect>) {
        if let Some(before) = before
            && let Attempt::Running(ticket) = before.attempt
        {
            self.give_up(ticket, effects);
        }
    }
}

/// The response with what is sent of it at once. The message itself if that is all of it, as it came.
fn changed(message: &Bytes, read: &Response<'_>, parts: &[Part]) -> Result<Bytes, Malformed> {
    if parts.iter().all(|part| matches!(part, Part::Same)) {
        return Ok(message.clone());
    }
    let part = |index: usize| match parts.get(index)? {
        Part::Same => read.resources.get(index).copied(),
        Part::Other(resource) => Some(&resource[..]),
        Part::Nothing => None,
    };
    Response::with_resources(message, part).map(Bytes::from)
}
