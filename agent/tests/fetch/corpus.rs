//! What the fuzzers found and keep.

#[path = "../../fuzz/fetch.rs"]
mod entry;

fn each(target: &str, run: impl Fn(&[u8])) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut tried = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        // Whoever reads of a panic reads also of which file it is.
        println!("{}", path.display());
        run(&std::fs::read(path).unwrap());
        tried += 1;
    }
    assert!(tried > 0, "there is no corpus of {target}");
}

#[test]
fn no_input_of_the_corpus_gets_past_the_limits() {
    each("unpack", entry::unpack);
}

#[test]
fn no_manifest_of_the_corpus_panics() {
    each("manifest", entry::manifest);
}
