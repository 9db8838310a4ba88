//! The ABI shell: the only folder here that knows it runs inside a proxy.

mod buffer;
mod headers;
mod stats;
mod stream;

use filter_shell::Asked;
use filter_shell::buffer::Body as Side;
use filter_shell::headers::{Map, first};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel};

use crate::config::Otherwise;
use crate::hold::{Flow, Held};
use crate::{Head, Skip};
use headers::{Changes, Lines};
use stats::Stats;
use stream::{Found, Ready, Stream};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| filter_shell::counted_root("redaction", Ready::new, Stream::open));
}}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        let ready = self.ready();
        let redaction = &ready.redaction;
        let reads = Asked::of_request();
        self.skipped = redaction.skip.iter().any(|when| !when.needs_response() && when.holds(&reads));
        if self.is_idle() {
            return Action::Continue;
        }
        // A tunnel goes on after its headers, and few other requests do; the response no longer tells.
        self.tunnel =
            !end_of_stream && first(Map::Request, ":method").is_some_and(|method| method == b"CONNECT");
        let enforces = self.enforces();
        if redaction.tokenizes {
            self.begin_tokens();
        }
        let mut changes = Changes::to(Map::Request);
        if enforces
            && (redaction.responses || redaction.tokenizes)
            && let Some(status) = changes.ask_for_plain_and_whole(redaction)
        {
            return self.refuse(status);
        }
        let action = if redaction.requests {
            self.request_headers(&mut changes, end_of_stream)
        } else {
            Action::Continue
        };
        if changes.made || self.is_idle() {
            return action;
        }
        self.failed().map_or(action, |()| self.refuse(500))
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        let Some(mut held) = self.request.take() else { return self.without_request_body() };
        let flow = self.data(&mut held, Side::Request, size, Some(end));
        self.request = Some(held);
        self.act_on_request(flow)
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        let Some(mut held) = self.request.take() else { return self.without_request_body() };
        let flow = self.data(&mut held, Side::Request, ALL, None);
        self.request = Some(held);
        self.act_on_request(flow)
    }

    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        let ready = self.ready();
        let redaction = &ready.redaction;
        if !self.is_idle() {
            let reads = Asked::of_response();
            self.skipped = redaction.skip.iter().any(|when| when.needs_response() && when.holds(&reads));
        }
        if self.is_idle() {
            return Action::Continue;
        }
        self.end_tokens();
        if !redaction.responses && !self.restores() {
            return Action::Continue;
        }
        let mut changes = Changes::to(Map::Response);
        let action = self.response_headers(&mut changes, end_of_stream);
        if changes.made || self.failed().is_none() {
            return action;
        }
        // Headers that the host does not let be changed must not leave.
        filter_shell::reset_response();
        Action::Pause
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        let action = match self.response.take() {
            Some(mut held) => {
                let flow = self.data(&mut held, Side::Response, size, Some(end));
                self.response = Some(held);
                self.act_on_response(flow)
            }
            None => Action::Continue,
        };
        if end {
            self.tell_in_trailer();
        }
        action
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        let action = match self.response.take() {
            Some(mut held) => {
                let flow = self.data(&mut held, Side::Response, ALL, None);
                self.response = Some(held);
                self.act_on_response(flow)
            }
            None => Action::Continue,
        };
        self.tell_in_trailer();
        action
    }
}

/// More than any buffer has.
const ALL: usize = u32::MAX as usize;

impl Stream {
    fn request_headers(&mut self, changes: &mut Changes, end_of_stream: bool) -> Action {
        let ready = self.ready();
        let redaction = &ready.redaction;
        if self.redact_headers(changes, None) {
            return self.refuse(redaction.on_block.status);
        }
        if end_of_stream || self.tunnel {
            return Action::Continue;
        }
        let lines = Lines::of(Map::Request);
        if lines.value("upgrade").is_some() {
            // What follows is another protocol, if the upstream agrees; until then a client has nothing to say but the
            // body of the request, and Envoy forwards that without looking where it ends.
            let body = lines.value("transfer-encoding").is_some()
                || lines.value("content-length").is_some_and(|length| length != b"0");
            return match body.then(|| self.undecided()) {
                Some(true) => self.refuse(415),
                Some(false) => {
                    ready.stats.skipped_type.increment();
                    Action::Continue
                }
                None => Action::Continue,
            };
        }
        let codings = lines.joined("content-encoding");
        let head = Head {
            content_type: lines.value("content-type"),
            content_encoding: codings.as_deref(),
            ..Head::default()
        };
        match redaction.eligible.decide(head) {
            Ok((body, coding)) => match self.hold(changes, &redaction.rules, (body, coding), false, true) {
                Found::Body(mut held) => {
                    *held.tokens() = self.tokens.take();
                    self.request = Some(*held);
                }
                Found::Unreadable => return self.refuse(415),
                Found::Nothing => {}
            },
            Err(Skip::Type) => ready.stats.skipped_type.increment(),
            Err(Skip::NoBody) => {}
        }
        Action::Continue
    }

    fn response_headers(&mut self, changes: &mut Changes, end_of_stream: bool) -> Action {
        let ready = self.ready();
        let (redaction, stats) = (&ready.redaction, &ready.stats);
        let own = self.restoring.take();
        let rules = own.as_deref().unwrap_or(&redaction.rules);
        let blocked = self.redact_headers(changes, Some(rules));
        // All at once: one call to the host costs more than looking through what it brings.
        let lines = Lines::of(Map::Response);
        let codings = lines.joined("content-encoding");
        let status = lines.value(":status").unwrap_or_default();
        let head = Head {
            tunnel: self.tunnel,
            status,
            content_type: lines.value("content-type"),
            content_encoding: codings.as_deref(),
            end_of_stream,
        };
        if blocked && (self.tunnel || status.first() == Some(&b'1')) {
            stats.blocked.increment();
            filter_shell::reset_response();
            return Action::Pause;
        }
        let part = status == b"206";
        let decided = redaction.eligible.decide(head);
        let found = match decided {
            _ if blocked => Found::Unreadable,
            Ok(_) if part && redaction.on_range == Otherwise::Skip => {
                stats.skipped_range.increment();
                Found::Nothing
            }
            Ok(what) => {
                self.framed = redaction.keeps_length && what.1 == crate::Coding::Plain;
                self.hold(changes, rules, what, part, redaction.responses)
            }
            Err(Skip::Type) => {
                stats.skipped_type.increment();
                Found::Nothing
            }
            Err(Skip::NoBody) => Found::Nothing,
        };
        match found {
            Found::Body(held) => self.response = Some(*held),
            Found::Unreadable => {
                stats.blocked.increment();
                changes.put_in_place_of_a_response(&lines);
                self.framed = false;
                self.response = Some(Held::dropping(rules, redaction.body));
            }
            Found::Nothing => {}
        }
        self.restoring = own;
        Action::Continue
    }

    fn act_on_request(&mut self, flow: Flow) -> Action {
        match flow {
            Flow::Continue => Action::Continue,
            Flow::Pause => Action::Pause,
            Flow::Block => self.refuse(self.ready().redaction.on_block.status),
            Flow::Broken => self.refuse(500),
        }
    }

    fn act_on_response(&mut self, flow: Flow) -> Action {
        match flow {
            Flow::Continue => Action::Continue,
            Flow::Pause => Action::Pause,
            Flow::Block => {
                let ready = self.ready();
                ready.stats.blocked.increment();
                // A body that is shorter than its headers have said would leave the client waiting for the rest.
                if ready.redaction.on_block.reset || self.framed {
                    filter_shell::reset_response();
                }
                Action::Continue
            }
            Flow::Broken => {
                filter_shell::reset_response();
                Action::Pause
            }
        }
    }
}
