//! What the agent does with ECDS, as Envoy, the control plane and the library of modules see it.

#[path = "ecds/wire.rs"]
mod wire;
