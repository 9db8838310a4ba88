//! What a running filter needs of its host: one root context, metrics, and what conditions, templates and filters ask
//! of it. Compiled for wasm only.
//!
//! A crate of its own, for the SDK exports its callbacks and its allocator from every module that it is linked
//! into: filters whose streams should not pay for those are on filter-abi.
#![cfg(target_family = "wasm")]
#![warn(missing_docs)]

mod abi;
mod asked;
pub mod attribute;
pub mod buffer;
pub mod headers;
pub mod metric;
mod root;

use filter_kit::level::Level;
use proxy_wasm::types::LogLevel;

pub use asked::Asked;
pub use root::{counted_root, root};

/// From now on what is less severe is not written into the proxy's log, in this VM: the last configuration counts.
pub fn log_from(level: Level) {
    proxy_wasm::set_log_level(match level {
        Level::Info => LogLevel::Info,
        Level::Warn => LogLevel::Warn,
        Level::Error => LogLevel::Error,
    });
}

/// Sixteen random bytes; zeros if the host has none.
pub fn random() -> [u8; 16] {
    abi::random()
}

/// Resets the stream at hand while its response passes; the client gets no more of it. Answers whether the host does.
pub fn reset_response() -> bool {
    abi::close(1)
}

/// The value of a variable in the VM's environment, which `vm_config` gives it (in Istio, `vmConfig.env`).
pub fn environment(name: &str) -> Option<Vec<u8>> {
    let bytes = abi::environment();
    let value = |line: &[u8]| line.strip_prefix(name.as_bytes())?.strip_prefix(b"=").map(<[u8]>::to_vec);
    bytes.split(|byte| *byte == 0).find_map(value)
}
