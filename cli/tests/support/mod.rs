//! The real command, run over files that a test writes.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A folder of its own, in which the command runs.
pub(crate) struct Desk {
    folder: TempDir,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file and gives back its name.
    pub(crate) fn write<'a>(&self, name: &'a str, content: impl AsRef<[u8]>) -> &'a str {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        name
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, b"")
    }

    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> Run {
        run(self.path(), arguments, input)
    }

    /// Validates, and gives back what is printed as JSON with the exit code.
    pub(crate) fn validate(&self, arguments: &[&str]) -> (i32, Value) {
        validate(self.path(), arguments)
    }
}

pub(crate) fn validate(folder: &Path, arguments: &[&str]) -> (i32, Value) {
    let run = run(folder, &[&["validate", "--output", "json"], arguments].concat(), b"");
    let json = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    (run.code, json)
}

pub(crate) fn run(folder: &Path, arguments: &[&str], input: &[u8]) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_meshloom"))
        .args(arguments)
        .env_remove("MESHLOOM_MODULES")
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may end before it has read all.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run {
        code: output.status.code().unwrap_or_else(|| panic!("it was ended by a signal: {:?}", output.status)),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The messages of a run's problems, of one severity.
pub(crate) fn messages(json: &Value, severity: &str) -> Vec<String> {
    let problems = json["problems"].as_array().unwrap().iter();
    problems
        .filter(|problem| problem["severity"] == severity)
        .map(|problem| problem["message"].as_str().unwrap().to_owned())
        .collect()
}

/// A module in WebAssembly's text form, as bytes: what every one needs, and `more`.
pub(crate) fn module(more: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module {more}
            (memory (export "memory") 1)
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i32) (result i32) (i32.const 1024)))"#
    ))
    .unwrap()
}

/// A module that takes a configuration if it is of `length` bytes.
pub(crate) fn takes_bytes(length: usize) -> Vec<u8> {
    module(&format!(
        r#"(func (export "proxy_on_configure") (param i32 i32) (result i32)
            (i32.eq (local.get 1) (i32.const {length})))"#
    ))
}

/// A WasmPlugin whose `spec` has these lines.
pub(crate) fn wasm_plugin(spec: &str) -> String {
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata:\n  name: x\n  namespace: default\nspec:\n{spec}"
    )
}

/// A filter's entry in Envoy's chain, whose plugin has these lines.
pub(crate) fn envoy_filter(config: &str) -> String {
    let config: String = config.lines().map(|line| format!("    {line}\n")).collect();
    format!(
        "name: x\ntyped_config:\n  \"@type\": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\n  config:\n{config}"
    )
}
