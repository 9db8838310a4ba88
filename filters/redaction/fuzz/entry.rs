//! What a fuzzer's bytes do. libFuzzer calls these functions, and so does the test that replays the corpus.

#![allow(dead_code, reason = "each fuzz target is a program that uses one of the functions")]

use redaction::{Body, Coding, Redaction, Scanned, Scanner};

#[path = "host.rs"]
pub(crate) mod host;

use host::Proxy;

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
    let Some(Input { how, cuts, text }) = Input::read(data) else { return };
    let body = [Body::Text, Body::Json, Body::Events][usize::from(how & 3) % 3];
    let redaction = configured(usize::from(how >> 2 & 1));
    let whole = run(&redaction, body, &[text]);
    assert_eq!(run(&redaction, body, &pieces(text, cuts)), whole, "cut at {cuts:?}");
    let single: Vec<&[u8]> = text.chunks(1).collect();
    assert_eq!(run(&redaction, body, &single), whole, "byte by byte");
}

/// JSON: what was valid stays so, and nothing is lost of it where nothing is looked for.
pub(crate) fn json(data: &[u8]) {
    let config = r#"{"version": 1, "detectors": [{"name": "none", "kind": "json_keys", "keys": ["a name that no body has"]}]}"#;
    let redaction = Redaction::from_json(config.as_bytes()).expect("a configuration");
    assert_eq!(run(&redaction, Body::Json, &[data]), data, "nothing is looked for");
    if is_json(data) {
        for config in 0..CONFIGS.len() {
            let out = run(&configured(config), Body::Json, &[data]);
            assert!(is_json(&out), "{} became {}", data.escape_ascii(), out.escape_ascii());
        }
    }
    let mut framed = vec![1, 3, 1, 7, 0];
    framed.extend_from_slice(data);
    body(&framed);
}

/// A body on its way through the proxy's buffer, compressed or not: as in `body`, and in the end all of it has left, with
/// trailers or without.
pub(crate) fn held(data: &[u8]) {
    let Some(Input { how, cuts, text }) = Input::read(data) else { return };
    let body = [Body::Text, Body::Json, Body::Events][usize::from(how & 3) % 3];
    let redaction = configured(usize::from(how >> 2 & 1));
    let (coding, sent) = match how >> 3 & 3 {
        0 => (Coding::Plain, text.to_vec()),
        1 => (Coding::Deflate, miniz_oxide::deflate::compress_to_vec_zlib(text, 6)),
        2 => (Coding::Deflate, miniz_oxide::deflate::compress_to_vec(text, 6)),
        _ => (Coding::Gzip, gzip(text)),
    };
    let expected = run(&redaction, body, &[text]);
    let single: Vec<&[u8]> = sent.chunks(1).collect();
    for pieces in [vec![sent.as_slice()], pieces(&sent, cuts), single] {
        for trailers in [false, true] {
            let mut proxy = Proxy::new(&redaction, body, coding);
            for (index, piece) in pieces.iter().enumerate() {
                let last = index + 1 == pieces.len();
                proxy.data(piece, last && !trailers);
                let most = piece.len().max(text.len()) + 4096 + 1024;
                assert!(proxy.buffered() <= most, "{} bytes are held", proxy.buffered());
            }
            if trailers {
                proxy.trailers();
            }
            let cut: Vec<usize> = pieces.iter().map(|piece| piece.len()).collect();
            assert_eq!(
                proxy.out.escape_ascii().to_string(),
                expected.escape_ascii().to_string(),
                "as {coding:?} in pieces of {cut:?}, trailers {trailers}"
            );
        }
    }
}

/// What is said to be compressed and is any bytes: nothing panics, and after an error nothing leaves.
pub(crate) fn inflate(data: &[u8]) {
    let Some(Input { how, cuts, text }) = Input::read(data) else { return };
    let redaction = configured(0);
    let coding = if how & 1 == 0 { Coding::Gzip } else { Coding::Deflate };
    let mut proxy = Proxy::new(&redaction, Body::Text, coding);
    let pieces = pieces(text, cuts);
    for (index, piece) in pieces.iter().enumerate() {
        let before = proxy.out.len();
        let was_blocked = proxy.blocked;
        proxy.data(piece, index + 1 == pieces.len());
        assert!(!was_blocked || proxy.out.len() == before, "after an error nothing leaves");
    }
}

/// What the bytes of a fuzzer say.
struct Input<'a> {
    how: u8,
    cuts: &'a [u8],
    text: &'a [u8],
}

impl<'a> Input<'a> {
    fn read(data: &'a [u8]) -> Option<Self> {
        let (how, rest) = data.split_first()?;
        let cuts = rest.iter().position(|byte| *byte == 0).unwrap_or(0);
        let (cuts, text) = rest.split_at(cuts);
        Some(Self { how: *how, cuts, text: text.get(1..).unwrap_or_default() })
    }
}

fn configured(number: usize) -> Redaction {
    Redaction::from_json(CONFIGS[number].as_bytes()).expect("a configuration")
}

/// Pieces of these lengths, and the rest.
fn pieces<'a>(text: &'a [u8], lengths: &[u8]) -> Vec<&'a [u8]> {
    let (mut pieces, mut left) = (Vec::new(), text);
    for length in lengths {
        let (piece, after) = left.split_at(usize::from(*length).min(left.len()));
        pieces.push(piece);
        left = after;
    }
    pieces.push(left);
    pieces
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(bytes).is_ok()
}

/// Without a name, and with a checksum that nobody compares.
fn gzip(text: &[u8]) -> Vec<u8> {
    let deflated = miniz_oxide::deflate::compress_to_vec(text, 6);
    [b"\x1f\x8b\x08\0\0\0\0\0\0\0", &deflated[..], &[0; 8]].concat()
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
