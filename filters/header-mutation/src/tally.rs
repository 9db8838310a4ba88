//! What is counted.

use std::cell::Cell;

/// One of the counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    Requests,
    Changed,
    Reported,
    OpsApplied,
    OpsSkipped,
    InvalidValues,
    Denied,
    Errors,
}

/// Counts that the proxy has not been told of yet. A hostcall for each would cost a request more than what it is for.
#[derive(Debug, Default)]
pub struct Tally {
    counts: [Cell<u64>; Tally::NAMES.len()],
}

impl Tally {
    /// What each counter's name ends in, in the order of [`Count`].
    pub const NAMES: [&str; 8] = [
        "requests_total",
        "changed_total",
        "reported_total",
        "ops_applied_total",
        "ops_skipped_total",
        "invalid_values_total",
        "denied_total",
        "errors_total",
    ];

    /// Nothing yet.
    pub const fn new() -> Self {
        Self { counts: [const { Cell::new(0) }; Self::NAMES.len()] }
    }

    /// Counts one.
    pub fn one(&self, count: Count) {
        self.add(count, 1);
    }

    /// Counts as many.
    pub fn add(&self, count: Count, number: u64) {
        if let Some(cell) = self.counts.get(count as usize) {
            cell.set(cell.get().saturating_add(number));
        }
    }

    /// What was counted of one.
    pub fn get(&self, count: Count) -> u64 {
        self.counts.get(count as usize).map_or(0, Cell::get)
    }

    /// Hands what was counted of each, and is not told yet, to `tell`, by its place.
    pub fn tell(&self, mut tell: impl FnMut(usize, u64)) {
        for (place, cell) in self.counts.iter().enumerate() {
            match cell.take() {
                0 => {}
                count => tell(place, count),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_not_told_again() {
        let tally = Tally::new();
        tally.one(Count::Requests);
        tally.add(Count::Errors, 3);
        let told = || {
            let mut told = Vec::new();
            tally.tell(|place, count| told.push((Tally::NAMES[place], count)));
            told
        };
        assert_eq!(told(), [("requests_total", 1), ("errors_total", 3)]);
        assert_eq!(told(), []);
    }
}
