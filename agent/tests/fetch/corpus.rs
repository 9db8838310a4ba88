//! What the fuzzers found and keep.

use filter_kit::testing::replay;

#[path = "../../fuzz/fetch.rs"]
mod entry;

#[test]
fn no_input_of_the_corpus_gets_past_the_limits() {
    replay(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/unpack"), entry::unpack).unwrap();
}

#[test]
fn no_manifest_of_the_corpus_panics() {
    replay(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/manifest"), entry::manifest).unwrap();
}
