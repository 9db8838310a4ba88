//! The module of a package in the same Cargo workspace, compiled when a test asks for it.
//!
//! Cargo itself decides whether anything has to be compiled, so a module is never older than its source. It works
//! while `cargo test` runs: Cargo's lock is one for each target and profile, and it has been given back by then.

use std::collections::HashMap;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStderr, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::module::Module;
use crate::plugin::Plugin;

/// Where modules are found that are compiled already, if it is set.
const PREBUILT: &str = "PWH_WASM_DIR";
/// The target that filters of the SDK for Rust are compiled for, unless a test asks for another.
const TARGET: &str = "wasm32-unknown-unknown";
/// A build that is fresh takes a tenth of a second; one that takes longer is talked about.
const QUIET: Duration = Duration::from_secs(1);

/// A plugin of the module that the package `name` of this workspace is compiled to, in release, for
/// `wasm32-unknown-unknown`. It is named as the package is.
///
/// The package is compiled before, if it has changed, once in a process: `cargo build --release --target
/// wasm32-unknown-unknown -p NAME` in the folder of the test's own package. With `PWH_WASM_DIR` nothing is compiled
/// and `NAME.wasm` is taken from that folder; if it is relative, it is looked for in the test's package and above.
/// `PWH_WASM_DIR=dist cargo test --test wasm` tests the modules that are shipped.
///
/// Flags in `RUSTFLAGS` are taken for the test's own and do not reach the module; those in
/// `CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS` and in Cargo's configuration do.
///
/// # Panics
///
/// If there is no such package, it cannot be compiled, or it is no module, with what Cargo said of it.
#[must_use]
#[track_caller]
pub fn filter(name: &str) -> Plugin {
    filter_for(name, TARGET)
}

/// The same for another target, such as `wasm32-wasip1`.
///
/// # Panics
///
/// As [`filter`].
#[must_use]
#[track_caller]
#[expect(clippy::panic, reason = "a test without its module has failed, and at its own line")]
pub fn filter_for(name: &str, target: &str) -> Plugin {
    match module(name, target) {
        Ok(module) => Plugin::new(&module).name(name),
        Err(message) => panic!("{message}"),
    }
}

type Found = Arc<OnceLock<Result<Module, String>>>;

fn module(name: &str, target: &str) -> Result<Module, String> {
    static KNOWN: LazyLock<Mutex<HashMap<(String, String), Found>>> = LazyLock::new(Mutex::default);
    let found = {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry((name.to_owned(), target.to_owned())).or_default())
    };
    // Others that ask for the same wait here, those that ask for another package do not.
    found.get_or_init(|| find(name, target)).clone()
}

fn find(name: &str, target: &str) -> Result<Module, String> {
    // Cargo says at run time where the test's package is; a test that is run by hand is somewhere inside of it.
    let here = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).or_else(|| env::current_dir().ok());
    let here =
        here.ok_or("neither CARGO_MANIFEST_DIR nor a current directory says which workspace this is")?;
    let file = match env::var_os(PREBUILT).filter(|folder| !folder.is_empty()) {
        Some(folder) => prebuilt(&here, Path::new(&folder), name)?,
        None => build(&here, name, target)?,
    };
    Module::from_file(file).map_err(|error| error.to_string())
}

/// The module in a folder, under the package's name or the one that Cargo gives to files.
fn prebuilt(here: &Path, folder: &Path, name: &str) -> Result<PathBuf, String> {
    let found = here.ancestors().map(|above| above.join(folder)).find(|found| found.is_dir());
    let shown = folder.display();
    let found = found.ok_or_else(|| {
        format!("{PREBUILT} is {shown}, and there is no such folder in {} or above", here.display())
    })?;
    let files = [format!("{name}.wasm"), format!("{}.wasm", name.replace('-', "_"))];
    let file = files.iter().map(|file| found.join(file)).find(|file| file.is_file());
    file.ok_or_else(|| format!("{PREBUILT} is {shown}, and there is no {name}.wasm in {}", found.display()))
}

fn build(here: &Path, name: &str, target: &str) -> Result<PathBuf, String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["build", "--release", "--target", target, "--package", name];
    let shown = format!("cargo {}", arguments.join(" "));
    let mut command = Command::new(&cargo);
    command.args(arguments).arg("--message-format=json-render-diagnostics").current_dir(here);
    // Those are meant for the test: flags for the native target, a wrapper that measures coverage or lints.
    for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| format!("{}: {error}: Cargo is needed to compile {name}", cargo.display()))?;
    let begun = Instant::now();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let messages = std::thread::spawn(move || {
        let lines = stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines());
        lines.map_while(Result::ok).collect::<Vec<String>>()
    });
    let said = report(stderr, begun, &shown);
    let messages = messages.join().unwrap_or_default();
    let status = child.wait().map_err(|error| format!("{shown}: {error}"))?;
    if !status.success() {
        return Err(format!("{shown}: {status}\n{said}{}", hint(here, &cargo, name, target, &said)));
    }
    let artifacts = messages.iter().filter_map(|line| serde_json::from_str(line).ok());
    artifacts.filter_map(|message| artifact(&message, name)).next_back().ok_or_else(|| {
        format!(
            "package {name} has no Wasm module: its Cargo.toml needs\n\n    [lib]\n    crate-type = [\"cdylib\", \"rlib\"]\n"
        )
    })
}

/// Collects what Cargo says, and passes it on if it takes long.
fn report(stderr: Option<ChildStderr>, begun: Instant, shown: &str) -> String {
    let (sender, lines): (_, Receiver<String>) = channel();
    let reader = std::thread::spawn(move || {
        let lines = stderr.into_iter().flat_map(|stderr| BufReader::new(stderr).lines());
        let _ = lines.map_while(Result::ok).try_for_each(|line| sender.send(line));
    });
    let mut said = String::new();
    let mut passing_on = false;
    loop {
        let line = if passing_on {
            lines.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            lines.recv_timeout(QUIET.saturating_sub(begun.elapsed()))
        };
        match line {
            Ok(line) => {
                said.push_str(&line);
                said.push('\n');
                if passing_on {
                    say(&line);
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                passing_on = true;
                say(&format!("{shown}\n{}", said.trim_end()));
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let _ = reader.join();
    said
}

/// Past the test runner, which would show it only if the test fails.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// What a person can do about a build that failed.
fn hint(here: &Path, cargo: &std::ffi::OsStr, name: &str, target: &str, said: &str) -> String {
    if said.contains("did not match any packages") {
        let known = packages(here, cargo).join(", ");
        return format!("\nthe packages of this workspace that have a Wasm module are: {known}");
    }
    if said.contains("target may not be installed") || said.contains("not installed for the toolchain") {
        return format!("\n{name} is compiled for {target}: get it by `rustup target add {target}`");
    }
    String::new()
}

/// The packages of the workspace that make a `cdylib`.
fn packages(here: &Path, cargo: &std::ffi::OsStr) -> Vec<String> {
    let mut metadata = Command::new(cargo);
    metadata.args(["metadata", "--no-deps", "--offline", "--format-version=1"]).current_dir(here);
    let Ok(output) = metadata.output() else { return Vec::new() };
    let Ok(workspace) = serde_json::from_slice::<serde_json::Value>(&output.stdout) else {
        return Vec::new();
    };
    let is_module = |package: &&serde_json::Value| {
        let targets = package.get("targets").and_then(serde_json::Value::as_array).into_iter().flatten();
        targets.filter_map(|target| target.get("crate_types")).any(|kinds| has(kinds, "cdylib"))
    };
    let packages = workspace.get("packages").and_then(serde_json::Value::as_array).into_iter().flatten();
    let names = packages.filter(is_module).filter_map(|package| package.get("name")?.as_str());
    names.map(str::to_owned).collect()
}

fn has(list: &serde_json::Value, word: &str) -> bool {
    list.as_array().is_some_and(|words| words.iter().any(|other| other == word))
}

/// The module that a message of Cargo speaks of, if it is that of the package.
fn artifact(message: &serde_json::Value, package: &str) -> Option<PathBuf> {
    if message.get("reason")? != "compiler-artifact" || !is_of(message.get("package_id")?.as_str()?, package)
    {
        return None;
    }
    let files = message.get("filenames")?.as_array()?.iter();
    files.filter_map(|file| file.as_str()).find(|file| file.ends_with(".wasm")).map(PathBuf::from)
}

/// Whether `path+file:///a/b#0.1.0` or `path+file:///a/c#b@0.1.0` is the package `b`.
fn is_of(id: &str, package: &str) -> bool {
    let Some((source, version)) = id.rsplit_once('#') else { return false };
    match version.split_once('@') {
        Some((name, _)) => name == package,
        None => source.rsplit('/').next() == Some(package),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_known_by_its_id() {
        for (id, is) in [
            ("path+file:///home/a/filters/gate#0.1.0", true),
            ("path+file:///home/a/filters/_template#gate@0.1.0", true),
            ("path+file:///home/a/gate#other@0.1.0", false),
            ("registry+https://index.example/#gate@1.0.0", true),
            ("gate", false),
        ] {
            assert_eq!(is_of(id, "gate"), is, "{id}");
        }
    }

    #[test]
    fn only_the_packages_own_module_is_taken() {
        let message = |id: &str, file: &str| serde_json::json!({"reason": "compiler-artifact", "package_id": id, "filenames": [file, "x.rlib"]});
        let own = "path+file:///w/gate#0.1.0";
        assert_eq!(artifact(&message(own, "/t/gate.wasm"), "gate"), Some("/t/gate.wasm".into()));
        assert_eq!(artifact(&message(own, "/t/gate.so"), "gate"), None);
        assert_eq!(artifact(&message("path+file:///w/kit#0.1.0", "/t/kit.wasm"), "gate"), None);
        assert_eq!(artifact(&serde_json::json!({"reason": "build-finished"}), "gate"), None);
    }

    #[test]
    fn a_package_that_is_not_there_is_answered_with_those_that_are() {
        let message = module("no-such-filter", TARGET).unwrap_err();
        assert!(message.starts_with("cargo build --release"), "{message}");
        assert!(message.contains("did not match any packages"), "{message}");
        assert!(message.contains("have a Wasm module are: "), "{message}");
    }

    #[test]
    fn a_prebuilt_module_is_found_above_under_either_name() {
        let folder = tempfile::tempdir().unwrap();
        let (dist, here) = (folder.path().join("dist"), folder.path().join("filters/gate"));
        std::fs::create_dir_all(&dist).unwrap();
        std::fs::create_dir_all(&here).unwrap();
        let wanted = |name: &str| prebuilt(&here, Path::new("dist"), name);
        assert!(wanted("a-gate").unwrap_err().contains("there is no a-gate.wasm in "));
        std::fs::write(dist.join("a_gate.wasm"), "").unwrap();
        assert_eq!(wanted("a-gate"), Ok(dist.join("a_gate.wasm")));
        std::fs::write(dist.join("a-gate.wasm"), "").unwrap();
        assert_eq!(wanted("a-gate"), Ok(dist.join("a-gate.wasm")));
        assert!(prebuilt(&here, Path::new("none"), "a-gate").unwrap_err().contains("no such folder"));
    }
}
