//! Options of the library.

use std::path::PathBuf;

use clap::Args;

use crate::boolean::boolean;

/// Where modules may come from.
#[derive(Args, Clone, Debug, Default)]
pub struct LibraryOptions {
    /// Never use the network: what is neither in the store nor in the bundle is not to be had.
    // With =, or a URL after it would be taken for its value.
    #[arg(long = "offline", env = "MESHLOOM_WASM_OFFLINE", default_value = "false", num_args = 0..=1,
          require_equals = true, default_missing_value = "true", value_parser = boolean)]
    pub offline: bool,
    /// An offline set, as `bundle` writes it: a folder or a tar file. Looked into before the network.
    #[arg(long = "bundle", env = "MESHLOOM_WASM_BUNDLE")]
    pub bundle: Option<PathBuf>,
}
