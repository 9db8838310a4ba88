//! The ABI shell: the only file here that knows it runs inside a proxy.

use std::time::Duration;

use filter_kit::config::Refusal;
use filter_kit::reads::{Map, Reads, pairs};
use filter_shell::metric::{self, Counter};
use filter_shell::{Asked, attribute, headers};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType, LogLevel};

use crate::host::Held;
use crate::{Exchange, Host, Mutations, Once, Side, Tally, Verdict};

const FILTER: &str = "header-mutation";

/// How often the proxy is told of what was counted.
const TELL: Duration = Duration::from_secs(1);

thread_local! {
    /// Of the VM, for a changed configuration makes a new root context.
    static TALLY: Tally = const { Tally::new() };
    static ONCE: Once = const { Once::new() };
}

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| {
        let root = filter_shell::counted_root(FILTER, read, |mutations| {
            Box::new(Stream { exchange: Exchange::new(mutations) })
        });
        Box::new(Telling { root, counters: Vec::new() })
    });
}}

fn read(configuration: &[u8]) -> Result<Mutations, Refusal> {
    let mutations = Mutations::from_json(configuration)?;
    filter_shell::log_from(mutations.log_level);
    metric::set_style(mutations.tag_style);
    Ok(mutations)
}

/// The root context, which tells the proxy of what was counted.
struct Telling {
    root: Box<dyn RootContext>,
    counters: Vec<Counter>,
}

impl Telling {
    fn tell(&self) {
        TALLY.with(|tally| {
            tally.tell(|place, count| {
                if let Some(counter) = self.counters.get(place) {
                    counter.add(count);
                }
            });
        });
    }
}

/// What was counted since the last second is told as well. Not in `on_done`, which Envoy would call for each stream too.
impl Drop for Telling {
    fn drop(&mut self) {
        self.tell();
    }
}

impl Context for Telling {}

impl RootContext for Telling {
    fn on_configure(&mut self, size: usize) -> bool {
        let accepted = self.root.on_configure(size);
        self.counters = Tally::NAMES.iter().map(|what| metric::counter_of(FILTER, what)).collect();
        self.set_tick_period(TELL);
        accepted
    }

    fn on_tick(&mut self) {
        self.tell();
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        self.root.create_http_context(context)
    }

    fn get_type(&self) -> Option<ContextType> {
        self.root.get_type()
    }
}

struct Stream {
    exchange: Exchange,
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> Action {
        let host = Proxy(Asked::of_request());
        let verdict = TALLY.with(|tally| ONCE.with(|once| self.exchange.request_headers(&host, tally, once)));
        match verdict {
            Verdict::Continue => Action::Continue,
            Verdict::Deny => {
                let text = vec![("content-type", "text/plain")];
                self.send_http_response(400, text, Some(b"a header of this request cannot be sent on\n"));
                Action::Pause
            }
        }
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        let host = Proxy(Asked::of_request());
        TALLY.with(|tally| ONCE.with(|once| self.exchange.request_trailers(&host, tally, once)));
        Action::Continue
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        let host = Proxy(Asked::of_response());
        TALLY.with(|tally| ONCE.with(|once| self.exchange.response_headers(&host, tally, once)));
        Action::Continue
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        let host = Proxy(Asked::of_response());
        TALLY.with(|tally| ONCE.with(|once| self.exchange.response_trailers(&host, tally, once)));
        Action::Continue
    }
}

/// The proxy, in one callback.
struct Proxy(Asked);

impl Reads for Proxy {
    fn header(&self, map: Map, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.0.header(map, name, each)
    }

    fn attribute(&self, path: &str, read: &mut dyn FnMut(&[u8])) -> bool {
        self.0.attribute(path, read)
    }

    fn now_ms(&self) -> u64 {
        self.0.now_ms()
    }

    fn random(&self) -> [u8; 16] {
        self.0.random()
    }
}

impl Host for Proxy {
    fn held(&self, side: Side, name: &[u8], value: &[u8]) -> Held {
        // The proxy answers the first value alone. That there is another line is asked only where that decides.
        match std::str::from_utf8(name).ok().and_then(|name| headers::first(map(side), name)) {
            None => Held::Nothing,
            Some(first) if first != value => Held::Other,
            Some(_) => {
                let lines = headers::pairs(map(side));
                let count = pairs(&lines).filter(|(other, _)| *other == name).count();
                if count < 2 { Held::Same } else { Held::Other }
            }
        }
    }

    fn lines(&self, side: Side) -> Vec<u8> {
        headers::pairs(map(side))
    }

    fn replace(&self, side: Side, name: &[u8], value: &[u8]) -> bool {
        headers::replace(map(side), name, value)
    }

    fn add(&self, side: Side, name: &[u8], value: &[u8]) -> bool {
        headers::add(map(side), name, value)
    }

    fn remove(&self, side: Side, name: &[u8]) -> bool {
        headers::remove(map(side), name)
    }

    fn keep(&self, name: &str, value: &[u8]) -> bool {
        attribute::keep(name, value)
    }
}

fn map(side: Side) -> headers::Map {
    match side {
        Side::Request => headers::Map::Request,
        Side::RequestTrailers => headers::Map::RequestTrailers,
        Side::Response => headers::Map::Response,
        Side::ResponseTrailers => headers::Map::ResponseTrailers,
    }
}
