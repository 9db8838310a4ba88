//! The ABI shell: what is done when the proxy calls.

mod metrics;
mod root;
mod stream;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use filter_abi::plugin::Roots;
use filter_abi::{Action, system};
use filter_kit::level::Level;
use filter_kit::under_way::UnderWay;

use crate::config::Blocklist;
use metrics::Metrics;
use root::Root;
use stream::Stream;

filter_abi::callbacks! {
    proxy_on_configure => on_configure,
    proxy_on_tick => on_tick,
    proxy_on_http_call_response => on_http_call_response,
    proxy_on_request_headers => on_request_headers,
    proxy_on_response_headers => on_response_headers,
    // Also for the requests that were not counted yet, when a root context is gone. Nothing else tells of that.
    proxy_on_delete => on_delete,
}

thread_local! {
    /// How much is written into the log: the last configuration counts.
    static LEVEL: Cell<Level> = const { Cell::new(Level::Info) };
    static VM: RefCell<Vm> = const { RefCell::new(Vm { roots: Roots::new(), streams: UnderWay::new() }) };
}

/// Writes a line into the proxy's log, if the level of this VM is such.
fn log(level: Level, text: &str) {
    if LEVEL.get().writes(level) {
        system::log(level, text);
    }
}

/// What every plugin that runs in this VM shares.
struct Vm {
    roots: Roots<Root>,
    /// Streams of which more must be known than whose they are.
    streams: UnderWay<Stream>,
}

/// Calls `does` with the VM. Envoy calls nothing of this module within a hostcall but for memory, so it is never busy.
#[inline(always)]
fn with<R>(does: impl FnOnce(&mut Vm) -> R) -> Option<R> {
    VM.with(|vm| vm.try_borrow_mut().ok().map(|mut vm| does(&mut vm)))
}

fn on_configure(root: u32, size: usize) -> bool {
    with(|vm| {
        let Some(read) = Root::read(size) else { return false };
        vm.roots.add(root, read)
    })
    .unwrap_or(false)
}

fn on_tick(root: u32) {
    with(|vm| vm.roots.get(root).map(Root::on_tick));
}

fn on_http_call_response(root: u32, token: u32, body_size: usize) {
    with(|vm| vm.roots.get(root).map(|root| root.on_http_call_response(token, body_size)));
}

fn on_request_headers(context: u32) -> Action {
    with(|vm| vm.on_request_headers(context)).unwrap_or(Action::Continue)
}

fn on_response_headers(context: u32) -> Action {
    with(|vm| vm.on_response_headers(context)).unwrap_or(Action::Continue)
}

fn on_delete(context: u32) {
    with(|vm| {
        vm.streams.remove(context);
        vm.roots.remove(context);
    });
}

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

impl Vm {
    fn on_request_headers(&mut self, context: u32) -> Action {
        let Some((_, root)) = self.roots.at_hand() else { return Action::Continue };
        let ready = Rc::clone(&root.ready);
        let mut stream = Stream::new(ready);
        let action = stream.on_request_headers();
        // To find out again which configuration it is of costs more than to keep it.
        if stream.is_to_be_kept() || self.roots.only().is_none() {
            self.streams.insert(context, stream);
        }
        action
    }

    fn on_response_headers(&mut self, context: u32) -> Action {
        if let Some(stream) = self.streams.remove(context) {
            return stream.on_response_headers();
        }
        match self.roots.at_hand() {
            Some((_, root)) => Stream::new(Rc::clone(&root.ready)).on_response_headers(),
            None => Action::Continue,
        }
    }
}
