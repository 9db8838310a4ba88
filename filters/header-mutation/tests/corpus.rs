//! Every input that a fuzzer found worth keeping.
#![expect(clippy::unwrap_used, reason = "all of this is a test: clippy knows only the functions marked so")]

use filter_kit::testing::replay;

#[path = "../fuzz/entry.rs"]
#[expect(clippy::indexing_slicing, reason = "a fuzz target may fail")]
mod entry;

#[test]
fn the_corpus_of_configurations_holds() {
    replay(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/config"), entry::config).unwrap();
}

#[test]
fn the_corpus_of_exchanges_holds() {
    replay(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/decision"), entry::decision).unwrap();
}
