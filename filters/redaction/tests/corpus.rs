//! Every input that a fuzzer found worth keeping.
#![expect(clippy::unwrap_used, reason = "all of this is a test: clippy knows only the functions marked so")]

use std::fs;
use std::path::Path;

#[path = "../fuzz/entry.rs"]
#[expect(clippy::expect_used, clippy::indexing_slicing, reason = "a fuzz target may fail")]
mod entry;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for file in fs::read_dir(&folder).unwrap() {
        run(&fs::read(file.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 0, "{}: there is nothing", folder.display());
}

#[test]
fn the_corpus_of_bodies_holds() {
    replay("body", entry::body);
}

#[test]
fn the_corpus_of_json_holds() {
    replay("json", entry::json);
}
