//! The root context that every filter has: it reads the configuration and makes a context for each stream.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use filter_kit::config::Refusal;

use crate::metric;

/// A root context that reads the plugin's configuration by `parse` and opens each stream by `open`.
///
/// A stream keeps the `Rc` it was opened with: when the configuration changes Envoy makes a new root context,
/// and streams in flight stay with the configuration they began with.
///
/// A refused configuration is logged, a line for each problem, and `on_configure` answers false: Envoy then
/// does not start, or, when the configuration came by xDS, keeps the one it has.
pub fn root<C: 'static>(
    parse: fn(&[u8]) -> Result<C, Refusal>,
    open: fn(Rc<C>) -> Box<dyn HttpContext>,
) -> Box<dyn RootContext> {
    Box::new(Root { counted: None, parse, open, config: None })
}

/// As [`root`], and counts the configurations that were read and refused: `wasm_<filter>_config_loads_total` and
/// `wasm_<filter>_config_rejects_total`. Every VM reads each: the one that tries it first, and one for each worker.
/// `wasm_<filter>_errors_total` is defined with them, for the filter to count by ([`metric::counter`] finds it).
pub fn counted_root<C: 'static>(
    filter: &'static str,
    parse: fn(&[u8]) -> Result<C, Refusal>,
    open: fn(Rc<C>) -> Box<dyn HttpContext>,
) -> Box<dyn RootContext> {
    Box::new(Root { counted: Some((configured, filter)), parse, open, config: None })
}

type Count = fn(filter: &str, loaded: bool);

/// Counts a configuration.
fn configured(filter: &str, loaded: bool) {
    // All are there from the start, so that a rate of any can be asked for. What an error is, the filter knows.
    let [loads, rejects, _] = ["config_loads_total", "config_rejects_total", "errors_total"]
        .map(|what| metric::counter_of(filter, what));
    if loaded { loads.increment() } else { rejects.increment() }
}

struct Root<C> {
    /// What counts the configurations, and under which filter's name. A pointer, so that a module without it has no code
    /// for metrics.
    counted: Option<(Count, &'static str)>,
    parse: fn(&[u8]) -> Result<C, Refusal>,
    open: fn(Rc<C>) -> Box<dyn HttpContext>,
    config: Option<Rc<C>>,
}

impl<C> Context for Root<C> {}

impl<C: 'static> RootContext for Root<C> {
    fn on_configure(&mut self, _: usize) -> bool {
        let read = (self.parse)(&self.get_plugin_configuration().unwrap_or_default());
        if let Some((count, filter)) = self.counted {
            count(filter, read.is_ok());
        }
        match read {
            Ok(config) => {
                self.config = Some(Rc::new(config));
                true
            }
            Err(refusal) => {
                for problem in refusal.problems() {
                    log::error!("{problem}");
                }
                false
            }
        }
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        self.config.as_ref().map(|config| (self.open)(Rc::clone(config)))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
