use proptest::prelude::*;

use super::*;
use crate::Redaction;

mod cases;
mod cuts;
mod events;
mod options;

/// Every detector that is built in.
pub(crate) const BUILT_IN: &str = include_str!("../../tests/every_kind.json");

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
