//! The shell: what is done when Envoy calls.
//!
//! A call belongs to its root context, as it does in Envoy, and not to the stream that made it: others may wait for the same
//! answer, and the cache wants it in any case.

mod act;
mod metrics;
mod root;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use filter_abi::buffer::{self, Buffer};
use filter_abi::header::{self, Map};
use filter_abi::plugin::{self, Roots};
use filter_abi::{Action, Asked, call, stream, system};
use filter_kit::level::Level;
use filter_kit::mode::Mode;

use self::metrics::Metrics;
use self::root::Root;
use crate::answer::Answer;
use crate::breaker::Admission;
use crate::config::Enrichment;
use crate::engine::{Asking, Consulted, Next, Settled, Verdict, Word};
use crate::flight::Asker;
use crate::key::{self, Secret};
use crate::mapping::{Enriched, Target};
use crate::question::wait_ms;
use crate::tally::{Count, Tally};

filter_abi::callbacks! {
    proxy_on_configure => on_configure,
    proxy_on_tick => on_tick,
    proxy_on_request_headers => on_request_headers,
    proxy_on_response_headers => on_response_headers,
    proxy_on_http_call_response => on_http_call_response,
    proxy_on_delete => on_delete,
}

thread_local! {
    static VM: RefCell<Vm> = const { RefCell::new(Vm::new()) };
}

fn on_configure(root: u32, size: usize) -> bool {
    with(|vm| vm.on_configure(root, size)).unwrap_or(false)
}

fn on_tick(root: u32) {
    with(|vm| vm.on_tick(root));
}

fn on_request_headers(context: u32) -> Action {
    let goes_on = with(|vm| vm.on_request_headers(context)).unwrap_or(true);
    if goes_on { Action::Continue } else { Action::Pause }
}

fn on_response_headers(context: u32) {
    with(|vm| vm.on_response_headers(context));
}

fn on_http_call_response(root: u32, token: u32, body_size: usize) {
    with(|vm| vm.on_http_call_response(root, token, body_size));
}

fn on_delete(context: u32) {
    with(|vm| vm.on_delete(context));
}

/// Calls `does` with the VM. Envoy calls nothing of this module within a hostcall but for memory, so it is never busy.
fn with<R>(does: impl FnOnce(&mut Vm) -> R) -> Option<R> {
    VM.with(|vm| vm.try_borrow_mut().ok().map(|mut vm| does(&mut vm)))
}

/// What every plugin that runs in this VM shares. Of a stream nothing is kept unless it has to wait, or something has to
/// be done to its response.
struct Vm {
    roots: Roots<Root>,
    /// Streams that wait for an answer, and since when, in milliseconds.
    waiting: BTreeMap<u32, u64>,
    /// What has something for a response, and where that goes.
    responses: BTreeMap<u32, (Rc<Enrichment>, Rc<Enriched>)>,
    metrics: Metrics,
    tally: Tally,
    /// Where the parts of a key are read to.
    room: Vec<u8>,
}

/// How often counts are told to the host and calls looked after, while there are any, in milliseconds.
const TICK: u32 = 100;

impl Vm {
    const fn new() -> Self {
        Self {
            roots: Roots::new(),
            waiting: BTreeMap::new(),
            responses: BTreeMap::new(),
            metrics: Metrics::new(),
            tally: Tally::new(),
            room: Vec::new(),
        }
    }

    fn on_configure(&mut self, root: u32, size: usize) -> bool {
        let read = Enrichment::from_json(&buffer::first(Buffer::PluginConfiguration, size));
        self.metrics.configured(read.as_ref().ok().map(|config| (config.tag_style, config.log_level)));
        let config = match read {
            Ok(config) => config,
            Err(refusal) => {
                plugin::log_refusal(&refusal);
                return false;
            }
        };
        let secret = Secret::of(system::random());
        if config.cache.is_some() && secret.is_none() {
            system::log(
                Level::Error,
                "config field `cache`: this host has no random bytes, and without a secret keys could be guessed",
            );
            return false;
        }
        self.roots.add(root, Root::new(config, secret))
    }

    /// Whether the request goes on at once.
    fn on_request_headers(&mut self, context: u32) -> bool {
        let Some((root_id, root)) = self.roots.at_hand() else { return true };
        let config = Rc::clone(&root.config);
        if config.mode == Mode::Off {
            return true;
        }
        if !root.ticks {
            root.ticks = true;
            system::tick_every(TICK);
        }
        self.tally.count(Count::Requests);
        let reads = Asked::of_request();
        if config.keep_if.as_ref().is_some_and(|when| when.holds(&reads)) {
            self.tally.count(Count::Skipped);
            return true;
        }
        let enforces = config.mode == Mode::Enforce && config.enforced.takes(system::random);
        if !is_asked_about(&config, &reads) {
            self.tally.count(Count::Skipped);
            return self.decide(context, &config, enforces, &Verdict::Without(Word::Skipped));
        }
        let kept = config.cache.as_ref().zip(root.secret);
        let key = kept.and_then(|(kept, secret)| key::key(&kept.key, &reads, secret, &mut self.room));
        let now = now_ms();
        let asker = if enforces { Asker::Stream(context) } else { Asker::Shadow };
        let verdict = match root.engine.consult(now, key.as_ref(), asker, &mut self.tally) {
            Consulted::Decided(verdict, again) => {
                if let Some(admission) = again {
                    // Of no consequence to this request, whatever comes of it.
                    let asking = Asking { now, key, admission, asker: Asker::Nobody };
                    self.ask(root_id, &config, asking, &reads);
                }
                Some(verdict)
            }
            Consulted::Joined => None,
            Consulted::Ask => {
                let asking = Asking { now, key, admission: Admission::Pass, asker };
                self.ask(root_id, &config, asking, &reads)
            }
        };
        match verdict {
            Some(verdict) => self.decide(context, &config, enforces, &verdict),
            None if enforces => {
                // Whatever becomes of the call, no client speaks in the service's name.
                config.stripped().for_each(strip);
                self.waiting.insert(context, now);
                false
            }
            None => self.pass(&config),
        }
    }

    /// Does to the request at hand what was decided, if that has consequences. Whether it goes on.
    fn decide(&mut self, context: u32, config: &Rc<Enrichment>, enforces: bool, verdict: &Verdict) -> bool {
        if enforces {
            return self.act(context, config, verdict, false);
        }
        verdict.count_shadows(1, &mut self.tally);
        self.pass(config)
    }

    /// Lets a request go on that nothing has consequences for.
    fn pass(&self, config: &Enrichment) -> bool {
        // Whoever is told that claims are taken off may believe what is left, also of a request that was left out.
        if config.mode == Mode::Enforce {
            config.stripped().for_each(strip);
        }
        true
    }

    /// Asks the service about the request at hand. A verdict if that cannot be done.
    fn ask(&mut self, root: u32, config: &Enrichment, asking: Asking, reads: &Asked) -> Option<Verdict> {
        let Asking { now, key, admission, .. } = asking;
        let root = self.roots.get(root)?;
        let Ok((question, left_out)) = config.call.question(reads) else {
            return Some(root.engine.unaskable(now, key.as_ref(), admission, &mut self.tally));
        };
        self.tally.add(Count::Invalid, left_out);
        match call::send(
            &config.call.cluster,
            &question.headers,
            &question.body,
            wait_ms(config.call.timeout_ms),
        ) {
            Ok(token) => {
                root.engine.sent(token, asking, question, &mut self.tally);
                None
            }
            Err(status) => {
                root.warn_of(status, now);
                Some(root.engine.unsent(now, key.as_ref(), admission, &mut self.tally))
            }
        }
    }

    fn on_http_call_response(&mut self, root_id: u32, token: u32, body_size: usize) {
        let Some(root) = self.roots.get(root_id) else { return };
        let config = Rc::clone(&root.config);
        let headers = header::pairs(Map::CallResponse);
        let bare = Answer { headers: &headers, body: &[], body_size: body_size as u64 };
        let body = match config.reads_of_body(bare.status(), body_size) {
            0 => Vec::new(),
            size => buffer::first(Buffer::CallResponseBody, size),
        };
        let answer = Answer { body: &body, ..bare };
        let now = now_ms();
        let Some((took, next)) = root.engine.answered(now, token, &answer, &mut self.tally) else { return };
        self.metrics.call_took(took);
        let settled = match next {
            Next::Settled(settled) => settled,
            Next::Again(question, flight) => {
                match call::send(
                    &config.call.cluster,
                    &question.headers,
                    &question.body,
                    wait_ms(flight.timeout_ms),
                ) {
                    Ok(token) => return root.engine.sent_again(token, flight, &mut self.tally),
                    Err(status) => {
                        root.warn_of(status, now);
                        root.engine.unsent_again(now, flight, &mut self.tally)
                    }
                }
            }
        };
        self.settle(&config, settled, now);
        self.report(root_id);
    }

    /// Lets everybody go on who waited for a call.
    fn settle(&mut self, config: &Rc<Enrichment>, settled: Settled, now: u64) {
        for context in settled.waiters {
            // One that is gone, or was answered by another, waits for nothing: nothing of it may be touched.
            let Some(since) = self.waiting.remove(&context) else { continue };
            if stream::act_on(context) {
                self.metrics.held(now.saturating_sub(since));
                if self.act(context, config, &settled.verdict, true) {
                    // Last: once resumed, the request's headers are out of reach.
                    stream::resume();
                }
            }
        }
    }

    fn on_response_headers(&mut self, context: u32) {
        // Whoever has answered a request that waits, Envoy at the end of a timeout of its own or another filter: what
        // the service still says comes too late. A second local reply would break the first one off.
        self.waiting.remove(&context);
        let Some((config, enriched)) = self.responses.remove(&context) else { return };
        for (mapping, value) in config.map.iter().zip(&enriched.values) {
            if let (Target::Response(name), Some(value)) = (&mapping.target, value) {
                header::replace(Map::Response, name.as_bytes(), value);
            }
        }
    }

    fn on_tick(&mut self, root_id: u32) {
        let Some(root) = self.roots.get(root_id) else { return };
        let idle = self.tally.is_empty() && !root.engine.is_waiting();
        let (config, now) = (Rc::clone(&root.config), now_ms());
        for (took, settled) in root.engine.overdue(now, &mut self.tally) {
            self.metrics.call_took(took);
            self.settle(&config, settled, now);
        }
        self.report(root_id);
        if let (true, Some(root)) = (idle, self.roots.get(root_id)) {
            root.ticks = false;
            system::tick_every(0);
        }
    }

    /// Tells the host what was counted, and what a plugin has.
    fn report(&mut self, root_id: u32) {
        self.metrics.flush(&mut self.tally);
        if let Some(root) = self.roots.get(root_id) {
            self.metrics.gauges(&mut root.told, root.engine.gauges());
        }
    }

    fn on_delete(&mut self, context: u32) {
        if let Some(mut root) = self.roots.remove(context) {
            self.metrics.gauges(&mut root.told, [0; 3]);
            self.metrics.flush(&mut self.tally);
        } else {
            self.waiting.remove(&context);
            self.responses.remove(&context);
        }
    }
}

/// Whether the service is to be asked about the request at hand.
fn is_asked_about(config: &Enrichment, reads: &Asked) -> bool {
    config.when.as_ref().is_none_or(|when| when.holds(reads))
        && (config.sample >= 10_000 || { u32::from_le_bytes(system::random()) % 10_000 < config.sample })
}

/// Milliseconds by a clock that never goes back, from whenever.
fn now_ms() -> u64 {
    system::monotonic_ns().map_or_else(system::wall_ms, |now| now / 1_000_000)
}

/// Takes every line of that name off the request at hand.
fn strip(name: &str) {
    let name = name.as_bytes();
    // A removal has Envoy choose the route anew, even of what is not there.
    if header::first(Map::Request, name, |_| ()).is_some() {
        header::remove(Map::Request, name);
    }
}
