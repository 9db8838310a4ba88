//! The root context that every filter has: it reads the configuration and makes a context for each stream.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

use filter_kit::config::Refusal;

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
    Box::new(Root { parse, open, config: None })
}

struct Root<C> {
    parse: fn(&[u8]) -> Result<C, Refusal>,
    open: fn(Rc<C>) -> Box<dyn HttpContext>,
    config: Option<Rc<C>>,
}

impl<C> Context for Root<C> {}

impl<C: 'static> RootContext for Root<C> {
    fn on_configure(&mut self, _: usize) -> bool {
        match (self.parse)(&self.get_plugin_configuration().unwrap_or_default()) {
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
