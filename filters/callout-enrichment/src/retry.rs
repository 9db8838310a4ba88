//! One more attempt, if what went wrong may be better the next time and not everybody tries again at once.

/// When a call is tried once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// After which of these.
    pub on: Vec<On>,
    /// The share of calls that may be tried again, in hundredths of a percent.
    pub budget: u32,
}

/// What may be better the next time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// No connection could be made.
    Connect,
    /// The connection broke before there was an answer.
    Reset,
    /// This status.
    Status(u16),
}

/// How many further attempts may be made before there were any calls.
const RESERVE: u32 = 3;

/// How many may be saved up.
const MOST: u32 = 20;

/// A hundredth of a percent of one attempt.
const ATTEMPT: u32 = 10_000;

/// A budget of further attempts: each call adds a share of one.
#[derive(Debug)]
pub struct Budget {
    share: u32,
    saved: u32,
}

impl Budget {
    /// A budget of that share of calls, in hundredths of a percent, and a few beside.
    pub fn new(share: u32) -> Self {
        Self { share, saved: if share == 0 { 0 } else { RESERVE * ATTEMPT } }
    }

    /// Notes that a call was made.
    pub fn called(&mut self) {
        self.saved = self.saved.saturating_add(self.share).min(MOST * ATTEMPT);
    }

    /// Whether a call may be tried again; if so, that is spent.
    pub fn take(&mut self) -> bool {
        let left = self.saved.checked_sub(ATTEMPT);
        self.saved = left.unwrap_or(self.saved);
        left.is_some()
    }
}

/// The time that a further attempt has, in milliseconds, `elapsed` after the first began. `None` if less than 30 % is
/// left of the whole: it would hardly be answered.
pub fn time_left(whole_ms: u64, elapsed_ms: u64) -> Option<u64> {
    let left = whole_ms.checked_sub(elapsed_ms)?;
    (left * 10 > whole_ms * 3).then_some(left)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn less_than_a_third_of_the_time_is_too_little() {
        assert_eq!(time_left(200, 0), Some(200));
        assert_eq!(time_left(200, 139), Some(61));
        assert_eq!(time_left(200, 140), None);
        assert_eq!(time_left(200, 500), None);
    }

    #[test]
    fn a_budget_of_nothing_allows_nothing() {
        let mut budget = Budget::new(0);
        budget.called();
        assert!(!budget.take());
    }

    proptest! {
        #[test]
        fn attempts_are_within_their_share_of_calls(share in 1_u32..=10_000, steps in proptest::collection::vec(any::<bool>(), 0..400)) {
            let (mut budget, mut calls, mut attempts) = (Budget::new(share), 0_u64, 0_u64);
            for again in steps {
                if again {
                    attempts += u64::from(budget.take());
                } else {
                    budget.called();
                    calls += 1;
                }
                prop_assert!(attempts * 10_000 <= calls * u64::from(share) + u64::from(RESERVE) * 10_000);
            }
        }
    }
}
