//! The ABI shell: the only file here that knows it runs inside a proxy.
//!
//! Of a stream nothing is kept unless its rules need it: then each callback begins with what the configuration says.

use std::cell::RefCell;
use std::rc::Rc;

use filter_abi::buffer::{self, Buffer};
use filter_abi::header;
use filter_abi::metric::{self, Kind};
use filter_abi::plugin::{self, Roots};
use filter_abi::stream::{self, NO_GRPC_STATUS};
use filter_abi::{Action, Asked, property, system};
use filter_kit::level::Level;
use filter_kit::metric::{Defined, TagStyle, name};
use filter_kit::reads::{pairs, written};
use filter_kit::under_way::UnderWay;

use crate::host::Held;
use crate::{Exchange, Host, Mutations, Once, Side, Tally, Verdict};

const FILTER: &str = "header-mutation";

/// How often the proxy is told of what was counted, in milliseconds.
const TELL: u32 = 1000;

filter_abi::callbacks! {
    proxy_on_configure => on_configure,
    proxy_on_tick => on_tick,
    proxy_on_request_headers => on_request_headers,
    proxy_on_request_trailers => on_request_trailers,
    proxy_on_response_headers => on_response_headers,
    proxy_on_response_trailers => on_response_trailers,
    // Also for what was counted since the last second, when a root context is gone. Nothing else tells of that.
    proxy_on_delete => on_delete,
}

thread_local! {
    static VM: RefCell<Vm> = const { RefCell::new(Vm::new()) };
}

/// Calls `does` with the VM. Envoy calls nothing of this module within a hostcall but for memory, so it is never busy.
#[inline(always)]
fn with<R>(does: impl FnOnce(&mut Vm) -> R) -> Option<R> {
    VM.with(|vm| vm.try_borrow_mut().ok().map(|mut vm| does(&mut vm)))
}

fn on_configure(root: u32, size: usize) -> bool {
    with(|vm| vm.configure(root, &buffer::first(Buffer::PluginConfiguration, size))).unwrap_or(false)
}

fn on_tick(_: u32) {
    with(|vm| vm.tell());
}

fn on_request_headers(context: u32) -> Action {
    match with(|vm| vm.request_headers(context)) {
        Some(Verdict::Deny) => {
            let headers = written(std::iter::once((&b"content-type"[..], &b"text/plain"[..])));
            let text = b"a header of this request cannot be sent on\n";
            stream::reply(400, "", &headers, text, NO_GRPC_STATUS);
            Action::Pause
        }
        Some(Verdict::Continue) | None => Action::Continue,
    }
}

fn on_request_trailers(context: u32) {
    with(|vm| vm.later(context, Side::RequestTrailers));
}

fn on_response_headers(context: u32) {
    with(|vm| vm.later(context, Side::Response));
}

fn on_response_trailers(context: u32) {
    with(|vm| vm.later(context, Side::ResponseTrailers));
}

fn on_delete(context: u32) {
    with(|vm| {
        vm.streams.remove(context);
        if vm.roots.remove(context).is_some() {
            vm.tell();
        }
    });
}

/// What every plugin that runs in this VM shares.
struct Vm {
    roots: Roots<Rc<Mutations>>,
    /// What must be known of streams under way beside their configuration.
    streams: UnderWay<Exchange>,
    tally: Tally,
    once: Once,
    /// A changed configuration makes a new root context in the same VM, which must not define again.
    defined: Defined,
    /// By the place of what they count in the tally.
    counters: [Option<u32>; Tally::NAMES.len()],
    /// How much is written into the log, and how metrics are named: the last configuration counts.
    level: Level,
    style: TagStyle,
}

impl Vm {
    const fn new() -> Self {
        Self {
            roots: Roots::new(),
            streams: UnderWay::new(),
            tally: Tally::new(),
            once: Once::new(),
            defined: Defined::new(),
            counters: [None; Tally::NAMES.len()],
            level: Level::Info,
            style: TagStyle::Flat,
        }
    }

    fn configure(&mut self, root: u32, text: &[u8]) -> bool {
        let accepted = self.accept(root, text);
        // All are there from the start, so that a rate of any can be asked for. Every VM reads each configuration: the one
        // that tries it first, and one for each worker.
        let [loads, rejects] = ["config_loads_total", "config_rejects_total"].map(|what| self.counter(what));
        if let Some(id) = if accepted { loads } else { rejects } {
            metric::add(id, 1);
        }
        self.counters = Tally::NAMES.map(|what| self.counter(what));
        system::tick_every(TELL);
        accepted
    }

    fn accept(&mut self, root: u32, text: &[u8]) -> bool {
        let mutations = match Mutations::from_json(text) {
            Ok(mutations) => mutations,
            Err(refusal) => {
                plugin::log_refusal(&refusal);
                return false;
            }
        };
        (self.level, self.style) = (mutations.log_level, mutations.tag_style);
        self.roots.add(root, Rc::new(mutations))
    }

    fn counter(&mut self, what: &str) -> Option<u32> {
        let name = self.style.name(FILTER, &name(FILTER, what));
        metric::once(&mut self.defined, self.level, Kind::Counter, &name)
    }

    fn tell(&self) {
        self.tally.tell(|place, count| {
            if let (Some(Some(id)), Ok(count)) = (self.counters.get(place), i64::try_from(count)) {
                metric::add(*id, count);
            }
        });
    }

    fn request_headers(&mut self, context: u32) -> Verdict {
        let Some((_, mutations)) = self.roots.at_hand() else { return Verdict::Continue };
        let mut exchange = Exchange::new(Rc::clone(mutations));
        let verdict = exchange.request_headers(&Asked::of_request(), &self.tally, &self.once);
        // To find out again which configuration it is of costs more than to keep it.
        if exchange.is_to_be_kept() || self.roots.only().is_none() {
            self.streams.insert(context, exchange);
        }
        verdict
    }

    fn later(&mut self, context: u32, side: Side) {
        let asked = if side.is_of_response() { Asked::of_response() } else { Asked::of_request() };
        if let Some(exchange) = self.streams.get_mut(context) {
            exchange.later(side, &asked, &self.tally, &self.once);
            if side == Side::Response && !exchange.awaits_trailers() {
                self.streams.remove(context);
            }
        } else if let Some((_, mutations)) = self.roots.at_hand() {
            Exchange::new(Rc::clone(mutations)).later(side, &asked, &self.tally, &self.once);
        }
    }
}

impl Host for Asked {
    fn held(&self, side: Side, name: &[u8], value: &[u8]) -> Held {
        // The proxy answers the first value alone. That there is another line is asked only where that decides.
        match header::first(map(side), name, |first| first == value) {
            None => Held::Nothing,
            Some(false) => Held::Other,
            Some(true) => {
                let lines = header::take_pairs(map(side));
                let count = pairs(&lines).filter(|(other, _)| *other == name).count();
                header::give_back(lines);
                if count < 2 { Held::Same } else { Held::Other }
            }
        }
    }

    fn lines(&self, side: Side) -> Vec<u8> {
        header::take_pairs(map(side))
    }

    fn give_back(&self, lines: Vec<u8>) {
        header::give_back(lines);
    }

    fn replace(&self, side: Side, name: &[u8], value: &[u8]) -> bool {
        header::replace(map(side), name, value)
    }

    fn add(&self, side: Side, name: &[u8], value: &[u8]) -> bool {
        header::add(map(side), name, value)
    }

    fn remove(&self, side: Side, name: &[u8]) -> bool {
        header::remove(map(side), name)
    }

    fn keep(&self, name: &str, value: &[u8]) -> bool {
        property::keep(name, value)
    }
}

fn map(side: Side) -> header::Map {
    match side {
        Side::Request => header::Map::Request,
        Side::RequestTrailers => header::Map::RequestTrailers,
        Side::Response => header::Map::Response,
        Side::ResponseTrailers => header::Map::ResponseTrailers,
    }
}
