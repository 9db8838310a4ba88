//! One exchange: what is known of it between callbacks.

use std::rc::Rc;

use filter_kit::config::Refusal;
use filter_kit::mode::{Failure, Mode};
use filter_shell::buffer::Body as Side;
use filter_shell::headers::{self, Map};
use proxy_wasm::traits::HttpContext;
use proxy_wasm::types::Action;

use super::Stats;
use super::buffer::Bytes;
use super::headers::{Changes, InHeaders, redact};
use super::stats::Before;
use crate::config::Otherwise;
use crate::hold::{Flow, Held};
use crate::rules::Rules;
use crate::{Body, Coding, Redaction, Tokens};

pub(super) struct Ready {
    pub(super) redaction: Redaction,
    pub(super) stats: Stats,
}

impl Ready {
    pub(super) fn new(bytes: &[u8]) -> Result<Self, Refusal> {
        let redaction = Redaction::from_json(bytes)?;
        filter_shell::log_from(redaction.log_level);
        let stats = Stats::new(&redaction.names, redaction.tag_style);
        Ok(Self { redaction, stats })
    }
}

pub(super) struct Stream {
    ready: Rc<Ready>,
    /// Whether findings have consequences, once that is decided.
    enforces: Option<bool>,
    /// Whether the request was CONNECT.
    pub(super) tunnel: bool,
    /// Whether a condition of `skip` holds.
    pub(super) skipped: bool,
    /// The request is answered here, and nothing more is done.
    answered: bool,
    /// Whether the response says how long its body is, which is looked into.
    pub(super) framed: bool,
    pub(super) request: Option<Held>,
    pub(super) response: Option<Held>,
    /// The tokens of the request, while no body keeps them.
    pub(super) tokens: Option<Tokens>,
    /// What is looked for in the response, if there are tokens.
    pub(super) restoring: Option<Box<Rules>>,
    /// How many matches each detector has so far.
    found: Vec<u64>,
}

/// What becomes of a body, as its headers tell.
pub(super) enum Found {
    /// It is looked into.
    Body(Box<Held>),
    /// It must not pass.
    Unreadable,
    /// It passes as it is.
    Nothing,
}

impl Stream {
    pub(super) fn open(ready: Rc<Ready>) -> Box<dyn HttpContext> {
        let found = vec![0; ready.redaction.names.len()];
        Box::new(Self {
            ready,
            enforces: None,
            tunnel: false,
            skipped: false,
            answered: false,
            framed: false,
            request: None,
            response: None,
            tokens: None,
            restoring: None,
            found,
        })
    }

    pub(super) fn ready(&self) -> Rc<Ready> {
        Rc::clone(&self.ready)
    }

    /// Whether nothing is looked for.
    pub(super) fn is_idle(&self) -> bool {
        self.skipped || self.answered || self.ready.redaction.mode == Mode::Off
    }

    /// Whether findings have consequences, in all of an exchange or in nothing of it.
    pub(super) fn enforces(&mut self) -> bool {
        let redaction = &self.ready.redaction;
        *self.enforces.get_or_insert_with(|| {
            redaction.mode == Mode::Enforce && redaction.share.takes(filter_shell::random)
        })
    }

    /// Whether a message about which nothing can be decided is stopped.
    pub(super) fn undecided(&mut self) -> bool {
        self.enforces() && self.ready.redaction.fail == Failure::Closed
    }

    /// The host did not do what it was asked; `Some` if the message must not go on for that.
    pub(super) fn failed(&mut self) -> Option<()> {
        self.ready.stats.errors.increment();
        self.undecided().then_some(())
    }

    /// From here on matches in the request may give way to tokens.
    pub(super) fn begin_tokens(&mut self) {
        let [low, high, ..] = filter_shell::random();
        self.tokens = Some(Tokens::new(u16::from_le_bytes([low, high])));
    }

    /// The response comes: what is looked for in it are tokens too.
    pub(super) fn end_tokens(&mut self) {
        let tokens = match &mut self.request {
            Some(held) => held.tokens().clone(),
            None => self.tokens.take(),
        };
        let enforces = self.enforces();
        if let Some(tokens) = tokens.filter(|tokens| enforces && !tokens.is_empty()) {
            let redaction = &self.ready.redaction;
            self.restoring = Some(Box::new(redaction.rules.restoring(&tokens, redaction.responses)));
        }
    }

    /// Whether tokens are looked for in the response.
    pub(super) fn restores(&self) -> bool {
        self.restoring.is_some()
    }

    /// Answers a request in the upstream's place.
    pub(super) fn refuse(&mut self, status: u32) -> Action {
        self.answered = true;
        self.request = None;
        self.ready.stats.blocked.increment();
        self.send_http_response(
            status,
            vec![("content-type", "text/plain")],
            Some(b"the request is not forwarded\n"),
        );
        Action::Pause
    }

    /// A piece of a request that is not looked into.
    pub(super) fn without_request_body(&self) -> Action {
        if self.answered { Action::Pause } else { Action::Continue }
    }

    /// Looks into the headers that are listed; whether the message must not go on. In a request there are no rules but
    /// those that are configured.
    pub(super) fn redact_headers(&mut self, changes: &mut Changes, rules: Option<&Rules>) -> bool {
        let ready = self.ready();
        let enforces = self.enforces();
        let rules = (&ready.redaction, rules.unwrap_or(&ready.redaction.rules));
        let noted = (self.found.as_mut_slice(), &mut self.tokens);
        let InHeaders { any, blocked } = redact(changes, rules, noted, &ready.stats, enforces);
        if any {
            self.tell();
        }
        blocked
    }

    /// What becomes of a body with that coding. `part`: it is none of a whole body. `matters`: there may be something in
    /// it that must not pass, and not only tokens.
    pub(super) fn hold(
        &mut self,
        changes: &mut Changes,
        rules: &Rules,
        (body, coding): (Body, Coding),
        part: bool,
        matters: bool,
    ) -> Found {
        let enforces = self.enforces();
        let Ready { redaction, stats } = &*self.ready;
        let unreadable = coding == Coding::Other || part;
        let otherwise = match redaction.on_encoded {
            Otherwise::Treat if !unreadable => Otherwise::Treat,
            Otherwise::Treat if redaction.fail == Failure::Open => Otherwise::Skip,
            Otherwise::Treat => Otherwise::Block,
            other => other,
        };
        if coding != Coding::Plain || part {
            if otherwise == Otherwise::Skip || (otherwise == Otherwise::Block && !(enforces && matters)) {
                if part {
                    stats.skipped_range.increment()
                } else {
                    stats.skipped_encoding.increment()
                }
                return Found::Nothing;
            }
            if otherwise == Otherwise::Block {
                return Found::Unreadable;
            }
        }
        stats.bodies.increment();
        if enforces {
            changes.untrue(redaction, coding);
        }
        Found::Body(Box::new(Held::new(rules, redaction.body, body, coding, !enforces)))
    }

    /// A piece of a body came, or with `end` missing its trailers.
    pub(super) fn data(&mut self, held: &mut Held, side: Side, size: usize, end: Option<bool>) -> Flow {
        let ready = self.ready();
        let own = if side == Side::Response { self.restoring.take() } else { None };
        let rules = own.as_deref().unwrap_or(&ready.redaction.rules);
        let before = Before::of(held.tally());
        let mut buffer = Bytes(side, size);
        let (flow, events) = match end {
            Some(end) => held.data(rules, &mut buffer, size, end),
            None => held.trailers(rules, &mut buffer),
        };
        if own.is_some() {
            self.restoring = own;
        }
        ready.stats.count(events);
        let now = held.tally();
        if ready.stats.since(&before, now) {
            for (found, (before, now)) in self.found.iter_mut().zip(before.matches.iter().zip(&now.matches)) {
                *found += now - before;
            }
            self.tell();
        }
        flow
    }

    /// What was found, such as `card=2,mail=1`; nothing that was found itself.
    fn summary(&self) -> String {
        let found = self.ready.redaction.names.iter().zip(&self.found).filter(|(_, count)| **count > 0);
        let words: Vec<String> = found.map(|(name, count)| format!("{name}={count}")).collect();
        words.join(",")
    }

    /// Writes what was found into the filter state `wasm.redaction`.
    fn tell(&self) {
        filter_shell::attribute::keep("redaction", self.summary().as_bytes());
    }

    /// Tells the client's side what was found. Where the response has no trailers, Envoy makes some at its end.
    pub(super) fn tell_in_trailer(&mut self) {
        let ready = self.ready();
        let Some(name) = &ready.redaction.dlp_trailer else { return };
        if self.is_idle() || !self.enforces() || self.found.iter().all(|count| *count == 0) {
            return;
        }
        // Where there can be none, there is none.
        headers::add(Map::ResponseTrailers, name.as_bytes(), self.summary().as_bytes());
    }
}
