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
    /// Without an answer of use; with a status, be it Envoy's own.
    Failed(Failure, Option<u16>),
}

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// No connection could be made.
    Connect,
    /// It broke, before the answer or within.
    Reset,
    /// The service says that it failed.
    Service,
    /// It answered, and of no use: another status, or too much.
    Unusable,
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
    let failed = |failure, status| Outcome::Failed(failure, status);
    let (count, outcome) = match answer.status() {
        None if is_late => (Count::CallTimeout, Outcome::Timeout),
        None => (Count::CallReset, failed(Failure::Reset, None)),
        Some(status) if config.is_ok(status) => {
            if answer.body_size > config.max_response_bytes {
                (Count::CallTooLarge, failed(Failure::Unusable, Some(status)))
            } else {
                let enriched = mapping::enriched(&config.map, answer);
                (Count::CallOk, enriched.map_or(Outcome::Invalid, Outcome::Enriched))
            }
        }
        Some(504) if is_late || answer.body == LATE => (Count::CallTimeout, Outcome::Timeout),
        Some(status @ 400..=499) => (Count::Call4xx, Outcome::Refused(status)),
        Some(503) => match local_failure(answer.body) {
            Some(Failure::Connect) => (Count::CallConnectError, failed(Failure::Connect, Some(503))),
            Some(failure) => (Count::CallReset, failed(failure, Some(503))),
            None => (Count::Call5xx, failed(Failure::Service, Some(503))),
        },
        Some(status @ 500..=599) => (Count::Call5xx, failed(Failure::Service, Some(status))),
        Some(status) => (Count::CallOtherStatus, failed(Failure::Unusable, Some(status))),
    };
    tally.count(count);
    outcome
}

/// The longest beginning of a body that tells whether Envoy wrote it, in bytes.
pub const TELLING: usize = 256;

/// The body of the 504 that Envoy answers in place of an answer that has not begun (Envoy 1.36 to 1.40, `router.cc`).
const LATE: &[u8] = b"upstream request timeout";

/// What the 503 stands for that Envoy answers in place of an answer that has not begun. It names the reason in its body
/// (Envoy 1.36 to 1.40, `router.cc` and `http/utility.cc`): where nobody was reached there was no connection, and
/// anything else broke one. That its own circuit breaker let no call through is neither, and not to be tried again.
fn local_failure(body: &[u8]) -> Option<Failure> {
    const UNHEALTHY: &[u8] = b"no healthy upstream";
    const BEGINS: &[u8] = b"upstream connect error or disconnect/reset before headers. ";
    const REASON: &[u8] = b"reset reason: ";
    const UNREACHED: [&[u8]; 3] =
        [b"remote connection failure", b"local connection failure", b"connection timeout"];
    if body == UNHEALTHY {
        return Some(Failure::Connect);
    }
    let rest = body.strip_prefix(BEGINS)?;
    // "retried and the latest" may stand before it.
    let at = rest.windows(REASON.len()).position(|part| part == REASON)?;
    let reason = rest.get(at + REASON.len()..)?;
    if UNREACHED.iter().any(|unreached| reason.starts_with(unreached)) {
        Some(Failure::Connect)
    } else if reason.starts_with(b"overflow") {
        None
    } else {
        Some(Failure::Reset)
    }
}

impl Outcome {
    /// Whether it speaks against the service, so that a breaker counts it.
    pub(super) fn is_failure(&self) -> bool {
        match self {
            Self::Timeout => true,
            Self::Failed(failure, _) => *failure != Failure::Unusable,
            Self::Enriched(_) | Self::Invalid | Self::Refused(_) => false,
        }
    }

    /// Whether it takes back what was known: the service no longer says so. It may say of a 4xx that it is of the moment.
    pub(super) fn takes_back(&self) -> bool {
        matches!(self, Self::Refused(status) if !matches!(status, 408 | 425 | 429))
    }

    pub(super) fn is_retried_by(&self, on: &[On]) -> bool {
        let Self::Failed(failure, status) = self else { return false };
        on.iter().any(|on| match on {
            On::Connect => *failure == Failure::Connect,
            On::Reset => *failure == Failure::Reset,
            On::Status(other) => *status == Some(*other),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envoys_own_503_says_what_it_stands_for() {
        let before_headers =
            |reason: &str| format!("upstream connect error or disconnect/reset before headers. {reason}");
        for (body, failure) in [
            (before_headers("reset reason: remote connection failure"), Some(Failure::Connect)),
            (
                before_headers("reset reason: remote connection failure, transport failure reason: reset"),
                Some(Failure::Connect),
            ),
            (before_headers("reset reason: local connection failure"), Some(Failure::Connect)),
            (before_headers("reset reason: connection timeout"), Some(Failure::Connect)),
            (
                before_headers("retried and the latest reset reason: connection timeout"),
                Some(Failure::Connect),
            ),
            ("no healthy upstream".to_owned(), Some(Failure::Connect)),
            (before_headers("reset reason: remote reset"), Some(Failure::Reset)),
            (before_headers("reset reason: connection termination"), Some(Failure::Reset)),
            (before_headers("reset reason: remote refused stream reset"), Some(Failure::Reset)),
            (before_headers("reset reason: protocol error"), Some(Failure::Reset)),
            (before_headers("reset reason: overflow"), None),
            ("upstream is busy".to_owned(), None),
            ("reset reason: remote reset".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(local_failure(body.as_bytes()), failure, "{body}");
            assert!(body.len() <= TELLING);
        }
    }

    #[test]
    fn a_refusal_for_the_moment_takes_nothing_back() {
        for (status, takes_back) in [
            (400, true),
            (401, true),
            (403, true),
            (404, true),
            (408, false),
            (410, true),
            (425, false),
            (429, false),
        ] {
            assert_eq!(Outcome::Refused(status).takes_back(), takes_back, "{status}");
        }
        for other in [Outcome::Timeout, Outcome::Invalid, Outcome::Failed(Failure::Service, Some(500))] {
            assert!(!other.takes_back());
        }
    }
}
