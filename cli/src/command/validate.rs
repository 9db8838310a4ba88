//! `meshloom validate`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Args;
use proxy_wasm_harness::Profile;

use crate::check::{Checker, FileKind};
use crate::modules::Modules;
use crate::output::{Format, show};
use crate::source::Source;
use crate::start::Surroundings;

/// Checks configurations against the modules that read them
///
/// A file is a plugin's configuration, a WasmPlugin or a TrafficExtension, or anything that Envoy reads with a Wasm
/// plugin in it; JSON or YAML of any number of documents. Each plugin's module is started as Envoy starts it, with what
/// the file hands to it, and what it logs and refuses is said of the field that it is about. Nothing is fetched.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 all is well, 1 a problem was found, 2 the command line is not right, a file cannot \
    be read, or a module is not there."
)]
pub(crate) struct Validate {
    /// Files to check; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Check every plugin against this module (.wasm, or .wat)
    #[arg(long, value_name = "FILE", conflicts_with = "filter")]
    module: Option<PathBuf>,
    /// Check every plugin against the module NAME.wasm in the folder of modules
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// The folder of modules, where those that a file names are looked for by their names
    #[arg(long, value_name = "DIR", env = "MESHLOOM_MODULES", default_value = "dist")]
    modules: PathBuf,
    /// What the files are [default: what they look like]
    #[arg(long, value_enum)]
    kind: Option<FileKind>,
    /// The Envoy that is imitated
    #[arg(long, value_name = "VERSION", default_value_t = newest(), value_parser = version)]
    envoy: String,
    /// A variable of the machine that Envoy runs on, for a plugin that asks for it
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    host_env: Vec<(String, String)>,
    /// How many instructions a callback of a module may execute before it is taken for a loop without end
    #[arg(long, value_name = "INSTRUCTIONS", default_value_t = 10_000_000_000)]
    fuel: u64,
    /// How to print what was found
    #[arg(long, value_enum, default_value_t)]
    output: Format,
    /// Print problems alone
    #[arg(long, short)]
    quiet: bool,
}

impl Validate {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let Some(profile) = Profile::from_name(&format!("envoy-{}", self.envoy)) else {
            bail!("Envoy {} is not known, expected one of {}", self.envoy, versions().join(", "));
        };
        let named = match (&self.module, &self.filter) {
            (Some(path), _) if !path.is_file() => bail!("--module {}: there is no such file", path.display()),
            (Some(path), _) => Some(path.clone()),
            (None, Some(name)) => match Modules::named_in(&self.modules, name) {
                Some(path) => Some(path),
                None => bail!(
                    "--filter {name}: there is no {name}.wasm in {}/; build it (`make optimize`), or name another folder by --modules DIR",
                    self.modules.display()
                ),
            },
            (None, None) => None,
        };
        let module_is_named = named.is_some();
        let modules = Modules::new(named, self.modules.clone());
        let checker = Checker {
            modules: &modules,
            surroundings: Surroundings {
                profile,
                environment: &self.host_env,
                clusters: &[],
                fuel: self.fuel,
            },
            kind: self.kind,
            module_is_named,
        };
        let mut reports = Vec::new();
        let mut unread = 0;
        for path in &self.files {
            match Source::read(path) {
                Ok(source) => reports.push(checker.check(source)),
                Err(message) => {
                    unread += 1;
                    eprintln!("error: {message}");
                }
            }
        }
        super::print(&show(self.output, &reports, &self.envoy, self.quiet))?;
        let unknown: usize = reports.iter().map(|report| report.unknown.len()).sum();
        let errors: usize = reports.iter().map(|report| report.errors()).sum();
        Ok(match (unread + unknown, errors) {
            (0, 0) => ExitCode::SUCCESS,
            (0, _) => ExitCode::from(1),
            _ => ExitCode::from(2),
        })
    }
}

/// The versions of Envoy, as `1.40`.
fn versions() -> Vec<String> {
    Profile::ENVOYS.iter().map(|profile| profile.to_string().replace("envoy-", "")).collect()
}

fn version(text: &str) -> Result<String, String> {
    let versions = versions();
    versions
        .iter()
        .find(|version| *version == text)
        .cloned()
        .ok_or_else(|| format!("expected one of {}", versions.join(", ")))
}

fn newest() -> String {
    Profile::default().to_string().replace("envoy-", "")
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("found {text:?}, expected NAME=VALUE")),
    }
}
