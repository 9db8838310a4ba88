//! The ABI shell: the only file here that knows it runs inside a proxy.

use std::rc::Rc;

use filter_shell::metric::{self, Counter};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel};

use crate::{Head, Redaction, Scanner, Skip, eligible};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| {
        filter_shell::root(Ready::new, |ready| Box::new(Stream { ready, tunnel: false, scanner: None }))
    });
}}

struct Ready {
    redaction: Redaction,
    matches: Counter,
    skipped_encoding: Counter,
}

impl Ready {
    fn new(bytes: &[u8]) -> Result<Self, filter_kit::config::Refusal> {
        Ok(Self {
            redaction: Redaction::from_json(bytes)?,
            matches: metric::counter("wasm_redaction_matches_total"),
            skipped_encoding: metric::counter("wasm_redaction_skipped_encoding_total"),
        })
    }
}

struct Stream {
    ready: Rc<Ready>,
    /// Whether the request was CONNECT.
    tunnel: bool,
    /// There while a body is looked into.
    scanner: Option<Scanner>,
}

/// What an edited body makes untrue: its length, digests of it (RFC 9530, RFC 3230, RFC 1864), and that parts
/// of it can be asked for.
const UNTRUE: [&str; 6] =
    ["content-length", "content-digest", "repr-digest", "digest", "content-md5", "accept-ranges"];

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        // A tunnel goes on after its headers, and few other requests do; the response no longer tells.
        self.tunnel = !end_of_stream
            && self.get_http_request_header_bytes(":method").is_some_and(|method| method == b"CONNECT");
        // Each is looked for first: a change to request headers clears the route cache (Envoy 1.40, ABI 0.2.1).
        if self.ready.redaction.request_identity
            && self.get_http_request_header_bytes("accept-encoding").is_some_and(|value| value != b"identity")
        {
            self.set_http_request_header_bytes("accept-encoding", Some(b"identity"));
        }
        // Two halves of a secret, asked for one by one, are no secret to a scanner.
        for range in ["range", "if-range"] {
            if self.get_http_request_header_bytes(range).is_some() {
                self.set_http_request_header_bytes(range, None);
            }
        }
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        // All at once: one call to the host costs more than looking through what it brings.
        let headers = self.get_http_response_headers_bytes();
        let value =
            |name: &str| headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_slice());
        let head = Head {
            tunnel: self.tunnel,
            status: value(":status").unwrap_or_default(),
            content_type: value("content-type"),
            content_encoding: value("content-encoding"),
            end_of_stream,
        };
        match eligible(head) {
            Ok(body) => {
                for name in UNTRUE {
                    if value(name).is_some() {
                        self.set_http_response_header_bytes(name, None);
                    }
                }
                self.scanner = Some(Scanner::new(body));
            }
            Err(Skip::Encoding) => self.ready.skipped_encoding.increment(),
            Err(Skip::NoBody | Skip::Type) => {}
        }
        Action::Continue
    }

    fn on_http_response_body(&mut self, size: usize, _: bool) -> Action {
        let Some(mut scanner) = self.scanner.take() else { return Action::Continue };
        let before = scanner.redacted();
        let body = self.get_http_response_body(0, size).unwrap_or_default();
        let edited = scanner.scan(&self.ready.redaction.detectors, &body);
        let found = scanner.redacted() - before;
        if let Some(edited) = edited {
            self.set_http_response_body(0, size, &edited);
        }
        if found > 0 {
            self.ready.matches.add(found);
        }
        self.scanner = Some(scanner);
        Action::Continue
    }
}
