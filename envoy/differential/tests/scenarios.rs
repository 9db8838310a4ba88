//! The files are in order: this needs no Envoy.

use std::collections::BTreeSet;

use meshloom_differential::recording::{names, recorded, scenarios};

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
        assert!(recorded(name, "1.40").is_some(), "{name} was not recorded");
    }
    for recording in names("txt") {
        let name = recording.split('.').next().unwrap();
        assert!(scenarios.contains(name), "{recording}.txt belongs to no scenario");
    }
}
