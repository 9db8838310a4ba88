//! Options of the store.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::duration::duration;

/// Where modules are kept, how many, and for how long.
#[derive(Args, Clone, Debug)]
pub struct StoreOptions {
    /// Folder of the modules. Envoy must be able to read it under the same path.
    #[arg(long = "cache-dir", env = "MESHLOOM_WASM_CACHE_DIR", default_value = "/var/lib/istio/data")]
    pub folder: PathBuf,
    /// Bytes of modules that are kept. Those in use are never removed, even above this.
    #[arg(long = "cache-bytes", env = "MESHLOOM_WASM_CACHE_BYTES", default_value_t = 1 << 30)]
    pub bytes: u64,
    /// How long a module is kept that no resource uses (such as 24h, 90m).
    #[arg(long = "module-expiry", env = "WASM_MODULE_EXPIRY", default_value = "24h", value_parser = duration)]
    pub expiry: Duration,
    /// How often modules are looked through for those that have expired (such as 1h).
    #[arg(long = "purge-interval", env = "WASM_PURGE_INTERVAL", default_value = "1h", value_parser = duration)]
    pub purge_interval: Duration,
    /// Folder of another agent's modules. Looked into before the network, never written.
    #[arg(long = "shared-store", env = "MESHLOOM_WASM_SHARED_STORE")]
    pub shared: Option<PathBuf>,
}

impl StoreOptions {
    /// A store in that folder; all else as by default.
    #[must_use]
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            bytes: 1 << 30,
            expiry: Duration::from_secs(24 * 3600),
            purge_interval: Duration::from_secs(3600),
            shared: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        options: StoreOptions,
    }

    #[test]
    fn the_defaults_are_istios() {
        let options = Command::parse_from(["agent"]).options;
        let expected = StoreOptions::at("/var/lib/istio/data");
        assert_eq!(format!("{options:?}"), format!("{expected:?}"));
    }
}
