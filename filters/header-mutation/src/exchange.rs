//! One request and its response: which rules apply, and what they change.

use std::rc::Rc;

use filter_kit::mode::Mode;

use crate::config::{Mutations, Rule};
use crate::host::{Host, Side, View};
use crate::lines::{Edit, Lines, Value};
use crate::once::Once;
use crate::operation::{Outcome, Place};
use crate::plan::Way;
use crate::tally::{Count, Tally};
use crate::value::Undone;

/// One request and its response, from the request's headers on.
#[derive(Debug)]
pub struct Exchange {
    mutations: Rc<Mutations>,
    /// Whether changes are made; else they are only counted.
    enforced: bool,
    /// By the rule's place; empty if every rule applies to everything.
    fates: Box<[Fate]>,
    /// The request as it was sent on, written as a map: the proxy has it no more when the response comes.
    request: Option<Box<[u8]>>,
    /// The operations on this request were carried out before it was sent through the chain again.
    again: bool,
    /// We answered it ourselves.
    answered: bool,
    /// The names of the rules that changed something, for the access log.
    told: Vec<u8>,
}

/// How long the names in an access log may be together, in bytes.
const MOST_TOLD: usize = 256;

/// Whether a rule applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Applies,
    Not,
    /// The response decides.
    Open,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on.
    Continue,
    /// It is answered 400: a value that it had put together may not be sent.
    Deny,
}

impl Exchange {
    /// Before anything of it was seen.
    pub fn new(mutations: Rc<Mutations>) -> Self {
        let enforced = mutations.mode == Mode::Enforce;
        Self {
            mutations,
            enforced,
            fates: Box::default(),
            request: None,
            again: false,
            answered: false,
            told: Vec::new(),
        }
    }

    /// The request's headers are there.
    pub fn request_headers(&mut self, host: &dyn Host, tally: &Tally, once: &Once) -> Verdict {
        let mutations = Rc::clone(&self.mutations);
        if mutations.mode == Mode::Off {
            return Verdict::Continue;
        }
        tally.one(Count::Requests);
        self.enforced &= mutations.share.takes(|| host.random());
        if mutations.plan.has_fates {
            let fate = |rule: &Rule| if rule.needs_response() { Fate::Open } else { Fate::Applies };
            self.fates = mutations.rules.iter().map(fate).collect();
        }
        let verdict = match mutations.plan.request {
            Way::Nothing => Verdict::Continue,
            Way::Direct => self.direct(&mutations, Side::Request, host, tally),
            Way::Lines => self.in_lines(&mutations, Side::Request, host, tally, once),
        };
        self.answered = verdict == Verdict::Deny;
        verdict
    }

    /// What comes after them is there: trailers, or headers of the response.
    pub fn later(&mut self, side: Side, host: &dyn Host, tally: &Tally, once: &Once) {
        let mutations = Rc::clone(&self.mutations);
        let way = mutations.plan.way(side);
        if way == Way::Nothing || mutations.mode == Mode::Off {
            return;
        }
        if mutations.skip_local_replies && side.is_of_response() {
            self.answered |= side == Side::Response && is_local_reply(host);
            if self.answered {
                return;
            }
        }
        if way == Way::Direct {
            self.direct(&mutations, side, host, tally);
        } else {
            self.in_lines(&mutations, side, host, tally, once);
        }
    }

    /// Whether what comes later needs more of it than its configuration.
    pub fn is_to_be_kept(&self) -> bool {
        self.mutations.plan.keeps_state
    }

    /// Whether trailers, if there are any, are changed.
    pub fn awaits_trailers(&self) -> bool {
        self.mutations.plan.changes_trailers()
    }

    /// Each operation as a call to the proxy.
    fn direct(&mut self, mutations: &Mutations, side: Side, host: &dyn Host, tally: &Tally) -> Verdict {
        let request = self.request.take();
        let place = Place { side, request: request.as_deref(), host, judge: mutations.judge };
        let view = View { side, lines: None, request: request.as_deref(), host };
        let (mut changes, mut verdict) = (0, Verdict::Continue);
        'rules: for (index, rule) in mutations.rules.iter().enumerate() {
            if !self.applies(mutations, index, side, &view) {
                continue;
            }
            let before = changes;
            for operation in rule.operations(side) {
                let Some(outcome) = operation.apply_direct(&place) else {
                    tally.one(Count::Errors);
                    continue;
                };
                count(tally, outcome);
                changes += usize::from(outcome == Outcome::Changed);
                if side == Side::Request && mutations.judge.denies(outcome) {
                    tally.one(Count::Denied);
                    verdict = Verdict::Deny;
                    break 'rules;
                }
            }
            if changes > before {
                self.tell(mutations, rule, host);
            }
            if rule.stop {
                self.stop(index);
                break;
            }
        }
        if changes > 0 {
            tally.one(Count::Changed);
        }
        self.request = request;
        verdict
    }

    /// All operations on a copy of the headers, and then what came of them to the proxy.
    fn in_lines(
        &mut self,
        mutations: &Mutations,
        side: Side,
        host: &dyn Host,
        tally: &Tally,
        once: &Once,
    ) -> Verdict {
        let map = host.lines(side);
        let mut lines = Lines::of(&map);
        let request = self.request.take();
        let place = Place { side, request: request.as_deref(), host, judge: mutations.judge };
        let marker = mutations.once_header.as_deref();
        let token = marker.map(|_| once.token(host));
        if let (Side::Request, Some(marker)) = (side, marker) {
            self.again = lines.values(marker).any(|value| once.knows(value, host));
        }
        let is_done = self.again && !side.is_of_response();
        if side == Side::Request && !is_done && !mutations.strip_client.is_empty() {
            let takes = |name: &[u8]| {
                mutations.strip_client.iter().any(|pattern| pattern.takes(name))
                    && !mutations.spared.has(name)
            };
            if lines.remove_names(&takes) {
                tally.one(Count::OpsApplied);
            }
        }
        for (index, rule) in mutations.rules.iter().enumerate() {
            let view = View { side, lines: Some(&lines), request: request.as_deref(), host };
            if !self.applies(mutations, index, side, &view) {
                continue;
            }
            let operations = if is_done { &[] } else { rule.operations(side) };
            let mut changed = false;
            for operation in operations {
                let outcome = operation.apply(&mut lines, &place);
                count(tally, outcome);
                changed |= outcome == Outcome::Changed;
                if side == Side::Request && mutations.judge.denies(outcome) {
                    tally.one(if self.enforced { Count::Denied } else { Count::Reported });
                    if self.enforced {
                        return Verdict::Deny;
                    }
                }
            }
            if changed {
                self.tell(mutations, rule, host);
            }
            if rule.stop {
                self.stop(index);
                break;
            }
        }
        if let (Side::Request, Some(marker), Some(token), false) = (side, marker, &token, is_done) {
            lines.set(marker, Value::Borrowed(token));
        }
        self.write(side, &lines, host, tally);
        let keeps = side == Side::Request && mutations.plan.keeps_request;
        let sent_on = (keeps && self.enforced).then(|| lines.to_map().into_boxed_slice());
        drop(lines);
        self.request = if side == Side::Request { sent_on } else { request };
        if keeps && !self.enforced {
            // In report the request goes on as it came.
            self.request = Some(map.into_boxed_slice());
        } else {
            host.give_back(map);
        }
        Verdict::Continue
    }

    fn write(&self, side: Side, lines: &Lines<'_>, host: &dyn Host, tally: &Tally) {
        let (mut changed, mut errors) = (false, 0);
        lines.edits(&mut |edit| {
            changed = true;
            let done = !self.enforced
                || match edit {
                    Edit::Replace(name, value) => host.replace(side, name, value),
                    Edit::Add(name, value) => host.add(side, name, value),
                    Edit::Remove(name) => host.remove(side, name),
                };
            errors += u64::from(!done);
        });
        if changed {
            tally.one(if self.enforced { Count::Changed } else { Count::Reported });
            tally.add(Count::Errors, errors);
        }
    }

    /// Adds the name of a rule that changed something to what the access log is told.
    fn tell(&mut self, mutations: &Mutations, rule: &Rule, host: &dyn Host) {
        let Some(name) = rule.name.as_deref().filter(|_| mutations.access_log) else { return };
        let is_told = self.told.split(|byte| *byte == b',').any(|other| other == name.as_bytes());
        if is_told || self.told.len() + name.len() >= MOST_TOLD {
            return;
        }
        if !self.told.is_empty() {
            self.told.push(b',');
        }
        self.told.extend_from_slice(name.as_bytes());
        host.keep("header_mutation", &self.told);
    }

    /// Whether the rule at `index` applies. What a condition on the request says is said once, as the request passes.
    fn applies(&mut self, mutations: &Mutations, index: usize, side: Side, view: &View<'_, '_>) -> bool {
        let (Some(fate), Some(rule)) = (self.fates.get_mut(index), mutations.rules.get(index)) else {
            return true;
        };
        if matches!((side, *fate), (Side::Request, Fate::Applies) | (Side::Response, Fate::Open)) {
            let holds = rule.when.as_ref().is_none_or(|when| when.holds(view));
            *fate = if holds { Fate::Applies } else { Fate::Not };
        }
        *fate == Fate::Applies
    }

    /// No rule after the one at `index` applies.
    fn stop(&mut self, index: usize) {
        self.fates.iter_mut().skip(index + 1).for_each(|fate| *fate = Fate::Not);
    }
}

fn count(tally: &Tally, outcome: Outcome) {
    match outcome {
        Outcome::Changed => tally.one(Count::OpsApplied),
        Outcome::Same => {}
        Outcome::Undone(reason) => {
            tally.one(Count::OpsSkipped);
            if reason == Undone::Invalid {
                tally.one(Count::InvalidValues);
            }
        }
    }
}

/// Whether the proxy or another filter made the response: only one that the upstream made says so (Envoy 1.36 and 1.40).
fn is_local_reply(host: &dyn Host) -> bool {
    let mut upstream = false;
    host.attribute("response\0code_details", &mut |details| upstream = details == b"via_upstream");
    !upstream
}

#[cfg(test)]
mod tests;
