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
#[path = "envoy/every_module.rs"]
mod every_module;
#[path = "envoy/failure.rs"]
mod failure;
#[path = "envoy/front.rs"]
mod front;
#[path = "envoy/killed.rs"]
mod killed;
#[path = "envoy/killed_midway.rs"]
mod killed_midway;
#[path = "envoy/mesh.rs"]
mod mesh;
#[path = "envoy/modules.rs"]
mod modules;
#[path = "envoy/process.rs"]
mod process;
#[path = "support/pulling.rs"]
mod pulling;
#[path = "envoy/registry.rs"]
mod registry;
#[path = "support/server.rs"]
mod server;
#[path = "support/signer.rs"]
mod signer;
#[path = "support/typed_struct.rs"]
mod structs;
#[path = "registry/tokens.rs"]
mod tokens;
