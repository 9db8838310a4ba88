//! Metrics as Envoy keeps them: by name, shared by every VM; each VM has ids of its own for them.

use std::collections::HashMap;

use crate::abi::{MetricType, Status};

/// A metric as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Metric {
    /// A counter's value.
    Counter(u64),
    /// A gauge's value.
    Gauge(u64),
    /// A histogram's values in the order in which they were recorded.
    Histogram(Vec<u64>),
}

/// The store of all metrics.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    by_name: HashMap<(String, MetricType), usize>,
    metrics: Vec<Stat>,
    /// Of names.
    bytes: usize,
}

#[derive(Debug)]
pub(crate) struct Stat {
    pub(crate) name: String,
    pub(crate) metric: Metric,
}

/// A guest may define metrics without end; this many are kept.
const MAX_METRICS: usize = 100_000;
/// The same for the bytes of their names.
const MAX_BYTES: usize = 64 << 20;
/// A histogram's values beyond these are counted, not kept.
const MAX_VALUES: usize = 1_000_000;

impl Stats {
    /// The metric of that name and kind, made if there is none.
    ///
    /// # Errors
    ///
    /// `INTERNAL_FAILURE` if there are too many.
    pub(crate) fn define(&mut self, name: &str, kind: MetricType) -> Result<usize, Status> {
        if let Some(index) = self.by_name.get(&(name.to_owned(), kind)) {
            return Ok(*index);
        }
        if self.metrics.len() >= MAX_METRICS || self.bytes.saturating_add(name.len()) > MAX_BYTES {
            return Err(Status::InternalFailure);
        }
        self.bytes += name.len();
        let metric = match kind {
            MetricType::Counter => Metric::Counter(0),
            MetricType::Gauge => Metric::Gauge(0),
            MetricType::Histogram => Metric::Histogram(Vec::new()),
        };
        self.metrics.push(Stat { name: name.to_owned(), metric });
        self.by_name.insert((name.to_owned(), kind), self.metrics.len() - 1);
        Ok(self.metrics.len() - 1)
    }

    pub(crate) fn increment(&mut self, index: usize, offset: i64) -> Status {
        match self.metrics.get_mut(index).map(|stat| &mut stat.metric) {
            Some(Metric::Counter(value)) => match u64::try_from(offset) {
                Ok(offset) if offset > 0 => {
                    *value = value.wrapping_add(offset);
                    Status::Ok
                }
                // A counter never goes down, and Envoy counts 0 among the mistakes.
                _ => Status::BadArgument,
            },
            Some(Metric::Gauge(value)) => {
                *value = value.wrapping_add_signed(offset);
                Status::Ok
            }
            Some(Metric::Histogram(_)) => Status::BadArgument,
            None => Status::NotFound,
        }
    }

    pub(crate) fn record(&mut self, index: usize, recorded: u64) -> Status {
        match self.metrics.get_mut(index).map(|stat| &mut stat.metric) {
            // Envoy adds where the specification would set.
            Some(Metric::Counter(value)) => *value = value.wrapping_add(recorded),
            Some(Metric::Gauge(value)) => *value = recorded,
            Some(Metric::Histogram(values)) => {
                if values.len() < MAX_VALUES {
                    values.push(recorded);
                }
            }
            None => return Status::NotFound,
        }
        Status::Ok
    }

    pub(crate) fn value(&self, index: usize) -> Result<u64, Status> {
        match self.metrics.get(index).map(|stat| &stat.metric) {
            Some(Metric::Counter(value) | Metric::Gauge(value)) => Ok(*value),
            Some(Metric::Histogram(_)) => Err(Status::BadArgument),
            None => Err(Status::NotFound),
        }
    }

    pub(crate) fn get(&self, name: &str) -> impl Iterator<Item = &Metric> {
        self.metrics.iter().filter(move |stat| stat.name == name).map(|stat| &stat.metric)
    }

    pub(crate) fn all(&self) -> &[Stat] {
        &self.metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_name_is_the_same_metric_and_another_kind_another() {
        let mut stats = Stats::default();
        let first = stats.define("a", MetricType::Counter).unwrap();
        assert_eq!(stats.define("a", MetricType::Counter), Ok(first));
        assert_ne!(stats.define("a", MetricType::Gauge), Ok(first));
    }

    #[test]
    fn a_counter_adds_what_is_recorded_and_never_goes_down() {
        let mut stats = Stats::default();
        let counter = stats.define("a", MetricType::Counter).unwrap();
        assert_eq!(stats.increment(counter, 2), Status::Ok);
        assert_eq!(stats.record(counter, 3), Status::Ok);
        assert_eq!(stats.increment(counter, 0), Status::BadArgument);
        assert_eq!(stats.increment(counter, -1), Status::BadArgument);
        assert_eq!(stats.value(counter), Ok(5));
    }

    #[test]
    fn a_histogram_has_no_value_to_get_or_increment() {
        let mut stats = Stats::default();
        let histogram = stats.define("a", MetricType::Histogram).unwrap();
        assert_eq!(stats.record(histogram, 7), Status::Ok);
        assert_eq!(stats.increment(histogram, 1), Status::BadArgument);
        assert_eq!(stats.value(histogram), Err(Status::BadArgument));
    }
}
