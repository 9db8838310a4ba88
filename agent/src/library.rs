//! Where wanted modules are obtained.

mod address;
mod fetching;
mod flights;
mod obtaining;
mod options;
mod patience;
mod refused;
mod shelf;

pub use options::LibraryOptions;
pub use shelf::{Parts, Shelf};

use std::any::Any;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::{Sha256, Wanted};

/// Whatever has modules: the store with its fetchers, or a fake in a test.
pub trait Library: Send + Sync + 'static {
    /// The module if it is at hand: no network, and no more of the disk than to see that the file is there.
    fn at_hand(&self, wanted: &Wanted) -> Option<Held>;

    /// The module, fetched and checked if it must be. Dropping the future gives the attempt up, unless others wait for
    /// the same module.
    fn obtain(&self, wanted: Wanted) -> BoxFuture<'static, Result<Held, Unavailable>>;
}

/// A module on disk, which stays there as long as this (or a clone of it) lives.
#[derive(Clone, Debug)]
pub struct Held {
    /// The file that Envoy is told of.
    pub path: PathBuf,
    /// The SHA-256 of the module itself.
    pub sha256: Sha256,
    /// What its source is pinned by: the manifest's digest for OCI, the module's for HTTP.
    pub checksum: Sha256,
    /// Bytes of the module.
    pub size: u64,
    /// Keeps the file from being evicted.
    pub pin: Pin,
}

/// Whatever has to live for a file to stay.
#[derive(Clone, Default)]
pub struct Pin(Option<Arc<dyn Any + Send + Sync>>);

impl Pin {
    /// Holds `kept` until the last clone is dropped.
    pub fn new(kept: impl Any + Send + Sync) -> Self {
        Self(Some(Arc::new(kept)))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Pin" } else { "Pin(nothing)" })
    }
}

impl Held {
    /// Whether both are the same file.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

/// Why a module is not there: the cause for people, the kind for metrics, and whether it is worth another attempt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unavailable {
    /// The kind of failure.
    pub reason: Reason,
    /// What happened, for whoever has to put it right. Never holds a secret.
    pub message: String,
    /// The source asked not to be called sooner (`Retry-After`).
    pub retry_after: Option<Duration>,
}

impl Unavailable {
    /// A failure of that kind.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), retry_after: None }
    }
}

/// Kinds of failure, by what has to be done about them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The source could not be reached, ended the answer early, or answered with a status of its own trouble.
    Unreachable,
    /// It took longer than it may.
    TimedOut,
    /// There is nothing under that URL.
    NotFound,
    /// The source wants other credentials.
    Denied,
    /// The source asks for patience (429).
    Throttled,
    /// The manifest could not be had, or is none.
    Manifest,
    /// What came is not what the resource's checksum says.
    ChecksumMismatch,
    /// More than the limits allow: bytes, unpacked bytes, ratio, entries.
    TooLarge,
    /// What came holds no module, or it is not one that Envoy could run.
    NotAModule,
    /// Its signature is missing or wrong, and the policy enforces it.
    Unsigned,
    /// The address is one that the agent may not call.
    Blocked,
    /// The URL, or something else of the request, cannot be used: no attempt will ever succeed.
    Unusable,
    /// The disk refused.
    Disk,
    /// The agent works without network, and does not have it.
    Offline,
}

impl Reason {
    /// As a label of a metric, and in JSON.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::NotFound => "not_found",
            Self::Denied => "denied",
            Self::Throttled => "throttled",
            Self::Manifest => "manifest",
            Self::ChecksumMismatch => "checksum_mismatch",
            Self::TooLarge => "too_large",
            Self::NotAModule => "not_a_module",
            Self::Unsigned => "unsigned",
            Self::Blocked => "blocked",
            Self::Unusable => "unusable",
            Self::Disk => "disk",
            Self::Offline => "offline",
        }
    }

    /// Whether it stays so until somebody puts it right: then there is no hurry to look again.
    #[must_use]
    pub fn lasts(self) -> bool {
        match self {
            Self::ChecksumMismatch
            | Self::TooLarge
            | Self::NotAModule
            | Self::Unsigned
            | Self::Denied
            | Self::Manifest
            | Self::Blocked
            | Self::Unusable => true,
            // What is not there may be about to be pushed.
            Self::Unreachable
            | Self::TimedOut
            | Self::NotFound
            | Self::Throttled
            | Self::Disk
            | Self::Offline => false,
        }
    }

    /// Whether the same request may succeed later. Nearly all may: a tag moves, a secret is renewed.
    #[must_use]
    pub fn may_pass(self) -> bool {
        self != Self::Unusable
    }
}
