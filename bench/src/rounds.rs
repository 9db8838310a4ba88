//! The measurement: all variants run at once, and every round visits every one of them, each round beginning
//! with another. What disturbs the machine for a while then disturbs all of them alike.

use std::time::Duration;

use meshloom_lab::{Envoy, Upstream};

use crate::proof::{self, Calls};
use crate::suite::Suite;
use crate::{cpu, load::Load};

/// A variant's costs.
#[derive(Clone, Debug)]
pub struct Cost {
    /// The variant.
    pub case: String,
    /// What one request makes Envoy and the module call of each other.
    pub calls: Calls,
    /// µs of CPU time per request, one for each round.
    pub rounds: Vec<f64>,
}

/// Runs a suite.
///
/// # Errors
///
/// When a variant does not answer as it should.
pub fn run(suite: &Suite, rounds: u32, upstream: &Upstream) -> anyhow::Result<Vec<Cost>> {
    struct Running {
        envoy: Envoy,
        process: u32,
        load: Load,
        cost: Cost,
    }
    let mut running = Vec::new();
    for variant in &suite.variants {
        eprintln!("{}: {} is started", suite.name, variant.case);
        let bootstrap = suite.bootstrap(variant, upstream);
        let calls = proof::of(suite, variant, bootstrap.clone())?;
        let envoy = Envoy::with(bootstrap).concurrency(1).log_level("warn").start();
        let load = Load::connect(envoy.proxy(), suite.path)?;
        let cost = Cost { case: variant.case.clone(), calls, rounds: Vec::new() };
        running.push(Running { process: envoy.process_id(), envoy, load, cost });
    }
    // Round 0 warms up and is not kept: V8 compiles a function again, better, once it is often used.
    for round in 0..=rounds {
        eprintln!("{}: round {round} of {rounds}", suite.name);
        if !running.is_empty() {
            running.rotate_left(1);
        }
        for Running { process, load, cost, .. } in &mut running {
            let before = cpu::time(*process)?;
            let sent = load.run(suite.requests, suite.least)?;
            let used = cpu::time(*process)?.saturating_sub(before);
            upstream.forget();
            if round > 0 {
                cost.rounds.push(micros(used) / f64::from(sent));
            }
        }
    }
    for Running { envoy, cost, .. } in &running {
        // A plugin that fails may let requests pass without it: those would be measured.
        let log = envoy.log();
        let failure = log.lines().find(|line| line.contains("[error]") || line.contains("[critical]"));
        anyhow::ensure!(failure.is_none(), "{}: {}", cost.case, failure.unwrap_or_default());
    }
    let place = |cost: &Cost| suite.variants.iter().position(|variant| variant.case == cost.case);
    let mut costs: Vec<Cost> = running.into_iter().map(|running| running.cost).collect();
    costs.sort_by_key(place);
    Ok(costs)
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
