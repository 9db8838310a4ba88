//! Runs compiled Proxy-Wasm modules as Envoy does, inside plain `cargo test`.
#![warn(missing_docs)]

mod abi;
mod budget;
mod buffer;
mod callout;
mod cel;
mod chunks;
mod clock;
mod cost;
mod coverage;
mod engine;
mod exchange;
mod fault;
mod filter;
mod finding;
mod foreign;
#[doc(hidden)]
pub mod fuzzing;
mod grpc_status;
mod guest;
mod header;
mod host;
mod hostcall;
mod log;
mod machine;
mod message;
mod module;
mod plugin;
mod profile;
mod property;
mod queue;
mod random;
mod raw;
mod refusal;
mod shared_data;
mod start;
mod stats;
mod stream;
mod timer;
mod transcript;
mod vm;
mod world;

pub use abi::{AbiVersion, BufferType, Callback, Level, MapType, MetricType, PeerType, Status, StreamType};
pub use budget::Budget;
pub use callout::answer::{Callout, GrpcCallout};
pub use chunks::Chunks;
pub use cost::{Cost, Costs};
pub use coverage::Coverage;
pub use exchange::{Connection, RequestBuilder, Stream};
pub use filter::{filter, filter_for};
pub use finding::Finding;
pub use header::HeaderMap;
pub use host::{Host, HostBuilder};
pub use log::{LogLine, Role};
pub use message::{Request, Response};
pub use module::{Description, Export, Import, Memory, Module, Unloadable};
pub use plugin::{FailurePolicy, Plugin};
pub use profile::Profile;
pub use property::{Message, TrafficDirection, Value};
pub use raw::Raw;
pub use refusal::{Configuration, Refusal};
/// Makes JSON, for [`Plugin::configure`] and [`Plugin::json`].
pub use serde_json::json;
pub use start::{StartError, StartFailure};
pub use stats::Metric;
