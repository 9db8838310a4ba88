//! Every input that a fuzzer found worth keeping.

use filter_kit::testing::replay;

#[path = "../fuzz/entry.rs"]
#[expect(clippy::expect_used, clippy::indexing_slicing, reason = "a fuzz target may fail")]
mod entry;

#[test]
fn the_corpus_of_bodies_holds() {
    replay(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/body"), entry::body).unwrap();
}

#[test]
fn the_corpus_of_json_holds() {
    replay(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/json"), entry::json).unwrap();
}

#[test]
fn the_corpus_of_held_bodies_holds() {
    replay(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/held"), entry::held).unwrap();
}

#[test]
fn the_corpus_of_compressed_bodies_holds() {
    replay(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/inflate"), entry::inflate).unwrap();
}
