//! What becomes of a request, in words.

use std::rc::Rc;

use crate::mapping::Enriched;
use crate::tally::{Count, Tally};

/// Why there is no new answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// None came in time.
    Timeout,
    /// None came, or one that says that the service failed, or nothing could be asked.
    Error,
    /// There was one that cannot be used, or nothing to ask about.
    Invalid,
    /// The service answered 4xx.
    Refused,
}

/// What becomes of a request for a cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether an answer may be used that is no longer fresh.
    pub stale: bool,
    /// What the client is answered otherwise; none lets the request go on without.
    pub deny: Option<Deny>,
}

/// What a client is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deny {
    /// This status.
    With(u16),
    /// The status and the body that the service answered, and its headers of these names.
    AsAnswered(Vec<Box<str>>),
}

/// A 4xx of the service that is passed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// Its status.
    pub status: u16,
    /// The header lines that are passed on, as the ABI writes a map down.
    pub headers: Vec<u8>,
    /// Its body.
    pub body: Vec<u8>,
}

/// What the upstream is told about how a request was enriched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Word {
    Ok,
    Cache,
    Stale,
    Timeout,
    Error,
    Invalid,
    Refused,
    Skipped,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on with these values.
    With(Rc<Enriched>, Word),
    /// It goes on without any.
    Without(Word),
    /// The client is answered so.
    Deny(u16, Word),
    /// The client is answered what the service answered.
    DenyAsAnswered(Rc<Denial>),
}

impl Verdict {
    /// Counts `many` requests of which this would have become if anything had consequences.
    pub fn count_shadows(&self, many: u64, tally: &mut Tally) {
        match self {
            Self::With(..) => tally.add(Count::WouldEnrich, many),
            Self::Without(Word::Skipped) => {}
            Self::Without(_) => tally.add(Count::WouldErr, many),
            Self::Deny(..) | Self::DenyAsAnswered(_) => {
                tally.add(Count::WouldErr, many);
                tally.add(Count::WouldDeny, many);
            }
        }
    }
}

impl Word {
    /// The word for a request that is not enriched for that cause.
    pub fn of(cause: Cause) -> Self {
        match cause {
            Cause::Timeout => Self::Timeout,
            Cause::Error => Self::Error,
            Cause::Invalid => Self::Invalid,
            Cause::Refused => Self::Refused,
        }
    }

    /// As it stands in the header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Cache => "cache",
            Self::Stale => "stale",
            Self::Timeout => "timeout",
            Self::Error => "error",
            Self::Invalid => "invalid",
            Self::Refused => "4xx",
            Self::Skipped => "skipped",
        }
    }
}
