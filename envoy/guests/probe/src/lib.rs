//! Does in each callback what its configuration lists, and logs every call in both directions.
//!
//! The configuration is JSON: for each callback a list of operations, such as
//!
//! ```json
//! {"on_request_headers": [{"proxy_get_header_map_value": [0, ":path"]}, {"return": 1}]}
//! ```
//!
//! which is logged as
//!
//! ```text
//! on_request_headers(2, 5, true)
//!   proxy_get_header_map_value(0, ":path") -> 0 "/"
//!   return 1
//! ```
//!
//! It speaks the ABI without an SDK, so that nothing stands between a scenario and the host: any number, any pointer
//! and any order of calls. `envoy/differential/README.md` lists the operations.

#[cfg(target_family = "wasm")]
mod abi;
#[cfg(target_family = "wasm")]
mod argument;
#[cfg(target_family = "wasm")]
mod callback;
#[cfg(target_family = "wasm")]
mod operation;
#[cfg(target_family = "wasm")]
mod program;
