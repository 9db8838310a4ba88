//! A compiled module: what it exports, and the Wasm features it was compiled with.

mod export;
mod feature;

pub use export::{Mismatch, abi_versions, check, prune};
pub use feature::{Features, UnknownFeature};

/// The bytes are no Wasm module, or not a valid one.
#[derive(Debug, thiserror::Error)]
#[error("not a valid Wasm module: {0}")]
pub struct Malformed(#[from] wasmparser::BinaryReaderError);
