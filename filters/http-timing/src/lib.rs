//! Records duration and response class of each request as metrics, inbound and outbound.
//!
//! | metric                                        | kind      | counts                                     |
//! |-----------------------------------------------|-----------|--------------------------------------------|
//! | `wasm_http_inbound_duration_ms`, `..outbound..` | histogram | from the first byte of the request to the last of the response |
//! | `wasm_http_inbound_responses_total_2xx` to `_5xx`, `..outbound..` | counter | responses of that class |
//!
//! Each stream is recorded once, when it is over, whoever answered it. No part of a request is ever part of a
//! metric's name. Nothing here can fail a request: there is no decision on one.

mod config;
mod line;

#[cfg(target_family = "wasm")]
mod shell;

pub use config::{Configurations, LogLine, Timing};
pub use filter_kit::attribute::Direction;
pub use line::Line;

/// The class of a status code, 1 to 5; `None` for what is none, such as the 0 of a stream that ended unanswered.
pub fn class(code: u64) -> Option<usize> {
    match code {
        100..=599 => usize::try_from(code / 100).ok(),
        _ => None,
    }
}

/// The status code in the value of `:status`; 0 if there is none.
pub fn status(value: &[u8]) -> u64 {
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Reads the attribute `request.duration`, in nanoseconds, in milliseconds, rounded to the nearest.
pub fn milliseconds(nanoseconds: i64) -> Option<u64> {
    // A negative duration would be a clock's mistake, not a request's.
    let nanoseconds = u64::try_from(nanoseconds).ok()?;
    Some(nanoseconds.saturating_add(500_000) / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_rounded_to_the_nearest_millisecond() {
        for (nanoseconds, expected) in [
            (0, Some(0)),
            (499_999, Some(0)),
            (500_000, Some(1)),
            (1_499_999, Some(1)),
            (i64::MAX, Some(9_223_372_036_855)),
            (-1, None),
        ] {
            assert_eq!(milliseconds(nanoseconds), expected, "{nanoseconds}");
        }
    }

    #[test]
    fn what_is_no_status_is_none() {
        for (value, expected) in [("200", 200), ("", 0), ("abc", 0), ("-1", 0), ("\u{e9}", 0)] {
            assert_eq!(status(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn a_stream_without_a_response_has_no_class() {
        for (code, expected) in
            [(0, None), (99, None), (101, Some(1)), (200, Some(2)), (599, Some(5)), (600, None)]
        {
            assert_eq!(class(code), expected, "{code}");
        }
    }
}
