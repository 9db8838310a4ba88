//! Things that work and should not be done.

use std::collections::BTreeSet;
use std::fmt;

/// Something that a module does and its author would want to know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Finding {
    /// A header map was used in a phase in which it is not there. SDKs that do not expect the answer panic.
    MapNotThere {
        /// The hostcall.
        hostcall: &'static str,
        /// Which map.
        map: String,
        /// The callback it was used in.
        callback: &'static str,
    },
    /// A body was changed and `content-length` kept: the message is broken for whoever reads it.
    ContentLengthKept {
        /// Whether it was the response's.
        response: bool,
    },
    /// A metric was defined while a stream was served: each time takes an id and the store's lock.
    MetricDefinedPerStream {
        /// Its name.
        name: String,
    },
    /// A stream was paused and never went on.
    NeverResumed {
        /// The callback that paused it.
        callback: &'static str,
    },
    /// The module exports `proxy_on_context_create` and not `proxy_on_delete`, or the other way round.
    UnbalancedContexts,
    /// A callout was answered after the stream that made it had ended.
    AnswerAfterStream {
        /// Of which cluster.
        cluster: String,
    },
    /// A guest logged more than is kept.
    LogLost {
        /// How many lines.
        lines: usize,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MapNotThere { hostcall, map, callback } => {
                write!(f, "{hostcall} of {map} in {callback}: it is not there in that phase")
            }
            Self::ContentLengthKept { response } => {
                let message = if *response { "response" } else { "request" };
                write!(f, "the {message}'s body was changed and its content-length kept: remove it in the headers")
            }
            Self::MetricDefinedPerStream { name } => {
                write!(f, "metric {name:?} is defined while streams are served: define it once, in on_configure")
            }
            Self::NeverResumed { callback } => {
                write!(f, "a stream was paused in {callback} and never resumed")
            }
            Self::UnbalancedContexts => f.write_str(
                "proxy_on_context_create and proxy_on_delete are not both exported: what one makes, the other frees",
            ),
            Self::AnswerAfterStream { cluster } => {
                write!(f, "a callout to {cluster} was answered after its stream had ended")
            }
            Self::LogLost { lines } => write!(f, "{lines} log lines were not kept, there were too many"),
        }
    }
}

/// Each finding once.
#[derive(Debug, Default)]
pub(crate) struct Findings(BTreeSet<Finding>);

impl Findings {
    pub(crate) fn add(&mut self, finding: Finding) {
        // A guest that makes up names must not fill the memory with findings about them.
        if self.0.len() < 1000 {
            self.0.insert(finding);
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter()
    }
}
