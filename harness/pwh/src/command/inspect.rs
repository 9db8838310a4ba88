//! `pwh inspect`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use proxy_wasm_harness::{Module, Unloadable};

use crate::inspect::{Configuration, Inspection, table};

/// Says what a module is made of, what it needs, and what Envoy would refuse
///
/// Imports are held against what Envoy provides to modules of that ABI version, callbacks against the names and
/// types that it calls. A module that could be loaded is then started, to see whether it does. The exit code is 1 if
/// Envoy would refuse it.
#[derive(Args)]
pub(crate) struct Inspect {
    /// A .wasm file, or a .wat text
    module: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Configure the plugin with this text, or with the content of @FILE
    #[arg(long, value_name = "TEXT", conflicts_with = "no_start")]
    configuration: Option<String>,
    /// Configure the VM with this text, or with the content of @FILE
    #[arg(long, value_name = "TEXT", conflicts_with = "no_start")]
    vm_configuration: Option<String>,
    /// Only look: do not start it
    #[arg(long)]
    no_start: bool,
}

impl Inspect {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let module = match Module::from_file(&self.module) {
            Ok(module) => module,
            Err(error @ Unloadable::Invalid { .. }) => {
                eprintln!("error: {error}");
                return Ok(ExitCode::FAILURE);
            }
            Err(error) => return Err(error.into()),
        };
        let mut inspection = Inspection::of(&module);
        if !self.no_start && inspection.problems.is_empty() {
            let plugin = self.configuration.as_deref().map(given).transpose()?;
            let vm = self.vm_configuration.as_deref().map(given).transpose()?;
            inspection.start(&module, Configuration { plugin, vm });
        }
        if self.json {
            super::print(&(serde_json::to_string_pretty(&inspection)? + "\n"))?;
        } else {
            super::print(&table::text(&inspection))?;
        }
        Ok(if inspection.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// A text, or the content of the file after an @.
pub(super) fn given(text: &str) -> Result<Vec<u8>> {
    match text.strip_prefix('@') {
        Some(path) => std::fs::read(path).with_context(|| format!("reading {path}")),
        None => Ok(text.as_bytes().to_vec()),
    }
}
