//! What a fuzzer's bytes do. libFuzzer calls these functions, and so does the test that replays the corpus.

#![allow(dead_code, reason = "each fuzz target is a program that uses one of the functions")]

use redaction::{Body, Redaction, Scanned, Scanner};

/// Every kind of detector, replaced or masked.
const CONFIGS: [&str; 2] = [
    include_str!("../tests/every_kind.json"),
    r#"{"version": 1, "allow": ["a@b.co"], "json": {"names": true}, "detectors": [
        {"name": "card", "kind": "credit_card", "boundary": "none", "action": {"type": "mask", "keep_last": 4}},
        {"name": "ssn", "kind": "us_ssn", "near": {"words": ["ssn"]}, "action": {"type": "mask"}},
        {"name": "mail", "kind": "email", "action": {"type": "mask", "keep_first": 1}},
        {"name": "v6", "kind": "ipv6", "action": {"type": "mask"}},
        {"name": "jwt", "kind": "jwt", "action": {"type": "mask"}},
        {"name": "pem", "kind": "private_key_pem", "action": {"type": "mask"}},
        {"name": "secret", "kind": "assignment", "keys": ["SECRET", "pw"], "action": {"type": "mask"}},
        {"name": "ids", "kind": "json_keys", "keys": ["id"], "action": {"type": "mask"}}]}"#,
];

/// A byte that says how, a byte for each piece's length up to a zero, and the body. Where it is cut makes no difference,
/// what is held is bounded, and a mask is as long as what it hides.
pub(crate) fn body(data: &[u8]) {
    let Some((how, rest)) = data.split_first() else { return };
    let cuts = rest.iter().position(|byte| *byte == 0).unwrap_or(0);
    let (cuts, text) = rest.split_at(cuts);
    let text = text.get(1..).unwrap_or_default();
    let body = [Body::Text, Body::Json, Body::Events][usize::from(how & 3) % 3];
    let config = CONFIGS[usize::from(how >> 2 & 1)];
    let redaction = Redaction::from_json(config.as_bytes()).expect("a configuration");

    let whole = run(&redaction, body, &[text]);
    let mut pieces = Vec::new();
    let mut left = text;
    for cut in cuts {
        let (piece, after) = left.split_at(usize::from(*cut).min(left.len()));
        pieces.push(piece);
        left = after;
    }
    pieces.push(left);
    assert_eq!(run(&redaction, body, &pieces), whole, "cut at {cuts:?}");
    let single: Vec<&[u8]> = text.chunks(1).collect();
    assert_eq!(run(&redaction, body, &single), whole, "byte by byte");
}

/// JSON: what was valid stays so, and nothing is lost of it where nothing is looked for.
pub(crate) fn json(data: &[u8]) {
    let config = r#"{"version": 1, "detectors": [{"name": "none", "kind": "json_keys", "keys": ["a name that no body has"]}]}"#;
    let redaction = Redaction::from_json(config.as_bytes()).expect("a configuration");
    assert_eq!(run(&redaction, Body::Json, &[data]), data, "nothing is looked for");
    let mut framed = vec![1, 3, 1, 7, 0];
    framed.extend_from_slice(data);
    body(&framed);
}

fn run(redaction: &Redaction, body: Body, pieces: &[&[u8]]) -> Vec<u8> {
    let mut scanner = Scanner::new(&redaction.rules, body);
    let (mut out, mut held) = (Vec::new(), Vec::new());
    for (index, piece) in pieces.iter().enumerate() {
        held.extend_from_slice(piece);
        let Scanned { consumed, put } = scanner.scan(&redaction.rules, &held, index + 1 == pieces.len());
        out.extend(put.unwrap_or_else(|| held[..consumed].to_vec()));
        held.drain(..consumed);
        assert!(held.len() <= 4096 + 1024, "{} bytes are held", held.len());
    }
    if pieces.is_empty() { Vec::new() } else { out }
}
