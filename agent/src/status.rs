//! What is counted, and the state of each resource.

mod board;
mod history;
mod metrics;

pub use board::{Board, Readiness, ResourceState, Serving, Standing};
pub use history::{Code, Event, Resource, Way};
pub use metrics::{Conversion, Dropped, End, FetchResult, Metrics, Phase};
