//! What a fuzzer's bytes do. libFuzzer calls these functions, and so does the test that replays the corpus.

#![allow(dead_code, reason = "each fuzz target is a program that uses one of the functions")]

use filter_kit::host::{Authority, Entry, Host, Room, listed};
use filter_kit::template::Template;
use filter_kit::testing::Given;

/// An entry, a zero byte, and a request's host. What parses must parse to itself, and an entry must cover the host that
/// it names.
pub(crate) fn host(data: &[u8]) {
    let place = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (typed, value) = data.split_at(place);
    let value = value.get(1..).unwrap_or_default();

    let mut room = Room::new();
    let parsed = Authority::parse(value, &mut room).ok();
    if let Some(authority) = &parsed {
        let spelled = spell(authority);
        let mut room = Room::new();
        let again = Authority::parse(spelled.as_bytes(), &mut room);
        assert_eq!(again.as_ref(), Ok(authority), "{spelled}");
    }

    let Ok(typed) = std::str::from_utf8(typed) else { return };
    for entry in listed(typed) {
        let Ok(entry) = Entry::parse(entry) else { continue };
        if let Some(authority) = &parsed {
            let covered = entry.covers(authority);
            // A spelling decides nothing.
            let (spelled, mut room) = (spell(authority), Room::new());
            let again = Authority::parse(spelled.as_bytes(), &mut room).unwrap();
            assert_eq!(entry.covers(&again), covered);
        }
        assert_eq!(entry.clone().into_owned(), entry);
    }
    // A bare entry covers what it spells.
    if let (Ok(entry), false) = (Entry::parse(typed), typed.starts_with("*.") || typed.starts_with("||")) {
        let bare = typed.strip_prefix('.').unwrap_or(typed);
        let bare = if bare.matches(':').count() > 1 && !bare.starts_with('[') {
            format!("[{bare}]")
        } else {
            bare.into()
        };
        if !bare.contains('/') {
            let mut room = Room::new();
            let authority = Authority::parse(bare.as_bytes(), &mut room).unwrap();
            assert!(entry.covers(&authority), "{typed}");
        }
    }
}

fn spell(authority: &Authority<'_>) -> String {
    let host = match authority.host {
        Host::Name(name) => name.to_owned(),
        Host::Address(std::net::IpAddr::V6(address)) => format!("[{address}]"),
        Host::Address(address) => address.to_string(),
    };
    match authority.port {
        Some(port) => format!("{host}:{port}"),
        None => host,
    }
}

/// A template, a zero byte, and what is in a request's path, cookie and header. A value is within its bound, or there
/// is none.
pub(crate) fn template(data: &[u8]) {
    const MOST: usize = 200;
    let place = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (typed, value) = data.split_at(place);
    let Ok(typed) = std::str::from_utf8(typed) else { return };
    let Ok(template) = Template::parse(typed) else { return };
    let given = Given::default()
        .header(":path", value)
        .header(":authority", value)
        .header("cookie", value)
        .header("x", value)
        .attribute("x", value)
        .attribute("request\0size", value);
    let mut out = b"before".to_vec();
    let outcome = template.render(&given, MOST, &mut out);
    assert!(out.starts_with(b"before") && out.len() <= 6 + MOST);
    assert!(outcome.is_ok() || out.len() == 6);
    if let Some(literal) = template.literal() {
        assert_eq!(outcome.is_ok(), literal.len() <= MOST);
    }
}
