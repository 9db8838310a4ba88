//! When what failed is tried again, and how.
//!
//! While an outage is young an attempt is begun at most a second after the last, and makes each of its requests once: a
//! module server that is back is seen within a second, and Envoy filters by the real module within two. Later the delay grows with the age of the outage, to
//! 25 s. Each delay is drawn from the upper two thirds of its range, so that agents that failed together do not come back
//! together; and after an attempt that took its time there is a pause, which is drawn too, for the same reason.
//!
//! What will not pass by itself (a module of the wrong bytes, a missing signature, a secret that opens nothing) is asked
//! for in steps of their own, from 15 s to five minutes: somebody has to put it right first.

use std::time::{Duration, Instant};

use rand::Rng;

use crate::{Effort, Unavailable};

/// Until what age an outage is young.
const YOUNG: Duration = Duration::from_secs(60);
/// The longest delay while the outage is young, in seconds.
const SHORTEST: f64 = 1.0;
/// The longest delay of all, in seconds.
const LONGEST: f64 = 25.0;
/// An outage's age for each second of delay: 1.5 s after a minute, 25 s from 1,000 s on.
const AGE_PER_DELAY: f64 = 40.0;
/// The least part of a delay's range that it may take.
const LEAST: f64 = 1.0 / 3.0;
/// Which part of a delay's range there is between an attempt's end and the next one's begin at least, drawn from these.
const PAUSE: std::ops::RangeInclusive<f64> = 1.0 / 15.0..=1.0 / 3.0;
/// The first and the longest delay after what will not pass by itself, in seconds; each is twice the one before, and
/// changed at random by up to a third.
const LASTING: (f64, f64) = (15.0, 300.0);
/// The longest that a source may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(300);

/// The attempts for one module that have failed since it last was there.
#[derive(Clone, Debug, Default)]
pub struct Schedule {
    /// When the first of them began.
    since: Option<Instant>,
    /// When the last one began.
    begun: Option<Instant>,
    /// How many in a row failed in a way that will not pass by itself.
    lasting: i32,
}

impl Schedule {
    /// An attempt begins `now`. Returns how hard it tries.
    pub fn begins(&mut self, now: Instant) -> Effort {
        self.begun = Some(now);
        match self.since {
            None => Effort::Full,
            Some(since) if self.lasting == 0 && now.saturating_duration_since(since) <= YOUNG => {
                Effort::Brisk
            }
            Some(_) => Effort::Once,
        }
    }

    /// It failed `now`. Returns when the next one is due.
    pub fn failed(&mut self, now: Instant, failure: &Unavailable, random: &mut impl Rng) -> Instant {
        let begun = self.begun.unwrap_or(now);
        let since = *self.since.get_or_insert(begun);
        let due = if failure.reason.lasts() {
            let (first, longest) = LASTING;
            let range = (first * 2_f64.powi(self.lasting)).min(longest);
            self.lasting = self.lasting.saturating_add(1);
            now + Duration::from_secs_f64(range * random.random_range(2.0 / 3.0..=4.0 / 3.0))
        } else {
            self.lasting = 0;
            let age = now.saturating_duration_since(since);
            let range = match age <= YOUNG {
                true => SHORTEST,
                false => (age.as_secs_f64() / AGE_PER_DELAY).min(LONGEST),
            };
            let delay = Duration::from_secs_f64(range * random.random_range(LEAST..=1.0));
            let pause = Duration::from_secs_f64(range * random.random_range(PAUSE));
            (begun + delay).max(now + pause)
        };
        let asked = failure.retry_after.map(|asked| {
            // Those who are all told the same time do not come at the same time.
            let asked = asked.min(MAX_RETRY_AFTER);
            now + asked + asked.max(Duration::from_secs(5)).mul_f64(random.random_range(0.0..=0.2))
        });
        asked.map_or(due, |asked| asked.max(due))
    }
}

#[cfg(test)]
mod tests;
