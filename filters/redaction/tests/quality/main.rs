//! How well detectors tell what is something from what only looks like it.
//!
//! `cargo test -p redaction --test quality -- --nocapture` prints what each detector reaches. `PII_CORPUS=corpus.jsonl` and
//! `PII_SCORES=scores.json` also write the corpus, a text a line, and the scores: `benches/record.py` has another tool look
//! through the same.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of this is a test: clippy knows only the functions marked so"
)]

mod corpus;

use std::collections::BTreeMap;

use corpus::{KEYS, KINDS, corpus};
use redaction::{Body, Redaction, Scanned, Scanner};
use serde_json::json;

/// Right, wrong and missed.
#[derive(Default)]
struct Score {
    right: u32,
    wrong: u32,
    missed: u32,
}

fn redacted(redaction: &Redaction, text: &str) -> String {
    let mut scanner = Scanner::new(&redaction.rules, Body::Text);
    let Scanned { put, .. } = scanner.scan(&redaction.rules, text.as_bytes(), true);
    put.map_or_else(|| text.to_owned(), |put| String::from_utf8(put).unwrap())
}

#[test]
fn precision_and_recall_are_at_least_99_in_100_for_each_detector() {
    let detectors = KINDS.map(|kind| {
        let mut detector =
            json!({"name": kind, "kind": kind, "action": {"type": "replace", "with": format!("[[{kind}]]")}});
        if kind == "assignment" {
            detector["keys"] = json!(KEYS);
        }
        detector
    });
    let config = json!({"version": 1, "detectors": detectors}).to_string();
    let redaction = Redaction::from_json(config.as_bytes()).unwrap();
    let samples = corpus(20_260_101, 500);
    if let Some(path) = std::env::var_os("PII_CORPUS") {
        let line = |sample: &corpus::Sample| {
            let start = sample.before.chars().count();
            let text = format!("{}{}{}", sample.before, sample.token, sample.after);
            json!({"kind": sample.kind, "text": text, "start": start, "end": start + sample.token.chars().count()}).to_string() + "\n"
        };
        std::fs::write(path, samples.iter().map(line).collect::<String>()).unwrap();
    }
    let mut scores: BTreeMap<&str, Score> = KINDS.map(|kind| (kind, Score::default())).into();
    let mut odd = Vec::new();
    for sample in &samples {
        let text = format!("{}{}{}", sample.before, sample.token, sample.after);
        let out = redacted(&redaction, &text);
        let expected = match sample.kind {
            Some(kind) => format!("{}[[{kind}]]{}", sample.before, sample.after),
            None => text.clone(),
        };
        if out == expected {
            if let Some(kind) = sample.kind {
                scores.get_mut(kind).unwrap().right += 1;
            }
            continue;
        }
        odd.push(format!("{:?}: {text:?} became {out:?}", sample.kind));
        if let Some(kind) = sample.kind {
            scores.get_mut(kind).unwrap().missed += 1;
        }
        for kind in KINDS {
            if out.contains(&format!("[[{kind}]]")) {
                scores.get_mut(kind).unwrap().wrong += 1;
            }
        }
    }
    let mut reached = serde_json::Map::new();
    for (kind, Score { right, wrong, missed }) in &scores {
        let precision = f64::from(*right) / f64::from(right + wrong);
        let recall = f64::from(*right) / f64::from(right + missed);
        println!("{kind:16} precision {precision:.4}  recall {recall:.4}");
        reached.insert((*kind).to_owned(), json!({"precision": precision, "recall": recall}));
        assert!(
            precision >= 0.99 && recall >= 0.99,
            "{kind}: {right} right, {wrong} wrong, {missed} missed\n{}",
            odd.join("\n")
        );
    }
    if let Some(path) = std::env::var_os("PII_SCORES") {
        std::fs::write(path, serde_json::Value::from(reached).to_string()).unwrap();
    }
}
