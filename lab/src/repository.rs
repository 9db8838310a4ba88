//! Where things are in the repository.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The repository's root: bootstraps name modules relative to it.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the lab stands in the repository's root")
}

/// The names of all filters that ship, in order: the folders of `filters/`, but for templates (`_...`).
pub fn filters() -> Vec<String> {
    let folders = std::fs::read_dir(root().join("filters")).expect("the folder filters/");
    let mut names: Vec<String> = folders
        .map(|entry| entry.expect("an entry of filters/"))
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| entry.file_name().into_string().expect("a filter's name in UTF-8"))
        .filter(|name| !name.starts_with('_'))
        .collect();
    names.sort();
    names
}

/// The path of a tool: from the environment variable `variable`, or else as `scripts/tool.sh NAME` finds it.
pub fn tool(variable: &str, name: &str) -> PathBuf {
    optional_tool(variable, name)
        .unwrap_or_else(|| panic!("{name} cannot be had (set {variable} to use one of your own)"))
}

/// The same for a tool that the work can go on without: `None` when it is not here, and what it takes to have it stands
/// on standard error.
///
/// # Panics
///
/// When it should be had and cannot.
pub fn optional_tool(variable: &str, name: &str) -> Option<PathBuf> {
    if let Some(path) = std::env::var_os(variable).filter(|path| !path.is_empty()) {
        return Some(path.into());
    }
    let output = Command::new(root().join("scripts/tool.sh"))
        .arg(name)
        .stderr(Stdio::inherit())
        .output()
        .expect("scripts/tool.sh can be run");
    if output.status.code() == Some(MISSING) {
        return None;
    }
    assert!(output.status.success(), "{name} cannot be had (set {variable} to use one of your own)");
    Some(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// How `scripts/tool.sh` ends when an optional tool is not here.
const MISSING: i32 = 3;
