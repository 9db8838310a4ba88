//! Every input that a fuzzer found worth keeping.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "all of this is a test: clippy knows only the functions marked so"
)]

use filter_kit::testing::replay;

#[path = "../fuzz/entry.rs"]
mod entry;

#[test]
fn the_corpus_of_answers_holds() {
    replay(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/answer"), entry::answer).unwrap();
}

#[test]
fn the_corpus_of_questions_holds() {
    replay(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/question"), entry::question).unwrap();
}
