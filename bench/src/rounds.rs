//! The measurement: all variants run at once, and every round visits every one of them in a new order. What
//! disturbs the machine for a while then disturbs all of them alike.

use std::time::{Duration, Instant};

use meshloom_lab::{Envoy, Upstream};

use crate::load::CONNECTIONS;
use crate::proof::{self, Calls};
use crate::suite::Suite;
use crate::{cpu, load::Load};

/// How often all Envoys are started anew in the course of the rounds. Where a process happens to have its code and
/// its memory makes it faster or slower for all its life, by more than what is compared here.
pub const STARTS: u32 = 5;

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
    let rounds = rounds.div_ceil(suite.one_in);
    let mut costs = Vec::new();
    for variant in &suite.variants {
        eprintln!("{}: {} is tried", suite.name, variant.case);
        let calls = proof::of(suite, variant, suite.bootstrap(variant, upstream))?;
        costs.push(Cost { case: variant.case.clone(), calls, rounds: Vec::new() });
    }
    let mut order = Order(1);
    for start in 0..STARTS.min(rounds) {
        eprintln!("{}: start {} of {}", suite.name, start + 1, STARTS.min(rounds));
        let share = rounds / STARTS + u32::from(start < rounds % STARTS);
        measure(suite, share, upstream, &mut order, &mut costs)?;
    }
    Ok(costs)
}

fn measure(
    suite: &Suite,
    rounds: u32,
    upstream: &Upstream,
    order: &mut Order,
    costs: &mut [Cost],
) -> anyhow::Result<()> {
    struct Running<'a> {
        envoy: Envoy,
        process: u32,
        load: Load,
        requests: u32,
        cost: &'a mut Cost,
    }
    let mut running = Vec::new();
    for (variant, cost) in suite.variants.iter().zip(costs) {
        let envoy = Envoy::with(suite.bootstrap(variant, upstream)).concurrency(1).log_level("warn").start();
        let mut load = Load::connect(envoy.proxy(), &suite.question)?;
        let requests = warmed_up(&mut load, suite)?;
        running.push(Running { process: envoy.process_id(), envoy, load, requests, cost });
    }
    for _ in 0..rounds {
        order.shuffle(&mut running);
        for Running { process, load, requests, cost, .. } in &mut running {
            // The one before had the caches to itself; what takes so long that a visit is a batch does not notice.
            let warm = if *requests > CONNECTIONS { *requests / 10 } else { 0 };
            load.run(warm, suite.least)?;
            let before = cpu::time(*process)?;
            let sent = load.run(*requests, suite.least)?;
            let used = cpu::time(*process)?.saturating_sub(before);
            upstream.forget();
            cost.rounds.push(micros(used) / f64::from(sent));
        }
    }
    for Running { envoy, cost, .. } in &running {
        // A plugin that fails may let requests pass without it: those would be measured.
        let log = envoy.log();
        let failure = log.lines().find(|line| line.contains("[error]") || line.contains("[critical]"));
        anyhow::ensure!(failure.is_none(), "{}: {}", cost.case, failure.unwrap_or_default());
    }
    Ok(())
}

/// Sends as many requests as a visit has, for V8 compiles a function again, better, once it is often used; and says how
/// many that are.
fn warmed_up(load: &mut Load, suite: &Suite) -> anyhow::Result<u32> {
    let mut sent = 0;
    let mut each = Duration::ZERO;
    // The first requests do what only first ones do: how long one takes is seen of the last.
    while sent < visit(suite.requests, each) {
        let begun = Instant::now();
        let batch = load.run(suite.requests.div_ceil(10), suite.least)?;
        each = begun.elapsed() / batch;
        sent += batch;
    }
    Ok(visit(suite.requests, each))
}

/// How many requests a visit has: as many as the suite says, but no more than fit into [`VISIT`]. What takes
/// milliseconds needs no thousand requests to be seen.
fn visit(requests: u32, each: Duration) -> u32 {
    let fit = VISIT.as_nanos() / each.as_nanos().max(1);
    u32::try_from(fit)
        .unwrap_or(u32::MAX)
        .next_multiple_of(CONNECTIONS)
        .clamp(CONNECTIONS, requests.max(CONNECTIONS))
}

/// How long the requests of one visit may take.
const VISIT: Duration = Duration::from_millis(250);

/// Shuffles, the same way in every run (Steele and others' SplitMix64).
struct Order(u64);

impl Order {
    fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let other = (mixed ^ (mixed >> 31)) % (end as u64 + 1);
            items.swap(end, usize::try_from(other).unwrap_or(end));
        }
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_slow_is_asked_less_often() {
        assert_eq!(visit(1000, Duration::from_micros(50)), 1000);
        assert_eq!(visit(1000, Duration::from_millis(1)), 256);
        assert_eq!(visit(1000, Duration::from_secs(2)), CONNECTIONS);
        assert_eq!(visit(1000, Duration::ZERO), 1000);
    }
}
