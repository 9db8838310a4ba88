//! Real Envoys do what was recorded. `RECORD=1` records it anew, `SCENARIO=text` picks scenarios by their names.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use meshloom_differential::envoy::observe;
use meshloom_differential::observation::difference;
use meshloom_differential::recording::{Named, record, recorded, scenarios};
use meshloom_lab::Envoy;

/// Most of a scenario's time is spent waiting.
const AT_ONCE: usize = 4;

#[test]
fn every_scenario_goes_as_it_was_recorded() {
    let version = Envoy::version();
    let recording = std::env::var_os("RECORD").is_some();
    let wanted = std::env::var("SCENARIO").unwrap_or_default();
    let queue: VecDeque<Named> =
        scenarios().into_iter().filter(|named| named.name.contains(&wanted)).collect();
    let (queue, problems) = (Mutex::new(queue), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(named) = { queue.lock().unwrap().pop_front() } {
                    if let Err(problem) = check(&named, &version, recording) {
                        problems.lock().unwrap().push(format!("{}: {problem}", named.name));
                    }
                }
            });
        }
    });
    let mut problems = problems.into_inner().unwrap();
    problems.sort();
    assert!(
        problems.is_empty(),
        "Envoy {version}, {} scenarios differ:\n\n{}",
        problems.len(),
        problems.join("\n")
    );
}

fn check(named: &Named, version: &str, recording: bool) -> Result<(), String> {
    if recording {
        record(&named.name, version, &seen(named, 2)?);
        return Ok(());
    }
    let expected = recorded(&named.name, version);
    let Some(likely) = expected.first() else {
        return Err("nothing was recorded; RECORD=1 records it".to_owned());
    };
    let mut problem = String::new();
    // On a machine that is busy, what comes late may be taken for what does not come: then more patience helps.
    for slowness in [1, 2, 4] {
        match seen(named, slowness) {
            Ok(found) if expected.contains(&found) => return Ok(()),
            Ok(found) => {
                let difference = difference(likely, &found).unwrap_or_default();
                problem = format!("- recorded, + found\n{difference}");
            }
            Err(other) => problem = other,
        }
    }
    Err(problem)
}

fn seen(named: &Named, slowness: u32) -> Result<String, String> {
    catch_unwind(AssertUnwindSafe(|| observe(&named.scenario, slowness).to_string())).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}
