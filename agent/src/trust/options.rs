//! Options of trust.

use std::path::PathBuf;

use clap::Args;

use super::Policy;

/// What a module has to be before Envoy sees it.
#[derive(Args, Clone, Debug)]
pub struct TrustOptions {
    /// What is done about a module that Envoy could not run.
    #[arg(long = "check", env = "MESHLOOM_WASM_CHECK", value_enum, default_value_t = Policy::Enforce)]
    pub check: Policy,
    /// Bytes of memory that a module may ask for at its start. (Envoy has 1 GiB for each VM.)
    #[arg(long = "memory-limit", env = "MESHLOOM_WASM_MEMORY_BYTES", default_value_t = 1 << 30)]
    pub memory: u64,
    /// File of rules in YAML: which images have to be signed by cosign, and by which keys.
    #[arg(long = "signatures", env = "MESHLOOM_WASM_SIGNATURES")]
    pub signatures: Option<PathBuf>,
}

impl Default for TrustOptions {
    fn default() -> Self {
        Self { check: Policy::Enforce, memory: 1 << 30, signatures: None }
    }
}
