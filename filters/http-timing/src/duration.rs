//! Durations in nanoseconds, as a host has them, and in the units of histograms, which hold whole numbers.

/// The longest duration of an exchange that is believed: more is a clock's mistake.
pub const LONGEST: u64 = 86_400_000_000_000;

/// In milliseconds, rounded to the nearest.
pub fn milliseconds(nanoseconds: u64) -> u64 {
    nanoseconds.saturating_add(500_000) / 1_000_000
}

/// In microseconds, rounded to the nearest.
pub fn microseconds(nanoseconds: u64) -> u64 {
    nanoseconds.saturating_add(500) / 1_000
}

/// A duration as a host told it: a negative one is 0. Also whether the clock was right.
pub fn checked(nanoseconds: i64) -> (u64, bool) {
    match u64::try_from(nanoseconds) {
        Ok(nanoseconds) => (nanoseconds, true),
        Err(_) => (0, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_rounded_to_the_nearest() {
        for (nanoseconds, ms, us) in [
            (0, 0, 0),
            (499, 0, 0),
            (500, 0, 1),
            (499_999, 0, 500),
            (500_000, 1, 500),
            (1_499_999, 1, 1_500),
            (LONGEST, 86_400_000, 86_400_000_000),
            (u64::MAX, u64::MAX / 1_000_000, u64::MAX / 1_000),
        ] {
            assert_eq!((milliseconds(nanoseconds), microseconds(nanoseconds)), (ms, us), "{nanoseconds}");
        }
    }

    #[test]
    fn a_negative_duration_is_none_and_a_clocks_mistake() {
        assert_eq!(checked(7), (7, true));
        assert_eq!(checked(-1), (0, false));
        assert_eq!(checked(i64::MIN), (0, false));
    }
}
