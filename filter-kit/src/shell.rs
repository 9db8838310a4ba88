//! What a running filter needs of its host: one root context, attributes and metrics. Compiled for wasm only.

pub mod attribute;
pub mod metric;
mod root;

pub use root::root;
