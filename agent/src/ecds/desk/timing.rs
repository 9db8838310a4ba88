//! How long the conversion of a response takes.

use std::sync::Arc;

use tokio::time::Instant;

use crate::status::Metrics;

/// Goes on until nobody holds it any more: the response that is sorted, and each resource whose module is on its way for
/// the first time. So it ends where that of Istio's agent does, which answers when the last module is there or cannot be
/// had; only that nobody waits for it here.
#[derive(Clone, Debug)]
pub(super) struct Timing {
    /// Never read: it is there to be dropped.
    _clock: Arc<Clock>,
}

#[derive(Debug)]
struct Clock {
    // The clock of the timers, which a test may stop.
    began: Instant,
    metrics: Arc<Metrics>,
}

impl Timing {
    pub(super) fn begins(metrics: &Arc<Metrics>) -> Self {
        Self { _clock: Arc::new(Clock { began: Instant::now(), metrics: Arc::clone(metrics) }) }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.metrics.conversion_took(self.began.elapsed().as_secs_f64() * 1000.0);
    }
}
