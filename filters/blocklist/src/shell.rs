//! The ABI shell: what is done when the proxy calls.

mod metrics;
mod root;
mod stream;

use std::cell::Cell;

use proxy_wasm::types::LogLevel;

use crate::config::Blocklist;
use metrics::Metrics;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(root::Root::default()));
}}

/// A configuration in force.
struct Ready {
    blocklist: Blocklist,
    metrics: Metrics,
    /// Requests since they were last counted: a hostcall for each would be a third of what the filter costs.
    checked: Cell<u64>,
}

impl Ready {
    /// Counts the requests since it was last done.
    fn count_checked(&self) {
        let checked = self.checked.take();
        if checked > 0 {
            self.metrics.checked.add(checked);
        }
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        self.count_checked();
    }
}
