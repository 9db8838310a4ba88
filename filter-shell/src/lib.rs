//! What a running filter needs of its host: one root context, metrics, and what conditions, templates and filters ask
//! of it. Compiled for wasm only.
//!
//! A crate of its own, for the SDK exports its callbacks and its allocator from every module that it is linked
//! into: http-timing, which speaks the ABI itself, has only filter-kit.
#![cfg(target_family = "wasm")]
#![warn(missing_docs)]

mod abi;
mod asked;
pub mod attribute;
pub mod headers;
pub mod metric;
mod root;

pub use asked::Asked;
pub use root::{counted_root, root};
