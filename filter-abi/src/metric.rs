//! Metrics, by the ids that Envoy gave them.

use filter_kit::level::Level;
use filter_kit::metric::Defined;

use crate::{import, system};

/// What a metric does with what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// A number that only goes up.
    Counter = 0,
    /// A number that goes up and down.
    Gauge = 1,
    /// A distribution of whole numbers.
    Histogram = 2,
}

/// The id of a metric, defined unless `defined` has it: Envoy gives a new one at every definition, even of a name it has
/// (Envoy 1.40, `context.cc`), and never frees one. Only while configuring, before that Envoy does not allow it.
// Compiled with its caller, that they have one copy of the map's code.
#[inline]
pub fn once(defined: &mut Defined, level: Level, kind: Kind, name: &str) -> Option<u32> {
    defined.id(name, |name| {
        let id = define(kind, name);
        if id.is_none() && level.writes(Level::Warn) {
            let text = format!("metric {name} is not recorded: the host refused to define it");
            system::log(Level::Warn, &text);
        }
        id
    })
}

fn define(kind: Kind, name: &str) -> Option<u32> {
    let mut id = 0;
    // SAFETY: the name is valid for its length, and the out pointer for a write.
    let status = unsafe { import::proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut id) };
    (status == 0).then_some(id)
}

/// Adds to the counter or gauge `id`; Envoy takes only what is more than 0 for a counter.
#[inline]
pub fn add(id: u32, by: i64) {
    // SAFETY: numbers alone. Only an unknown id is refused, and this one is Envoy's own.
    unsafe { import::proxy_increment_metric(id, by) };
}

/// Sets the gauge `id`, or records one value in the histogram `id`.
#[inline]
pub fn record(id: u32, value: u64) {
    // SAFETY: numbers alone, as above.
    unsafe { import::proxy_record_metric(id, value) };
}
