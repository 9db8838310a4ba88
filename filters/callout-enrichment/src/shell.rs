//! The shell: what is done when Envoy calls. `abi` has the calls themselves.

mod abi;
mod asked;
mod metrics;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use filter_kit::mode::Mode;

use self::abi::{Buffer, Level, Map};
use self::asked::Asked;
use self::metrics::Metrics;
use crate::answer::Answer;
use crate::config::Enrichment;
use crate::engine::{Asking, Consulted, Engine, Next, Settled, Verdict, Word};
use crate::key;
use crate::mapping::{Enriched, Target};
use crate::tally::{Count, Tally};

thread_local! {
    static VM: RefCell<Vm> = const { RefCell::new(Vm::new()) };
}

/// Calls `does` with the VM. Envoy calls nothing of this module within a hostcall but for memory, so it is never busy.
fn with<R>(does: impl FnOnce(&mut Vm) -> R) -> Option<R> {
    VM.with(|vm| vm.try_borrow_mut().ok().map(|mut vm| does(&mut vm)))
}

/// What every plugin that runs in this VM shares.
struct Vm {
    /// Those with a configuration, by their ids.
    roots: Vec<(u32, Root)>,
    streams: BTreeMap<u32, Stream>,
    metrics: Metrics,
    tally: Tally,
    /// When it was last said that calls cannot be made, in milliseconds.
    warned: Option<u64>,
    /// Where the parts of a key are read to.
    room: Vec<u8>,
}

/// A plugin in one configuration. A new configuration has a new one; the old one ends with its last stream.
struct Root {
    config: Rc<Enrichment>,
    engine: Engine,
    /// What the host was told of the engine's gauges.
    told: [u64; 3],
    ticks: bool,
}

/// A request and its response.
struct Stream {
    root: u32,
    /// Since when it waits for an answer, in milliseconds.
    waits: Option<u64>,
    /// What has something for its response.
    response: Option<Rc<Enriched>>,
}

/// How often counts are told to the host and calls looked after, while there are any, in milliseconds.
const TICK: u32 = 100;

impl Vm {
    const fn new() -> Self {
        Self {
            roots: Vec::new(),
            streams: BTreeMap::new(),
            metrics: Metrics::new(),
            tally: Tally::new(),
            warned: None,
            room: Vec::new(),
        }
    }

    fn on_context_create(&mut self, context: u32, root: u32) {
        // A root context has no root, and begins with its configuration.
        if root != 0 {
            self.streams.insert(context, Stream { root, waits: None, response: None });
        }
    }

    fn on_configure(&mut self, root: u32, size: usize) -> bool {
        let read = Enrichment::from_json(&abi::buffer(Buffer::PluginConfiguration, size));
        self.metrics.configured(read.as_ref().ok().map(|config| config.tag_style));
        match read {
            Ok(config) => {
                let config = Rc::new(config);
                let engine = Engine::new(Rc::clone(&config));
                self.roots.retain(|(id, _)| *id != root);
                self.roots.push((root, Root { config, engine, told: [0; 3], ticks: false }));
                true
            }
            Err(refusal) => {
                for problem in refusal.problems() {
                    abi::log(Level::Error, &problem.to_string());
                }
                false
            }
        }
    }

    /// Whether the request goes on at once.
    fn on_request_headers(&mut self, context: u32) -> bool {
        let Some(root) = self.streams.get(&context).and_then(|stream| root_of(&mut self.roots, stream.root))
        else {
            return true;
        };
        let config = Rc::clone(&root.config);
        if config.mode == Mode::Off {
            return true;
        }
        if !root.ticks {
            root.ticks = true;
            abi::tick_every(TICK);
        }
        self.tally.count(Count::Requests);
        let reads = Asked::default();
        if config.keep_if.as_ref().is_some_and(|when| when.holds(&reads)) {
            self.tally.count(Count::Skipped);
            return true;
        }
        let enforces = config.mode == Mode::Enforce && config.enforced.takes(abi::random);
        if !is_asked_about(&config, &reads) {
            self.tally.count(Count::Skipped);
            return !enforces || self.act(context, &config, &Verdict::Without(Word::Skipped), false);
        }
        let kept = config.cache.as_ref();
        let key = kept.and_then(|kept| key::key(&kept.key, &reads, &mut self.room));
        let now = abi::now_ms();
        let waits = enforces.then_some(context);
        let verdict = match root.engine.consult(now, key.as_ref(), waits, &mut self.tally) {
            Consulted::Decided(verdict, again) => {
                if let Some(admission) = again {
                    // Of no consequence to this request, whatever comes of it.
                    let asking = Asking { now, key, admission, stream: None };
                    self.ask(context, &config, asking, &reads);
                }
                Some(verdict)
            }
            Consulted::Joined => None,
            Consulted::Ask(admission) => {
                let asking = Asking { now, key, admission, stream: waits };
                self.ask(context, &config, asking, &reads)
            }
        };
        match verdict {
            _ if !enforces => true,
            Some(verdict) => self.act(context, &config, &verdict, false),
            None => {
                // Whatever becomes of the call, no client speaks in the service's name.
                config.stripped().for_each(abi::strip);
                if let Some(stream) = self.streams.get_mut(&context) {
                    stream.waits = Some(now);
                }
                false
            }
        }
    }

    /// Asks the service about the request at hand. A verdict if that cannot be done.
    fn ask(&mut self, context: u32, config: &Enrichment, asking: Asking, reads: &Asked) -> Option<Verdict> {
        let Asking { now, key, admission, .. } = asking;
        let root = self.streams.get(&context).and_then(|stream| root_of(&mut self.roots, stream.root))?;
        let Ok((question, left_out)) = config.call.question(reads) else {
            return Some(root.engine.unaskable(now, key.as_ref(), admission, &mut self.tally));
        };
        self.tally.add(Count::Invalid, left_out);
        match abi::call(&config.call.cluster, &question.headers, &question.body, config.call.timeout_ms) {
            Ok(token) => {
                root.engine.sent(token, asking, question, &mut self.tally);
                None
            }
            Err(status) => {
                let verdict = root.engine.unsent(now, key.as_ref(), admission, &mut self.tally);
                self.warn_of(&config.call.cluster, status, now);
                Some(verdict)
            }
        }
    }

    fn on_http_call_response(&mut self, root_id: u32, token: u32, body_size: usize) {
        let Some(root) = root_of(&mut self.roots, root_id) else { return };
        let config = Rc::clone(&root.config);
        let headers = abi::pairs(Map::CallResponse);
        let bare = Answer { headers: &headers, body: &[], body_size: body_size as u64 };
        // The body of a failure tells whether it is Envoy's own.
        let is_told = config.reads_body || bare.status().is_some_and(|status| status >= 500);
        let is_read = is_told && bare.body_size <= config.max_response_bytes;
        let body = if is_read { abi::buffer(Buffer::CallResponseBody, body_size) } else { Vec::new() };
        let answer = Answer { body: &body, ..bare };
        let now = abi::now_ms();
        let settled = match root.engine.answered(now, token, &answer, &mut self.tally) {
            None => return,
            Some(Next::Settled(settled)) => settled,
            Some(Next::Again(question, flight)) => {
                match abi::call(&config.call.cluster, &question.headers, &question.body, flight.timeout_ms) {
                    Ok(token) => return root.engine.sent_again(token, flight, &mut self.tally),
                    Err(status) => {
                        let settled = root.engine.unsent_again(now, flight, &mut self.tally);
                        self.warn_of(&config.call.cluster, status, now);
                        settled
                    }
                }
            }
        };
        self.settle(&config, settled, now);
        self.report(root_id);
    }

    /// Lets everybody go on who waited for a call.
    fn settle(&mut self, config: &Enrichment, settled: Settled, now: u64) {
        self.metrics.call_took(settled.took_ms);
        for context in settled.waiters {
            // One that is gone waits for nothing: neither headers nor anything else of it may be touched.
            let waited = self.streams.get_mut(&context).and_then(|stream| stream.waits.take());
            let Some(since) = waited else { continue };
            if abi::act_on(context) {
                self.metrics.held(now.saturating_sub(since));
                if self.act(context, config, &settled.verdict, true) {
                    // Last: once resumed, the request's headers are out of reach.
                    abi::resume();
                }
            }
        }
    }

    /// Does to the request at hand what the verdict says. Whether it goes on.
    fn act(&mut self, context: u32, config: &Enrichment, verdict: &Verdict, is_stripped: bool) -> bool {
        let word = match verdict {
            Verdict::With(enriched, word) => {
                self.enrich(context, config, enriched, is_stripped);
                *word
            }
            Verdict::Without(word) => {
                if !is_stripped {
                    config.stripped().for_each(abi::strip);
                }
                if *word != Word::Skipped {
                    self.tally.count(Count::Errors);
                }
                *word
            }
            Verdict::Deny(status, word) => {
                self.tally.count(Count::Errors);
                self.tally.count(Count::Denied);
                let reason = word.as_str();
                abi::reply(*status, &format!("enrichment_{reason}"), &format!("enrichment: {reason}\n"));
                return false;
            }
        };
        if let Some(name) = &config.status_header {
            abi::set_header(Map::Request, name, word.as_str().as_bytes());
        }
        true
    }

    fn enrich(&mut self, context: u32, config: &Enrichment, enriched: &Rc<Enriched>, is_stripped: bool) {
        let mut responds = false;
        for (mapping, value) in config.map.iter().zip(&enriched.values) {
            match (&mapping.target, value) {
                (Target::Request(name), Some(value)) => abi::set_header(Map::Request, name, value),
                (Target::Request(name), None) if !is_stripped => abi::strip(name),
                (Target::Response(_), Some(_)) => responds = true,
                (Target::FilterState(name), Some(value)) => abi::set_filter_state(name, value),
                (_, None) => {}
            }
        }
        if let (true, Some(stream)) = (responds, self.streams.get_mut(&context)) {
            stream.response = Some(Rc::clone(enriched));
        }
    }

    fn on_response_headers(&mut self, context: u32) {
        let Some(stream) = self.streams.get_mut(&context) else { return };
        let (Some(enriched), Some(root)) = (stream.response.take(), root_of(&mut self.roots, stream.root))
        else {
            return;
        };
        for (mapping, value) in root.config.map.iter().zip(&enriched.values) {
            if let (Target::Response(name), Some(value)) = (&mapping.target, value) {
                abi::set_header(Map::Response, name, value);
            }
        }
    }

    fn on_tick(&mut self, root_id: u32) {
        let Some(root) = root_of(&mut self.roots, root_id) else { return };
        let idle = self.tally.is_empty() && !root.engine.is_waiting();
        let (config, now) = (Rc::clone(&root.config), abi::now_ms());
        for settled in root.engine.overdue(now, &mut self.tally) {
            self.settle(&config, settled, now);
        }
        self.report(root_id);
        if let (true, Some(root)) = (idle, root_of(&mut self.roots, root_id)) {
            root.ticks = false;
            abi::tick_every(0);
        }
    }

    /// Tells the host what was counted, and what a plugin has.
    fn report(&mut self, root_id: u32) {
        self.metrics.flush(&mut self.tally);
        if let Some(root) = root_of(&mut self.roots, root_id) {
            self.metrics.gauges(&mut root.told, root.engine.gauges());
        }
    }

    fn on_delete(&mut self, context: u32) {
        if self.streams.remove(&context).is_none()
            && let Some(place) = self.roots.iter().position(|(id, _)| *id == context)
        {
            let (_, mut root) = self.roots.swap_remove(place);
            self.metrics.gauges(&mut root.told, [0; 3]);
            self.metrics.flush(&mut self.tally);
        }
    }

    /// Says at most once a minute in each VM that calls cannot even be made.
    fn warn_of(&mut self, cluster: &str, status: u32, now: u64) {
        const PAUSE_MS: u64 = 60_000;
        if self.warned.is_some_and(|last| now.saturating_sub(last) < PAUSE_MS) {
            return;
        }
        self.warned = Some(now);
        let reason = match status {
            2 => "BadArgument: is there a cluster of that name?".to_owned(),
            10 => "InternalFailure: has it a healthy host?".to_owned(),
            status => format!("status {status}"),
        };
        abi::log(
            Level::Warn,
            &format!("requests are not enriched: Envoy refuses calls to cluster {cluster:?} ({reason})"),
        );
    }
}

/// The root context of that id. There are as many as configurations in this VM: few.
fn root_of(roots: &mut [(u32, Root)], id: u32) -> Option<&mut Root> {
    roots.iter_mut().find(|(other, _)| *other == id).map(|(_, root)| root)
}

/// Whether the service is to be asked about the request at hand.
fn is_asked_about(config: &Enrichment, reads: &Asked) -> bool {
    config.when.as_ref().is_none_or(|when| when.holds(reads))
        && (config.sample >= 10_000 || {
            let [a, b, c, d, ..] = abi::random();
            u32::from_le_bytes([a, b, c, d]) % 10_000 < config.sample
        })
}
