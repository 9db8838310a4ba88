//! The fuzzer's corpus, without the fuzzer.

#[path = "../../fuzz/entry.rs"]
mod entry;

#[test]
fn no_input_of_the_corpus_makes_the_agent_panic() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/ecds");
    let mut tried = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        entry::ecds(&std::fs::read(file.unwrap().path()).unwrap());
        tried += 1;
    }
    assert!(tried > 0, "{folder} is empty");
}
