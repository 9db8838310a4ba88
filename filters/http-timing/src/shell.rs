//! The shell: what is done when Envoy calls. `abi` has the calls themselves.

mod abi;

use std::cell::RefCell;

use self::abi::{Kind, Level, Map};
use crate::{Configurations, Direction, Line, LogLine, Timing, class, milliseconds, status};

thread_local! {
    static VM: RefCell<Vm> =
        const { RefCell::new(Vm { configurations: Configurations::new(), all_numbered: true, metrics: None }) };
}

/// What every plugin that runs in this VM shares. Nothing is kept for a stream, so nothing has to be freed for one.
struct Vm {
    configurations: Configurations,
    /// Whether every root context knows the number of its configuration.
    all_numbered: bool,
    /// Defined once: none is ever freed.
    metrics: Option<[Metrics; 2]>,
}

/// The metrics of one direction; `None` for one that Envoy refused.
#[derive(Clone, Copy)]
struct Metrics {
    duration: Option<u32>,
    /// Of the classes 2xx to 5xx.
    responses: [Option<u32>; 4],
}

fn on_configure(size: usize) -> bool {
    match Timing::from_json(&abi::plugin_configuration(size)) {
        Ok(timing) => VM.with(|vm| vm.try_borrow_mut().is_ok_and(|mut vm| vm.configure(timing))),
        Err(refusal) => {
            for problem in refusal.problems() {
                abi::log(Level::Error, &problem.to_string());
            }
            false
        }
    }
}

/// Called once for each stream, also for those that another filter answered; by then Envoy knows everything.
fn on_log() {
    VM.with(|vm| {
        let Ok(vm) = vm.try_borrow() else { return };
        let Some(timing) = vm.timing() else { return };
        // Read each time unless it is given: listeners of both directions share a root context (Envoy 1.36 to 1.40).
        let direction = timing.direction.unwrap_or_else(|| {
            abi::attribute("xds\0listener_direction")
                .and_then(Direction::from_attribute)
                .unwrap_or(timing.default_direction)
        });
        let duration = abi::attribute("request\0duration").and_then(milliseconds);
        // The header, for a header costs a third of what the attribute `response.code` does.
        let code = abi::header(Map::Response, ":status", status).unwrap_or(0);
        if let Some([inbound, outbound]) = &vm.metrics {
            match direction {
                Direction::Inbound => inbound.record(duration, code),
                Direction::Outbound => outbound.record(duration, code),
            }
        }
        if let Some(log) = &timing.log {
            write(log, direction, code, duration);
        }
    });
}

fn write(log: &LogLine, direction: Direction, code: u64, duration_ms: Option<u64>) {
    let header = |name| abi::header(Map::Request, name, <[u8]>::to_vec).unwrap_or_default();
    let (method, path, authority) = (header(":method"), header(":path"), header(":authority"));
    let line = Line { direction, method: &method, path: &path, authority: &authority, code, duration_ms };
    abi::log(Level::Info, &line.to_json(log.max_path));
}

impl Vm {
    fn configure(&mut self, timing: Timing) -> bool {
        let number = self.configurations.number_of(&timing);
        let all_numbered = self.all_numbered && keep_number(number);
        if number > 0 && !all_numbered {
            abi::log(
                Level::Error,
                "config: differs from the one of another plugin in this VM, and this host cannot tell them apart; \
                 expected one configuration, or a `vm_id` for each",
            );
            return false;
        }
        self.all_numbered = all_numbered;
        self.configurations.add(timing);
        self.metrics.get_or_insert_with(|| [Direction::Inbound, Direction::Outbound].map(Metrics::of));
        true
    }

    /// The configuration of the plugin whose stream Envoy speaks of.
    fn timing(&self) -> Option<&Timing> {
        self.configurations.only().or_else(|| self.configurations.get(kept_number()?))
    }
}

// How a stream is known to be of a plugin: Envoy keeps CEL expressions for each root context, counted from 0 (Envoy
// 1.36 to 1.40, `foreign.cc`), and finds that of a stream by itself. The first of each is the number of its
// configuration, evaluated only where there are several: that costs 3 µs. Otherwise each stream would have to be
// announced by `proxy_on_context_create`, and half a microsecond spent on it.

const FIRST: [u8; 4] = 0_u32.to_le_bytes();

/// Whether the root context that is being configured has `number` as its first expression from now on.
fn keep_number(number: usize) -> bool {
    match abi::foreign::<4>("expr_create", number.to_string().as_bytes()) {
        Some(FIRST) => true,
        // It was configured before, or the host counts otherwise.
        Some(other) => {
            abi::foreign::<0>("expr_delete", &other);
            kept_number() == Some(number)
        }
        None => false,
    }
}

fn kept_number() -> Option<usize> {
    let value = abi::foreign("expr_evaluate", &FIRST)?;
    usize::try_from(i64::from_le_bytes(value)).ok()
}

impl Metrics {
    fn of(direction: Direction) -> Self {
        let direction = direction.as_str();
        Self {
            duration: define(Kind::Histogram, &format!("wasm_http_{direction}_duration_ms")),
            responses: [2, 3, 4, 5].map(|class| {
                define(Kind::Counter, &format!("wasm_http_{direction}_responses_total_{class}xx"))
            }),
        }
    }

    fn record(&self, duration: Option<u64>, code: u64) {
        if let (Some(id), Some(duration)) = (self.duration, duration) {
            abi::record(id, duration);
        }
        let counter = class(code).and_then(|class| self.responses.get(class.wrapping_sub(2)));
        if let Some(id) = counter.copied().flatten() {
            abi::increment(id);
        }
    }
}

fn define(kind: Kind, name: &str) -> Option<u32> {
    let id = abi::define(kind, name);
    if id.is_none() {
        abi::log(Level::Warn, &format!("metric {name} is not recorded: the host refused to define it"));
    }
    id
}
