//! What a fuzzer's bytes do. libFuzzer calls these functions, and so does the test that replays the corpus.

#![allow(dead_code, reason = "each fuzz target is a program that uses one of the functions")]

use std::io::Read;

use blocklist::{Blocklist, Checksum, Key, Precision, Remote, read_text};
use filter_kit::config;
use filter_kit::host::{Authority, Entry, Pattern, Room, listed};

/// Plugin configuration. Read piece by piece it is what it is when read as a tree: refused alike, or with lists of as
/// many entries.
pub(crate) fn configuration(data: &[u8]) {
    let streamed = Blocklist::from_json(data);
    let tree = config::read(data, Blocklist::from_node);
    match (streamed, tree) {
        (Ok(streamed), Ok(tree)) => {
            for (one, other) in streamed.lists.iter().zip(&tree.lists) {
                assert_eq!(one.name, other.name);
                // One that is off is not kept.
                assert!(one.count() == other.count(), "{}", one.name);
            }
            for host in ["a.test", "x.a.test", "10.0.0.1", "b"] {
                assert_eq!(streamed.admit(Some(host.as_bytes())), tree.admit(Some(host.as_bytes())));
            }
        }
        // A text that is no JSON may be told of in other words: one reader sees its bytes one by one.
        (Err(_), Err(_)) => {}
        (streamed, tree) => assert_eq!(streamed.map(|_| ()), tree.map(|_| ())),
    }
}

/// A size of pieces, and a list in text. It is the same list wherever it is cut.
pub(crate) fn list(data: &[u8]) {
    let Some((size, text)) = data.split_first() else { return };
    let remote = Remote {
        cluster: String::new(),
        authority: String::new(),
        path: String::new(),
        interval_s: 1,
        timeout_ms: 1,
        max_bytes: 1 << 20,
        max_entries: 50,
        max_bad_lines: usize::from(*size % 8),
        checksum: Checksum::IfPresent,
        passes_before: false,
    };
    let read = |size: usize| {
        let loaded =
            read_text(|| Pieces(text, size), text.len(), &remote, Key::new([1; 16]), Precision::Names);
        loaded.map(|loaded| (loaded.entries.count(), loaded.bad_lines))
    };
    assert_eq!(read(usize::from(*size).max(1)), read(1 << 20));
}

/// Entries in lines, each with `+` before it if it allows; a zero byte; and the host of a request. The decision is that
/// of looking at each entry.
pub(crate) fn host(data: &[u8]) {
    let place = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (lines, value) = data.split_at(place);
    let value = value.get(1..).unwrap_or_default();
    let Ok(lines) = std::str::from_utf8(lines) else { return };
    let (mut denied, mut allowed) = (Vec::new(), Vec::new());
    for line in lines.lines().take(20) {
        let (line, allows) = line.strip_prefix('+').map_or((line, false), |line| (line, true));
        for entry in listed(line).filter(|entry| Entry::parse(entry).is_ok()) {
            if allows { &mut allowed } else { &mut denied }.push(entry);
        }
    }
    if denied.is_empty() || allowed.is_empty() {
        return;
    }
    let json = format!(
        r#"{{"version": 1, "lists": [{{"name": "a", "entries": {denied:?}}},
            {{"name": "b", "action": "allow", "entries": {allowed:?}}}]}}"#
    );
    let admitted = Blocklist::from_json(json.as_bytes()).unwrap().admit(Some(value)).is_ok();
    let mut room = Room::new();
    let Ok(authority) = Authority::parse(value, &mut room) else {
        assert!(!admitted, "what is no host is let through");
        return;
    };
    let has_ports = denied.iter().chain(&allowed).any(|entry| Entry::parse(entry).unwrap().port.is_some());
    let authority = Authority { port: authority.port.or(has_ports.then_some(80)), ..authority };
    let best = |entries: &[&str], denies: bool| {
        let covering =
            entries.iter().map(|entry| Entry::parse(entry).unwrap()).filter(|entry| entry.covers(&authority));
        let strength = |entry: Entry<'_>| {
            let length = match &entry.pattern {
                Pattern::Name(name, _) => name.len(),
                Pattern::Network(network) => network.bits().into(),
            };
            (length, entry.port.is_some(), denies)
        };
        covering.map(strength).max()
    };
    let expected = best(&denied, true).max(best(&allowed, false)).is_none_or(|(.., denies)| !denies);
    assert_eq!(admitted, expected, "{json}");
}

/// Gives so many bytes at once, and no more.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = self.1.min(buffer.len());
        let (mut now, rest) = self.0.split_at(self.0.len().min(most));
        self.0 = rest;
        now.read(buffer)
    }
}
