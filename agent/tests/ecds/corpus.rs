//! The fuzzer's corpus, without the fuzzer.

use filter_kit::testing::replay;

#[path = "../../fuzz/entry.rs"]
mod entry;

#[test]
fn no_input_of_the_corpus_makes_the_agent_panic() {
    replay(concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/ecds"), entry::ecds).unwrap();
}
