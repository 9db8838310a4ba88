//! What is counted, gathered in the VM until it is told to the host: a hostcall for each count would cost a cached
//! answer as much as the answer itself.

/// What is counted. The names are those of [`NAMES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of the metrics say it")]
pub enum Count {
    Requests,
    Skipped,
    Calls,
    Retries,
    CallOk,
    Call4xx,
    Call5xx,
    CallOtherStatus,
    CallTimeout,
    CallConnectError,
    CallReset,
    CallTooLarge,
    CallDispatchError,
    CacheHit,
    CacheMiss,
    CacheStale,
    CacheNegative,
    CacheEvicted,
    Joined,
    BreakerRejected,
    Overflow,
    Invalid,
    Unaskable,
    Denied,
    Errors,
    WouldEnrich,
    WouldErr,
    WouldDeny,
}

/// The counters' names behind `wasm_enrich_`, in the order of [`Count`].
pub const NAMES: [&str; 28] = [
    "requests_total",
    "skipped_total",
    "calls_total",
    "retries_total",
    "call_ok_total",
    "call_4xx_total",
    "call_5xx_total",
    "call_other_status_total",
    "call_timeout_total",
    "call_connect_error_total",
    "call_reset_total",
    "call_too_large_total",
    "call_dispatch_error_total",
    "cache_hit_total",
    "cache_miss_total",
    "cache_stale_total",
    "cache_negative_total",
    "cache_evicted_total",
    "joined_total",
    "breaker_rejected_total",
    "overflow_total",
    "invalid_total",
    "unaskable_total",
    "denied_total",
    "errors_total",
    "would_enrich_total",
    "would_errors_total",
    "would_deny_total",
];

/// The gauges, in the order of [`Engine::gauges`](crate::engine::Engine::gauges).
pub const GAUGES: [&str; 3] = ["cache_entries", "inflight", "breaker_open"];

/// The histograms: of calls, and of requests that had to wait.
pub const HISTOGRAMS: [&str; 2] = ["call_duration_ms", "added_latency_ms"];

/// What is counted of configurations: those that were read, and those that were refused.
pub const CONFIGURATIONS: [&str; 2] = ["config_loads_total", "config_rejects_total"];

/// Counts that the host has not been told.
#[derive(Debug, Default)]
pub struct Tally {
    counts: [u64; NAMES.len()],
    any: bool,
}

impl Tally {
    /// None yet.
    pub const fn new() -> Self {
        Self { counts: [0; NAMES.len()], any: false }
    }

    /// Counts one.
    pub fn count(&mut self, what: Count) {
        self.add(what, 1);
    }

    /// Counts so many.
    pub fn add(&mut self, what: Count, many: u64) {
        if let Some(count) = self.counts.get_mut(what as usize) {
            *count += many;
            self.any |= many > 0;
        }
    }

    /// Whether there is anything to tell.
    pub fn is_empty(&self) -> bool {
        !self.any
    }

    /// Tells what was counted since the last time: the place in [`NAMES`], and how many.
    pub fn tell(&mut self, mut told: impl FnMut(usize, u64)) {
        self.any = false;
        for (place, count) in self.counts.iter_mut().enumerate() {
            if *count > 0 {
                told(place, std::mem::take(count));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_told_once() {
        let mut tally = Tally::new();
        assert!(tally.is_empty());
        tally.add(Count::Invalid, 0);
        assert!(tally.is_empty());
        tally.count(Count::Errors);
        tally.add(Count::CacheHit, 3);
        let mut told = Vec::new();
        tally.tell(|place, count| told.push((NAMES[place], count)));
        assert_eq!(told, [("cache_hit_total", 3), ("errors_total", 1)]);
        assert!(tally.is_empty());
        tally.tell(|_, _| panic!("there is nothing more"));
    }

    #[test]
    fn the_readme_has_every_metric_and_no_other() {
        let rows = include_str!("../README.md").lines();
        let mut told: Vec<&str> =
            rows.filter_map(|row| row.strip_prefix("| `wasm_enrich_")?.split('`').next()).collect();
        let mut all = [&NAMES[..], &GAUGES, &HISTOGRAMS, &CONFIGURATIONS].concat();
        told.sort_unstable();
        all.sort_unstable();
        assert_eq!(told, all);
    }

    #[test]
    fn every_count_has_its_name() {
        for (count, name) in [
            (Count::Requests, "requests_total"),
            (Count::CallTooLarge, "call_too_large_total"),
            (Count::CacheEvicted, "cache_evicted_total"),
            (Count::Unaskable, "unaskable_total"),
            (Count::Errors, "errors_total"),
            (Count::WouldDeny, "would_deny_total"),
        ] {
            assert_eq!(NAMES[count as usize], name);
        }
    }
}
