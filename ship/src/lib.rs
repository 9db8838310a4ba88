//! Takes compiled filters from the build to a registry, from where Istio's agent or Meshloom's pulls them.
//!
//! ```text
//! target/wasm32-unknown-unknown/release/x.wasm ─ optimize ─▶ dist/x.wasm ─ size ─▶ within x's budget
//!                                                                └─ push ─▶ oci://HOST/ORG/x@sha256:…
//! ```
//!
//! | module        | does                                                                    |
//! |---------------|-------------------------------------------------------------------------|
//! | [`workspace`] | finds the filters: every folder `filters/*` that holds a `Cargo.toml`    |
//! | [`callback`]  | reads from a filter's source which callbacks of the ABI it implements    |
//! | [`module`]    | edits and checks the exports of a Wasm binary, reads the features it needs |
//! | [`optimize`]  | writes `dist/`: prunes, calls wasm-opt, skips what is fresh              |
//! | [`budget`]    | holds each module to the bytes that its `budget.toml` allows             |
//! | [`reference`] | checks the registry, organisation and tag that were typed                |
//! | [`artifact`]  | says what is in an OCI artifact, the same for the same commit            |
//! | [`push`]      | hands the artifact to `oras` and answers its digest                      |
//!
//! It does NOT build modules (cargo does), sign them, or apply manifests to a cluster.
#![warn(missing_docs)]

pub mod artifact;
pub mod budget;
pub mod callback;
pub mod digest;
pub mod module;
pub mod optimize;
pub mod push;
pub mod reference;
pub mod workspace;

pub mod command;
