//! `pwh run`

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::Args;
use proxy_wasm_harness::Profile;

use crate::report::{Suite, coloured, failures, json, junit, line};
use crate::scenario::Scenario;

/// Runs the tests of scenario files
///
/// Each test gets a proxy of its own, with a virtual clock. A scenario file names a module, its configuration, what
/// upstream and clusters answer, and what is expected:
///
///     plugin: {module: gate.wasm, configuration: {tenants: [acme]}}
///     tests:
///       - name: an unlisted tenant is answered 403
///         request: {path: /orders, headers: {x-tenant: other}}
///         expect: {answered: {status: 403}, forwarded: false}
///
/// Regular expressions are not anchored: `^a+$` if it is to be all. `pwh schema` has every field; the README
/// explains them.
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Run {
    /// Scenario files
    #[arg(required = true, value_name = "SCENARIO.yaml")]
    files: Vec<PathBuf>,
    /// Run this module in place of the one that the files name
    #[arg(long, value_name = "PATH")]
    module: Option<PathBuf>,
    /// Write JUnit XML; - is standard output, and nothing else goes there then
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write JSON; - is standard output, and nothing else goes there then
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Run under these hosts: spec, envoy-1.36 to envoy-1.40, or all [default: what the file says, else the newest]
    #[arg(long = "profile", value_name = "NAME", value_delimiter = ',', value_parser = profiles)]
    profiles: Vec<Profiles>,
    /// Run the tests whose name has this in it, in any case
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Print what went back and forth in tests that fail
    #[arg(short, long)]
    verbose: bool,
}

#[derive(Clone, Debug)]
struct Profiles(Vec<Profile>);

fn profiles(name: &str) -> Result<Profiles, String> {
    match name {
        "all" => Ok(Profiles(Profile::ALL.to_vec())),
        name => Profile::from_name(name).map(|profile| Profiles(vec![profile])).ok_or_else(|| {
            let names: Vec<String> = Profile::ALL.iter().map(ToString::to_string).collect();
            format!("expected {} or all", names.join(", "))
        }),
    }
}

/// Reads every file before anything is run; prints every problem that there is.
pub(super) fn load(files: &[PathBuf], module: Option<&PathBuf>) -> Option<Vec<Scenario>> {
    let mut scenarios = Vec::new();
    let mut count = 0;
    for path in files {
        match Scenario::load(path, module.map(PathBuf::as_path)) {
            Ok(scenario) => scenarios.push(scenario),
            Err(problems) => {
                count += problems.len();
                problems.iter().for_each(|problem| eprintln!("{problem}"));
            }
        }
    }
    if count > 0 {
        let problems = if count == 1 { "problem" } else { "problems" };
        eprintln!("error: {count} {problems} in scenario files, nothing was run");
        return None;
    }
    Some(scenarios)
}

/// Whether a name has the filter in it, in any case.
pub(super) fn wanted(filter: Option<&str>, name: &str) -> bool {
    filter.is_none_or(|filter| name.to_lowercase().contains(&filter.to_lowercase()))
}

impl Run {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let Some(scenarios) = load(&self.files, self.module.as_ref()) else {
            return Ok(ExitCode::from(2));
        };
        let mut suites = Vec::new();
        for scenario in &scenarios {
            for profile in self.profiles(scenario) {
                suites.push(self.suite(scenario, profile)?);
            }
        }
        let total: usize = suites.iter().map(|suite| suite.outcomes.len()).sum();
        let failed: usize = suites.iter().map(Suite::failed).sum();
        if total == 0 {
            match &self.filter {
                Some(filter) => bail!("no test has {filter:?} in its name"),
                None => bail!("there is no test"),
            }
        }
        if let Some(path) = &self.junit {
            super::write(path, &junit::xml(&suites)?)?;
        }
        if let Some(path) = &self.json {
            super::write(path, &json(&suites)?)?;
        }
        let verdict = format!("{} passed, {failed} failed", total - failed);
        let colour = if failed > 0 { "1;31" } else { "1;32" };
        self.say(&format!("{}\n", coloured(&verdict, colour)))?;
        if failed > 0 && !self.verbose {
            self.say("-v prints what went back and forth\n")?;
        }
        Ok(if failed > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn profiles(&self, scenario: &Scenario) -> Vec<Profile> {
        let asked: Vec<Profile> = self.profiles.iter().flat_map(|profiles| profiles.0.clone()).collect();
        match (asked.is_empty(), scenario.proxy.profiles.is_empty()) {
            (false, _) => asked,
            (true, false) => scenario.proxy.profiles.clone(),
            (true, true) => vec![Profile::default()],
        }
    }

    fn suite(&self, scenario: &Scenario, profile: Profile) -> Result<Suite> {
        let mut outcomes = Vec::new();
        let tests: Vec<_> =
            scenario.tests.iter().filter(|test| wanted(self.filter.as_deref(), &test.name)).collect();
        if !tests.is_empty() {
            self.say(&format!("{} ({profile})\n", scenario.path.display()))?;
        }
        for test in tests {
            let mut progress = Progress::new(&test.name);
            let outcome = crate::run::run(scenario, test, profile, |done, of| progress.tell(done, of));
            progress.end();
            self.say(&(line(&outcome) + "\n"))?;
            self.say(&failures(&scenario.path, &outcome, self.verbose))?;
            outcomes.push(outcome);
        }
        Ok(Suite { path: scenario.path.clone(), profile, outcomes })
    }

    /// Says something to a person, unless a machine reads.
    fn say(&self, text: &str) -> Result<()> {
        let machine = [&self.junit, &self.json].into_iter().flatten().any(|path| path.as_os_str() == "-");
        if machine { Ok(()) } else { super::print(text) }
    }
}

/// Says on a terminal how far a long test is.
struct Progress<'a> {
    name: &'a str,
    told: Instant,
    shown: bool,
}

impl<'a> Progress<'a> {
    fn new(name: &'a str) -> Self {
        Self { name, told: Instant::now(), shown: false }
    }

    fn tell(&mut self, done: usize, of: usize) {
        if self.told.elapsed() > Duration::from_millis(500) && std::io::stderr().is_terminal() {
            eprint!("\r  ... {} ({done} of {of})\x1b[K", self.name);
            let _ = std::io::stderr().flush();
            self.told = Instant::now();
            self.shown = true;
        }
    }

    fn end(&self) {
        if self.shown {
            eprint!("\r\x1b[K");
        }
    }
}
