//! Metrics, each defined once in a VM.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;

thread_local! {
    /// Envoy gives a new id at every definition, even of a name it has (Envoy 1.40, `context.cc`), and never
    /// frees one. A configuration change makes a new root context in the same VM, which must not define again.
    static DEFINED: RefCell<BTreeMap<String, u32>> = const { RefCell::new(BTreeMap::new()) };
}

/// A number that only goes up.
#[derive(Clone, Copy, Debug)]
pub struct Counter(Option<u32>);

/// A distribution of whole numbers. Envoy gives it no unit: put the unit into the name, as in `_ms`.
#[derive(Clone, Copy, Debug)]
pub struct Histogram(Option<u32>);

/// The counter of that name. Call it while configuring, never in `proxy_wasm::main!`: there Envoy does not
/// allow it yet.
pub fn counter(name: &str) -> Counter {
    Counter(define(MetricType::Counter, name))
}

/// The histogram of that name; the same restriction holds as for [`counter`].
pub fn histogram(name: &str) -> Histogram {
    Histogram(define(MetricType::Histogram, name))
}

impl Counter {
    /// Adds one.
    pub fn increment(self) {
        self.add(1);
    }

    /// Adds `count`, which Envoy takes only if it is more than 0.
    pub fn add(self, count: u64) {
        if let (Some(id), Ok(count)) = (self.0, i64::try_from(count)) {
            // Only an unknown id is refused, and this one is Envoy's own.
            let _ = hostcalls::increment_metric(id, count);
        }
    }
}

impl Histogram {
    /// Records one value.
    pub fn record(self, value: u64) {
        if let Some(id) = self.0 {
            let _ = hostcalls::record_metric(id, value);
        }
    }
}

fn define(kind: MetricType, name: &str) -> Option<u32> {
    DEFINED.with_borrow_mut(|defined| {
        if let Some(id) = defined.get(name) {
            return Some(*id);
        }
        match hostcalls::define_metric(kind, name) {
            Ok(id) => {
                defined.insert(name.to_owned(), id);
                Some(id)
            }
            Err(status) => {
                log::warn!("metric {name} is not recorded: the host refused to define it ({status:?})");
                None
            }
        }
    })
}
