//! A circuit breaker: a service that fails is left alone for a while.

use std::collections::VecDeque;

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// So many failures in a row; 0 is no such limit.
    pub consecutive_failures: u32,
    /// Or so large a share of the calls of a window.
    pub ratio: Option<Ratio>,
    /// For so long, in milliseconds.
    pub open_for_ms: u64,
}

/// A share of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio {
    /// In hundredths of a percent.
    pub failures: u32,
    /// The window, in milliseconds.
    pub window_ms: u64,
    /// Of fewer calls than this nothing is concluded.
    pub min_calls: u32,
}

/// May a call be made?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Yes.
    Pass,
    /// Yes, and what becomes of it decides whether others may follow.
    Probe,
    /// No: the service is left alone.
    Stop,
}

/// A breaker; times are milliseconds.
#[derive(Debug)]
pub struct Breaker {
    limits: Limits,
    state: State,
    consecutive: u32,
    /// Calls and failures of the parts of the window, the last one the newest, with when each began.
    window: VecDeque<(u64, u32, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open { until: u64 },
    Probing,
}

/// In how many parts a window is counted: what is older than all of it is forgotten part by part.
const PARTS: u64 = 10;

impl Breaker {
    /// A breaker that is closed, so that calls pass.
    pub fn new(limits: Limits) -> Self {
        Self { limits, state: State::Closed, consecutive: 0, window: VecDeque::new() }
    }

    /// Whether calls do not pass, or only one to find out.
    pub fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    /// Whether a call may be made now. A call that is admitted has to be made, and [`record`](Self::record)ed.
    pub fn admit(&mut self, now: u64) -> Admission {
        match self.state {
            State::Closed => Admission::Pass,
            State::Open { until } if now >= until => {
                self.state = State::Probing;
                Admission::Probe
            }
            State::Open { .. } | State::Probing => Admission::Stop,
        }
    }

    /// Notes how a call went that was admitted so.
    pub fn record(&mut self, now: u64, admission: Admission, failed: bool) {
        match (self.state, admission) {
            (State::Probing, Admission::Probe) if failed => self.open(now),
            (State::Probing, Admission::Probe) => {
                self.state = State::Closed;
                self.consecutive = 0;
                self.window.clear();
            }
            (State::Closed, _) => self.count(now, failed),
            // A call from before it opened: it is known already how the service is.
            _ => {}
        }
    }

    /// Takes an admission back: the call was not made.
    pub fn withdraw(&mut self, now: u64, admission: Admission) {
        if (self.state, admission) == (State::Probing, Admission::Probe) {
            self.state = State::Open { until: now };
        }
    }

    fn count(&mut self, now: u64, failed: bool) {
        self.consecutive = if failed { self.consecutive.saturating_add(1) } else { 0 };
        if self.limits.consecutive_failures > 0 && self.consecutive >= self.limits.consecutive_failures {
            return self.open(now);
        }
        let Some(ratio) = self.limits.ratio else { return };
        let length = (ratio.window_ms / PARTS).max(1);
        let begun = now - now % length;
        while self.window.front().is_some_and(|(begun, ..)| begun + ratio.window_ms <= now) {
            self.window.pop_front();
        }
        if self.window.back().is_none_or(|(last, ..)| *last != begun) {
            self.window.push_back((begun, 0, 0));
        }
        if let Some((_, calls, failures)) = self.window.back_mut() {
            *calls = calls.saturating_add(1);
            *failures = failures.saturating_add(u32::from(failed));
        }
        let sum =
            |of: fn(&(u64, u32, u32)) -> u32| self.window.iter().map(|part| u64::from(of(part))).sum::<u64>();
        let (calls, failures) = (sum(|part| part.1), sum(|part| part.2));
        if calls >= u64::from(ratio.min_calls)
            && failed
            && failures * 10_000 >= calls * u64::from(ratio.failures)
        {
            self.open(now);
        }
    }

    fn open(&mut self, now: u64) {
        self.state = State::Open { until: now.saturating_add(self.limits.open_for_ms) };
        self.consecutive = 0;
        self.window.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn breaker(consecutive_failures: u32, ratio: Option<Ratio>) -> Breaker {
        Breaker::new(Limits { consecutive_failures, ratio, open_for_ms: 5000 })
    }

    #[test]
    fn failures_in_a_row_open_it_and_a_success_between_does_not() {
        let mut breaker = breaker(3, None);
        for failed in [true, true, false, true, true] {
            breaker.record(0, Admission::Pass, failed);
            assert_eq!(breaker.admit(0), Admission::Pass);
        }
        breaker.record(0, Admission::Pass, true);
        assert_eq!(breaker.admit(0), Admission::Stop);
        assert!(breaker.is_open());
    }

    #[test]
    fn one_probe_passes_when_it_has_been_open_long_enough() {
        let mut breaker = breaker(1, None);
        breaker.record(100, Admission::Pass, true);
        assert_eq!(breaker.admit(5099), Admission::Stop);
        assert_eq!(breaker.admit(5100), Admission::Probe);
        assert_eq!(breaker.admit(5100), Admission::Stop);
        breaker.record(5200, Admission::Probe, true);
        assert_eq!(breaker.admit(10_199), Admission::Stop);
        assert_eq!(breaker.admit(10_200), Admission::Probe);
        breaker.record(10_300, Admission::Probe, false);
        assert_eq!(breaker.admit(10_300), Admission::Pass);
        assert!(!breaker.is_open());
    }

    #[test]
    fn a_probe_that_is_not_made_leaves_its_place_to_the_next() {
        let mut breaker = breaker(1, None);
        breaker.record(0, Admission::Pass, true);
        assert_eq!(breaker.admit(5000), Admission::Probe);
        breaker.withdraw(5000, Admission::Probe);
        assert_eq!(breaker.admit(5000), Admission::Probe);
        breaker.withdraw(5000, Admission::Pass);
        assert_eq!(breaker.admit(5000), Admission::Stop);
    }

    #[test]
    fn what_was_asked_before_it_opened_changes_nothing() {
        let mut breaker = breaker(1, None);
        breaker.record(0, Admission::Pass, true);
        breaker.record(1, Admission::Pass, false);
        breaker.record(4999, Admission::Pass, true);
        assert_eq!(breaker.admit(5000), Admission::Probe);
        breaker.record(5001, Admission::Pass, false);
        assert_eq!(breaker.admit(5001), Admission::Stop, "the probe alone decides");
    }

    #[test]
    fn a_share_of_failures_in_a_window_opens_it() {
        let half = Ratio { failures: 5000, window_ms: 10_000, min_calls: 4 };
        let mut breaker = breaker(0, Some(half));
        for failed in [true, true, false] {
            breaker.record(0, Admission::Pass, failed);
        }
        assert!(!breaker.is_open(), "three calls are too few");
        breaker.record(1, Admission::Pass, false);
        assert!(!breaker.is_open(), "a success opens nothing");
        breaker.record(2, Admission::Pass, true);
        assert!(breaker.is_open());
    }

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let half = Ratio { failures: 5000, window_ms: 10_000, min_calls: 4 };
        let mut breaker = breaker(0, Some(half));
        for now in [0, 1, 2] {
            breaker.record(now, Admission::Pass, true);
        }
        for now in [10_000, 10_001, 10_002, 10_003, 10_004] {
            breaker.record(now, Admission::Pass, false);
        }
        breaker.record(10_005, Admission::Pass, true);
        assert!(!breaker.is_open());
    }

    proptest! {
        /// Whatever happens, it is never closed after so many failures in a row, and opens for no other reason.
        #[test]
        fn it_is_open_after_failures_in_a_row_and_only_then(calls in proptest::collection::vec((any::<bool>(), 0_u64..3000), 0..60)) {
            let mut breaker = breaker(3, None);
            let (mut now, mut row) = (0, 0);
            for (failed, time) in calls {
                now += time;
                let admission = breaker.admit(now);
                match admission {
                    Admission::Stop => {
                        prop_assert!(row >= 3);
                        continue;
                    }
                    Admission::Probe => prop_assert!(row >= 3),
                    Admission::Pass => prop_assert!(row < 3),
                }
                breaker.record(now, admission, failed);
                row = if failed { row + 1 } else { 0 };
                prop_assert_eq!(breaker.is_open(), row >= 3);
                prop_assert!(breaker.window.len() <= 11);
            }
        }
    }
}
