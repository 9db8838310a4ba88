//! Scenario files, and the recordings beside them.

use std::path::{Path, PathBuf};

use crate::scenario::Scenario;

/// The version whose recordings have no version in their name.
pub const NEWEST: &str = "1.40";

/// The other version that is recorded.
pub const OLDEST: &str = "1.36";

/// A scenario and where it stands.
#[derive(Clone, Debug)]
pub struct Named {
    /// The file's name without its ending.
    pub name: String,
    /// What it says.
    pub scenario: Scenario,
}

/// The folder `scenarios/`.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios")
}

/// Every scenario, by name.
///
/// # Panics
///
/// When one cannot be read, with what is wrong with it.
pub fn scenarios() -> Vec<Named> {
    let read = |name: String| {
        let file = folder().join(format!("{name}.yaml"));
        let text = std::fs::read_to_string(&file).expect("a scenario's file");
        let scenario = Scenario::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        Named { name, scenario }
    };
    names("yaml").into_iter().map(read).collect()
}

/// The names of the files with that ending, without it, in order.
pub fn names(ending: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .expect("the folder scenarios/")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| Some(name.strip_suffix(&format!(".{ending}"))?.to_owned()))
        .collect();
    names.sort();
    names
}

/// What an Envoy of that version, such as `1.36`, may do in a scenario: what was recorded of it. A version between
/// those that are recorded may do what either does.
pub fn recorded(name: &str, version: &str) -> Vec<String> {
    let read = |file: String| std::fs::read_to_string(folder().join(file)).ok();
    let (newest, oldest) = (read(format!("{name}.txt")), read(format!("{name}.{OLDEST}.txt")));
    match version {
        NEWEST => newest.into_iter().collect(),
        OLDEST => oldest.or(newest).into_iter().collect(),
        _ => newest.into_iter().chain(oldest).collect(),
    }
}

/// Writes a recording. The oldest version has none of its own where it does what the newest does.
///
/// # Panics
///
/// When it is of another version than those two.
pub fn record(name: &str, version: &str, text: &str) {
    assert!(
        [NEWEST, OLDEST].contains(&version),
        "Envoy {version} is not recorded, only {NEWEST} and {OLDEST} are"
    );
    let newest = folder().join(format!("{name}.txt"));
    if version == NEWEST {
        return std::fs::write(newest, text).expect("a file in scenarios/");
    }
    let own = folder().join(format!("{name}.{version}.txt"));
    if std::fs::read_to_string(newest).is_ok_and(|newest| newest == text) {
        let _ = std::fs::remove_file(own); // most have none
    } else {
        std::fs::write(own, text).expect("a file in scenarios/");
    }
}
