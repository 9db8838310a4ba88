//! When a request is made again.

use std::time::Duration;

use rand::Rng as _;
use tokio::time::{Instant, sleep};

use super::failure::Failure;
use crate::Effort;

/// Istio's backoff: each wait is half as long again as the one before...
const FACTOR: f64 = 1.5;
/// ...up to this, if the first is not longer: somebody waits for the outcome, and long outages are not sat out here.
const LONGEST: Duration = Duration::from_millis(700);

/// The attempts at one thing.
#[derive(Debug)]
pub(crate) struct Attempts {
    made: u32,
    most: u32,
    wait: Duration,
    deadline: Instant,
    brisk: bool,
    /// When the one under way began.
    begun: Instant,
}

impl Attempts {
    /// At most so many if that is the effort, else one, of which none begins after the deadline.
    pub(crate) fn new(effort: Effort, most: u32, first_wait: Duration, deadline: Instant) -> Self {
        let most = if effort == Effort::Full { most.max(1) } else { 1 };
        Self {
            made: 1,
            most,
            wait: first_wait,
            deadline,
            brisk: effort == Effort::Brisk,
            begun: Instant::now(),
        }
    }

    /// Whether a connection has to be there at once. What was not there a moment ago may be back any moment, and then
    /// it is better to ask anew than to wait for what was sent before.
    pub(crate) fn are_brisk(&self) -> bool {
        self.brisk || self.made > 1
    }

    /// How many were made, with the one under way.
    pub(super) fn made(&self) -> u32 {
        self.made
    }

    /// Waits for the next attempt. False if there is none: after a failure that lasts, after the last attempt, and
    /// when the wait would be longer than there is time.
    pub(crate) async fn next(&mut self, failure: &Failure) -> bool {
        if !failure.again || self.made >= self.most {
            return false;
        }
        let jittered = self.wait.mul_f64(rand::rng().random_range(0.5..1.5));
        // From one's begin to the next one's, with a third of it between them at least.
        let wait = jittered.saturating_sub(self.begun.elapsed()).max(jittered / 3);
        let wait = wait.max(failure.cause.retry_after.unwrap_or_default());
        if self.deadline.saturating_duration_since(Instant::now()) <= wait {
            return false;
        }
        sleep(wait).await;
        self.wait = self.wait.mul_f64(FACTOR).min(self.wait.max(LONGEST));
        self.made += 1;
        self.begun = Instant::now();
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
        let mut attempts =
            Attempts::new(Effort::Full, 20, Duration::from_millis(500), begin + Duration::from_secs(3600));
        let mut expected = 0.5_f64;
        let mut waits = Vec::new();
        while let before = Instant::now()
            && attempts.next(&passing()).await
        {
            let waited = before.elapsed().as_secs_f64() / expected;
            assert!((0.49..=1.51).contains(&waited), "attempt {}: {waited} of {expected} s", attempts.made());
            waits.push(waited);
            expected = (expected * 1.5).min(0.7);
        }
        assert_eq!(attempts.made(), 20);
        assert!(waits.iter().any(|wait| (wait - 1.0).abs() > 0.01), "without jitter: {waits:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_source_may_ask_for_a_longer_wait_but_not_for_more_than_there_is_time() {
        let begin = Instant::now();
        let mut attempts =
            Attempts::new(Effort::Full, 5, Duration::from_millis(1), begin + Duration::from_secs(10));
        let mut failure = passing();
        failure.cause.retry_after = Some(Duration::from_secs(7));
        assert!(attempts.next(&failure).await);
        assert_eq!(begin.elapsed().as_secs(), 7);
        assert!(!attempts.next(&failure).await);
        assert_eq!(begin.elapsed().as_secs(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_took_its_time_is_followed_by_a_shorter_wait() {
        for _ in 0..50 {
            let deadline = Instant::now() + Duration::from_secs(100);
            let mut attempts = Attempts::new(Effort::Full, 5, Duration::from_secs(3), deadline);
            sleep(Duration::from_secs(60)).await;
            let ended = Instant::now();
            assert!(attempts.next(&passing()).await);
            let waited = ended.elapsed().as_secs_f64();
            assert!((0.5..=1.5).contains(&waited), "{waited}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_attempts_are_one_attempt() {
        let mut attempts = Attempts::new(
            Effort::Full,
            0,
            Duration::from_millis(1),
            Instant::now() + Duration::from_secs(10),
        );
        assert_eq!(attempts.made(), 1);
        assert!(!attempts.next(&passing()).await);
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_back_soon_asks_once() {
        for effort in [Effort::Once, Effort::Brisk] {
            let deadline = Instant::now() + Duration::from_secs(10);
            let mut attempts = Attempts::new(effort, 5, Duration::from_millis(1), deadline);
            assert_eq!(attempts.are_brisk(), effort == Effort::Brisk);
            assert!(!attempts.next(&passing()).await);
        }
        let deadline = Instant::now() + Duration::from_secs(10);
        let mut full = Attempts::new(Effort::Full, 5, Duration::from_millis(1), deadline);
        assert!(!full.are_brisk() && full.next(&passing()).await && full.are_brisk());
    }

    #[tokio::test(start_paused = true)]
    async fn what_lasts_is_not_tried_again() {
        let mut attempts = Attempts::new(
            Effort::Full,
            5,
            Duration::from_millis(1),
            Instant::now() + Duration::from_secs(10),
        );
        assert!(!attempts.next(&Failure::lasting(Reason::NotFound, "gone")).await);
    }
}
