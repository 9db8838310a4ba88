use proptest::prelude::*;

use super::*;
use crate::Redaction;

mod cases;
mod cuts;

/// Every detector that is built in.
pub(crate) const BUILT_IN: &str = r##"{"version": 1, "detectors": [
    {"name": "card", "kind": "credit_card", "action": {"type": "replace", "with": "CARD"}},
    {"name": "ssn", "kind": "us_ssn", "action": {"type": "replace", "with": "SSN"}},
    {"name": "mail", "kind": "email", "action": {"type": "replace", "with": "MAIL"}},
    {"name": "v4", "kind": "ipv4", "action": {"type": "replace", "with": "V4"}},
    {"name": "v6", "kind": "ipv6", "action": {"type": "replace", "with": "V6"}},
    {"name": "iban", "kind": "iban", "action": {"type": "replace", "with": "IBAN"}},
    {"name": "phone", "kind": "phone_e164", "action": {"type": "replace", "with": "PHONE"}},
    {"name": "jwt", "kind": "jwt", "action": {"type": "replace", "with": "JWT"}},
    {"name": "aws", "kind": "aws_access_key", "action": {"type": "replace", "with": "AWS"}},
    {"name": "pem", "kind": "private_key_pem", "action": {"type": "replace", "with": "PEM"}},
    {"name": "bearer", "kind": "bearer", "action": {"type": "replace", "with": "BEARER"}},
    {"name": "secret", "kind": "assignment", "keys": ["SECRET", "password"], "action": {"type": "replace", "with": "*"}},
    {"name": "word", "kind": "literal", "literals": ["Project Falcon", "Project Fal", "xyzzy"], "action": {"type": "replace", "with": "WORD"}},
    {"name": "ids", "kind": "json_keys", "keys": ["dob"], "action": {"type": "remove"}},
    {"name": "path", "kind": "json_pointer", "paths": ["/users/*/pin", "/top"], "action": {"type": "replace", "with": "PATH"}}
]}"##;

/// Without those for which every value's place in JSON matters.
fn plain() -> String {
    let mut json: serde_json::Value = serde_json::from_str(BUILT_IN).unwrap();
    json["detectors"].as_array_mut().unwrap().retain(|detector| detector["kind"] != "json_pointer");
    json.to_string()
}

/// The same with actions for which a match is waited for.
fn masking() -> String {
    let mut json: serde_json::Value = serde_json::from_str(BUILT_IN).unwrap();
    for detector in json["detectors"].as_array_mut().unwrap() {
        detector["action"] = serde_json::json!({"type": "mask", "keep_last": 4});
    }
    json.to_string()
}

fn rules(json: &str) -> Redaction {
    Redaction::from_json(json.as_bytes()).unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

/// What a body becomes that comes in these pieces.
fn in_pieces<'a>(redaction: &Redaction, body: Body, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut scanner = Scanner::new(&redaction.rules, body);
    let (mut out, mut held) = (Vec::new(), Vec::new());
    let mut pieces = pieces.into_iter().peekable();
    while let Some(piece) = pieces.next() {
        held.extend_from_slice(piece);
        let Scanned { consumed, put } = scanner.scan(&redaction.rules, &held, pieces.peek().is_none());
        out.extend(put.unwrap_or_else(|| held[..consumed].to_vec()));
        held.drain(..consumed);
        assert!(held.len() <= 4096 + 1024, "{} bytes are held", held.len());
    }
    assert_eq!(held, b"", "all of a body leaves");
    out
}

fn whole(redaction: &Redaction, body: Body, text: &str) -> String {
    String::from_utf8(in_pieces(redaction, body, [text.as_bytes()])).unwrap()
}
