//! The shell: what is done when Envoy calls. It calls when a stream is over, and twice before for those that want it.

mod own;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use filter_abi::buffer::{self, Buffer};
use filter_abi::plugin::{self, keep_number, kept_number};
use filter_abi::{Asked, metric, system};
use filter_kit::level::Level;
use filter_kit::metric::Defined;
use filter_kit::under_way::UnderWay;

use self::own::Own;
use crate::configurations::Configurations;
use crate::line::line;
use crate::sampler::{Sampler, Verdict};

use crate::{Begun, Direction, Exchange, Faults, Kind, Meter, Plan, Timing};

filter_abi::callbacks! {
    proxy_on_configure => on_configure,
    proxy_on_tick => on_tick,
    proxy_on_request_headers => on_request_headers,
    proxy_on_response_headers => on_response_headers,
    proxy_on_log => on_log,
}

thread_local! {
    static VM: RefCell<Vm> = const { RefCell::new(Vm::new()) };
    /// What is known of streams under way: of none, unless a plugin of this VM wants something of theirs.
    static UNDER_WAY: RefCell<UnderWay<Stream>> = const { RefCell::new(UnderWay::new()) };
    /// Whether a plugin of this VM counts streams under way.
    static WANTS_REQUESTS: Cell<bool> = const { Cell::new(false) };
    /// Whether a plugin of this VM wants to know when responses begin.
    static WANTS_RESPONSES: Cell<bool> = const { Cell::new(false) };
    static SAMPLER: Cell<Sampler> = const { Cell::new(Sampler::new(0)) };
}

/// What every plugin that runs in this VM shares.
struct Vm {
    configurations: Configurations<Plan>,
    /// Whether every root context knows the number of its configuration.
    all_numbered: bool,
    /// A changed configuration makes a new root context in the same VM, which must not define again.
    defined: Defined,
    own: Own,
    /// How much is written into the log: the last configuration counts.
    level: Level,
}

/// A stream under way.
struct Stream {
    /// Of the configuration that it began with.
    plan: Rc<Plan>,
    begun: Option<Begun>,
    /// When its response began, by the monotonic clock; `None` if it has not, or nobody wants to know.
    first_byte: Option<u64>,
}

fn on_configure(root: u32, size: usize) -> bool {
    let text = buffer::first(Buffer::PluginConfiguration, size);
    VM.with(|vm| vm.try_borrow_mut().is_ok_and(|mut vm| vm.configure(root, &text)))
}

/// Called twice a minute for each root context that lives.
fn on_tick(root: u32) {
    VM.with(|vm| {
        if let Ok(mut vm) = vm.try_borrow_mut()
            && vm.configurations.tick(root)
        {
            vm.note_what_is_wanted();
        }
    });
}

fn on_request_headers(context: u32) {
    if !WANTS_REQUESTS.get() {
        return;
    }
    let Some((plan, own)) = plan() else { return };
    if !plan.timing.extras.inflight {
        return;
    }
    let mut faults = Faults::default();
    let begun = plan.begin(&Asked::of_request(), &Metrics, &mut faults);
    own.count(faults);
    keep(context, Stream { plan, begun: Some(begun), first_byte: None });
}

fn on_response_headers(context: u32) {
    if !WANTS_RESPONSES.get() {
        return;
    }
    let known = UNDER_WAY.with(|streams| {
        let Ok(mut streams) = streams.try_borrow_mut() else { return false };
        let Some(stream) = streams.get_mut(context) else { return false };
        if stream.plan.timing.extras.ttfb {
            stream.first_byte = system::monotonic_ns();
        }
        true
    });
    if known {
        return;
    }
    if let Some((plan, _)) = plan().filter(|(plan, _)| plan.timing.extras.ttfb) {
        keep(context, Stream { plan, begun: None, first_byte: system::monotonic_ns() });
    }
}

fn keep(context: u32, stream: Stream) {
    UNDER_WAY.with(|streams| {
        if let Ok(mut streams) = streams.try_borrow_mut() {
            streams.insert(context, stream);
        }
    });
}

/// Called once for each stream, also for those that another filter answered; by then Envoy knows everything.
fn on_log(context: u32) {
    if WANTS_REQUESTS.get() || WANTS_RESPONSES.get() {
        let known = UNDER_WAY.with(|streams| streams.try_borrow_mut().ok()?.remove(context));
        if let Some(stream) = known {
            return end(&stream);
        }
    }
    VM.with(|vm| {
        let Ok(vm) = vm.try_borrow() else { return };
        let Some(plan) = vm.plan() else { return };
        if plan.is_plain {
            let mut faults = Faults::default();
            plan.record_plain(&Asked::of_response(), &Metrics, &mut faults);
            vm.own.count(faults);
        } else {
            record(plan, vm.own, None, None);
        }
    });
}

/// A stream of which something is known is over.
#[inline(never)]
fn end(stream: &Stream) {
    if let Some(begun) = stream.begun {
        stream.plan.end(begun, &Metrics);
    }
    let since = stream.first_byte.and_then(|first| Some(system::monotonic_ns()?.saturating_sub(first)));
    let own = VM.with(|vm| vm.try_borrow().ok().map(|vm| vm.own));
    record(&stream.plan, own.unwrap_or_default(), stream.begun, since);
}

#[inline(never)]
fn record(plan: &Plan, own: Own, begun: Option<Begun>, since_first_byte: Option<u64>) {
    let (asked, mut faults) = (Asked::of_response(), Faults::default());
    let recorded = plan.record(&asked, &Metrics, begun, since_first_byte, &mut faults);
    own.count(faults);
    if let Some((direction, exchange)) = recorded
        && plan.timing.log.is_some()
    {
        write(plan, own, &asked, direction, exchange);
    }
}

fn write(plan: &Plan, own: Own, asked: &Asked, direction: Direction, mut exchange: Exchange) {
    let Some(log) = plan.timing.log.as_ref().filter(|log| log.wants(&exchange)) else { return };
    let mut sampler = SAMPLER.get();
    let (verdict, now_ms) = sampler.decide(log, system::wall_ms);
    SAMPLER.set(sampler);
    match verdict {
        Verdict::Logged => {
            exchange.complete(asked, &plan.timing);
            system::log(Level::Info, &line(asked, log, direction, &exchange, now_ms));
            own.count_line();
        }
        Verdict::Dropped => own.count_dropped_line(),
        Verdict::NotDrawn => {}
    }
}

/// The plan of the plugin whose stream Envoy speaks of.
fn plan() -> Option<(Rc<Plan>, Own)> {
    VM.with(|vm| {
        let vm = vm.try_borrow().ok()?;
        Some((Rc::clone(vm.plan()?), vm.own))
    })
}

impl Vm {
    const fn new() -> Self {
        Self {
            configurations: Configurations::new(),
            all_numbered: true,
            defined: Defined::new(),
            own: Own::none(),
            level: Level::Info,
        }
    }

    fn configure(&mut self, root: u32, text: &[u8]) -> bool {
        let level = self.level;
        self.own = Own::of(&mut |kind, name| metric::once(&mut self.defined, level, kind.into(), name));
        let accepted = self.accept(root, text);
        self.own.count_configuration(accepted);
        if accepted {
            self.note_what_is_wanted();
            // Not before: a plugin that is refused has no timer.
            system::tick_every(30_000);
        }
        accepted
    }

    fn accept(&mut self, root: u32, text: &[u8]) -> bool {
        let timing = match Timing::from_json(text) {
            Ok(timing) => timing,
            Err(refusal) => {
                plugin::log_refusal(&refusal);
                return false;
            }
        };
        // White space around it makes no other configuration.
        let text = text.trim_ascii();
        let number = self.configurations.number_of(text);
        let all_numbered = self.all_numbered && u32::try_from(number).is_ok_and(keep_number);
        let is_another = self.configurations.count() > 0 && self.configurations.get(number).is_none();
        if is_another && !all_numbered {
            system::log(
                Level::Error,
                "config: differs from the one of another plugin in this VM, and this host cannot tell them apart; \
                 expected one configuration, or a `vm_id` for each",
            );
            return false;
        }
        self.all_numbered = all_numbered;
        self.level = timing.log_level;
        let (defined, level) = (&mut self.defined, self.level);
        self.configurations.add(root, text, || {
            SAMPLER.set(Sampler::new(u64::from_le_bytes(system::random())));
            Plan::new(timing, &mut |kind, name| metric::once(defined, level, kind.into(), name))
        });
        true
    }

    /// Envoy calls for each stream what a module exports. What nobody wants is then left at once.
    fn note_what_is_wanted(&self) {
        let wants = |test: fn(&Timing) -> bool| self.configurations.iter().any(|plan| test(&plan.timing));
        WANTS_REQUESTS.set(wants(|timing| timing.extras.inflight));
        WANTS_RESPONSES.set(wants(|timing| timing.extras.ttfb));
    }

    fn plan(&self) -> Option<&Rc<Plan>> {
        let kept = || self.configurations.get(usize::try_from(kept_number()?).ok()?);
        self.configurations.only().or_else(kept)
    }
}

/// The host's metrics.
struct Metrics;

impl Meter for Metrics {
    #[inline]
    fn add(&self, id: u32, by: i64) {
        metric::add(id, by);
    }

    #[inline]
    fn record(&self, id: u32, value: u64) {
        metric::record(id, value);
    }
}

impl From<Kind> for metric::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Counter => Self::Counter,
            Kind::Gauge => Self::Gauge,
            Kind::Histogram => Self::Histogram,
        }
    }
}
