//! The ABI shell: the only file here that knows it runs inside a proxy.

use std::rc::Rc;

use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel};

use crate::{Denial, Requirement};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| {
        filter_shell::root(Requirement::from_json, |requirement| Box::new(Stream { requirement }))
    });
}}

struct Stream {
    requirement: Rc<Requirement>,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        // _bytes: the String accessor traps on a header that is not UTF-8.
        let value = self.get_http_request_header_bytes(&self.requirement.header);
        match self.requirement.admit(value.as_deref()) {
            Ok(()) => Action::Continue,
            Err(Denial::Missing) => {
                let body = format!("the header {} is missing\n", self.requirement.header);
                self.send_http_response(400, vec![("content-type", "text/plain")], Some(body.as_bytes()));
                Action::Pause
            }
        }
    }
}
