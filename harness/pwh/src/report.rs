//! What became of all tests: for people, for machines, for CI.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use proxy_wasm_harness::Profile;
use serde::Serialize;

use crate::run::{Failure, Outcome};

pub(crate) mod junit;

/// The tests of one file under one profile.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(crate) path: PathBuf,
    pub(crate) profile: Profile,
    pub(crate) outcomes: Vec<Outcome>,
}

impl Suite {
    pub(crate) fn failed(&self) -> usize {
        self.outcomes.iter().filter(|outcome| !outcome.failures.is_empty()).count()
    }
}

/// Bold and red where a person reads.
pub(crate) fn coloured(text: &str, code: &str) -> String {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if plain || !std::io::stdout().is_terminal() {
        text.to_owned()
    } else {
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// One test as it is printed when it is over.
pub(crate) fn line(outcome: &Outcome) -> String {
    let runs =
        if outcome.runs > 1 { format!(" ({} ways to cut its bodies)", outcome.runs) } else { String::new() };
    if outcome.failures.is_empty() {
        format!("  {} {}{runs}", coloured("ok    ", "32"), outcome.name)
    } else {
        format!("  {} {}", coloured("FAILED", "1;31"), outcome.name)
    }
}

/// Why a test has failed.
pub(crate) fn failures(path: &Path, outcome: &Outcome, transcript: bool) -> String {
    let mut text = String::new();
    if let Some(plan) = &outcome.plan {
        let _ = writeln!(text, "    with {plan}; the whole body passes");
    }
    for failure in &outcome.failures {
        let _ = write!(text, "{}", indented(&one(path, failure), 4));
    }
    if transcript && !outcome.failures.is_empty() && !outcome.transcript.is_empty() {
        let _ = write!(text, "    transcript\n{}", indented(&outcome.transcript, 6));
    }
    text
}

fn one(path: &Path, failure: &Failure) -> String {
    let Failure { at, what, expected, got } = failure;
    let hanging = |text: &str| text.replace('\n', "\n           ");
    format!(
        "{}:{}: {what}\n  expected {}\n  got      {}\n",
        path.display(),
        at.line,
        hanging(expected),
        hanging(got)
    )
}

fn indented(text: &str, by: usize) -> String {
    text.lines().map(|line| format!("{:by$}{line}\n", "")).collect()
}

/// Everything, as JSON.
#[derive(Serialize)]
struct Report<'a> {
    passed: usize,
    failed: usize,
    suites: Vec<SuiteReport<'a>>,
}

#[derive(Serialize)]
struct SuiteReport<'a> {
    file: String,
    profile: String,
    tests: Vec<TestReport<'a>>,
}

#[derive(Serialize)]
struct TestReport<'a> {
    name: &'a str,
    line: u64,
    passed: bool,
    runs: usize,
    milliseconds: u128,
    cost: CostReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failures: Vec<FailureReport<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transcript: Option<&'a str>,
}

#[derive(Serialize)]
struct FailureReport<'a> {
    line: u64,
    what: &'a str,
    expected: &'a str,
    got: &'a str,
}

/// What a test's streams cost, all its callbacks together.
#[derive(Serialize)]
pub(crate) struct CostReport {
    callbacks: u64,
    fuel: u64,
    hostcalls: u64,
    allocations: u64,
    allocated_bytes: u64,
    memory_bytes: u64,
}

impl From<proxy_wasm_harness::Cost> for CostReport {
    fn from(cost: proxy_wasm_harness::Cost) -> Self {
        Self {
            callbacks: cost.callbacks,
            fuel: cost.fuel,
            hostcalls: cost.hostcalls,
            allocations: cost.allocations,
            allocated_bytes: cost.allocated_bytes,
            memory_bytes: cost.memory_bytes,
        }
    }
}

/// All suites as JSON text.
pub(crate) fn json(suites: &[Suite]) -> serde_json::Result<String> {
    let total: usize = suites.iter().map(|suite| suite.outcomes.len()).sum();
    let failed: usize = suites.iter().map(Suite::failed).sum();
    let suites = suites
        .iter()
        .map(|suite| SuiteReport {
            file: suite.path.display().to_string(),
            profile: suite.profile.to_string(),
            tests: suite.outcomes.iter().map(test).collect(),
        })
        .collect();
    Ok(serde_json::to_string_pretty(&Report { passed: total - failed, failed, suites })? + "\n")
}

fn test(outcome: &Outcome) -> TestReport<'_> {
    let failures: Vec<FailureReport<'_>> = outcome
        .failures
        .iter()
        .map(|Failure { at, what, expected, got }| FailureReport { line: at.line, what, expected, got })
        .collect();
    TestReport {
        name: &outcome.name,
        line: outcome.at.line,
        passed: failures.is_empty(),
        runs: outcome.runs,
        milliseconds: outcome.took.as_millis(),
        cost: outcome.cost.into(),
        plan: outcome.plan.as_deref(),
        transcript: (!failures.is_empty()).then_some(outcome.transcript.as_str()),
        failures,
    }
}
