//! The fetchers against servers on real sockets that answer well, badly, and with malice.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is a test: clippy knows only the functions marked so"
)]

#[path = "fetch/by_http.rs"]
mod by_http;
#[path = "fetch/by_oci.rs"]
mod by_oci;
#[path = "fetch/connecting.rs"]
mod connecting;
#[path = "fetch/corpus.rs"]
mod corpus;
#[path = "fetch/credentials.rs"]
mod credentials;
#[path = "fetch/guarded.rs"]
mod guarded;
#[path = "fetch/hostile.rs"]
mod hostile;
#[path = "fetch/hostile_registry.rs"]
mod hostile_registry;
#[path = "support/image.rs"]
mod image;
#[path = "fetch/places.rs"]
mod places;
#[path = "support/pulling.rs"]
mod pulling;
#[path = "fetch/reload.rs"]
mod reload;
#[path = "support/server.rs"]
mod server;
#[path = "fetch/tls.rs"]
mod tls;
