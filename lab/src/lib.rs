//! Real Envoys, real upstreams and a client that can say anything HTTP allows.
//!
//! Everything here is for trying filters out: tests, benches, `make up` and `make demo`. It handles
//!
//! - [`Bootstrap`]: a static bootstrap of this repository, with ports, upstream and plugin configuration changed;
//! - [`Envoy`]: a running Envoy on ports of its own, ended when dropped;
//! - [`Upstream`]: a server that answers as a test tells it and remembers what it was asked;
//! - [`Httpbin`]: the real httpbin;
//! - [`Prometheus`]: the real Prometheus, where it is installed, scraping Envoys;
//! - [`Request`] and [`Response`]: bytes out, bytes in, each chunk as it came;
//! - [`Discovery`]: the configuration of a filter that changes while Envoy serves, and [`under_load`], what is under way
//!   meanwhile;
//! - [`serving`] and [`Envoy::raw`]: what no library would say.
//!
//! It does not judge what comes back: that is for the tests.
//!
//! Which Envoy, and where httpbin is, comes from the environment (`ENVOY_BIN`, `HTTPBIN_PYTHON`), which make
//! sets. Without them the pinned ones are found by `scripts/tool.sh`.
#![warn(missing_docs)]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a laboratory: what goes wrong here should stop the test that asked for it, saying where"
)]

mod bootstrap;
mod client;
mod discovery;
mod envoy;
mod httpbin;
mod process;
mod prometheus;
mod reload;
mod repository;
mod scraper;
mod socket;
mod upstream;

pub use bootstrap::Bootstrap;
pub use client::{Request, Response, Session};
pub use discovery::Discovery;
pub use envoy::{Envoy, Refused, Starting};
pub use httpbin::Httpbin;
pub use process::{Running, is_running, started, stop_gracefully};
pub use prometheus::metric;
pub use reload::{Load, Reloaded, under_load};
pub use repository::{filters, optional_tool, root, tool};
pub use scraper::{Prometheus, Series};
pub use socket::{answering_once, read_head, serving};
pub use upstream::{Reply, Seen, Upstream};

/// The runtime that all clients and upstreams of a process share.
pub(crate) fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: std::sync::LazyLock<tokio::runtime::Runtime> = std::sync::LazyLock::new(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a tokio runtime")
    });
    &RUNTIME
}
