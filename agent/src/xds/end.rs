//! How a stream ends: what is made of it in logs and metrics, and what the other side is told.
//!
//! | how one side ended its stream                              | log   | metric      | the other side's stream  |
//! |------------------------------------------------------------|-------|-------------|--------------------------|
//! | without error                                              | debug | `cancelled` | ends without error       |
//! | `CANCELLED`, `DEADLINE_EXCEEDED`, or a connection shut down | debug | `cancelled` | ends with the same error |
//! | otherwise                                                  | warn  | `error`     | ends with the same error |

use std::error::Error as _;
use std::io;

use tonic::{Code, Status};

use crate::status::End;

/// What is made of an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Without error.
    Graceful,
    /// With an error that means no harm.
    Expected,
    /// With an error that somebody should know of.
    Unexpected,
}

impl Kind {
    /// The kind of an end: with that status, or without error.
    pub(super) fn of(status: Option<&Status>) -> Self {
        let Some(status) = status else { return Self::Graceful };
        let says = |text: &str| status.message().contains(text);
        match status.code() {
            Code::Ok => Self::Graceful,
            Code::Cancelled | Code::DeadlineExceeded => Self::Expected,
            // What gRPC in Go says when the other side shuts its connection down. A control plane that is itself a
            // proxy passes such statuses on.
            Code::Unavailable
                if says("client disconnected")
                    || says("error reading from server: EOF")
                    || says("transport is closing") =>
            {
                Self::Expected
            }
            _ if says("stream terminated by RST_STREAM with error code: NO_ERROR")
                || says("received prior goaway: code: NO_ERROR") =>
            {
                Self::Expected
            }
            _ if shut_down(status) => Self::Expected,
            _ => Self::Unexpected,
        }
    }

    /// As it is counted.
    pub(super) fn counted(self) -> End {
        match self {
            Self::Graceful | Self::Expected => End::Cancelled,
            Self::Unexpected => End::Error,
        }
    }
}

/// The same in the words of this transport: the peer closed its connection, or the stream, without an error.
fn shut_down(status: &Status) -> bool {
    match Cause::of(status) {
        Some(Cause::Http2(Some(reason))) => reason == h2::Reason::NO_ERROR,
        Some(Cause::Lost(kind)) => matches!(kind, io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe),
        Some(Cause::Http2(None)) | None => false,
    }
}

/// What became of the connection, where that is why there is a status at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The peer reset the stream, or said that it goes away, for that reason. Nothing, for trouble of the protocol.
    Http2(Option<h2::Reason>),
    /// The connection is lost.
    Lost(io::ErrorKind),
}

impl Cause {
    fn of(status: &Status) -> Option<Self> {
        let mut cause = status.source();
        while let Some(found) = cause {
            if let Some(found) = found.downcast_ref::<h2::Error>() {
                return Some(match found.get_io() {
                    Some(lost) => Self::Lost(lost.kind()),
                    None if found.is_remote() => Self::Http2(found.reason()),
                    None => Self::Http2(None),
                });
            }
            if let Some(lost) = found.downcast_ref::<io::Error>() {
                return Some(Self::Lost(lost.kind()));
            }
            cause = found.source();
        }
        None
    }
}

/// The status as the other side is told it: code, message and details, without what belongs to one connection. A lost
/// connection is `UNAVAILABLE`, as in every other implementation of gRPC; here it comes as `UNKNOWN`.
pub(super) fn passed_on(status: &Status) -> Status {
    let code = match Cause::of(status) {
        Some(Cause::Lost(_) | Cause::Http2(Some(h2::Reason::NO_ERROR))) => Code::Unavailable,
        _ => status.code(),
    };
    Status::with_details(code, whole_message(status), bytes::Bytes::copy_from_slice(status.details()))
}

/// The message, with the causes that it does not name itself.
pub(super) fn whole_message(status: &Status) -> String {
    let mut message = status.message().to_owned();
    let mut cause = status.source();
    while let Some(found) = cause {
        let text = found.to_string();
        if !message.contains(&text) {
            message = if message.is_empty() { text } else { format!("{message}: {text}") };
        }
        cause = found.source();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_told_apart_by_their_status() {
        use Code::{Cancelled, DeadlineExceeded, Internal, InvalidArgument, Ok, Unavailable, Unknown};
        use Kind::{Expected, Graceful, Unexpected};
        let prior_goaway =
            "closing transport due to: connection error, received prior goaway: code: NO_ERROR";
        let reset = "stream terminated by RST_STREAM with error code: NO_ERROR";
        for (code, message, kind) in [
            (Ok, "", Graceful),
            (Cancelled, "context canceled", Expected),
            (DeadlineExceeded, "context deadline exceeded", Expected),
            (Unavailable, "client disconnected", Expected),
            (Unavailable, "error reading from server: EOF", Expected),
            (Unavailable, "transport is closing", Expected),
            (Unavailable, prior_goaway, Expected),
            (Internal, reset, Expected),
            (Unknown, reset, Expected),
            (Unavailable, "connection refused", Unexpected),
            (Unavailable, "", Unexpected),
            (Internal, "transport is closing", Unexpected),
            (Internal, "stream terminated by RST_STREAM with error code: INTERNAL_ERROR", Unexpected),
            (InvalidArgument, "missing node information", Unexpected),
        ] {
            assert_eq!(Kind::of(Some(&Status::new(code, message))), kind, "{code:?} {message}");
        }
        assert_eq!(Kind::of(None), Graceful);
    }

    #[test]
    fn what_the_transport_itself_reports_is_told_apart_by_its_cause() {
        let of = |cause: h2::Error| Kind::of(Some(&Status::from_error(Box::new(cause))));
        assert_eq!(of(h2::Reason::NO_ERROR.into()), Kind::Unexpected, "neither reset nor closed by the peer");
        assert_eq!(of(h2::Reason::INTERNAL_ERROR.into()), Kind::Unexpected);
        assert_eq!(of(h2::Reason::CANCEL.into()), Kind::Expected);
        let lost = |kind| Status::from_error(Box::new(io::Error::from(kind)));
        for (kind, expected) in [
            (io::ErrorKind::UnexpectedEof, Kind::Expected),
            (io::ErrorKind::BrokenPipe, Kind::Expected),
            (io::ErrorKind::ConnectionReset, Kind::Unexpected),
        ] {
            assert_eq!(Kind::of(Some(&lost(kind))), expected, "{kind}");
            assert_eq!(passed_on(&lost(kind)).code(), Code::Unavailable);
        }
    }

    #[test]
    fn only_an_error_that_somebody_should_know_of_is_counted_as_error() {
        assert_eq!(Kind::Graceful.counted(), End::Cancelled);
        assert_eq!(Kind::Expected.counted(), End::Cancelled);
        assert_eq!(Kind::Unexpected.counted(), End::Error);
    }

    #[test]
    fn code_message_and_details_are_passed_on_and_metadata_is_not() {
        let mut status = Status::with_details(Code::Internal, "why", "details".into());
        status.metadata_mut().insert("x-hop", "1".parse().unwrap());
        let passed = passed_on(&status);
        assert_eq!(
            (passed.code(), passed.message(), passed.details()),
            (Code::Internal, "why", &b"details"[..])
        );
        assert!(passed.metadata().is_empty());
    }
}
