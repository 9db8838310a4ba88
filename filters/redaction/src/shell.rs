//! The ABI shell: the only folder here that knows it runs inside a proxy.

mod buffer;
mod headers;
mod stats;

use std::rc::Rc;

use filter_kit::mode::{Failure, Mode};
use filter_shell::Asked;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel};

use crate::config::Otherwise;
use crate::hold::{Events, Flow, Held};
use crate::{Coding, Head, Redaction, Skip};
use buffer::{RequestBody, ResponseBody};
use headers::Side;
use stats::Stats;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| filter_shell::counted_root("redaction", Ready::new, Stream::open));
}}

struct Ready {
    redaction: Redaction,
    stats: Stats,
}

impl Ready {
    fn new(bytes: &[u8]) -> Result<Self, filter_kit::config::Refusal> {
        let redaction = Redaction::from_json(bytes)?;
        let stats = Stats::new(&redaction.names);
        Ok(Self { redaction, stats })
    }
}

struct Stream {
    ready: Rc<Ready>,
    /// Whether the request was CONNECT.
    tunnel: bool,
    /// Whether a condition of `skip` holds.
    skipped: bool,
    /// The request is answered here, and nothing more is done.
    answered: bool,
    request: Option<Held>,
    response: Option<Held>,
    /// How many matches each detector has in messages before the one at hand.
    found: Vec<u64>,
}

impl Stream {
    fn open(ready: Rc<Ready>) -> Box<dyn HttpContext> {
        let found = vec![0; ready.redaction.names.len()];
        Box::new(Self {
            ready,
            tunnel: false,
            skipped: false,
            answered: false,
            request: None,
            response: None,
            found,
        })
    }

    /// Whether nothing is looked for.
    fn is_idle(&self) -> bool {
        self.skipped || self.answered || self.ready.redaction.mode == Mode::Off
    }

    fn enforces(&self) -> bool {
        self.ready.redaction.mode == Mode::Enforce
    }

    /// Answers a request in the upstream's place.
    fn refuse(&mut self, status: u32) -> Action {
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

    /// Counts what a callback has found, and tells the access log.
    fn count(&mut self, events: Events, before: &[u64], held: Option<&Held>) {
        self.ready.stats.count(events);
        let Some(held) = held else { return };
        let matches = &held.tally().matches;
        if self.ready.stats.matches(before, matches) {
            for (found, (before, now)) in self.found.iter_mut().zip(before.iter().zip(matches)) {
                *found += now - before;
            }
            self.tell();
        }
    }

    /// Writes what was found into the filter state `wasm.redaction`, such as `card=2,mail=1`.
    fn tell(&self) {
        let names = &self.ready.redaction.names;
        let found = names.iter().zip(&self.found).filter(|(_, count)| **count > 0);
        let words: Vec<String> = found.map(|(name, count)| format!("{name}={count}")).collect();
        self.set_property(vec!["redaction"], Some(words.join(",").as_bytes()));
    }

    /// What becomes of a body with that coding; `None` if it is left as it is.
    fn hold(&self, side: Side, body: crate::Body, coding: Coding, part: bool) -> Option<Result<Held, ()>> {
        let Ready { redaction, stats } = &*self.ready;
        let unreadable = coding == Coding::Other || part;
        let otherwise = match redaction.on_encoded {
            Otherwise::Treat if !unreadable => Otherwise::Treat,
            Otherwise::Treat if redaction.fail == Failure::Open => Otherwise::Skip,
            Otherwise::Treat => Otherwise::Block,
            other => other,
        };
        if coding != Coding::Plain || part {
            let skips = otherwise == Otherwise::Skip || (otherwise == Otherwise::Block && !self.enforces());
            if skips {
                if part {
                    stats.skipped_range.increment()
                } else {
                    stats.skipped_encoding.increment()
                }
                return None;
            }
            if otherwise == Otherwise::Block {
                return Some(Err(()));
            }
        }
        stats.bodies.increment();
        if self.enforces() {
            headers::untrue(side, redaction, coding);
        }
        Some(Ok(Held::new(&redaction.rules, redaction.body, body, coding, !self.enforces())))
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        let ready = Rc::clone(&self.ready);
        let redaction = &ready.redaction;
        let reads = Asked::of_request();
        self.skipped = redaction.skip.iter().any(|when| !when.needs_response() && when.holds(&reads));
        if self.is_idle() {
            return Action::Continue;
        }
        // A tunnel goes on after its headers, and few other requests do; the response no longer tells.
        self.tunnel = !end_of_stream
            && self.get_http_request_header_bytes(":method").is_some_and(|method| method == b"CONNECT");
        if redaction.responses
            && self.enforces()
            && let Some(status) = headers::ask_for_plain_and_whole(redaction)
        {
            return self.refuse(status);
        }
        if !redaction.requests {
            return Action::Continue;
        }
        let enforces = self.enforces();
        if headers::redact(Side::Request, redaction, &mut self.found, &ready.stats, enforces) {
            self.tell();
        }
        if end_of_stream || self.tunnel {
            return Action::Continue;
        }
        let lines = self.get_http_request_headers_bytes();
        let codings = headers::joined(&lines, "content-encoding");
        let head = Head {
            content_type: headers::value(&lines, "content-type"),
            content_encoding: codings.as_deref(),
            ..Head::default()
        };
        match redaction.eligible.decide(head) {
            Ok((body, coding)) => match self.hold(Side::Request, body, coding, false) {
                Some(Ok(held)) => self.request = Some(held),
                Some(Err(())) => return self.refuse(415),
                None => {}
            },
            Err(Skip::Type) => self.ready.stats.skipped_type.increment(),
            Err(Skip::NoBody) => {}
        }
        Action::Continue
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        let Some(mut held) = self.request.take() else {
            return if self.answered { Action::Pause } else { Action::Continue };
        };
        let ready = Rc::clone(&self.ready);
        let before = held.tally().matches.clone();
        let (flow, events) = held.data(&ready.redaction.rules, &mut RequestBody(size), size, end);
        self.count(events, &before, Some(&held));
        self.request = Some(held);
        self.act_on_request(flow)
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        let Some(mut held) = self.request.take() else {
            return if self.answered { Action::Pause } else { Action::Continue };
        };
        let ready = Rc::clone(&self.ready);
        let before = held.tally().matches.clone();
        let (flow, events) = held.trailers(&ready.redaction.rules, &mut RequestBody(ALL));
        self.count(events, &before, Some(&held));
        self.act_on_request(flow)
    }

    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        let ready = Rc::clone(&self.ready);
        let redaction = &ready.redaction;
        if !self.is_idle() {
            let reads = Asked::of_response();
            self.skipped = redaction.skip.iter().any(|when| when.needs_response() && when.holds(&reads));
        }
        if self.is_idle() || !redaction.responses {
            return Action::Continue;
        }
        let enforces = self.enforces();
        if headers::redact(Side::Response, redaction, &mut self.found, &ready.stats, enforces) {
            self.tell();
        }
        // All at once: one call to the host costs more than looking through what it brings.
        let lines = self.get_http_response_headers_bytes();
        let codings = headers::joined(&lines, "content-encoding");
        let status = headers::value(&lines, ":status").unwrap_or_default();
        let head = Head {
            tunnel: self.tunnel,
            status,
            content_type: headers::value(&lines, "content-type"),
            content_encoding: codings.as_deref(),
            end_of_stream,
        };
        match redaction.eligible.decide(head) {
            Ok((body, coding)) => {
                let part = status == b"206";
                if part && redaction.on_range == Otherwise::Skip {
                    ready.stats.skipped_range.increment();
                    return Action::Continue;
                }
                match self.hold(Side::Response, body, coding, part) {
                    Some(Ok(held)) => self.response = Some(held),
                    Some(Err(())) => {
                        ready.stats.blocked.increment();
                        headers::put_in_place_of_a_response(&lines);
                        self.response = Some(Held::dropping(&redaction.rules, redaction.body));
                    }
                    None => {}
                }
            }
            Err(Skip::Type) => ready.stats.skipped_type.increment(),
            Err(Skip::NoBody) => {}
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        let Some(mut held) = self.response.take() else { return Action::Continue };
        let ready = Rc::clone(&self.ready);
        let before = held.tally().matches.clone();
        let (flow, events) = held.data(&ready.redaction.rules, &mut ResponseBody(size), size, end);
        self.count(events, &before, Some(&held));
        self.response = Some(held);
        self.act_on_response(flow)
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        let Some(mut held) = self.response.take() else { return Action::Continue };
        let ready = Rc::clone(&self.ready);
        let before = held.tally().matches.clone();
        let (flow, events) = held.trailers(&ready.redaction.rules, &mut ResponseBody(ALL));
        self.count(events, &before, Some(&held));
        self.act_on_response(flow)
    }
}

/// More than any buffer has.
const ALL: usize = u32::MAX as usize;

impl Stream {
    fn act_on_request(&mut self, flow: Flow) -> Action {
        match flow {
            Flow::Continue => Action::Continue,
            Flow::Pause => Action::Pause,
            Flow::Block => self.refuse(self.ready.redaction.on_block.status),
        }
    }

    fn act_on_response(&mut self, flow: Flow) -> Action {
        match flow {
            Flow::Continue => Action::Continue,
            Flow::Pause => Action::Pause,
            Flow::Block => {
                self.ready.stats.blocked.increment();
                if self.ready.redaction.on_block.reset {
                    self.reset_http_response();
                }
                Action::Continue
            }
        }
    }
}
