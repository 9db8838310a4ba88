//! Metrics.

use filter_kit::metric::TagStyle;
use filter_shell::metric::{self, Counter, Histogram};

use crate::hold::Events;
use crate::scan::Tally;

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
    broken: Counter,
    overlong: Counter,
    held: Histogram,
    pub(super) errors: Counter,
}

impl Stats {
    pub(super) fn new(names: &[String], style: TagStyle) -> Self {
        let name = |what: &str| style.name("redaction", &filter_kit::metric::name("redaction", what));
        let counter = |what: &str| metric::counter(&name(what));
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
            broken: counter("invalid_json_total"),
            overlong: counter("overlong_matches_total"),
            held: metric::histogram(&name("held_bytes")),
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

    /// Counts what came since `before`; whether there are any matches.
    pub(super) fn since(&self, before: &Before, now: &Tally) -> bool {
        for (counter, before, now) in
            [(self.broken, before.broken, now.broken), (self.overlong, before.overlong, now.overlong)]
        {
            if now > before {
                counter.add(now - before);
            }
        }
        self.matches(&before.matches, &now.matches)
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

/// What was found before a callback.
pub(super) struct Before {
    pub(super) matches: Vec<u64>,
    broken: u64,
    overlong: u64,
}

impl Before {
    pub(super) fn of(tally: &Tally) -> Self {
        Self { matches: tally.matches.clone(), broken: tally.broken, overlong: tally.overlong }
    }
}
