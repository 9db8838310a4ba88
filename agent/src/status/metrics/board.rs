//! What the board shows, as metrics. Made when somebody asks.

use std::collections::BTreeMap;
use std::fmt;
use std::time::UNIX_EPOCH;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::status::{ResourceState, Serving};

/// The resources of all streams.
#[derive(Debug)]
pub(super) struct Resources {
    /// By what Envoy was given.
    serving: [(Serving, u64); 5],
    /// The worst state of each resource: there is one line however many streams subscribe, and none goes with a stream.
    named: BTreeMap<String, (Serving, &'static str)>,
    /// How many have no line, because there are too many.
    unnamed: u64,
    /// The earliest next attempt, in seconds since 1970.
    next_attempt: Option<f64>,
}

impl Resources {
    /// Counts them; the first so many by name have a series of their own.
    pub(super) fn of(states: &[ResourceState], limit: usize) -> Self {
        let mut serving = Serving::ALL.map(|kind| (kind, 0));
        let mut named = BTreeMap::<String, (Serving, &'static str)>::new();
        for state in states {
            for (kind, count) in &mut serving {
                *count += u64::from(*kind == state.serving);
            }
            let now = (state.serving, state.standing.label());
            let worst = named.entry(state.name.clone()).or_insert(now);
            if rank(state.serving) > rank(worst.0) {
                *worst = now;
            }
        }
        let unnamed = u64::try_from(named.len().saturating_sub(limit)).unwrap_or(u64::MAX);
        let named = named.into_iter().take(limit).collect();
        let next_attempt = states.iter().filter_map(|state| state.next_attempt).min();
        let next_attempt = next_attempt.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        Self { serving, named, unnamed, next_attempt: next_attempt.map(|since| since.as_secs_f64()) }
    }
}

/// The higher, the more it matters to whoever is called at night.
fn rank(serving: Serving) -> u8 {
    match serving {
        Serving::Wanted => 0,
        Serving::LastGood => 1,
        Serving::Nothing => 2,
        Serving::Allow => 3,
        Serving::Deny => 4,
    }
}

impl Collector for Resources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Resources with a remote module, by what Envoy has been given.";
        let mut family = encoder.encode_descriptor("resources", help, None, MetricType::Gauge)?;
        for (serving, count) in self.serving {
            ConstGauge::new(count).encode(family.encode_family(&[("serving", serving.label())])?)?;
        }

        let help = "Resources for which Envoy has something else than the control plane asked for.";
        let gauge = encoder.encode_descriptor("resources_in_fallback", help, None, MetricType::Gauge)?;
        let fallback = self.serving.iter().filter(|(serving, _)| serving.is_fallback());
        ConstGauge::new(fallback.map(|(_, count)| count).sum::<u64>()).encode(gauge)?;

        if let Some(at) = self.next_attempt {
            let help = "When the next attempt to obtain a module is due, in seconds since 1970.";
            let name = "next_attempt_timestamp_seconds";
            ConstGauge::new(at).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }

        let help = "The worst state of each resource, over all streams.";
        let mut family = encoder.encode_descriptor("resource_info", help, None, MetricType::Gauge)?;
        for (name, (serving, standing)) in &self.named {
            let labels = [("resource", name.as_str()), ("serving", serving.label()), ("standing", standing)];
            ConstGauge::new(1u64).encode(family.encode_family(&labels)?)?;
        }

        let help = "Resources without a resource_info, because there are more than are shown.";
        let gauge = encoder.encode_descriptor("resource_info_left_out", help, None, MetricType::Gauge)?;
        ConstGauge::new(self.unnamed).encode(gauge)
    }
}
