//! A request and its response.

use std::rc::Rc;

use filter_abi::header::NO_LINES;
use filter_abi::stream::{self, NO_GRPC_STATUS};
use filter_abi::{Action, Asked, property};
use filter_kit::host::{Authority, Host, Malformed, Room};
use filter_kit::reads::{Map, first, written};
use filter_kit::when::is_grpc;

use super::Ready;
use crate::body::Parts;
use crate::decision::{Denial, Verdict};

/// Where the decision is found as filter state: `wasm.blocklist`.
const STATE: &str = "blocklist";

pub(super) struct Stream {
    ready: Rc<Ready>,
    /// It was answered here, so its response is our own.
    answered: bool,
    /// It is one of those that `enforce_percent` leaves alone.
    spared: bool,
}

impl Stream {
    pub(super) fn new(ready: Rc<Ready>) -> Self {
        Self { ready, answered: false, spared: false }
    }

    /// Whether its response needs more of it than its configuration.
    pub(super) fn is_to_be_kept(&self) -> bool {
        self.answered || self.spared
    }

    pub(super) fn on_request_headers(&mut self) -> Action {
        let ready = &self.ready;
        ready.checked.set(ready.checked.get() + 1);
        let verdict = ready.blocklist.judge(&Asked::of_request());
        if verdict == Verdict::default() {
            return Action::Continue;
        }
        self.note(&verdict);
        self.spared = verdict.spared;
        match verdict.denied {
            None => Action::Continue,
            Some(denial) => {
                self.answered = true;
                self.answer(denial);
                Action::Pause
            }
        }
    }

    pub(super) fn on_response_headers(&self) -> Action {
        if self.answered {
            return Action::Continue;
        }
        let verdict = self.ready.blocklist.judge_upstream(&Asked::of_response(), self.spared);
        if verdict == Verdict::default() {
            return Action::Continue;
        }
        self.note(&verdict);
        // Not answered: a local reply in place of a response that has begun may hang.
        if verdict.denied.is_some() && stream::reset_response() { Action::Pause } else { Action::Continue }
    }

    /// Counts what was found, and tells the access log. Nothing is logged: clients would write the log.
    fn note(&self, verdict: &Verdict) {
        let (lists, metrics) = (&self.ready.blocklist.lists, &self.ready.metrics);
        let of = |denial: Denial| denial.list().and_then(|place| metrics.list(place));
        if verdict.malformed {
            metrics.malformed.increment();
        }
        if verdict.missing {
            metrics.missing.increment();
        }
        if verdict.misdirected {
            metrics.misdirected.increment();
        }
        if let Some(denial) = verdict.denied {
            metrics.denied.increment();
            if let Some(list) = of(denial) {
                list.denied.increment();
            }
        }
        if let Some(denial) = verdict.reported {
            metrics.reported.increment();
            if let Some(list) = of(denial) {
                list.reported.increment();
            }
        }
        if let Some(place) = verdict.excepted {
            metrics.excepted.increment();
            if let Some(list) = metrics.list(place) {
                list.excepted.increment();
            }
        }
        let name = |place: usize| lists.get(place).map_or("", |list| list.name.as_str());
        let of = |denial: Denial| denial.list().map_or("", name);
        // Words and names of the configuration: nothing that a client sends.
        let [what, why, list] = match (verdict.denied, verdict.reported, verdict.excepted) {
            (Some(denial), ..) => ["deny", denial.as_str(), of(denial)],
            (None, Some(denial), _) => ["report", denial.as_str(), of(denial)],
            (None, None, Some(place)) => ["allow", "listed", name(place)],
            (None, None, None) => return,
        };
        let separator = if list.is_empty() { "" } else { ":" };
        if !property::keep(STATE, [what, ":", why, separator, list].concat().as_bytes()) {
            metrics.errors.increment();
        }
    }

    fn answer(&self, denial: Denial) {
        let asked = Asked::of_request();
        let blocklist = &self.ready.blocklist;
        let rule = denial.list().and_then(|place| blocklist.lists.get(place)).map_or("", |list| &list.name);
        let is_grpc = first(&asked, Map::Request, "content-type", is_grpc).unwrap_or(false);
        if is_grpc {
            // As gRPC numbers them: invalid argument, failed precondition, unavailable, permission denied.
            let status = match denial {
                Denial::Missing | Denial::Malformed(_) => 3,
                Denial::Misdirected => 9,
                Denial::Awaited(_) => 14,
                Denial::Listed(_) | Denial::Unlisted => 7,
            };
            let message = ["blocked by wasm: ", denial.as_str()].concat();
            stream::reply(200, "", &NO_LINES, message.as_bytes(), status);
            return;
        }
        let plain = |status, text: &str| {
            let headers = [(&b"content-type"[..], &b"text/plain"[..]), (b"cache-control", b"no-store")];
            stream::reply(status, "", &written(headers.into_iter()), text.as_bytes(), NO_GRPC_STATUS);
        };
        match denial {
            Denial::Missing => plain(400, "missing host\n"),
            Denial::Malformed(_) => plain(400, "malformed host\n"),
            Denial::Misdirected => plain(421, "misdirected request\n"),
            Denial::Awaited(_) => plain(503, "list not loaded\n"),
            Denial::Listed(_) | Denial::Unlisted => {
                let reply = &blocklist.reply;
                let host = first(&asked, Map::Request, ":authority", host).unwrap_or_default();
                let id = first(&asked, Map::Request, "x-request-id", <[u8]>::to_vec).unwrap_or_default();
                let parts = Parts { host: &host, rule, reason: denial.as_str(), request_id: &id };
                let headers = reply.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
                let body = reply.body.render(parts);
                stream::reply(reply.status, "", &written(headers), &body, NO_GRPC_STATUS);
            }
        }
    }
}

/// The host as hosts are compared.
fn host(value: &[u8]) -> String {
    let shown = |authority: Authority<'_>| match authority.host {
        Host::Name(name) => name.to_owned(),
        Host::Address(address) => address.to_string(),
    };
    Authority::parse(value, &mut Room::new()).map(shown).unwrap_or_else(|_: Malformed| String::new())
}
