//! What is known of a stream that is over.

use filter_kit::attribute;
use filter_kit::reads::{Map, Reads, first};
use filter_kit::when::is_grpc;

use crate::config::Timing;
use crate::duration::{LONGEST, checked};
use crate::flags::Flags;

/// A request and what became of it. Durations are nanoseconds; what nobody wants is not asked for, and is as if it were
/// not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exchange {
    /// Status code; 0 if there was no response.
    pub code: u64,
    /// From the first byte of the request to the last of the response.
    pub duration: Option<u64>,
    /// Whether the stream was meant to last.
    pub long_lived: bool,
    /// From the first byte of the request to the first of the response.
    pub ttfb: Option<u64>,
    /// From the first byte sent to the upstream to the last it answered.
    pub upstream: Option<u64>,
    /// Size of the request, headers included.
    pub request_bytes: Option<u64>,
    /// Size of the response, headers included.
    pub response_bytes: Option<u64>,
    /// Whether Envoy made the response itself.
    pub local: bool,
    /// What went wrong.
    pub flags: Flags,
    /// Status of gRPC, if the request was of gRPC.
    pub grpc: Option<i64>,
}

/// What was wrong with the host's answers, each to be counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Attributes that every stream has were missing.
    pub missing: bool,
    /// A clock went back, or a duration is beyond belief.
    pub clock: bool,
}

/// Where a response came from, by the attribute `response.code_details` (Envoy 1.36 to 1.40, `stream_info.h`,
/// `ResponseCodeDetails`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Upstream,
    Envoy,
    /// Nowhere: Envoy took it for an internal redirect, and went on with another stream in place of this one. A filter
    /// may do the same with a response of any code.
    FollowedUp,
    Unasked,
}

impl Origin {
    #[inline(never)]
    fn ask(reads: &impl Reads, code: u64) -> Self {
        let details = attribute::any(reads, &["response\0code_details"], |details| {
            Some(match details {
                b"via_upstream" => Self::Upstream,
                b"internal_redirect" => Self::FollowedUp,
                _ if is_about_the_end(details, code) => Self::Upstream,
                _ => Self::Envoy,
            })
        });
        details.unwrap_or(Self::Unasked)
    }
}

/// Whether these details are about a response that broke off: they take the place of those that said where it came from.
/// A timeout is one of an upstream's response if there is a response that Envoy does not make of a timeout.
fn is_about_the_end(details: &[u8], code: u64) -> bool {
    let broke_off = [&b"upstream_reset_after_response_started"[..], b"downstream_"];
    let ran_out = [&b"timeout"[..], b"duration_reached"];
    broke_off.iter().any(|start| details.starts_with(start))
        || code < 400 && ran_out.iter().any(|end| details.ends_with(end))
}

impl Exchange {
    /// The class of the status code, 1 to 5; `None` for what is none, such as the 0 of a stream that ended unanswered.
    pub fn class(&self) -> Option<usize> {
        match self.code {
            100..=599 => usize::try_from(self.code / 100).ok(),
            _ => None,
        }
    }

    /// Asks what `timing` wants to know of the stream that is over. `since_first_byte` is how long ago its response
    /// began, if that was noted. `None` if it went on as another: an internal redirect.
    pub fn read(
        reads: &impl Reads,
        timing: &Timing,
        since_first_byte: Option<u64>,
        faults: &mut Faults,
    ) -> Option<Self> {
        let extras = &timing.extras;
        let (exchange, origin) = Self::read_base(reads, timing, faults)?;
        let size = |wanted: bool, path| positive(wanted.then(|| integer(reads, path)).flatten());
        let is_grpc = extras.grpc && first(reads, Map::Request, "content-type", is_grpc).unwrap_or(false);
        Some(Self {
            ttfb: exchange.duration.zip(since_first_byte).map(|(all, since)| all.saturating_sub(since)),
            upstream: size(extras.upstream, BACKEND_LATENCY),
            request_bytes: size(extras.sizes, REQUEST_SIZE),
            response_bytes: size(extras.sizes, RESPONSE_SIZE),
            local: extras.local_replies && exchange.code > 0 && origin == Origin::Envoy,
            flags: if extras.resets { flags(reads) } else { Flags::default() },
            grpc: is_grpc.then(|| integer(reads, GRPC_STATUS)).flatten(),
            ..exchange
        })
    }

    /// Code, duration and whether it is long-lived: what is asked of every stream. It is the way of most, so all of it
    /// is inlined: an exchange of which the rest is not looked at is then never written down.
    #[inline(always)]
    pub(crate) fn read_base(
        reads: &impl Reads,
        timing: &Timing,
        faults: &mut Faults,
    ) -> Option<(Self, Origin)> {
        // The header, for a header costs a third of what the attribute `response.code` does.
        let mut code = 0;
        reads.header(Map::Response, ":status", &mut |value| {
            code = status(value);
            true
        });
        // A success has no follow-up, and nothing is asked of it.
        let origin = match code {
            200..=299 if !timing.extras.local_replies => Origin::Unasked,
            _ => Origin::ask(reads, code),
        };
        if origin == Origin::FollowedUp {
            return None;
        }
        let mut duration = duration(reads, faults);
        let long_lived = timing.long_lived.covers(reads, code, duration);
        if duration.is_some_and(|duration| duration > LONGEST) && !long_lived {
            duration = Some(LONGEST);
            faults.clock = true;
        }
        Some((Self { code, duration, long_lived, ..Self::default() }, origin))
    }

    /// Asks for what a log line has and no metric wanted.
    pub fn complete(&mut self, reads: &impl Reads, timing: &Timing) {
        let extras = &timing.extras;
        let size = |known: Option<u64>, asked: bool, path| match known {
            None if !asked => positive(integer(reads, path)),
            known => known,
        };
        self.upstream = size(self.upstream, extras.upstream, BACKEND_LATENCY);
        self.request_bytes = size(self.request_bytes, extras.sizes, REQUEST_SIZE);
        self.response_bytes = size(self.response_bytes, extras.sizes, RESPONSE_SIZE);
        if !extras.resets {
            self.flags = flags(reads);
        }
        if !extras.grpc && first(reads, Map::Request, "content-type", is_grpc).unwrap_or(false) {
            self.grpc = integer(reads, GRPC_STATUS);
        }
    }
}

const BACKEND_LATENCY: &str = "response\0backend_latency";
const REQUEST_SIZE: &str = "request\0total_size";
const RESPONSE_SIZE: &str = "response\0total_size";
const GRPC_STATUS: &str = "response\0grpc_status";

/// The status code in the value of `:status`; 0 if there is none.
pub fn status(value: &[u8]) -> u64 {
    match value {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
            [a, b, c].into_iter().fold(0, |code, digit| code * 10 + u64::from(digit - b'0'))
        }
        _ => 0,
    }
}

/// From the first byte of the request to the last of the response. Where a host does not say, by its wall clock.
#[inline(always)]
fn duration(reads: &impl Reads, faults: &mut Faults) -> Option<u64> {
    let told = match integer(reads, "request\0duration") {
        Some(told) => told,
        None => {
            faults.missing = true;
            since_request(reads)?
        }
    };
    let (duration, right) = checked(told);
    faults.clock |= !right;
    Some(duration)
}

#[cold]
fn since_request(reads: &impl Reads) -> Option<i64> {
    let began = integer(reads, "request\0time")?;
    let now = i64::try_from(reads.now_ms()).ok()?.checked_mul(1_000_000)?;
    Some(now.saturating_sub(began))
}

fn flags(reads: &impl Reads) -> Flags {
    Flags(positive(integer(reads, "response\0flags")).unwrap_or(0))
}

#[inline(always)]
pub(crate) fn integer(reads: &impl Reads, path: &str) -> Option<i64> {
    let mut answer = None;
    reads.attribute(path, &mut |value| answer = attribute::integer(value));
    answer
}

fn positive(value: Option<i64>) -> Option<u64> {
    value.and_then(|value| u64::try_from(value).ok())
}

#[cfg(test)]
mod tests;
