//! What becomes of a request.

use std::net::IpAddr;

use filter_kit::attribute;
use filter_kit::host::{Authority, Host, Malformed, Room};
use filter_kit::mode::Mode;
use filter_kit::reads::{Map, Reads, first};

use crate::config::{Action, Blocklist, List};
use crate::store::{Entries, Strength, suffixes};

/// Why a request is answered here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The list at this place covers the host.
    Listed(usize),
    /// No list allows the host.
    Unlisted,
    /// There is no host.
    Missing,
    /// It is none that could be compared.
    Malformed(Malformed),
    /// It is another one than the TLS server name.
    Misdirected,
    /// The list at this place was not fetched yet.
    Awaited(usize),
}

/// What was found out about a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Why it is answered here, if it is.
    pub denied: Option<Denial>,
    /// Why it would be, if what only reports had consequences.
    pub reported: Option<Denial>,
    /// The list that allows a host which another denies.
    pub excepted: Option<usize>,
    /// Whether its host is another one than the TLS server name.
    pub misdirected: bool,
    /// Whether it has a host that is none.
    pub malformed: bool,
    /// Whether it has no host.
    pub missing: bool,
    /// Whether it is one of those that `enforce_percent` leaves alone.
    pub spared: bool,
}

/// Of a connection's beginning, if it has TLS.
const SERVER_NAME: [&str; 1] = ["connection\0requested_server_name"];
/// Address and port, from when a connection to the upstream is there.
const UPSTREAM: [&str; 1] = ["upstream\0address"];

impl Denial {
    /// A word for it, for bodies and access logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Listed(_) => "listed",
            Self::Unlisted => "unlisted",
            Self::Missing => "missing_host",
            Self::Malformed(_) => "malformed_host",
            Self::Misdirected => "sni_mismatch",
            Self::Awaited(_) => "list_not_loaded",
        }
    }

    /// The place of the list that it is about, if it is about one.
    pub fn list(self) -> Option<usize> {
        match self {
            Self::Listed(list) | Self::Awaited(list) => Some(list),
            _ => None,
        }
    }
}

impl Verdict {
    fn add(&mut self, denial: Denial, mode: Mode) {
        match mode {
            Mode::Enforce => self.denied = self.denied.or(Some(denial)),
            Mode::Report => self.reported = self.reported.or(Some(denial)),
            Mode::Off => {}
        }
    }

    /// The same when nothing has consequences.
    fn in_report(self) -> Self {
        Self { denied: None, reported: self.denied.or(self.reported), ..self }
    }
}

/// What lists say of one host: the narrowest entry counts, and of two as narrow the one that denies.
#[derive(Clone, Copy, Default)]
struct Best {
    found: Option<(Strength, bool, usize)>,
    denied: bool,
}

impl Best {
    fn offer(&mut self, strength: Strength, action: Action, list: usize) {
        let denies = action == Action::Deny;
        self.denied |= denies;
        if self.found.is_none_or(|(best, best_denies, _)| (strength, denies) > (best, best_denies)) {
            self.found = Some((strength, denies, list));
        }
    }
}

/// What lists say of one host, with those that only report and without.
struct Findings<'a> {
    reads: &'a dyn Reads,
    /// Of lists that are enforced.
    enforced: Best,
    /// Of all lists.
    all: Best,
    /// The lists whose conditions were asked, by bits; and those of them that are for the request.
    asked: u64,
    held: u64,
}

impl<'a> Findings<'a> {
    fn new(reads: &'a dyn Reads) -> Self {
        Self { reads, enforced: Best::default(), all: Best::default(), asked: 0, held: 0 }
    }

    /// Whether the list is for the request. Asked only of a list that covers the host.
    fn is_for(&mut self, place: usize, list: &List) -> bool {
        let bit = 1 << (place % 64);
        if self.asked & bit == 0 {
            self.asked |= bit;
            if list.is_for(self.reads) {
                self.held |= bit;
            }
        }
        self.held & bit != 0
    }

    fn offer(&mut self, strength: Strength, place: usize, list: &List) {
        if list.mode == Mode::Off || !self.is_for(place, list) {
            return;
        }
        if list.mode == Mode::Enforce {
            self.enforced.offer(strength, list.action, place);
        }
        self.all.offer(strength, list.action, place);
    }
}

impl Blocklist {
    /// Decides on a request.
    pub fn judge(&self, reads: &dyn Reads) -> Verdict {
        let mut verdict = Verdict::default();
        if self.mode == Mode::Off {
            return verdict;
        }
        let found = first(reads, Map::Request, ":authority", |value| {
            if value.is_empty() {
                return false;
            }
            self.judge_host(value, reads, &mut verdict);
            true
        });
        if found != Some(true) {
            self.refuse(Denial::Missing, self.on_missing_host, &mut verdict);
        }
        if self.check_forwarded_host && verdict.denied.is_none() {
            reads.header(Map::Request, "x-forwarded-host", &mut |values| {
                for value in values.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                    if !value.is_empty() {
                        self.judge_one(value, reads, &mut verdict, |_, _| {});
                    }
                }
                verdict.denied.is_some()
            });
        }
        self.settle(verdict, reads)
    }

    /// What has consequences of a verdict. A request is left to chance only if it would be denied.
    fn settle(&self, mut verdict: Verdict, reads: &dyn Reads) -> Verdict {
        if self.mode == Mode::Report {
            return verdict.in_report();
        }
        verdict.spared = verdict.denied.is_some() && !self.share.takes(|| reads.random());
        if verdict.spared { verdict.in_report() } else { verdict }
    }

    /// Decides on the raw value of `:authority` alone, which need not be UTF-8.
    ///
    /// # Errors
    ///
    /// The reason to answer in place of the upstream.
    pub fn admit(&self, authority: Option<&[u8]>) -> Result<(), Denial> {
        match self.judge(&Alone(authority)).denied {
            Some(denial) => Err(denial),
            None => Ok(()),
        }
    }

    /// Decides on the address that a request went to, once its response begins. Only a list can deny it: what names
    /// are allowed says nothing of addresses. One that was `spared` as a request is so as a response.
    pub fn judge_upstream(&self, reads: &dyn Reads, spared: bool) -> Verdict {
        let mut verdict = Verdict::default();
        if self.mode == Mode::Off || self.check_upstream_ip == Mode::Off {
            return verdict;
        }
        let mut room = Room::new();
        attribute::any(reads, &UPSTREAM, |value| {
            // A pipe has no address.
            let Ok(Authority { host: Host::Address(address), port }) = Authority::parse(value, &mut room)
            else {
                return None;
            };
            let mut findings = Findings::new(reads);
            self.find_address(address, port, &mut findings);
            let denying = |best: Best| best.found.filter(|(_, denies, _)| *denies).map(|(.., list)| list);
            if let Some(list) = denying(findings.enforced) {
                verdict.add(Denial::Listed(list), self.check_upstream_ip);
            } else if let Some(list) = denying(findings.all) {
                verdict.add(Denial::Listed(list), Mode::Report);
            }
            Some(())
        });
        verdict.spared = spared && verdict.denied.is_some();
        if verdict.spared { verdict.in_report() } else { self.settle(verdict, reads) }
    }

    fn judge_host(&self, value: &[u8], reads: &dyn Reads, verdict: &mut Verdict) {
        let server_name = |host: Option<Host<'_>>, verdict: &mut Verdict| {
            if !self.check_sni && self.sni_mismatch == Mode::Off {
                return;
            }
            attribute::any(reads, &SERVER_NAME, |name| {
                if !name.is_empty() {
                    self.judge_server_name(name, host, reads, verdict);
                }
                Some(())
            });
        };
        self.judge_one(value, reads, verdict, server_name);
    }

    fn judge_server_name(
        &self,
        name: &[u8],
        host: Option<Host<'_>>,
        reads: &dyn Reads,
        verdict: &mut Verdict,
    ) {
        if self.check_sni {
            self.judge_one(name, reads, verdict, |_, _| {});
        }
        let mut room = Room::new();
        let other = Authority::parse(name, &mut room).ok().map(|authority| authority.host);
        if self.sni_mismatch != Mode::Off && host.is_some() && host != other {
            verdict.misdirected = true;
            verdict.add(Denial::Misdirected, self.sni_mismatch);
        }
    }

    /// Decides on one value that names a host; `then` goes on with the host.
    fn judge_one(
        &self,
        value: &[u8],
        reads: &dyn Reads,
        verdict: &mut Verdict,
        then: impl FnOnce(Option<Host<'_>>, &mut Verdict),
    ) {
        let mut room = Room::new();
        let parsed = Authority::parse(value, &mut room).and_then(|authority| {
            let port = self.port(&authority, reads)?;
            Ok(Authority { port, ..authority })
        });
        match parsed {
            Ok(authority) => {
                self.look_up(&authority, reads, verdict);
                then(Some(authority.host), verdict);
            }
            Err(malformed) => {
                self.refuse(Denial::Malformed(malformed), self.on_malformed_host, verdict);
                then(None, verdict);
            }
        }
    }

    fn refuse(&self, denial: Denial, action: Action, verdict: &mut Verdict) {
        verdict.malformed |= matches!(denial, Denial::Malformed(_));
        verdict.missing |= denial == Denial::Missing;
        if action == Action::Deny {
            verdict.add(denial, Mode::Enforce);
        }
    }

    /// The port that is meant. Asked only where an entry has one: it costs a hostcall or two.
    fn port(&self, authority: &Authority<'_>, reads: &dyn Reads) -> Result<Option<u16>, Malformed> {
        if authority.port.is_some() || !self.lists.iter().any(|list| list.look(Entries::has_ports)) {
            return Ok(authority.port);
        }
        let is = |name, word: &[u8]| first(reads, Map::Request, name, |value| value == word).unwrap_or(false);
        if is(":method", b"CONNECT") {
            // A tunnel has no scheme to have a port by (RFC 9110, section 9.3.6).
            return Err(Malformed::Port);
        }
        Ok(Some(if is(":scheme", b"https") { 443 } else { 80 }))
    }

    fn look_up(&self, authority: &Authority<'_>, reads: &dyn Reads, verdict: &mut Verdict) {
        let mut findings = Findings::new(reads);
        match authority.host {
            Host::Name(name) => {
                let depths = self.lists.iter().fold(0, |depths, list| {
                    depths | list.entries.depths() | list.fetched().map_or(0, |entries| entries.depths())
                });
                for suffix in suffixes(self.key, name) {
                    if depths & (1 << suffix.labels.min(127)) == 0 {
                        continue;
                    }
                    for (place, list) in self.lists.iter().enumerate() {
                        let found = list.look(|entries| entries.find_name(&suffix, authority.port));
                        if let Some(strength) = found {
                            findings.offer(strength, place, list);
                        }
                    }
                }
            }
            Host::Address(address) => self.find_address(address, authority.port, &mut findings),
        }
        for (place, list) in self.lists.iter().enumerate().filter(|(_, list)| list.is_awaited()) {
            self.await_list(place, list, &mut findings, verdict);
        }
        self.conclude(&findings, verdict);
    }

    fn find_address(&self, address: IpAddr, port: Option<u16>, findings: &mut Findings<'_>) {
        for (place, list) in self.lists.iter().enumerate() {
            if let Some(strength) = list.look(|entries| entries.find_address(address, port)) {
                findings.offer(strength, place, list);
            }
        }
    }

    /// What becomes of a request that a list is for which was not fetched yet.
    fn await_list(&self, place: usize, list: &List, findings: &mut Findings<'_>, verdict: &mut Verdict) {
        let passes = list.remote.as_ref().is_some_and(|remote| remote.passes_before);
        match list.action {
            // Nothing is allowed by a list that is not there, unless it is to be open: then everything, by the widest
            // entry that there could be.
            Action::Allow if passes => findings.offer(Strength { length: 0, port: false }, place, list),
            Action::Deny if !passes && findings.is_for(place, list) => {
                verdict.add(Denial::Awaited(place), list.mode);
            }
            _ => {}
        }
    }

    fn conclude(&self, findings: &Findings<'_>, verdict: &mut Verdict) {
        let denial = |best: &Best| match best.found {
            Some((_, true, list)) => Some(Denial::Listed(list)),
            Some((_, false, _)) => None,
            None => (self.default == Action::Deny).then_some(Denial::Unlisted),
        };
        match (denial(&findings.enforced), denial(&findings.all)) {
            (Some(denied), _) => verdict.add(denied, Mode::Enforce),
            (None, Some(reported)) => verdict.add(reported, Mode::Report),
            (None, None) => {}
        }
        if let Some((_, false, list)) = findings.enforced.found.filter(|_| findings.enforced.denied) {
            verdict.excepted = verdict.excepted.or(Some(list));
        }
    }
}

/// A request of which nothing is known but its host.
struct Alone<'a>(Option<&'a [u8]>);

impl Reads for Alone<'_> {
    fn header(&self, map: Map, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        map == Map::Request && name == ":authority" && self.0.is_some_and(each)
    }

    fn attribute(&self, _: &str, _: &mut dyn FnMut(&[u8])) -> bool {
        false
    }

    fn now_ms(&self) -> u64 {
        0
    }

    fn random(&self) -> [u8; 16] {
        [0; 16]
    }
}

#[cfg(test)]
mod tests;
