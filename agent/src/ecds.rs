//! Which resources of ECDS are changed, and how; in which order they are sent, and what is sent meanwhile.
//!
//! [`convert`] decides about one resource and does nothing else; [`Desk`] decides for a stream. Neither does I/O.
//!
//! | a resource with | becomes |
//! |---|---|
//! | a Wasm filter whose code is remote | the same filter with the module's path, or what stands in for it |
//! | a Wasm filter whose code is local | itself, without what only the agent is told |
//! | anything else | itself |
//! | nothing that can be read | a refusal, which the control plane is told |

mod convert;
mod desk;
mod envelope;
mod environment;
mod filter;
mod last_good;
mod offline;
mod options;
mod remote;
mod schedule;
mod typed_struct;

pub use convert::{Converted, Outcome, convert, strip};
pub use desk::{Desk, Effect, Protocol, Ticket};
pub use filter::{Filter, Kind};
pub use last_good::{Folder, LastGood, Memory, Record};
pub use offline::{Finished, finish};
pub use options::{OnFetchFailure, Options};
pub use remote::{Remote, Unfetchable};
pub use schedule::Schedule;

/// The type of the resources that may hold a Wasm filter.
pub const TYPE_URL: &str = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";
