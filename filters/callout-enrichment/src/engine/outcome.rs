//! How a call went.

use crate::answer::Answer;
use crate::config::Enrichment;
use crate::mapping::{self, Enriched};
use crate::retry::On;
use crate::tally::{Count, Tally};

/// How a call went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// With these values.
    Enriched(Enriched),
    /// With an answer that has not what it must have.
    Invalid,
    /// With this status of 400 to 499.
    Refused(u16),
    /// With no answer in time.
    Timeout,
    /// With this status, or an answer that is too large; none is no answer at all.
    Failed(Option<u16>),
}

/// How the call went that `answer` ends, `took_ms` after it began.
pub(super) fn outcome(
    config: &Enrichment,
    answer: &Answer<'_>,
    took_ms: u64,
    timeout_ms: u64,
    tally: &mut Tally,
) -> Outcome {
    // When the time has passed, Envoy breaks off an answer that has begun, and answers 504 in place of one that has not
    // (Envoy 1.36 to 1.40, `router.cc`). Its timers count from when the event loop woke up, so on a busy machine a call
    // ends some time before its timeout by the clock.
    let is_late = took_ms + 1 + timeout_ms / 10 >= timeout_ms;
    let (count, outcome) = match answer.status() {
        None if is_late => (Count::CallTimeout, Outcome::Timeout),
        None => (Count::CallReset, Outcome::Failed(None)),
        Some(status) if config.is_ok(status) => {
            if answer.body_size > config.max_response_bytes {
                (Count::CallTooLarge, Outcome::Failed(Some(status)))
            } else {
                let enriched = mapping::enriched(&config.map, answer);
                (Count::CallOk, enriched.map_or(Outcome::Invalid, Outcome::Enriched))
            }
        }
        Some(504) if is_late || answer.body == LATE => (Count::CallTimeout, Outcome::Timeout),
        Some(status @ 400..=499) => (Count::Call4xx, Outcome::Refused(status)),
        Some(status @ 500..=599) => (Count::Call5xx, Outcome::Failed(Some(status))),
        Some(status) => (Count::CallOtherStatus, Outcome::Failed(Some(status))),
    };
    tally.count(count);
    outcome
}

/// The body of the 504 that Envoy answers in place of an answer that has not begun (Envoy 1.36 to 1.40, `router.cc`).
const LATE: &[u8] = b"upstream request timeout";

/// How Envoy begins the body of the 503 that stands for a connection that was not made (Envoy 1.36 to 1.40, `router.cc`,
/// `headers.h`).
const UNCONNECTED: [&[u8]; 2] = [b"upstream connect error", b"no healthy upstream"];

impl Outcome {
    /// Whether it speaks against the service, so that a breaker counts it.
    pub(super) fn is_failure(&self) -> bool {
        matches!(self, Self::Timeout | Self::Failed(None | Some(500..=599)))
    }

    pub(super) fn is_retried_by(&self, on: &[On], answer: &Answer<'_>) -> bool {
        let Self::Failed(status) = self else { return false };
        on.iter().any(|on| match on {
            On::Reset => status.is_none(),
            On::Status(other) => *status == Some(*other),
            On::Connect => {
                *status == Some(503) && UNCONNECTED.iter().any(|text| answer.body.starts_with(text))
            }
        })
    }
}
