//! What only a real Envoy can show of all filters together.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as fast as a test")]

mod bootstraps;
mod chain;
mod endurance;
mod failure_policy;
mod guests;
mod odd_bytes;
mod refusal;
