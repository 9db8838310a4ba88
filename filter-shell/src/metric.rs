//! Metrics, each defined once in a VM.

use std::cell::{Cell, RefCell};

use filter_kit::metric::{Defined, TagStyle, name};
use proxy_wasm::types::MetricType;

use crate::abi;

thread_local! {
    /// A configuration change makes a new root context in the same VM, which must not define again.
    static DEFINED: RefCell<Defined> = const { RefCell::new(Defined::new()) };
    static STYLE: Cell<TagStyle> = const { Cell::new(TagStyle::Flat) };
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

/// From now on the names of [`counter_of`] are written so, in this VM: the last configuration counts.
pub fn set_style(style: TagStyle) {
    STYLE.set(style);
}

/// The counter that is called `wasm_<filter>_<what>`, or as the style of this VM has it; see [`counter`].
pub fn counter_of(filter: &str, what: &str) -> Counter {
    counter(&STYLE.get().name(filter, &name(filter, what)))
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
            abi::increment(id, count);
        }
    }
}

impl Histogram {
    /// Records one value.
    pub fn record(self, value: u64) {
        if let Some(id) = self.0 {
            abi::record(id, value);
        }
    }
}

fn define(kind: MetricType, name: &str) -> Option<u32> {
    DEFINED.with_borrow_mut(|defined| {
        defined.id(name, |name| match abi::define(kind, name) {
            Ok(id) => Some(id),
            Err(status) => {
                log::warn!("metric {name} is not recorded: the host refused to define it (status {status})");
                None
            }
        })
    })
}
