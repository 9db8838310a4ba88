//! The ABI shell: the only file here that knows it runs inside a proxy.

use std::rc::Rc;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel, MapType};

use crate::{Headers, Mutations};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| {
        filter_shell::root(Mutations::from_json, |mutations| Box::new(Stream { mutations }))
    });
}}

struct Stream {
    mutations: Rc<Mutations>,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        crate::apply(&self.mutations.request, &mut HostMap(MapType::HttpRequestHeaders));
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        crate::apply(&self.mutations.response, &mut HostMap(MapType::HttpResponseHeaders));
        Action::Continue
    }
}

/// Headers as they stand in the host: every change is made there at once.
struct HostMap(MapType);

// `_bytes` throughout: the String accessors trap on a header that is not UTF-8. A status other than OK would
// mean that the map is not there in this callback; then there is nothing to change.
impl Headers for HostMap {
    fn contains(&self, name: &str) -> bool {
        matches!(hostcalls::get_map_value_bytes(self.0, name), Ok(Some(_)))
    }

    fn all(&self, name: &str) -> Vec<Vec<u8>> {
        let lines = hostcalls::get_map_bytes(self.0).unwrap_or_default();
        lines.into_iter().filter(|(other, _)| other == name).map(|(_, value)| value).collect()
    }

    fn set(&mut self, name: &str, value: &[u8]) {
        let _ = hostcalls::set_map_value_bytes(self.0, name, Some(value));
    }

    fn append(&mut self, name: &str, value: &[u8]) {
        let _ = hostcalls::add_map_value_bytes(self.0, name, value);
    }

    fn remove(&mut self, name: &str) {
        let _ = hostcalls::set_map_value_bytes(self.0, name, None);
    }
}
