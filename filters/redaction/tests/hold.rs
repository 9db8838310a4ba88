//! What is held back, told piece by piece: natively, with a proxy's buffer that is a vector.
#![expect(clippy::unwrap_used, reason = "all of this is a test: clippy knows only the functions marked so")]

#[path = "../fuzz/host.rs"]
#[allow(dead_code, reason = "the fuzz targets use the other functions")]
mod host;

use host::Proxy;
use proptest::prelude::*;
use redaction::{Body, Coding, Redaction};

fn with(changes: &str) -> Redaction {
    let config = format!(
        r#"{{"version": 1{changes}, "detectors": [
            {{"name": "mail", "kind": "email", "action": {{"type": "replace", "with": "MAIL"}}}},
            {{"name": "card", "kind": "credit_card", "action": {{"type": "block"}}}},
            {{"name": "pem", "kind": "private_key_pem", "action": {{"type": "mask"}}}}]}}"#
    );
    Redaction::from_json(config.as_bytes()).unwrap()
}

fn out(proxy: &Proxy<'_>) -> String {
    String::from_utf8(proxy.out.clone()).unwrap()
}

#[test]
fn what_is_decided_leaves_with_the_next_piece() {
    let redaction = with("");
    let mut proxy = Proxy::new(&redaction, Body::Text, Coding::Plain);
    for (piece, left, held) in [
        ("one ", "one ", 0),
        ("two ada", "one ", 3),
        ("@exam", "one two ", 8),
        ("ple.com three fo", "one two MAIL three ", 2),
        ("ur. ", "one two MAIL three four. ", 0),
    ] {
        let events = proxy.data(piece.as_bytes(), false);
        assert_eq!((out(&proxy).as_str(), events.held), (left, held), "after {piece:?}");
    }
    proxy.data(b"", true);
    assert_eq!(out(&proxy), "one two MAIL three four. ");
}

#[test]
fn trailers_let_go_what_is_held() {
    let redaction = with("");
    for pieces in [
        &["to ada@example.com"][..],
        &["to ada", "@example.com"],
        &["to ", "ada@exam", "ple.com"],
        &["to me. "],
    ] {
        let mut proxy = Proxy::new(&redaction, Body::Text, Coding::Plain);
        for piece in pieces {
            proxy.data(piece.as_bytes(), false);
        }
        proxy.trailers();
        assert_eq!(out(&proxy), pieces.concat().replace("ada@example.com", "MAIL"));
        assert_eq!(proxy.buffered(), 0);
    }
}

#[test]
fn after_a_block_nothing_leaves() {
    let redaction = with("");
    for cut in 0..=24 {
        let body = "one two 4111111111111111 three";
        let mut proxy = Proxy::new(&redaction, Body::Text, Coding::Plain);
        proxy.data(&body.as_bytes()[..cut], false);
        proxy.data(&body.as_bytes()[cut..], false);
        proxy.data(b"four", true);
        assert!(proxy.blocked && "one two ".starts_with(&out(&proxy)), "cut at {cut}: {}", out(&proxy));
    }
}

#[test]
fn a_buffered_body_leaves_at_its_end_and_not_before() {
    let redaction = with(r#", "body": {"mode": "buffer", "max_body_bytes": 1024}"#);
    let mut proxy = Proxy::new(&redaction, Body::Text, Coding::Plain);
    for _ in 0..10 {
        proxy.data(b"to ada@example.com. ", false);
        assert_eq!(proxy.out.len(), 0);
    }
    proxy.data(b"", true);
    assert_eq!(out(&proxy), "to MAIL. ".repeat(10));

    // One that is larger goes on as a stream.
    let mut proxy = Proxy::new(&redaction, Body::Text, Coding::Plain);
    let events: Vec<_> = (0..100).map(|_| proxy.data(b"to ada@example.com. ", false)).collect();
    assert_eq!(events.iter().filter(|events| events.oversize).count(), 1);
    assert!(proxy.out.len() > 500 && proxy.buffered() < 100);
}

#[test]
fn a_body_that_is_no_gzip_ends_where_that_is_seen() {
    let redaction = with("");
    let mut proxy = Proxy::new(&redaction, Body::Text, Coding::Gzip);
    let events = proxy.data(b"ada@example.com", false);
    assert!(events.error && proxy.blocked);
    proxy.data(b"more", true);
    assert_eq!(proxy.out, b"");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_piece_is_later_than_by_one_and_no_buffer_grows(
        words in prop::collection::vec(prop::sample::select(&["ada", "@example.com", " ", "a text ", ".", "-----BEGIN PRIVATE KEY-----", "M"][..]), 1..60),
        sizes in prop::collection::vec(1usize..40, 1..20),
    ) {
        let redaction = with("");
        let body = words.concat();
        let whole = {
            let mut proxy = Proxy::new(&redaction, Body::Text, Coding::Plain);
            proxy.data(body.as_bytes(), true);
            proxy.out
        };
        let (mut proxy, mut rest, mut before) = (Proxy::new(&redaction, Body::Text, Coding::Plain), body.as_bytes(), 0);
        for size in sizes.iter().cycle() {
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            let events = proxy.data(piece, false);
            let held = usize::try_from(events.held).unwrap();
            prop_assert!(held <= 4096 + 1024);
            // What the piece before left decided has gone, at the latest.
            prop_assert!(proxy.buffered() <= before + piece.len() + held, "{} bytes wait", proxy.buffered());
            before = piece.len() + held;
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        proxy.data(b"", true);
        prop_assert_eq!(proxy.out.escape_ascii().to_string(), whole.escape_ascii().to_string());
    }
}

#[test]
fn a_large_piece_is_not_stopped_for_its_end() {
    let redaction = with("");
    let body = "a@example.com ".repeat(2_000);
    let mut proxy = Proxy::new(&redaction, Body::Text, Coding::Plain);
    let events = proxy.data(format!("{body}ada").as_bytes(), false);
    assert_eq!((proxy.buffered(), events.held), (0, 3));
    assert_eq!(out(&proxy), body.replace("a@example.com", "MAIL"));
    proxy.data(b"@example.com", true);
    assert!(out(&proxy).ends_with("MAIL MAIL"));
}

#[test]
fn what_is_held_of_a_large_piece_is_not_lost_silently_when_trailers_follow_at_once() {
    for fail in ["closed", "open"] {
        let redaction = with(&format!(r#", "fail": "{fail}""#));
        let mut proxy = Proxy::new(&redaction, Body::Text, Coding::Plain);
        proxy.data(format!("{}ada", "nothing ".repeat(4_000)).as_bytes(), false);
        proxy.trailers();
        assert!(proxy.broken, "{fail}");
    }
}
