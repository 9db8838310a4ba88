//! Runs compiled Proxy-Wasm modules as Envoy does, inside plain `cargo test`.
//!
//! ```
//! use proxy_wasm_harness::{Host, Level, Module, Plugin, Response};
//!
//! // A filter in the text form of WebAssembly: it logs, and lets everything pass.
//! let module = Module::from_bytes("hello", br#"(module
//!     (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
//!     (memory (export "memory") 1)
//!     (data (i32.const 16) "hello")
//!     (func (export "proxy_abi_version_0_2_1"))
//!     (func (export "malloc") (param i32) (result i32) (i32.const 1024))
//!     (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
//!         (drop (call $log (i32.const 2) (i32.const 16) (i32.const 5)))
//!         (i32.const 0)))"#)?;
//! let host = Host::envoy().plugin(Plugin::new(&module)).start();
//!
//! let stream = host.get("/orders").header("x-name", "Ada").send();
//! assert_eq!(stream.forwarded().path(), "/orders");
//! assert_eq!(stream.respond(Response::ok("done")).received().text(), "done");
//! assert_eq!(host.logs(Level::Info), ["hello"]);
//! # Ok::<(), proxy_wasm_harness::Unloadable>(())
//! ```
//!
//! # Concepts
//!
//! - A [`Module`] is compiled once in a process and may be in many plugins. [`filter`] compiles a package of the
//!   workspace and never gives a stale one.
//! - A [`Plugin`] is a module with a configuration, as Envoy's `PluginConfig` has it.
//! - A [`Host`] is a proxy with a chain of plugins. It owns everything: VMs, clock, chance, metrics, logs, what VMs share.
//!   Nothing is global, so tests run in parallel. Clones are the same host; it can be sent to other threads.
//! - A [`Stream`] is one request and its response on their way through the chain, a [`Connection`] the same for TCP.
//!   They say what became of them: [`forwarded`](Stream::forwarded), [`answered`](Stream::answered),
//!   [`received`](Stream::received), [`paused`](Stream::paused). What is not as expected fails the test at its own line,
//!   with the transcript. Dropped before its end, a stream's client has gone away.
//! - A [`Callout`] or [`GrpcCallout`] waits for the test to answer it; clusters can also answer by themselves.
//! - [`Chunks`] cut bodies, [`Budget`]s hold [`Costs`], [`Finding`]s are things that work and should not be done,
//!   [`Coverage`] says which callbacks ran and what hostcalls answered.
//! - A [`Profile`] is the host that is imitated: an Envoy by its version, or the specification to the letter.
//! - [`Raw`] calls single callbacks and has their exact results.
//!
//! # What it is held against
//!
//! Each rule of Envoy's that this crate knows was recorded of real Envoys, 1.36 and 1.40, and is compared with those
//! recordings in the tests of this repository (`envoy/differential`). A guest is not trusted: whatever it does ends in a
//! status, a trap with a name, or a [`StartError`], never in a panic or without an end.
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
pub use callout::Reaction;
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
pub use proxy_wasm_abi::Provided;
pub use raw::Raw;
pub use refusal::{Configuration, Refusal};
/// Makes JSON, for [`Plugin::configure`] and [`Plugin::json`].
pub use serde_json::json;
pub use start::{StartError, StartFailure};
pub use stats::Metric;

/// The guide's examples are compiled as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Guide;
