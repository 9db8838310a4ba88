//! What http-timing's metrics are asked, and what is made of it.
//!
//! `queries.yaml` has every query and what it answers. From it come
//!
//! - the Grafana dashboard, by [`dashboard`];
//! - the list in `docs/metrics.md`, by [`page`];
//! - the plots beside it: [`plot`] draws what a real Prometheus answers.
//!
//! It does not measure: http-timing does, and Envoy shows it.
#![warn(missing_docs)]

mod dashboard;
mod page;
mod plot;
mod query;

pub use dashboard::dashboard;
pub use page::page;
pub use plot::{Line, Plot};
pub use query::{Panel, Queries, Query, Terms};

/// Where the dashboard stands in the repository.
pub const DASHBOARD: &str = "istio/grafana/meshloom-http-timing.json";

/// Where the page stands in the repository.
pub const PAGE: &str = "docs/metrics.md";

/// Where the plots stand in the repository.
pub const PLOTS: &str = "docs/metrics";
