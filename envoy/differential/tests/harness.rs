//! The harness does what was recorded of real Envoys. `SCENARIO=text` picks scenarios by their names, `FOUND=folder` writes
//! what was found there.

use std::panic::{AssertUnwindSafe, catch_unwind};

use meshloom_differential::harness::{can_run, observe, profile};
use meshloom_differential::observation::difference;
use meshloom_differential::recording::{Named, recorded, scenarios};

#[test]
fn the_harness_goes_as_envoy_1_40_does() {
    check_all("1.40");
}

#[test]
fn the_harness_goes_as_envoy_1_36_does() {
    check_all("1.36");
}

fn check_all(version: &str) {
    let probe = meshloom_lab::root().join("target/wasm32-unknown-unknown/release/probe.wasm");
    let wanted = std::env::var("SCENARIO").unwrap_or_default();
    let all: Vec<Named> = scenarios()
        .into_iter()
        .filter(|named| named.name.contains(&wanted) && can_run(&named.scenario))
        .collect();
    let mut problems = Vec::new();
    for named in &all {
        let expected = recorded(&named.name, version);
        let found =
            catch_unwind(AssertUnwindSafe(|| observe(&named.scenario, profile(version), &probe).to_string()));
        if let (Some(folder), Ok(found)) = (std::env::var_os("FOUND"), &found) {
            // For a better look than the first difference.
            let file = std::path::Path::new(&folder).join(format!("{}.{version}.txt", named.name));
            assert!(std::fs::write(file, comparable(found)).is_ok(), "FOUND names no folder");
        }
        let problem = match found {
            // Where Envoy does now this and now that, either will do.
            Ok(found) => {
                let differences: Option<Vec<String>> = expected
                    .iter()
                    .map(|expected| difference(&comparable(expected), &comparable(&found)))
                    .collect();
                differences
                    .map(|all| all.into_iter().next().unwrap_or_else(|| "nothing is recorded".to_owned()))
            }
            Err(panic) => Some(panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "panic".to_owned())),
        };
        problems.extend(problem.map(|problem| format!("{}: - Envoy, + harness\n{problem}", named.name)));
    }
    assert!(
        problems.is_empty(),
        "Envoy {version}, {} of {} scenarios differ:\n\n{}",
        problems.len(),
        all.len(),
        problems.join("\n")
    );
}

/// Without what the wire adds: framing of HTTP/1.1, and the difference between no body and an empty one.
fn comparable(text: &str) -> String {
    let wire = ["transfer-encoding: chunked", "connection: close", "body: "];
    text.lines().filter(|line| !wire.contains(line)).map(|line| format!("{line}\n")).collect()
}
