//! What the filter counts of itself.

use filter_abi::metric;
use filter_kit::metric::name;

use crate::{Faults, Kind};

/// The ids of its own counters. They are always named alike, whatever the tag style: the filter is in the name.
#[derive(Clone, Copy, Default)]
pub(super) struct Own {
    loads: Option<u32>,
    rejects: Option<u32>,
    missing: Option<u32>,
    clock: Option<u32>,
    errors: Option<u32>,
    lines: Option<u32>,
    dropped: Option<u32>,
}

impl Own {
    pub(super) const fn none() -> Self {
        Self {
            loads: None,
            rejects: None,
            missing: None,
            clock: None,
            errors: None,
            lines: None,
            dropped: None,
        }
    }

    /// Has `define` make them, or find them.
    pub(super) fn of(define: &mut dyn FnMut(Kind, &str) -> Option<u32>) -> Self {
        let mut counter = |what| define(Kind::Counter, &name("http-timing", what));
        Self {
            loads: counter("config_loads_total"),
            rejects: counter("config_rejects_total"),
            missing: counter("missing_attributes_total"),
            clock: counter("clock_errors_total"),
            errors: counter("errors_total"),
            lines: counter("log_lines_total"),
            dropped: counter("log_dropped_total"),
        }
    }

    pub(super) fn count_configuration(self, accepted: bool) {
        count(if accepted { self.loads } else { self.rejects });
    }

    #[inline(always)]
    pub(super) fn count(&self, faults: Faults) {
        if faults.missing {
            count(self.missing);
        }
        if faults.clock {
            count(self.clock);
        }
        if faults != Faults::default() {
            count(self.errors);
        }
    }

    pub(super) fn count_line(self) {
        count(self.lines);
    }

    pub(super) fn count_dropped_line(self) {
        count(self.dropped);
    }
}

fn count(id: Option<u32>) {
    if let Some(id) = id {
        metric::add(id, 1);
    }
}
