//! What a request costs: how many there are in a second, and what each takes that is the same on every machine.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use proxy_wasm_harness::{Cost, Profile};
use serde::Serialize;

use crate::run::{Mode, Stage};
use crate::scenario::{Scenario, Test};

/// One test, weighed.
#[derive(Debug, Serialize)]
pub(crate) struct Weight {
    pub(crate) name: String,
    /// Requests in a second, on one core, with nothing counted.
    pub(crate) requests_per_second: f64,
    pub(crate) microseconds: f64,
    /// The rest is the mean of a request, from a run that counts.
    pub(crate) callbacks: f64,
    pub(crate) fuel: f64,
    pub(crate) hostcalls: f64,
    pub(crate) allocations: f64,
    pub(crate) allocated_bytes: f64,
    /// The serving VM's memory at its largest.
    pub(crate) memory_bytes: u64,
    /// How much that grew from the first request to the last.
    pub(crate) memory_growth_bytes: u64,
}

/// Requests before those that are weighed: a first one may set things up.
const WARM_UP: u64 = 20;
/// Requests whose cost is counted.
const COUNTED: u64 = 200;
/// A proxy is made anew after so many, since it remembers callouts and log lines.
const OF_ONE_PROXY: u64 = 10_000;

/// Weighs one test for about that long.
///
/// # Errors
///
/// If its plugin does not start, or traps.
pub(crate) fn weigh(scenario: &Scenario, test: &Test, profile: Profile, length: Duration) -> Result<Weight> {
    let requests = u64::try_from(test.requests().max(1)).unwrap_or(u64::MAX);
    let counted = count(scenario, test, profile, requests)?;
    let took = time(scenario, test, profile, requests, length)?;
    let sent = counted.sent as f64;
    let mean = |sum: u64| sum as f64 / sent;
    let Cost { callbacks, fuel, hostcalls, allocations, allocated_bytes, memory_bytes } = counted.cost;
    Ok(Weight {
        name: test.name.clone(),
        requests_per_second: 1.0 / took,
        microseconds: took * 1e6,
        callbacks: mean(callbacks),
        fuel: mean(fuel),
        hostcalls: mean(hostcalls),
        allocations: mean(allocations),
        allocated_bytes: mean(allocated_bytes),
        memory_bytes,
        memory_growth_bytes: memory_bytes.saturating_sub(counted.memory_before),
    })
}

struct Counted {
    cost: Cost,
    sent: u64,
    memory_before: u64,
}

fn start<'a>(scenario: &'a Scenario, test: &Test, profile: Profile, mode: Mode) -> Result<Stage<'a>> {
    Stage::start(scenario, test, profile, mode, None).map_err(|error| anyhow!("{error}"))
}

/// Plays the test once.
fn play(stage: &mut Stage<'_>, test: &Test) -> Result<Cost> {
    for step in &test.steps {
        if let Some(action) = &step.action {
            stage.perform(step, action).map_err(|failure| {
                anyhow!(
                    "line {}: {}: expected {}, got {}",
                    failure.at.line,
                    failure.what,
                    failure.expected,
                    failure.got
                )
            })?;
        }
    }
    let cost = stage.cost();
    stage.clear();
    Ok(cost)
}

fn count(scenario: &Scenario, test: &Test, profile: Profile, requests: u64) -> Result<Counted> {
    let mut stage = start(scenario, test, profile, Mode::Workers)?;
    let mut counted = Counted { cost: Cost::default(), sent: 0, memory_before: stage.host.memory_bytes() };
    for sent in (0..WARM_UP + COUNTED).step_by(usize::try_from(requests).unwrap_or(1)) {
        let cost = play(&mut stage, test)?;
        if sent >= WARM_UP {
            counted.cost.add(&cost);
            counted.sent += requests;
        }
    }
    if let Some(trap) = stage.host.traps().first() {
        bail!("its VM trapped: {trap}");
    }
    Ok(counted)
}

/// Seconds for one request.
fn time(scenario: &Scenario, test: &Test, profile: Profile, requests: u64, length: Duration) -> Result<f64> {
    let mut spent = Duration::ZERO;
    let mut sent = 0;
    while spent < length {
        let mut stage = start(scenario, test, profile, Mode::Unmetered)?;
        for _ in 0..WARM_UP {
            play(&mut stage, test)?;
        }
        let began = Instant::now();
        let mut of_this = 0;
        while of_this < OF_ONE_PROXY && spent + began.elapsed() < length {
            play(&mut stage, test)?;
            of_this += requests;
        }
        spent += began.elapsed();
        sent += of_this;
    }
    Ok(spent.as_secs_f64() / (sent.max(1) as f64))
}

/// A table, one test a line.
pub(crate) fn table(weights: &[Weight]) -> String {
    let width =
        weights.iter().map(|weight| weight.name.chars().count()).max().unwrap_or_default().clamp(4, 60);
    let mut text = format!(
        "{:<width$} {:>10} {:>8} {:>10} {:>9} {:>11} {:>9} {:>10}\n",
        "test", "requests/s", "us", "fuel", "hostcalls", "allocations", "bytes", "memory"
    );
    for weight in weights {
        let name: String = weight.name.chars().take(width).collect();
        let grown = match weight.memory_growth_bytes {
            0 => String::new(),
            grown => format!(" (grew by {grown})"),
        };
        text.push_str(&format!(
            "{name:<width$} {:>10.0} {:>8.2} {:>10.0} {:>9.1} {:>11.1} {:>9.0} {:>10}{grown}\n",
            weight.requests_per_second,
            weight.microseconds,
            weight.fuel,
            weight.hostcalls,
            weight.allocations,
            weight.allocated_bytes,
            weight.memory_bytes,
        ));
    }
    text
}
