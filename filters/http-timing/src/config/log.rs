//! `log`: which streams are a line of JSON, and what is in it.

use filter_kit::config::Node;
use filter_kit::header;

use super::Status;
use crate::Exchange;

/// Lines of JSON in Envoy's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// How many of ten thousand streams that may be logged are.
    pub sample_per_10k: u32,
    /// Only streams that lasted so many nanoseconds.
    pub min_duration: u64,
    /// Only these outcomes; none for all.
    pub only_status: Vec<Status>,
    /// How much of a path is logged, in bytes.
    pub max_path: usize,
    /// Whether the query is logged as part of the path.
    pub query: bool,
    /// Request headers that are logged, in lower case.
    pub headers: Vec<String>,
    /// How many lines a VM writes in a second.
    pub max_per_second: u32,
}

/// Headers whose values are secrets.
const SECRET: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "set-cookie"];

impl Log {
    /// Reads the object `log`; `Some(None)` if it is not enabled.
    pub fn read(node: Node<'_>) -> Option<Option<Self>> {
        node.object(|fields| {
            let enabled = fields.required("enabled", "Whether there are lines", |node| node.boolean());
            let sample = fields.or(
                "sample_per_10k",
                "How many of 10,000 streams are logged, by chance",
                10_000,
                |node| u32::try_from(node.integer(1..=10_000)?).ok(),
            );
            let min_duration = fields.or("min_duration", "Only streams that lasted so long", 0, |node| {
                node.milliseconds(0..=86_400_000).map(|ms| ms.saturating_mul(1_000_000))
            });
            let only_status =
                fields.optional("only_status", "Only these outcomes: `\"5xx\"`, `404`, `\"none\"`", |node| {
                    node.up_to(64, Status::read)
                });
            let max_path = fields.or("max_path", "How much of a path is logged, in bytes", 128, |node| {
                usize::try_from(node.integer(1..=4096)?).ok()
            });
            let query =
                fields.or("query", "Whether the query is logged, as part of the path", false, |node| {
                    node.boolean()
                });
            let headers = fields.optional(
                "headers",
                "Request headers that are logged, up to 256 bytes of each",
                |node| node.up_to(16, header),
            );
            let max_per_second =
                fields.or("max_per_second", "How many lines each VM writes in a second", 100, |node| {
                    u32::try_from(node.integer(1..=100_000)?).ok()
                });
            let log = Self {
                sample_per_10k: sample?,
                min_duration: min_duration?,
                only_status: only_status?.unwrap_or_default(),
                max_path: max_path?,
                query: query?,
                headers: headers?.unwrap_or_default(),
                max_per_second: max_per_second?,
            };
            Some(enabled?.then_some(log))
        })
    }

    /// Whether a stream may be logged at all.
    pub fn wants(&self, exchange: &Exchange) -> bool {
        exchange.duration.unwrap_or(0) >= self.min_duration
            && (self.only_status.is_empty()
                || self.only_status.iter().any(|status| status.covers(exchange.code)))
    }
}

fn header(node: Node<'_>) -> Option<String> {
    node.parsed(header::NAME.but_not(&SECRET), |typed| {
        let name = typed.to_ascii_lowercase();
        if !header::is_name(name.as_bytes()) {
            Err("a header name: letters, digits and hyphens, up to 256 of them")
        } else if SECRET.contains(&name.as_str()) {
            Err("a header whose value is no secret")
        } else {
            Ok(name)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Log {
        filter_kit::config::read(json.as_bytes(), Log::read).unwrap().unwrap()
    }

    #[test]
    fn only_what_is_slow_enough_and_has_one_of_the_outcomes_is_wanted() {
        let log = read(r#"{"enabled": true, "min_duration": "1s", "only_status": ["5xx", 404, "none"]}"#);
        let of = |code, ms: u64| Exchange { code, duration: Some(ms * 1_000_000), ..Exchange::default() };
        for (code, ms, wanted) in
            [(500, 1000, true), (500, 999, false), (404, 2000, true), (200, 2000, false), (0, 1000, true)]
        {
            assert_eq!(log.wants(&of(code, ms)), wanted, "{code} {ms}");
        }
        let unknown = Exchange { code: 500, ..Exchange::default() };
        assert!(!log.wants(&unknown) && read(r#"{"enabled": true}"#).wants(&unknown));
    }

    #[test]
    fn a_header_whose_value_is_a_secret_is_refused() {
        assert_eq!(read(r#"{"enabled": true, "headers": ["X-Tenant"]}"#).headers, ["x-tenant"]);
        for wrong in ["Cookie", "AUTHORIZATION", ":path", "x y", ""] {
            let json = format!(r#"{{"enabled": true, "headers": ["{wrong}"]}}"#);
            assert!(filter_kit::config::read(json.as_bytes(), Log::read).is_err(), "{wrong}");
        }
    }
}
