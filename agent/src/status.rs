//! What is counted, and the state of each resource.

mod board;
mod metrics;

pub use board::{Board, ResourceState, Serving, Standing};
pub use metrics::{Conversion, End, FetchResult, Metrics};
