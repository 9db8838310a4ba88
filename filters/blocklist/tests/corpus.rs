//! Every input that a fuzzer found worth keeping.
#![expect(clippy::unwrap_used, reason = "all of this is a test: clippy knows only the functions marked so")]

use filter_kit::testing::replay;

#[path = "../fuzz/entry.rs"]
mod entry;

#[test]
fn the_corpus_of_configurations_holds() {
    replay(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/configuration"), entry::configuration).unwrap();
}

#[test]
fn the_corpus_of_lists_holds() {
    replay(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/list"), entry::list).unwrap();
}

#[test]
fn the_corpus_of_hosts_holds() {
    replay(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/host"), entry::host).unwrap();
}
