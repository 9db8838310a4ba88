//! Records duration and response class of each request as metrics, inbound and outbound.
//!
//! | module             | has                                                                       |
//! |--------------------|---------------------------------------------------------------------------|
//! | [`config`]         | what is to be recorded                                                    |
//! | [`configurations`] | the configurations of the plugins that share a VM                          |
//! | [`exchange`]       | what is known of a stream that is over, and how it is asked for            |
//! | [`duration`], [`flags`], [`grpc`] | what its parts mean                                        |
//! | [`metrics`]        | the metrics: their names, and what of a stream goes into which             |
//! | [`plan`]           | a configuration with the ids of its metrics: what is done with a stream    |
//! | [`line`](mod@line), [`sampler`] | the log line, and which streams have one                     |
//!
//! Each stream is recorded once, when it is over, whoever answered it. No part of a request is ever part of a
//! metric's name. Nothing here can fail a request: there is no decision on one.

pub mod config;
pub mod configurations;
pub mod duration;
pub mod exchange;
pub mod flags;
pub mod grpc;
pub mod line;
pub mod metrics;
pub mod plan;
pub mod sampler;

#[cfg(target_family = "wasm")]
mod shell;

pub use config::Timing;
pub use exchange::{Exchange, Faults};
pub use filter_kit::attribute::Direction;
pub use metrics::{Families, Kind, Meter};
pub use plan::{Begun, Plan};
