//! Durations as every option has them.

use std::time::Duration;

/// What is longer overflows the clocks of some systems.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

/// Reads a duration as Go writes it, which is how Istio's options are written: `1h30m`, `1.5s`, `100ms`, `0`. At most a
/// century.
///
/// # Errors
///
/// What was found, and what would be right.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let refused = || format!("{text:?} is no duration: expected such as 500ms, 10s, 1.5m or 1h30m");
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(refused());
    }
    let is_number = |letter: char| letter.is_ascii_digit() || letter == '.';
    let mut seconds = 0.0;
    while !rest.is_empty() && rest != "0" {
        let (number, after) = rest.split_at(rest.find(|letter| !is_number(letter)).ok_or_else(refused)?);
        let (unit, after) = after.split_at(after.find(is_number).unwrap_or(after.len()));
        let factor = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" => 1e-6,
            "ns" => 1e-9,
            _ => return Err(refused()),
        };
        seconds += number.parse::<f64>().map_err(|_| refused())? * factor;
        rest = after;
    }
    Duration::try_from_secs_f64(seconds).ok().filter(|found| *found <= LONGEST).ok_or_else(refused)
}

/// The same, and longer than nothing.
///
/// # Errors
///
/// As [`duration`]; and if it is nothing.
pub(crate) fn positive(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("must be longer than nothing".to_owned()),
        duration => Ok(duration),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_in_go() {
        for (text, nanoseconds) in [
            ("0", 0),
            ("0s", 0),
            ("7ns", 7),
            ("2us", 2_000),
            ("500ms", 500_000_000),
            ("1.5s", 1_500_000_000),
            ("15s", 15_000_000_000),
            ("1m30s", 90_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("24h", 86_400_000_000_000),
        ] {
            assert_eq!(duration(text).map(|found| found.as_nanos()), Ok(nanoseconds), "{text}");
        }
    }

    #[test]
    fn what_is_refused_is_named() {
        let nines = "99999999999999999999s";
        for text in ["", "7", "h", ".s", "-1s", "10 s", "1d", "1e999h", "1s x", "1..5s", "99999999h", nines] {
            assert!(duration(text).unwrap_err().contains(&format!("{text:?}")), "{text}");
        }
    }

    #[test]
    fn some_must_be_longer_than_nothing() {
        assert_eq!(positive("1ms"), Ok(Duration::from_millis(1)));
        assert!(positive("0s").is_err());
        assert!(positive("s").is_err());
    }
}
