//! What only a real Envoy can show of the agent.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a helper of a test may fail as fast as a test"
)]

#[path = "envoy/agent.rs"]
mod agent;
#[path = "envoy/control_plane.rs"]
mod control_plane;
#[path = "envoy/conversion.rs"]
mod conversion;
#[path = "envoy/discovered.rs"]
mod discovered;
#[path = "registry/distribution.rs"]
mod distribution;
#[path = "envoy/endurance.rs"]
mod endurance;
#[path = "envoy/failure.rs"]
mod failure;
#[path = "envoy/killed.rs"]
mod killed;
#[path = "envoy/mesh.rs"]
mod mesh;
#[path = "envoy/modules.rs"]
mod modules;
#[path = "envoy/registry.rs"]
mod registry;
#[path = "support/server.rs"]
mod server;
#[path = "registry/tokens.rs"]
mod tokens;
