//! `slo`: which streams a service level objective counts, and which of them are good.

use filter_kit::config::Node;
use filter_kit::metric;

use super::Status;
use crate::Exchange;

/// What is promised of a service. How much of it must be kept is for whoever asks the counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objective {
    /// Part of its metrics' names.
    pub name: String,
    /// Within how many nanoseconds a stream has to be over; `None` for however long.
    pub latency: Option<u64>,
    /// Outcomes that are bad however fast they came.
    pub bad_status: Vec<Status>,
}

impl Objective {
    /// Reads one objective.
    pub fn read(node: Node<'_>) -> Option<Self> {
        node.object(|fields| {
            let name = fields.required("name", "Part of the names of its counters", metric::word);
            let latency = fields.optional("latency", "Slower than this is bad", |node| {
                node.milliseconds(1..=86_400_000).map(|ms| ms.saturating_mul(1_000_000))
            });
            let bad_status = fields.optional(
                "bad_status",
                "Outcomes that are bad: `\"5xx\"`, `429`, `\"none\"`; `[\"5xx\"]` unless given",
                |node| node.up_to(64, Status::read),
            );
            let bad_status = bad_status?.unwrap_or_else(|| vec![Status::server_errors()]);
            Some(Self { name: name?, latency: latency?, bad_status })
        })
    }

    /// Whether a stream was good; `None` if it does not count. A stream without a response counts only where that is
    /// bad: the client left, and nobody knows what it would have got. How long a long-lived one lasted says nothing.
    pub fn judge(&self, exchange: &Exchange) -> Option<bool> {
        if self.bad_status.iter().any(|status| status.covers(exchange.code)) {
            return Some(false);
        }
        if exchange.code == 0 {
            return None;
        }
        let fast = |latency| exchange.duration.is_some_and(|duration| duration <= latency);
        Some(exchange.long_lived || self.latency.is_none_or(fast))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_is_what_is_fast_enough_and_not_bad() {
        let read = |json: &str| filter_kit::config::read(json.as_bytes(), Objective::read).unwrap();
        let of = |code, ms: u64| Exchange { code, duration: Some(ms * 1_000_000), ..Exchange::default() };
        let fast = read(r#"{"name": "fast", "latency": "300ms"}"#);
        for (code, ms, verdict) in [
            (200, 300, Some(true)),
            (200, 301, Some(false)),
            (404, 0, Some(true)),
            (503, 1, Some(false)),
            (0, 1, None),
        ] {
            assert_eq!(fast.judge(&of(code, ms)), verdict, "{code} {ms}");
        }
        assert_eq!(fast.judge(&Exchange { duration: None, ..of(200, 0) }), Some(false));
        assert_eq!(fast.judge(&Exchange { long_lived: true, ..of(200, 9000) }), Some(true));
        assert_eq!(fast.judge(&Exchange { long_lived: true, ..of(503, 9000) }), Some(false));

        let up = read(r#"{"name": "up", "bad_status": ["5xx", 429, "none"]}"#);
        for (code, verdict) in
            [(200, Some(true)), (429, Some(false)), (428, Some(true)), (0, Some(false)), (500, Some(false))]
        {
            assert_eq!(up.judge(&of(code, 99_999)), verdict, "{code}");
        }
    }
}
