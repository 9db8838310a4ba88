//! Streams of Envoy and of the control plane, and what passes between them.
//!
//! ```text
//!                 requests ─▶ queue without limit ─▶
//!   Envoy ══ ADS ══ a stream's task, and its desk ══ ADS ══ control plane
//!                 ◀─ outbox of 256 KiB ◀─ responses
//! ```
//!
//! Each stream of Envoy has a task and a connection to the control plane of its own, as many at once as there are.
//! Messages pass as the bytes they are; only ECDS goes by way of the stream's [`Desk`](crate::ecds::Desk). What each end
//! of a stream means to the other is in `end`, what is held back and what never is in `queue`.

mod address;
mod answer;
mod attempts;
mod end;
mod health;
mod identity;
mod listener;
mod metadata;
mod options;
mod prober;
mod proxy;
mod queue;
mod raw;
mod service;
mod stream;
mod streams;
mod upstream;

pub use address::{Discovery, Listen, NoAddress};
pub use health::{Condition, Health};
pub use options::{AuthPolicy, CredentialFetcher, JwtPolicy, Options};
pub use prober::{NoProbe, Probe};
pub use proxy::{Conversion, Proxy, problems};
pub use streams::{StreamState, Streams};

/// The proxy cannot be started: all that is wrong with its options.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.join("; "))]
pub struct Refused(pub Vec<String>);
