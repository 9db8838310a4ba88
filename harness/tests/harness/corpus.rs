//! What the fuzzers have found once is tried again each time.

use std::fs;

#[path = "../../fuzz/entry.rs"]
mod entry;

/// Tries every input of a fuzz target's corpus.
#[track_caller]
fn replay(target: &str, entry: fn(&[u8])) {
    let corpus = format!("{}/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let files = fs::read_dir(&corpus).unwrap_or_else(|error| panic!("{corpus}: {error}"));
    let mut count = 0;
    for file in files {
        let path = file.unwrap().path();
        let input = fs::read(&path).unwrap();
        // Its name stands in the output of a test that fails.
        println!("{}", path.display());
        entry(&input);
        count += 1;
    }
    assert!(count > 0, "{corpus} is empty");
}

#[test]
fn hostcalls_survive_the_corpus() {
    replay("hostcalls", entry::hostcalls);
}

#[test]
fn header_maps_survive_the_corpus() {
    replay("pairs", entry::pairs);
}

#[test]
fn the_shortest_inputs_are_inputs_too() {
    for flags in 0..=255 {
        entry::hostcalls(&[flags]);
    }
    entry::hostcalls(&[]);
    entry::pairs(&[]);
}

#[test]
fn each_hostcall_runs_with_each_kind_of_argument() {
    for hostcall in 0..0xe0_u8 {
        for argument in [0x00, 0x01, 0x80, 0x90, 0x91, 0x93, 0xa0, 0xff] {
            let mut input = vec![0x00, 4, 0, b'a', 0, 0, 0];
            input.extend([[hostcall].as_slice(), &[argument; 60]].concat());
            entry::hostcalls(&input);
        }
    }
}
