//! `pwh bench`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use proxy_wasm_harness::{Module, Profile};

use crate::bench::{Weight, table, weigh};
use crate::scenario::Scenario;
use crate::yaml::At;

/// Weighs what a request costs, of each test of scenario files or of a module
///
/// Requests per second are those of this machine, on one core, harness and module together. Fuel (instructions that
/// the module executes), hostcalls, allocations and their bytes are means of one request; they are the same on every
/// machine, so that they can be held to a budget.
#[derive(Args)]
pub(crate) struct Bench {
    /// Scenario files, of which each test is weighed; or a .wasm file, which is sent a GET that is answered 200
    #[arg(required = true, value_name = "SCENARIO.yaml|MODULE.wasm")]
    files: Vec<PathBuf>,
    /// Run this module in place of the one that the scenario files name
    #[arg(long, value_name = "PATH")]
    module: Option<PathBuf>,
    /// Configure a module that is given as such with this text, or with the content of @FILE
    #[arg(long, value_name = "TEXT")]
    configuration: Option<String>,
    /// How long to send requests, for each test
    #[arg(long, value_name = "N", default_value_t = 2.0)]
    seconds: f64,
    /// Weigh the tests whose name has this in it, in any case
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Bench {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let length =
            Duration::try_from_secs_f64(self.seconds).context("--seconds: expected a number such as 2")?;
        let module =
            |path: &&PathBuf| path.extension().is_some_and(|ending| ending == "wasm" || ending == "wat");
        let (modules, files): (Vec<&PathBuf>, Vec<&PathBuf>) = self.files.iter().partition(module);
        if self.configuration.is_some() && modules.is_empty() {
            bail!("--configuration is for a module that is given as such: scenario files have their own");
        }
        let files: Vec<PathBuf> = files.into_iter().cloned().collect();
        let Some(mut scenarios) = super::run::load(&files, self.module.as_ref()) else {
            return Ok(ExitCode::from(2));
        };
        let configuration = self.configuration.as_deref().map(super::inspect::given).transpose()?;
        for path in modules {
            scenarios.push(Scenario::of_module(path, &Module::from_file(path)?, configuration.as_deref()));
        }
        if cfg!(debug_assertions) {
            eprintln!("pwh is not optimised: requests per second say little, build it with --release");
        }
        let mut weights: Vec<Weight> = Vec::new();
        let mut failed = false;
        for scenario in &scenarios {
            let profile = scenario.proxy.profiles.last().copied().unwrap_or(Profile::default());
            for test in
                scenario.tests.iter().filter(|test| super::run::wanted(self.filter.as_deref(), &test.name))
            {
                if test.requests() == 0 {
                    eprintln!("{:?} sends no request: not weighed", test.name);
                    continue;
                }
                eprintln!("weighing {:?} for {} s", test.name, self.seconds);
                match weigh(scenario, test, profile, length) {
                    Ok(weight) => weights.push(weight),
                    Err(error) => {
                        failed = true;
                        let At { line, .. } = test.at;
                        eprintln!(
                            "{}:{line}: {:?} cannot be weighed: {error:#}",
                            scenario.path.display(),
                            test.name
                        );
                    }
                }
            }
        }
        if weights.is_empty() && !failed {
            bail!("no test is there to weigh");
        }
        if self.json {
            super::print(&(serde_json::to_string_pretty(&weights)? + "\n"))?;
        } else if !weights.is_empty() {
            super::print(&table(&weights))?;
        }
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
