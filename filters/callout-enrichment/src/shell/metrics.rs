//! The metrics of this filter, defined once in a VM.

use filter_abi::metric::{self, Kind};
use filter_kit::level::Level;
use filter_kit::metric::{Defined, TagStyle};

use crate::tally::{CONFIGURATIONS, GAUGES, HISTOGRAMS, NAMES, Tally};

/// The metrics of a VM, by the ids that Envoy gave them; `None` for one that it refused.
pub(super) struct Metrics {
    defined: Defined,
    style: TagStyle,
    level: Level,
    counters: [Option<u32>; NAMES.len()],
    gauges: [Option<u32>; GAUGES.len()],
    histograms: [Option<u32>; HISTOGRAMS.len()],
}

impl Metrics {
    pub(super) const fn new() -> Self {
        Self {
            defined: Defined::new(),
            style: TagStyle::Flat,
            level: Level::Info,
            counters: [None; NAMES.len()],
            gauges: [None; GAUGES.len()],
            histograms: [None; HISTOGRAMS.len()],
        }
    }

    /// Defines all that are not, and counts a configuration: one that was read has a style of names. Only inside of
    /// `on_configure`. The last style is that of the VM.
    pub(super) fn configured(&mut self, read: Option<(TagStyle, Level)>) {
        (self.style, self.level) = read.unwrap_or((self.style, self.level));
        let [loads, rejects] = CONFIGURATIONS.map(|name| self.define(Kind::Counter, name));
        if let Some(id) = if read.is_some() { loads } else { rejects } {
            metric::add(id, 1);
        }
        if read.is_none() {
            return;
        }
        self.counters = NAMES.map(|name| self.define(Kind::Counter, name));
        self.gauges = GAUGES.map(|name| self.define(Kind::Gauge, name));
        self.histograms = HISTOGRAMS.map(|name| self.define(Kind::Histogram, name));
    }

    fn define(&mut self, kind: Kind, name: &str) -> Option<u32> {
        let name = self.style.name("enrich", &["wasm_enrich_", name].concat());
        metric::once(&mut self.defined, self.level, kind, &name)
    }

    /// Tells the host what was counted.
    pub(super) fn flush(&self, tally: &mut Tally) {
        tally.tell(|place, count| {
            if let (Some(Some(id)), Ok(count)) = (self.counters.get(place), i64::try_from(count)) {
                metric::add(*id, count);
            }
        });
    }

    /// Tells the host how the gauges of a plugin have changed. Those of every VM add up.
    pub(super) fn gauges(&self, told: &mut [u64; 3], now: [u64; 3]) {
        for ((told, now), id) in told.iter_mut().zip(now).zip(self.gauges) {
            let change = now.cast_signed() - told.cast_signed();
            if let (Some(id), true) = (id, change != 0) {
                metric::add(id, change);
                *told = now;
            }
        }
    }

    pub(super) fn call_took(&self, ms: u64) {
        if let [Some(id), _] = self.histograms {
            metric::record(id, ms);
        }
    }

    pub(super) fn held(&self, ms: u64) {
        if let [_, Some(id)] = self.histograms {
            metric::record(id, ms);
        }
    }
}
