//! What only a real Envoy can show of all filters together.

mod bootstraps;
mod chain;
mod endurance;
mod failure_policy;
mod odd_bytes;
mod refusal;
