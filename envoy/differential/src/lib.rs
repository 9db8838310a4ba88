//! Scenarios for Proxy-Wasm hosts, and recordings of what real Envoys do in them.
//!
//! - [`scenario`]: what a file of `scenarios/` says, for any driver;
//! - [`observation`]: what was seen, as text;
//! - [`recording`]: the files, and which recording is for which Envoy;
//! - [`table`]: what was asked and answered, for the README;
//! - [`envoy`]: the driver that runs a scenario in a real Envoy;
//! - [`harness`]: the driver that runs a scenario in the harness, which is compared with the recordings.
#![warn(missing_docs)]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "for tests: what goes wrong here should stop the test that asked for it, saying where"
)]

pub mod envoy;
pub mod harness;
pub mod observation;
pub mod recording;
pub mod scenario;
pub mod table;

mod bootstrap;
mod client;
mod pace;
mod server;
