//! What is counted, under the names that Istio's agent uses.

use std::sync::atomic::{AtomicU64, Ordering};

/// All counters of the agent. Cheap to share behind an `Arc`; no label holds anything that a client or a control plane
/// chose.
#[derive(Debug, Default)]
pub struct Metrics {
    connection_failures: AtomicU64,
}

impl Metrics {
    /// A stream could not be opened to the control plane.
    pub fn connection_failed(&self) {
        self.connection_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// The stream to the control plane ended.
    pub fn istiod_ended(&self, _end: End) {}

    /// The stream from Envoy ended.
    pub fn envoy_ended(&self, _end: End) {}

    /// A request was passed to the control plane.
    pub fn request(&self) {}

    /// A response was passed to Envoy, of so many bytes.
    pub fn response(&self, _bytes: usize) {}

    /// A resource was converted, with that result.
    pub fn conversion(&self, _result: Conversion) {}

    /// A response's conversion took so many milliseconds.
    pub fn conversion_took(&self, _milliseconds: f64) {}

    /// A module was looked for in the store.
    pub fn lookup(&self, _hit: bool) {}

    /// A download ended.
    pub fn fetch(&self, _result: FetchResult) {}

    /// There are so many modules in the store, of so many bytes.
    pub fn store_holds(&self, _modules: u64, _bytes: u64) {}
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
