//! Clients that go on asking while something changes.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::client::Session;
use crate::discovery::Discovery;
use crate::envoy::Envoy;

/// How many clients ask at once.
const CLIENTS: usize = 4;
/// How long a change may take: every worker compiles a new VM.
const PATIENCE: Duration = Duration::from_secs(60);

/// Requests that are under way.
#[derive(Debug, Default)]
pub struct Load {
    over: AtomicBool,
    answered: AtomicU64,
}

impl Load {
    /// How many were answered so far.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Waits until some more are answered.
    #[track_caller]
    pub fn goes_on(&self) {
        let before = self.answered();
        wait(|| self.answered() > before + 20, "the load stands still");
    }
}

/// Has clients send requests, each by `exchange` on a connection that is kept, while `changes` runs. Answers how many
/// exchanges there were, and what `changes` does.
pub fn under_load<R>(
    envoy: &Envoy,
    exchange: impl Fn(usize, &mut Session) + Sync,
    changes: impl FnOnce(&Load) -> R,
) -> (u64, R) {
    let load = Load::default();
    let changed = std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (load, exchange) = (&load, &exchange);
            scope.spawn(move || {
                let mut session = envoy.session();
                while !load.over.load(Ordering::Relaxed) {
                    exchange(client, &mut session);
                    load.answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // However it ends.
        let _end = OnDrop(&load.over);
        changes(&load)
    });
    (load.answered(), changed)
}

/// What was seen of Envoy after each change.
#[derive(Debug, Default)]
pub struct Reloaded {
    /// Memory in RAM, in KiB.
    pub resident_kib: Vec<u64>,
    /// Wasm VMs that live.
    pub vms: Vec<u64>,
    /// The counters that were asked for.
    pub counters: Vec<Vec<u64>>,
}

impl Reloaded {
    /// Has `discovery` send each of these configurations, once the one before is in force in the thread that tries it and
    /// in `workers`, and requests go on. `filter` is how the metrics call it: `wasm_<filter>_config_loads_total` counts.
    #[track_caller]
    pub fn by<C: ToString>(
        envoy: &Envoy,
        workers: u32,
        (discovery, filter): (&mut Discovery, &str),
        configurations: impl IntoIterator<Item = C>,
        counters: &[&str],
        load: &Load,
    ) -> Self {
        let mut seen = Self::default();
        let loads = || envoy.stat(&format!("wasm_{filter}_config_loads_total"));
        for configuration in configurations {
            let before = loads();
            discovery.configure(configuration);
            wait(|| loads() >= before + 1 + u64::from(workers), "the configuration was not loaded");
            load.goes_on();
            seen.counters.push(counters.iter().map(|name| envoy.stat(name)).collect());
            seen.resident_kib.push(envoy.resident_kib());
            seen.vms.push(envoy.stat("envoy_wasm_envoy_wasm_runtime_v8_active"));
        }
        seen
    }

    /// Holds every counter to what it was before: it never begins anew.
    #[track_caller]
    pub fn assert_counters_only_grow(&self) {
        for pair in self.counters.windows(2) {
            let grows = pair[0].iter().zip(&pair[1]).all(|(before, after)| before <= after);
            assert!(grows, "a counter began anew: {:?}, then {:?}", pair[0], pair[1]);
        }
    }

    /// Holds the last to the `settled`th in memory, within `growth_kib`, and to a number of VMs.
    #[track_caller]
    pub fn assert_flat(&self, settled: usize, growth_kib: u64, most_vms: u64) {
        let last = self.resident_kib.last().copied().unwrap_or_default();
        assert!(last <= self.resident_kib[settled] + growth_kib, "memory grows: {self:?}");
        assert!(self.vms.iter().all(|vms| *vms <= most_vms), "VMs are left behind: {self:?}");
    }
}

struct OnDrop<'a>(&'a AtomicBool);

impl Drop for OnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[track_caller]
fn wait(is_so: impl Fn() -> bool, otherwise: &str) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{otherwise}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
