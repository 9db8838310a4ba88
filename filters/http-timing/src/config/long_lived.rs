//! Streams that are meant to last: how long they did says nothing of how fast the service is.

use filter_kit::config::Fields;
use filter_kit::reads::{Map, Reads, first};
use filter_kit::when::When;

/// What becomes of the durations of long-lived streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treat {
    /// They are in a histogram of their own.
    Separate,
    /// They are among the others.
    Include,
    /// They are in none.
    Exclude,
}

/// Which streams are long-lived, and what becomes of their durations.
#[derive(Clone, Debug)]
pub struct LongLived {
    /// What becomes of their durations.
    pub treat: Treat,
    /// How many nanoseconds a stream has lasted at least. It is what keeps the question cheap: of a shorter one nothing
    /// is asked.
    pub after: u64,
    /// Which streams are, beside those that show it.
    pub when: Option<When>,
}

impl Default for LongLived {
    fn default() -> Self {
        Self { treat: Treat::Separate, after: 1_000_000_000, when: None }
    }
}

impl LongLived {
    /// Reads the fields `long_lived`, `long_lived_after` and `long_lived_when`.
    pub fn fields(fields: &mut Fields<'_>) -> Option<Self> {
        let treat = fields.or(
            "long_lived",
            "Durations of WebSockets, tunnels and event streams: `separate`, in a histogram of their own; `include`, \
             among the others; `exclude`, in none",
            "separate",
            |node| {
                node.one_of(&[
                    ("separate", Treat::Separate),
                    ("include", Treat::Include),
                    ("exclude", Treat::Exclude),
                ])
            },
        );
        let after =
            fields.or("long_lived_after", "A stream that was over sooner is none of them", "1s", |node| {
                node.milliseconds(0..=3_600_000).map(|ms| ms.saturating_mul(1_000_000))
            });
        let when = fields.optional(
            "long_lived_when",
            "Which streams are also long-lived, such as the paths of gRPC methods that stream",
            When::read,
        );
        Some(Self { treat: treat?, after: after?, when: when? })
    }

    /// Whether a stream is long-lived that had this code and duration.
    #[inline(always)]
    pub fn covers(&self, reads: &impl Reads, code: u64, duration: Option<u64>) -> bool {
        let was_short = duration.is_some_and(|duration| duration < self.after);
        !was_short && self.treat != Treat::Include && self.looks_so(reads, code)
    }

    #[inline(never)]
    fn looks_so(&self, reads: &impl Reads, code: u64) -> bool {
        code == 101
            || (200..=299).contains(&code) && (is_tunnel(reads) || is_event_stream(reads))
            || self.when.as_ref().is_some_and(|when| when.holds(reads))
    }
}

fn is_tunnel(reads: &impl Reads) -> bool {
    first(reads, Map::Request, ":method", |method| method == b"CONNECT").unwrap_or(false)
}

/// Server-sent events (HTML, section 9.2).
fn is_event_stream(reads: &impl Reads) -> bool {
    const TYPE: &[u8] = b"text/event-stream";
    first(reads, Map::Response, "content-type", |value| {
        let media = value.split(|byte| *byte == b';').next().unwrap_or_default();
        media.trim_ascii().eq_ignore_ascii_case(TYPE)
    })
    .unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use filter_kit::testing::Given;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn read(json: &str) -> LongLived {
        filter_kit::config::read(json.as_bytes(), |node| node.object(LongLived::fields)).unwrap()
    }

    #[test]
    fn a_stream_that_lasted_and_shows_it_is_long_lived() {
        let plain = Given::request("GET", "/");
        let connect = Given::request("CONNECT", "/");
        let events =
            Given::request("GET", "/").response_header("content-type", b"Text/Event-Stream; charset=utf-8");
        let all = read("{}");
        for (given, code, covered) in [
            (&plain, 200, false),
            (&plain, 101, true),
            (&connect, 200, true),
            (&connect, 503, false),
            (&events, 200, true),
            (&plain, 0, false),
        ] {
            assert_eq!(all.covers(given, code, Some(SECOND)), covered, "{given:?} {code}");
            assert!(!all.covers(given, code, Some(SECOND - 1)), "{given:?} {code}");
        }
        assert!(all.covers(&events, 200, None));
    }

    #[test]
    fn a_condition_names_others_and_include_asks_for_none() {
        let watch = Given::request("POST", "/grpc.health.v1.Health/Watch");
        let named = read(r#"{"long_lived_when": {"paths": [{"suffix": "/Watch"}]}, "long_lived_after": 0}"#);
        assert!(named.covers(&watch, 200, Some(0)));
        assert!(!named.covers(&Given::request("POST", "/x"), 200, Some(0)));
        assert!(!read(r#"{"long_lived": "include"}"#).covers(&watch, 101, Some(SECOND)));
        assert!(read(r#"{"long_lived": "exclude"}"#).covers(&watch, 101, Some(SECOND)));
    }

    #[test]
    fn nothing_is_asked_of_a_stream_that_was_soon_over() {
        let given = Given::request("GET", "/");
        assert!(!read("{}").covers(&given, 200, Some(SECOND - 1)));
        assert_eq!(given.asked(), [] as [String; 0]);
    }
}
