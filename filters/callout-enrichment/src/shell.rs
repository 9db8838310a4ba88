//! The ABI shell: the only file here that knows it runs inside a proxy.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use filter_shell::metric::{self, Counter};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel, Status};

use crate::{Answer, Enrichment, Failure};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| {
        filter_shell::root(Ready::new, |ready| Box::new(Stream { ready, pending: None }))
    });
}}

struct Ready {
    enrichment: Enrichment,
    ok: Counter,
    /// By cause.
    failed: [Counter; Failure::CAUSES.len()],
    undispatched: Counter,
    invalid: Counter,
    warned: Cell<Option<SystemTime>>,
}

impl Ready {
    fn new(bytes: &[u8]) -> Result<Self, filter_kit::config::Refusal> {
        Ok(Self {
            enrichment: Enrichment::from_json(bytes)?,
            ok: metric::counter("wasm_enrich_call_ok_total"),
            failed: Failure::CAUSES.map(|cause| metric::counter(&format!("wasm_enrich_call_{cause}_total"))),
            undispatched: metric::counter("wasm_enrich_call_dispatch_error_total"),
            invalid: metric::counter("wasm_enrich_invalid_total"),
            warned: Cell::new(None),
        })
    }
}

struct Stream {
    ready: Rc<Ready>,
    /// The call that this stream waits for.
    pending: Option<u32>,
}

impl Context for Stream {
    fn on_http_call_response(&mut self, token: u32, _: usize, body_size: usize, _: usize) {
        if self.pending != Some(token) {
            return;
        }
        self.pending = None;
        self.add_headers(body_size);
        // Last: once resumed, the request's headers are out of reach (Envoy 1.40, context.cc).
        self.resume_http_request();
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        // Whatever becomes of the call, no client speaks in the service's name.
        for mapping in &self.ready.enrichment.map {
            if self.get_http_request_header_bytes(&mapping.to).is_some() {
                self.set_http_request_header_bytes(&mapping.to, None);
            }
        }
        let call = &self.ready.enrichment.call;
        let headers = vec![
            (":method", call.method.as_str()),
            (":path", call.path.as_str()),
            (":authority", call.authority.as_str()),
        ];
        match self.dispatch_http_call(&call.cluster, headers, None, vec![], call.timeout) {
            Ok(token) => {
                self.pending = Some(token);
                Action::Pause
            }
            Err(status) => {
                self.ready.undispatched.increment();
                self.ready.warn_of(&call.cluster, status);
                Action::Continue
            }
        }
    }
}

impl Stream {
    fn add_headers(&self, body_size: usize) {
        let enrichment = &self.ready.enrichment;
        let headers = self.get_http_call_response_headers_bytes();
        // One byte more than is read would tell nothing: the host says how many there are.
        let read = body_size.min(usize::try_from(enrichment.call.max_response_bytes).unwrap_or(usize::MAX));
        let body = self.get_http_call_response_body(0, read).unwrap_or_default();
        match enrichment.headers(&Answer { headers: &headers, body: &body, body_size: body_size as u64 }) {
            Ok(headers) => {
                self.ready.ok.increment();
                for (name, value) in headers.lines {
                    self.set_http_request_header_bytes(name, Some(&value));
                }
                if headers.invalid > 0 {
                    self.ready.invalid.add(headers.invalid);
                }
            }
            Err(failure) => {
                if let Some(counter) = self.ready.failed.get(failure.cause()) {
                    counter.increment();
                }
            }
        }
    }
}

impl Ready {
    /// Says at most once a minute in each VM that calls cannot even be made.
    fn warn_of(&self, cluster: &str, status: Status) {
        const PAUSE: Duration = Duration::from_secs(60);
        let Ok(now) = proxy_wasm::hostcalls::get_current_time() else { return };
        let quiet =
            self.warned.get().and_then(|last| now.duration_since(last).ok()).is_some_and(|past| past < PAUSE);
        if !quiet {
            self.warned.set(Some(now));
            log::warn!(
                "requests go on unenriched: Envoy refuses calls to cluster {cluster:?} ({status:?}; is it configured?)"
            );
        }
    }
}
