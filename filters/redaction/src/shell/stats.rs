//! Metrics.

use filter_shell::metric::{self, Counter, Histogram};

use crate::hold::Events;

/// What is counted.
pub(super) struct Stats {
    pub(super) bodies: Counter,
    bytes: Counter,
    matches: Counter,
    by_detector: Vec<Counter>,
    changed: Counter,
    pub(super) blocked: Counter,
    pub(super) skipped_type: Counter,
    pub(super) skipped_encoding: Counter,
    skipped_oversize: Counter,
    pub(super) skipped_range: Counter,
    held: Histogram,
    errors: Counter,
}

impl Stats {
    pub(super) fn new(names: &[String]) -> Self {
        let counter = |what: &str| metric::counter(&filter_kit::metric::name("redaction", what));
        Self {
            bodies: counter("bodies_scanned_total"),
            bytes: counter("bytes_scanned_total"),
            matches: counter("matches_total"),
            by_detector: names.iter().map(|name| counter(&format!("matches_{name}_total"))).collect(),
            changed: counter("bodies_changed_total"),
            blocked: counter("blocked_total"),
            skipped_type: counter("skipped_type_total"),
            skipped_encoding: counter("skipped_encoding_total"),
            skipped_oversize: counter("skipped_oversize_total"),
            skipped_range: counter("skipped_range_total"),
            held: metric::histogram(&filter_kit::metric::name("redaction", "held_bytes")),
            errors: counter("errors_total"),
        }
    }

    pub(super) fn count(&self, events: Events) {
        let Events { scanned, changed, held, oversize, error } = events;
        if scanned > 0 {
            self.bytes.add(scanned);
        }
        if changed {
            self.changed.increment();
        }
        if held > 0 {
            self.held.record(held);
        }
        if oversize {
            self.skipped_oversize.increment();
        }
        if error {
            self.errors.increment();
        }
    }

    /// Counts the matches that came since `before`; whether there are any.
    pub(super) fn matches(&self, before: &[u64], now: &[u64]) -> bool {
        let mut sum = 0;
        for (counter, (before, now)) in self.by_detector.iter().zip(before.iter().zip(now)) {
            if now > before {
                counter.add(now - before);
                sum += now - before;
            }
        }
        if sum > 0 {
            self.matches.add(sum);
        }
        sum > 0
    }
}
