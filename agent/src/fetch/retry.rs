//! When a request is made again.

use std::time::Duration;

use rand::Rng as _;
use tokio::time::{Instant, sleep};

use super::failure::Failure;

/// Istio's backoff: each wait is half as long again as the one before, up to a minute.
const FACTOR: f64 = 1.5;
const LONGEST: Duration = Duration::from_secs(60);

/// The attempts at one thing.
#[derive(Debug)]
pub(super) struct Attempts {
    made: u32,
    most: u32,
    wait: Duration,
    deadline: Instant,
}

impl Attempts {
    /// At most so many, of which none begins after the deadline.
    pub(super) fn new(most: u32, first_wait: Duration, deadline: Instant) -> Self {
        Self { made: 1, most: most.max(1), wait: first_wait, deadline }
    }

    /// How many were made, with the one under way.
    pub(super) fn made(&self) -> u32 {
        self.made
    }

    /// Waits for the next attempt. False if there is none: after a failure that lasts, after the last attempt, and
    /// when the wait would be longer than there is time.
    pub(super) async fn next(&mut self, failure: &Failure) -> bool {
        if !failure.again || self.made >= self.most {
            return false;
        }
        let jittered = self.wait.mul_f64(rand::rng().random_range(0.5..1.5));
        let wait = jittered.max(failure.cause.retry_after.unwrap_or_default());
        if self.deadline.saturating_duration_since(Instant::now()) <= wait {
            return false;
        }
        sleep(wait).await;
        self.wait = self.wait.mul_f64(FACTOR).min(LONGEST);
        self.made += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reason;

    fn passing() -> Failure {
        Failure { again: true, ..Failure::lasting(Reason::Unreachable, "refused") }
    }

    #[tokio::test(start_paused = true)]
    async fn waits_grow_by_a_half_and_are_jittered_by_a_half() {
        let begin = Instant::now();
        let mut attempts = Attempts::new(20, Duration::from_millis(500), begin + Duration::from_secs(3600));
        let mut expected = 0.5_f64;
        let mut waits = Vec::new();
        while let before = Instant::now()
            && attempts.next(&passing()).await
        {
            let waited = before.elapsed().as_secs_f64() / expected;
            assert!((0.49..=1.51).contains(&waited), "attempt {}: {waited} of {expected} s", attempts.made());
            waits.push(waited);
            expected = (expected * 1.5).min(60.0);
        }
        assert_eq!(attempts.made(), 20);
        assert!(waits.iter().any(|wait| (wait - 1.0).abs() > 0.01), "without jitter: {waits:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_source_may_ask_for_a_longer_wait_but_not_for_more_than_there_is_time() {
        let begin = Instant::now();
        let mut attempts = Attempts::new(5, Duration::from_millis(1), begin + Duration::from_secs(10));
        let mut failure = passing();
        failure.cause.retry_after = Some(Duration::from_secs(7));
        assert!(attempts.next(&failure).await);
        assert_eq!(begin.elapsed().as_secs(), 7);
        assert!(!attempts.next(&failure).await);
        assert_eq!(begin.elapsed().as_secs(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn no_attempts_are_one_attempt() {
        let mut attempts =
            Attempts::new(0, Duration::from_millis(1), Instant::now() + Duration::from_secs(10));
        assert_eq!(attempts.made(), 1);
        assert!(!attempts.next(&passing()).await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_lasts_is_not_tried_again() {
        let mut attempts =
            Attempts::new(5, Duration::from_millis(1), Instant::now() + Duration::from_secs(10));
        assert!(!attempts.next(&Failure::lasting(Reason::NotFound, "gone")).await);
    }
}
