//! What is done with headers.

use filter_kit::reads;
use filter_shell::headers::{self, Map};

use super::stats::Stats;
use crate::config::{OnEtag, Otherwise};
use crate::rules::Rules;
use crate::scan::{Scanned, Scanner};
use crate::{Body, Coding, Redaction, Tokens};

/// All lines of a map, as the host has written them down.
pub(super) struct Lines(Vec<u8>);

impl Lines {
    /// Those of a request, or of a response.
    pub(super) fn of(map: Map) -> Self {
        Self(headers::pairs(map))
    }

    /// The values of a header.
    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        reads::pairs(&self.0).filter(move |(other, _)| *other == name.as_bytes()).map(|(_, value)| value)
    }

    /// The first value of a header.
    pub(super) fn value(&self, name: &str) -> Option<&[u8]> {
        reads::pairs(&self.0).find(|(other, _)| *other == name.as_bytes()).map(|(_, value)| value)
    }

    /// All values of a header, with commas between.
    pub(super) fn joined(&self, name: &str) -> Option<Vec<u8>> {
        let values: Vec<&[u8]> = self.values(name).collect();
        (!values.is_empty()).then(|| values.join(&b","[..]))
    }
}

/// Changes to headers, and whether the host made each of them.
pub(super) struct Changes {
    map: Map,
    pub(super) made: bool,
}

impl Changes {
    pub(super) fn to(map: Map) -> Self {
        Self { map, made: true }
    }

    fn get(&self, name: &str) -> Option<Vec<u8>> {
        headers::first(self.map, name)
    }

    fn set(&mut self, name: &str, value: &[u8]) {
        self.made &= headers::replace(self.map, name.as_bytes(), value);
    }

    fn add(&mut self, name: &str, value: &[u8]) {
        self.made &= headers::add(self.map, name.as_bytes(), value);
    }

    /// Each is looked for first: a change to request headers clears the route cache (Envoy 1.40, ABI 0.2.1).
    fn remove(&mut self, name: &str) {
        if self.get(name).is_some() {
            self.made &= headers::remove(self.map, name.as_bytes());
        }
    }

    /// Has a request ask for a response that can be looked into. Answers the status to refuse it with, if it is to be.
    pub(super) fn ask_for_plain_and_whole(&mut self, redaction: &Redaction) -> Option<u32> {
        const RANGES: [&str; 2] = ["range", "if-range"];
        match redaction.on_range {
            Otherwise::Block if RANGES.iter().any(|name| self.get(name).is_some()) => return Some(416),
            // Two halves of a secret, asked for one by one, are no secret to a scanner.
            Otherwise::Treat => RANGES.iter().for_each(|name| self.remove(name)),
            _ => {}
        }
        let identity = |value: Vec<u8>| value != b"identity";
        if redaction.request_identity && self.get("accept-encoding").is_some_and(identity) {
            self.set("accept-encoding", b"identity");
        }
        None
    }

    /// Takes away what an edited body makes untrue.
    pub(super) fn untrue(&mut self, redaction: &Redaction, coding: Coding) {
        /// Digests of a body (RFC 9530, RFC 3230, RFC 1864).
        const DIGESTS: [&str; 4] = ["content-digest", "repr-digest", "digest", "content-md5"];
        let response = self.map == Map::Response;
        let inflated = coding != Coding::Plain;
        if inflated {
            self.remove("content-encoding");
        }
        if inflated || !redaction.keeps_length {
            self.remove("content-length");
            if response {
                self.remove("accept-ranges");
            }
        }
        DIGESTS.iter().for_each(|name| self.remove(name));
        if !response {
            return;
        }
        match redaction.etag {
            OnEtag::Keep => {}
            OnEtag::Remove => self.remove("etag"),
            OnEtag::Weaken => {
                if let Some(tag) = self.get("etag").filter(|tag| tag.starts_with(b"\"")) {
                    self.set("etag", &[b"W/", tag.as_slice()].concat());
                }
            }
        }
    }

    /// Makes the headers those of an empty response.
    pub(super) fn put_in_place_of_a_response(&mut self, lines: &Lines) {
        /// The gateway got a response that it cannot pass on.
        const BLOCKED: &[u8] = b"502";
        let about_the_body = |name: &[u8]| {
            name.starts_with(b"content-")
                || matches!(name, b"etag" | b"last-modified" | b"accept-ranges" | b"digest" | b"repr-digest")
        };
        for (name, _) in reads::pairs(&lines.0).filter(|(name, _)| about_the_body(name)) {
            self.made &= headers::remove(self.map, name);
        }
        self.set(":status", BLOCKED);
        self.set("content-length", b"0");
    }
}

/// What was found in headers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct InHeaders {
    pub(super) any: bool,
    /// A detector whose action is `block` has a match.
    pub(super) blocked: bool,
}

/// Looks into the values of the headers that are listed.
pub(super) fn redact(
    changes: &mut Changes,
    (redaction, rules): (&Redaction, &Rules),
    (found, tokens): (&mut [u64], &mut Option<Tokens>),
    stats: &Stats,
    enforces: bool,
) -> InHeaders {
    let mut all = InHeaders::default();
    let map = changes.map;
    for name in redaction.headers.iter().filter(|name| headers::first(map, name).is_some()) {
        let lines = Lines::of(changes.map);
        let (mut values, mut changed, mut blocked) = (Vec::new(), false, false);
        for value in lines.values(name) {
            let mut scanner = Scanner::new(rules, Body::Text);
            std::mem::swap(scanner.tokens(), tokens);
            let Scanned { put, .. } = scanner.scan(rules, value, true);
            std::mem::swap(scanner.tokens(), tokens);
            let tally = scanner.tally();
            all.any |= stats.matches(&vec![0; found.len()], &tally.matches);
            found.iter_mut().zip(&tally.matches).for_each(|(found, new)| *found += new);
            blocked |= tally.blocked;
            changed |= put.is_some();
            values.push(put.unwrap_or_else(|| value.to_vec()));
        }
        if !enforces {
            continue;
        }
        all.blocked |= blocked;
        if blocked {
            // Nothing of it is left even in what stands in place of the message.
            changes.remove(name);
        } else if changed {
            changes.remove(name);
            values.iter().for_each(|value| changes.add(name, value));
        }
    }
    all
}
