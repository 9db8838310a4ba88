//! The xDS proxy between Envoy and istiod that turns remote Wasm modules into checked local files.
//!
//! Envoy opens its ADS stream to the agent, the agent one to the control plane. Everything passes byte for byte, but
//! for resources of ECDS: a Wasm filter whose code is remote is fetched, checked and stored, and Envoy is given the
//! path of a file. What cannot be had is replaced as its failure policy says, tried again in the background, and sent
//! once it is there.
//!
//! The rooms, in the order in which a module passes them:
//!
//! - [`xds`]: streams of Envoy and of the control plane, and what passes between them
//! - [`wire`]: reading and changing Protobuf messages without decoding them
//! - [`ecds`]: which resources are changed and how; order, retries, and what is sent meanwhile
//! - [`library`]: where a wanted module is obtained, whatever way
//! - [`fetch`]: HTTP and OCI registries
//! - [`trust`]: what a module has to be before Envoy sees it
//! - [`store`]: modules on disk
//! - [`status`]: what is counted, and the state of each resource
//! - [`admin`]: the same over HTTP
//! - [`cli`]: the command `meshloom-agent`

pub mod admin;
mod boolean;
pub mod cli;
pub mod digest;
mod duration;
pub mod ecds;
pub mod fetch;
pub mod library;
mod live;
pub mod secret;
mod shown;
pub mod status;
pub mod store;
pub mod trust;
pub mod wanted;
pub mod wire;
pub mod xds;

pub use digest::Sha256;
pub use library::{Held, Library, Pin, Reason, Unavailable};
pub use secret::Secret;
pub use wanted::{Effort, PullPolicy, Wanted};
