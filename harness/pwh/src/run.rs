//! Runs scenarios: each test in a proxy of its own, once or in every way to cut its bodies.

use std::time::{Duration, Instant};

use proxy_wasm_harness::{Chunks, Cost, Profile};

use crate::scenario::message::Cut;
use crate::scenario::step::Action;
use crate::scenario::{Scenario, Test};
use crate::yaml::At;

mod check;
pub(crate) mod stage;

pub(crate) use stage::{Mode, Stage};

/// What became of a test.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) at: At,
    pub(crate) failures: Vec<Failure>,
    /// What went back and forth, of the run that failed, or of the first.
    pub(crate) transcript: String,
    /// The way to cut a body in which it failed, if it was run in several.
    pub(crate) plan: Option<String>,
    /// How often it was run.
    pub(crate) runs: usize,
    pub(crate) took: Duration,
    /// What the first run's streams cost.
    pub(crate) cost: Cost,
}

/// An expectation that is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) at: At,
    /// What it is about.
    pub(crate) what: String,
    pub(crate) expected: String,
    pub(crate) got: String,
}

/// One run of a test.
struct Run {
    failures: Vec<Failure>,
    transcript: String,
    cost: Cost,
}

impl Failure {
    pub(crate) fn new(
        at: At,
        what: impl Into<String>,
        expected: impl Into<String>,
        got: impl Into<String>,
    ) -> Self {
        Self { at, what: what.into(), expected: expected.into(), got: got.into() }
    }
}

/// The ways to cut that a test is run in beside the whole: each body that asks for it, the others whole.
fn plans(scenario: &Scenario, test: &Test) -> Vec<(At, Chunks)> {
    /// Beside single bytes, sevens and single cuts.
    const RANDOM: u64 = 32;
    let mut bodies: Vec<(&Cut, usize)> = Vec::new();
    for step in &test.steps {
        match &step.action {
            Some(Action::Request(request, upstream)) => {
                bodies.push((&request.cut, request.body.as_ref().map_or(0, Vec::len)));
                bodies.extend(upstream.as_ref().unwrap_or(&scenario.upstream).body());
            }
            Some(Action::Response(upstream)) => bodies.extend(upstream.body()),
            Some(Action::Send(more) | Action::Reply(more)) => bodies.push((&more.cut, more.body.len())),
            _ => {}
        }
    }
    let mut plans = Vec::new();
    let mut seen = Vec::new();
    for (cut, length) in bodies {
        let Cut::Any(at) = cut else { continue };
        // The usual response stands in one place and is used by many requests.
        if !seen.contains(at) {
            seen.push(*at);
            let plans_of = Chunks::plans(length, RANDOM).filter(|plan| *plan != Chunks::Whole);
            plans.extend(plans_of.map(|plan| (*at, spelled_out(plan, length))));
        }
    }
    plans
}

/// A plan that can be written into a scenario file: one at random becomes the places that it cuts at.
fn spelled_out(plan: Chunks, length: usize) -> Chunks {
    let Chunks::Random(_) = plan else { return plan };
    let mut at = 0;
    let mut places = Vec::new();
    for piece in plan.cut(&vec![0; length].into()) {
        at += piece.len();
        places.push(at);
    }
    places.pop();
    Chunks::At(places)
}

/// A plan as a scenario file writes it.
fn written(plan: &Chunks) -> String {
    match plan {
        Chunks::Of(bytes) => format!("{{of: {bytes}}}"),
        Chunks::At(places) => format!("{{at: {places:?}}}"),
        Chunks::Whole | Chunks::Random(_) => "whole".to_owned(),
    }
}

fn run_once(
    scenario: &Scenario,
    test: &Test,
    profile: Profile,
    mode: Mode,
    forced: Option<(At, Chunks)>,
) -> Run {
    let mut failures = Vec::new();
    let refused = check::refusal(test);
    let mut stage = match Stage::start(scenario, test, profile, mode, forced) {
        Ok(stage) => stage,
        Err(error) => {
            let said = error.to_string();
            match refused {
                Some((_, matcher)) if matcher.holds(&[said.as_bytes()]) => {}
                Some((at, matcher)) => failures.push(Failure::new(at, "refused", matcher.to_string(), said)),
                None => failures.push(Failure::new(test.at, "the plugin", "that it starts", said)),
            }
            return Run { failures, transcript: String::new(), cost: Cost::default() };
        }
    };
    if let Some((at, matcher)) = refused {
        failures.push(Failure::new(at, "refused", matcher.to_string(), "the plugin has started"));
    }
    for step in &test.steps {
        if let Some(action) = &step.action
            && let Err(failure) = stage.perform(step, action)
        {
            failures.push(failure);
            break;
        }
        if let Some(expect) = &step.expect {
            check::check(&stage, step, expect, &mut failures);
        }
    }
    let cost = stage.cost();
    let ended = stage.end();
    check::afterwards(test, &ended, &mut failures);
    Run { failures, transcript: ended.transcript, cost }
}

/// Runs one test; `progress` is told of each run after the first, and of how many there are.
pub(crate) fn run(
    scenario: &Scenario,
    test: &Test,
    profile: Profile,
    mut progress: impl FnMut(usize, usize),
) -> Outcome {
    let began = Instant::now();
    let first = run_once(scenario, test, profile, Mode::Full, None);
    let mut outcome = Outcome {
        name: test.name.clone(),
        at: test.at,
        failures: first.failures,
        transcript: first.transcript,
        plan: None,
        runs: 1,
        took: Duration::ZERO,
        cost: first.cost,
    };
    let plans = plans(scenario, test);
    if outcome.failures.is_empty() {
        for (at, plan) in &plans {
            progress(outcome.runs, plans.len() + 1);
            let run = run_once(scenario, test, profile, Mode::Workers, Some((*at, plan.clone())));
            outcome.runs += 1;
            if !run.failures.is_empty() {
                outcome.failures = run.failures;
                outcome.transcript = run.transcript;
                outcome.plan = Some(format!("the body of line {} cut as {}", at.line, written(plan)));
                break;
            }
        }
    }
    outcome.took = began.elapsed();
    outcome
}
