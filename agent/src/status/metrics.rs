//! What is counted, under the names that Istio's agent uses.
//!
//! Istio's exporter writes counters without the suffix `_total`, and dashboards ask for them so. The names that it has
//! are kept to the letter, prefix `istio_agent_`; what it has not got begins with `meshloom_agent_` and follows the
//! rules of OpenMetrics. Linters of metrics complain of the former; a dashboard that goes on working is worth more.

use std::time::Duration;

use prometheus_client::encoding::text::encode_registry;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::Board;
use crate::Reason;

mod board;
mod named;

use named::{Highest, Plain};

/// What the lines begin with that have a bucket of Istio's histogram.
const CONVERSION_BUCKET: &str = "istio_agent_wasm_config_conversion_duration_bucket{";

/// One label, whose values are known when this is compiled.
type Label = [(&'static str, &'static str); 1];

/// All counters of the agent. Cheap to share behind an `Arc`; no label holds anything that a client or a control plane
/// chose.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    connection_failures: Plain,
    istiod_terminations: Family<Label, Plain>,
    envoy_terminations: Family<Label, Plain>,
    requests: Plain,
    responses: Plain,
    largest: Highest,
    cache_entries: Gauge,
    lookups: Family<Label, Plain>,
    fetches: Family<Label, Plain>,
    conversions: Family<Label, Plain>,
    conversion_milliseconds: Histogram,
    failures: Family<Label, Counter>,
    fetched_bytes: Counter,
    phases: Family<Label, Histogram, fn() -> Histogram>,
    retries: Counter,
    store_bytes: Gauge,
    dropped: Family<Label, Counter>,
    streams: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        // 1, 2, 4, … 16384 ms, as Istio has them.
        let milliseconds = exponential_buckets(1.0, 2.0, 15);
        // 1 ms to 65 s.
        let seconds: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 4.0, 9));
        let mut metrics = Self {
            registry: Registry::default(),
            connection_failures: Plain::default(),
            istiod_terminations: Family::default(),
            envoy_terminations: Family::default(),
            requests: Plain::default(),
            responses: Plain::default(),
            largest: Highest::default(),
            cache_entries: Gauge::default(),
            lookups: Family::default(),
            fetches: Family::default(),
            conversions: Family::default(),
            conversion_milliseconds: Histogram::new(milliseconds),
            failures: Family::default(),
            fetched_bytes: Counter::default(),
            phases: Family::new_with_constructor(seconds),
            retries: Counter::default(),
            store_bytes: Gauge::default(),
            dropped: Family::default(),
            streams: Gauge::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    /// Names everything.
    fn register(&mut self) {
        let Self { registry, .. } = self;
        let istio = registry.sub_registry_with_prefix("istio_agent");
        istio.register(
            "istiod_connection_failures",
            "Streams that could not be opened to the control plane",
            self.connection_failures.clone(),
        );
        istio.register(
            "istiod_connection_terminations",
            "Streams to the control plane that ended, by how",
            self.istiod_terminations.clone(),
        );
        istio.register(
            "envoy_connection_terminations",
            "Streams from Envoy that ended, by how",
            self.envoy_terminations.clone(),
        );
        istio.register("xds_proxy_requests", "Requests passed to the control plane", self.requests.clone());
        istio.register(
            "xds_proxy_responses",
            "Responses received from the control plane",
            self.responses.clone(),
        );
        istio.register("pilot_xds_recv_max", "Bytes of the largest request of Envoy", self.largest.clone());
        istio.register("wasm_cache_entries", "Modules in the store", self.cache_entries.clone());
        istio.register("wasm_cache_lookup_count", "Modules looked for in the store", self.lookups.clone());
        istio.register("wasm_remote_fetch_count", "Downloads of modules, by result", self.fetches.clone());
        istio.register(
            "wasm_config_conversion_count",
            "Resources that were converted, by result",
            self.conversions.clone(),
        );
        istio.register(
            "wasm_config_conversion_duration",
            "Milliseconds until a response was converted, with what its modules took",
            self.conversion_milliseconds.clone(),
        );

        let ours = registry.sub_registry_with_prefix("meshloom_agent");
        ours.register(
            "fetch_failures",
            "Failed attempts to obtain a module, by reason",
            self.failures.clone(),
        );
        ours.register("fetch_bytes", "Bytes of modules that were downloaded", self.fetched_bytes.clone());
        ours.register("fetch_phase_seconds", "How long each phase of a fetch took", self.phases.clone());
        ours.register("retries", "Attempts after the first", self.retries.clone());
        ours.register("store_bytes", "Bytes of the modules in the store", self.store_bytes.clone());
        ours.register(
            "dropped_responses",
            "Responses that were not passed to Envoy, by kind",
            self.dropped.clone(),
        );
        ours.register("streams", "Streams from Envoy that are open", self.streams.clone());
        let built: Family<Label, Gauge> = Family::default();
        built.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        ours.register("build_info", "The version that runs", built);
    }

    /// A stream could not be opened to the control plane.
    pub fn connection_failed(&self) {
        self.connection_failures.add(1);
    }

    /// The stream to the control plane ended.
    pub fn istiod_ended(&self, end: End) {
        self.istiod_terminations.get_or_create(&[("type", end.label())]).add(1);
    }

    /// The stream from Envoy ended.
    pub fn envoy_ended(&self, end: End) {
        self.envoy_terminations.get_or_create(&[("type", end.label())]).add(1);
    }

    /// A request was passed to the control plane.
    pub fn request(&self) {
        self.requests.add(1);
    }

    /// Envoy has sent a request of so many bytes.
    pub fn received(&self, bytes: usize) {
        self.largest.raise_to(bytes);
    }

    /// The control plane has sent a response.
    pub fn response(&self) {
        self.responses.add(1);
    }

    /// A resource was converted, with that result.
    pub fn conversion(&self, result: Conversion) {
        self.conversions.get_or_create(&[("result", result.label())]).add(1);
    }

    /// A response's conversion took so many milliseconds, until the last of its modules was there or was known not to be.
    pub fn conversion_took(&self, milliseconds: f64) {
        self.conversion_milliseconds.observe(milliseconds);
    }

    /// A module was looked for in the store.
    pub fn lookup(&self, hit: bool) {
        self.lookups.get_or_create(&[("hit", if hit { "true" } else { "false" })]).add(1);
    }

    /// A download ended.
    pub fn fetch(&self, result: FetchResult) {
        self.fetches.get_or_create(&[("result", result.label())]).add(1);
    }

    /// There are so many modules in the store, of so many bytes.
    pub fn store_holds(&self, modules: u64, bytes: u64) {
        self.cache_entries.set(i64::try_from(modules).unwrap_or(i64::MAX));
        self.store_bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// An attempt to obtain a module failed.
    pub fn failed(&self, reason: Reason) {
        self.failures.get_or_create(&[("reason", reason.label())]).inc();
    }

    /// So many bytes of a module have been downloaded.
    pub fn fetched(&self, bytes: u64) {
        self.fetched_bytes.inc_by(bytes);
    }

    /// A phase of a fetch has ended.
    pub fn phase(&self, phase: Phase, took: Duration) {
        self.phases.get_or_create(&[("phase", phase.label())]).observe(took.as_secs_f64());
    }

    /// A module is tried again.
    pub fn retried(&self) {
        self.retries.inc();
    }

    /// A response is not passed to Envoy.
    pub fn dropped(&self, kind: Dropped) {
        self.dropped.get_or_create(&[("kind", kind.label())]).inc();
    }

    /// Envoy has opened a stream.
    pub fn stream_opened(&self) {
        self.streams.inc();
    }

    /// A stream of Envoy is over, whatever way.
    pub fn stream_closed(&self) {
        self.streams.dec();
    }

    /// Everything, in Prometheus' text format 0.0.4. Of the board's resources at most so many have a series of their own.
    #[must_use]
    pub fn exposition(&self, board: &Board, resources: usize) -> String {
        let mut counters = String::new();
        // Writing to a String does not fail.
        let _infallible = encode_registry(&mut counters, &self.registry);
        let mut text = String::with_capacity(2 * counters.len());
        for line in counters.split_inclusive('\n') {
            // Prometheus 2 takes `le` as text, and Istio's exporter writes it without a fraction.
            match line.split_once(".0\"}").filter(|_| line.starts_with(CONVERSION_BUCKET)) {
                Some((before, after)) => text.extend([before, "\"}", after]),
                None => text.push_str(line),
            }
        }
        let mut registry = Registry::with_prefix("meshloom_agent");
        registry.register_collector(Box::new(board::Resources::of(&board.all(), resources)));
        let _infallible = encode_registry(&mut text, &registry);
        text
    }
}

/// How a stream ended (`type` of `*_connection_terminations`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As streams do.
    Cancelled,
    /// Otherwise.
    Error,
}

/// What became of a resource (`result` of `wasm_config_conversion_count`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// `success`
    Success,
    /// `no_remote_load`: nothing to convert.
    NoRemoteLoad,
    /// `marshal_failure`
    MarshalFailure,
    /// `unmarshal_failure`
    UnmarshalFailure,
    /// `fetch_failure`
    FetchFailure,
    /// `miss_remote_fetch_hint`: remote code without a URL.
    MissRemoteFetchHint,
}

/// What became of a download (`result` of `wasm_remote_fetch_count`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchResult {
    /// `success`
    Success,
    /// `download_failure`
    DownloadFailure,
    /// `manifest_failure`
    ManifestFailure,
    /// `checksum_mismatched`
    ChecksumMismatched,
    /// `fetch_failure`: what came is no module.
    FetchFailure,
}

/// A part of a fetch (`phase` of `fetch_phase_seconds`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// What the source has: an OCI manifest.
    Resolve,
    /// From the first byte to the last, unpacked.
    Download,
    /// Which signatures the source has.
    Signatures,
}

/// Why a response is not passed on (`kind` of `dropped_responses_total`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// Its type is none that Envoy knows.
    Type,
    /// It cannot be read.
    Malformed,
}

impl End {
    fn label(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Error => "error",
        }
    }
}

impl Conversion {
    fn label(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::NoRemoteLoad => "no_remote_load",
            Self::MarshalFailure => "marshal_failure",
            Self::UnmarshalFailure => "unmarshal_failure",
            Self::FetchFailure => "fetch_failure",
            Self::MissRemoteFetchHint => "miss_remote_fetch_hint",
        }
    }
}

impl FetchResult {
    fn label(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::DownloadFailure => "download_failure",
            Self::ManifestFailure => "manifest_failure",
            Self::ChecksumMismatched => "checksum_mismatched",
            Self::FetchFailure => "fetch_failure",
        }
    }
}

impl Phase {
    fn label(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Download => "download",
            Self::Signatures => "signatures",
        }
    }
}

impl Dropped {
    fn label(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Malformed => "malformed",
        }
    }
}

#[cfg(test)]
mod tests;
