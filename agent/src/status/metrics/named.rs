//! Metrics that keep their name: [`Counter`](prometheus_client::metrics::counter::Counter) appends `_total`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// A counter without a suffix.
#[derive(Clone, Debug, Default)]
pub(super) struct Plain(Arc<AtomicU64>);

impl Plain {
    /// Counts so many more.
    pub(super) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }
}

impl EncodeMetric for Plain {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_gauge(&self.0.load(Ordering::Relaxed))
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl TypedMetric for Plain {
    const TYPE: MetricType = MetricType::Counter;
}

/// A gauge that shows the highest value there was.
#[derive(Clone, Debug, Default)]
pub(super) struct Highest(Arc<AtomicU64>);

impl Highest {
    /// There is that value now.
    pub(super) fn raise_to(&self, value: usize) {
        self.0.fetch_max(u64::try_from(value).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl EncodeMetric for Highest {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_gauge(&self.0.load(Ordering::Relaxed))
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }
}
