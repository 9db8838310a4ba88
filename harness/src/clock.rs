//! Time that passes only when a test lets it.

use std::time::Duration;

/// Where every clock starts unless told otherwise: 2026-01-01T00:00:00Z, in nanoseconds since 1970.
pub(crate) const START: u64 = 1_767_225_600 * 1_000_000_000;

/// Wall clock and monotonic clock of one host, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    wall: u64,
    monotonic: u64,
}

impl Default for Clock {
    fn default() -> Self {
        // Not zero: a guest that takes 0 for "never" would be tested on a lucky machine.
        Self { wall: START, monotonic: 1_000_000_000 }
    }
}

impl Clock {
    pub(crate) fn starting_at(wall: Duration) -> Self {
        Self { wall: nanoseconds(wall), ..Self::default() }
    }

    pub(crate) fn wall(&self) -> u64 {
        self.wall
    }

    pub(crate) fn monotonic(&self) -> u64 {
        self.monotonic
    }

    /// Moves on to a point of the monotonic clock; never back.
    pub(crate) fn reach(&mut self, monotonic: u64) {
        let step = monotonic.saturating_sub(self.monotonic);
        self.wall = self.wall.saturating_add(step);
        self.monotonic = self.monotonic.saturating_add(step);
    }
}

/// A point in time, in nanoseconds since 1970, as the header `date` has it.
pub(crate) fn http_date(wall: u64) -> String {
    let time = std::time::UNIX_EPOCH + Duration::from_secs(wall / 1_000_000_000);
    httpdate::fmt_http_date(time)
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
