//! Which resources of ECDS are changed, and how.

mod desk;

pub use desk::{Desk, Effect, Protocol, Ticket};

/// The type of the resources that may hold a Wasm filter.
pub const TYPE_URL: &str = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";
