//! When what failed is tried again.
//!
//! While an outage is young an attempt is made at most 1.5 s after the last, so that a module server that is back is
//! seen within two seconds. Later the delay grows with the age of the outage, to 25 s. Each delay is drawn from the upper two
//! thirds of its range, so that agents that failed together do not come back together.

use std::time::{Duration, Instant};

use rand::Rng;

/// The longest delay while the outage is young, in seconds.
const SHORTEST: f64 = 1.5;
/// The longest delay of all, in seconds.
const LONGEST: f64 = 25.0;
/// An outage's age for each second of delay: 1.5 s up to a minute, 25 s from 1,000 s on.
const AGE_PER_DELAY: f64 = 40.0;
/// The least part of a delay's range that it may take.
const LEAST: f64 = 1.0 / 3.0;
/// The longest that a source may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// The attempts for one module that have failed since it last was there.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    since: Option<Instant>,
}

impl Schedule {
    /// An attempt failed `now`. Returns when the next one is due.
    pub fn failed(&mut self, now: Instant, retry_after: Option<Duration>, random: &mut impl Rng) -> Instant {
        let age = now.saturating_duration_since(*self.since.get_or_insert(now));
        let range = (age.as_secs_f64() / AGE_PER_DELAY).clamp(SHORTEST, LONGEST);
        let delay = Duration::from_secs_f64(range * random.random_range(LEAST..=1.0));
        let asked = retry_after.map(|asked| {
            // Those who are all told the same time do not come at the same time.
            let asked = asked.min(MAX_RETRY_AFTER);
            asked + asked.max(Duration::from_secs(5)).mul_f64(random.random_range(0.0..=0.2))
        });
        now + asked.map_or(delay, |asked| asked.max(delay))
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// When attempts are made by somebody who first fails at 0, until they succeed: the first that is later than `back`.
    fn attempts(back: Duration, seed: u64) -> Vec<Duration> {
        let start = Instant::now();
        let (mut schedule, mut random) = (Schedule::default(), StdRng::seed_from_u64(seed));
        let mut attempts = vec![Duration::ZERO];
        let mut now = start;
        while now - start <= back {
            now = schedule.failed(now, None, &mut random);
            attempts.push(now - start);
        }
        attempts
    }

    #[test]
    fn a_server_that_is_back_within_a_minute_is_seen_within_two_seconds() {
        for seed in 0..200 {
            for back in [0.1, 1.0, 7.7, 30.0, 58.0] {
                let seen = *attempts(seconds(back), seed).last().unwrap();
                assert!(seen - seconds(back) <= seconds(1.55), "{seen:?}");
            }
        }
    }

    #[test]
    fn a_server_that_is_back_after_long_is_seen_within_half_a_minute() {
        for seed in 0..200 {
            for back in [100.0, 3600.0, 86_400.0] {
                let seen = *attempts(seconds(back), seed).last().unwrap();
                assert!(seen - seconds(back) <= seconds(25.0), "{seen:?}");
            }
        }
    }

    #[test]
    fn a_long_outage_costs_an_attempt_in_about_a_quarter_of_a_minute() {
        let hour = attempts(seconds(3600.0), 1).len();
        assert!((200..500).contains(&hour), "{hour}");
    }

    #[test]
    fn what_the_source_asks_for_is_granted_up_to_five_minutes_and_a_fifth() {
        let now = Instant::now();
        let mut random = StdRng::seed_from_u64(1);
        for (asked, least, most) in [(10.0, 10.0, 12.0), (86_400.0, 300.0, 360.0), (0.0, 0.5, 1.5)] {
            for _ in 0..100 {
                let delay = Schedule::default().failed(now, Some(seconds(asked)), &mut random) - now;
                assert!((seconds(least)..=seconds(most)).contains(&delay), "{asked}: {delay:?}");
            }
        }
    }

    /// The most attempts of a thousand agents within 100 ms, over `window` after all failed at the same instant.
    fn peak(from: f64, back: f64) -> usize {
        let mut per_tenth = std::collections::BTreeMap::<u128, usize>::new();
        for agent in 0..1000 {
            for attempt in attempts(seconds(back), agent).into_iter().filter(|at| *at >= seconds(from)) {
                *per_tenth.entry(attempt.as_millis() / 100).or_default() += 1;
            }
        }
        per_tenth.into_values().max().unwrap()
    }

    #[test]
    fn a_thousand_agents_that_failed_together_do_not_come_back_together() {
        // In step it would be 1,000.
        let soon = peak(0.1, 45.0);
        assert!(soon < 180, "{soon}");
        let late = peak(1200.0, 1300.0);
        assert!(late < 30, "{late}");
    }
}
