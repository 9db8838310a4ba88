//! Answers requests for hosts on a list, so that they never reach the upstream.
//!
//! | request's host                  | outcome                           |
//! |---------------------------------|-----------------------------------|
//! | on a list that denies           | 451 and the configured body       |
//! | on one that allows, more narrowly | forwarded untouched             |
//! | not a host at all, or none      | 400: what cannot be judged is not let through |
//! | any other                       | as `default` says: forwarded untouched |
//!
//! The host is compared without case and trailing dot. See [`filter_kit::host::Entry`] for what an entry covers.

mod body;
mod config;
mod decision;
mod feed;
mod preset;
mod store;
mod text;

#[cfg(target_family = "wasm")]
mod shell;

pub use body::{Body, Parts};
pub use config::{Action, Blocklist, Checksum, List, Remote, Reply, Source};
pub use decision::{Denial, Verdict};
pub use feed::{Answer, Feed, Head};
pub use preset::Preset;
pub use store::{Builder, Entries, Key, Precision, Strength, Suffix, suffixes};
pub use text::{Loaded, Refused, read as read_text};
