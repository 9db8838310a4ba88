//! What there is to see, over HTTP.
//!
//! | path                            | what                                                | who may ask      |
//! |---------------------------------|-----------------------------------------------------|------------------|
//! | `/`                             | a page for people                                   | this machine     |
//! | `/healthz/ready`                | 200 when Envoy may be sent traffic, else 503        | anybody          |
//! | `/stats/prometheus`, `/metrics` | all metrics, in Prometheus' text format             | anybody          |
//! | `/debug/wasm`                   | the state of each resource, and the store's modules | this machine     |
//! | `/debug/ecds`                   | the last responses, without secrets                 | this machine     |
//! | `/debug/config`                 | the options in effect, without secrets              | this machine     |
//! | `/quitquitquit`                 | POST: ends the agent                                | this machine     |
//!
//! "Anybody" is whoever reaches the address that the server listens on, which is of this machine alone unless an option
//! says otherwise. "This machine" goes by the address of the peer.

mod document;
mod guard;
mod options;
mod page;
mod routes;
mod server;
mod words;

use std::sync::Arc;
use std::time::SystemTime;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::Sha256;
use crate::status::{Board, Metrics};

pub use options::AdminOptions;
pub use routes::router;
pub use server::serve;

/// Whatever knows which modules are on disk.
pub trait Inventory: Send + Sync + 'static {
    /// All of them.
    fn modules(&self) -> Vec<Stored>;
}

/// A module on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stored {
    /// The SHA-256 of the module itself.
    #[serde(serialize_with = "document::as_text")]
    pub sha256: Sha256,
    /// The file that Envoy is told of.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Some stream needs it, so it stays.
    pub in_use: bool,
    /// When it was last used, in milliseconds since 1970.
    pub used_ms: Option<u64>,
    /// The URLs that mean it, without user and query.
    pub sources: Vec<String>,
    /// What its sources are pinned by: the manifest's digest for OCI, the module's for HTTP.
    pub digests: Vec<String>,
}

/// No modules at all.
impl Inventory for () {
    fn modules(&self) -> Vec<Stored> {
        Vec::new()
    }
}

/// What the server shows, and what it can end.
pub struct Admin {
    /// The state of the resources.
    pub board: Arc<Board>,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// The modules on disk.
    pub inventory: Arc<dyn Inventory>,
    /// Its options.
    pub options: AdminOptions,
    /// All options in effect, secrets hidden.
    pub configuration: serde_json::Value,
    /// When the agent started.
    pub started: SystemTime,
    /// Cancelled by `/quitquitquit`.
    pub quit: CancellationToken,
}
