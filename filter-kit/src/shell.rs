//! What a running filter needs of its host: one root context and metrics. Compiled for wasm only.

pub mod metric;
mod root;

pub use root::root;
