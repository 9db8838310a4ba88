//! Options of the library.

use std::path::PathBuf;

use clap::Args;

/// Where modules may come from.
#[derive(Args, Clone, Debug, Default)]
pub struct LibraryOptions {
    /// Never use the network: what is neither in the store nor in the bundle is not to be had.
    #[arg(long = "offline", env = "MESHLOOM_WASM_OFFLINE")]
    pub offline: bool,
    /// An offline set, as `bundle` writes it: a folder or a tar file. Looked into before the network.
    #[arg(long = "bundle", env = "MESHLOOM_WASM_BUNDLE")]
    pub bundle: Option<PathBuf>,
}
