//! The ABI shell: the only file here that knows it runs inside a proxy.

use std::rc::Rc;

use filter_shell::metric::{self, Counter};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel};

use crate::{Blocklist, Denial, List};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| filter_shell::root(Ready::new, |ready| Box::new(Stream { ready })));
}}

struct Ready {
    blocklist: Blocklist,
    denied: Counter,
    /// By the list's place.
    denied_by: Vec<Counter>,
    malformed: Counter,
}

impl Ready {
    fn new(bytes: &[u8]) -> Result<Self, filter_kit::config::Refusal> {
        let blocklist = Blocklist::from_json(bytes)?;
        let of_list = |list: &List| metric::counter(&format!("wasm_blocklist_denied_{}_total", list.name));
        Ok(Self {
            denied_by: blocklist.lists.iter().map(of_list).collect(),
            blocklist,
            denied: metric::counter("wasm_blocklist_denied_total"),
            malformed: metric::counter("wasm_blocklist_malformed_host_total"),
        })
    }
}

struct Stream {
    ready: Rc<Ready>,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        // _bytes: the String accessor traps on a header that is not UTF-8.
        let authority = self.get_http_request_header_bytes(":authority");
        match self.ready.blocklist.admit(authority.as_deref()) {
            Ok(()) => Action::Continue,
            Err(denial) => self.answer(denial),
        }
    }
}

impl Stream {
    fn answer(&self, denial: Denial) -> Action {
        // Counted and not logged: clients would write the log.
        match denial {
            Denial::Listed(list) => {
                self.ready.denied.increment();
                if let Some(counter) = self.ready.denied_by.get(list) {
                    counter.increment();
                }
                let reply = &self.ready.blocklist.reply;
                // A 451 may be cached unless it says otherwise (RFC 7725, section 3); a list changes.
                let headers =
                    vec![("content-type", reply.content_type.as_str()), ("cache-control", "no-store")];
                self.send_http_response(reply.status, headers, Some(reply.body.as_bytes()));
            }
            Denial::Malformed => {
                self.ready.malformed.increment();
                self.send_http_response(400, vec![("content-type", "text/plain")], Some(b"malformed host\n"));
            }
        }
        Action::Pause
    }
}
