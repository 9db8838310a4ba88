//! The files are in order: this needs no Envoy.

use std::collections::BTreeSet;
use std::path::Path;

use meshloom_differential::recording::{NEWEST, names, recorded, scenarios};
use meshloom_differential::table::renewed;

#[test]
fn every_scenario_can_be_read_and_says_what_it_shows() {
    for named in scenarios() {
        assert!(named.scenario.statement.ends_with('.'), "{}: a statement is a sentence", named.name);
        assert!(!named.scenario.answer.trim().is_empty(), "{}: no answer", named.name);
        assert!(!named.scenario.plugins.is_empty(), "{}: no plugin", named.name);
    }
}

#[test]
fn every_scenario_is_recorded_and_every_recording_is_of_a_scenario() {
    let scenarios: BTreeSet<String> = names("yaml").into_iter().collect();
    for name in &scenarios {
        assert!(!recorded(name, NEWEST).is_empty(), "{name} was not recorded");
    }
    for recording in names("txt") {
        let name = recording.split('.').next().unwrap();
        assert!(scenarios.contains(name), "{recording}.txt belongs to no scenario");
    }
}

#[test]
fn the_readme_has_every_statement_with_its_answer() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = std::fs::read_to_string(&readme).unwrap();
    let renewed = renewed(&text).expect("a place for the table");
    if std::env::var_os("RECORD").is_some() {
        std::fs::write(readme, renewed).unwrap();
    } else {
        assert!(text == renewed, "the table is out of date; RECORD=1 makes it anew");
    }
}
