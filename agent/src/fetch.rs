//! Downloads: HTTP and OCI registries.

mod address;
mod client;
mod connecting;
mod credentials;
mod failure;
mod guard;
mod http;
pub mod manifest;
mod network;
mod oci;
mod options;
mod pace;
mod place;
mod proxy;
mod receive;
mod registries;
mod request;
mod retry;
pub mod unpack;

use std::path::Path;

use futures_util::future::BoxFuture;

#[cfg(test)]
pub(crate) use self::client::BRISK;
#[cfg(test)]
pub(crate) use self::connecting::{beside, waiting};
#[cfg(test)]
pub(crate) use self::failure::Failure;
pub use self::network::Network;
pub use self::options::FetchOptions;
pub use self::registries::{Problems, Registries};
#[cfg(test)]
pub(crate) use self::retry::Attempts;
use crate::trust::Signature;
use crate::{Sha256, Unavailable, Wanted};

/// Whatever downloads modules: the network, or a fake in a test.
pub trait Fetcher: Send + Sync + 'static {
    /// What the source has now, as far as that is known without a download: an OCI reference's manifest.
    fn resolve<'a>(&'a self, wanted: &'a Wanted) -> BoxFuture<'a, Result<Resolved, Unavailable>>;

    /// Downloads and unpacks into a new file in `folder`. Hashes while it writes and keeps within the limits; whether
    /// the file is a module that Envoy can run is not looked at here.
    fn download<'a>(
        &'a self,
        wanted: &'a Wanted,
        resolved: &'a Resolved,
        folder: &'a Path,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Downloaded, Unavailable>>;

    /// The signatures that the source has for what was resolved. None, for sources that have no place for them.
    fn signatures<'a>(
        &'a self,
        wanted: &'a Wanted,
        resolved: &'a Resolved,
    ) -> BoxFuture<'a, Result<Vec<Signature>, Unavailable>>;
}

/// What a source has.
#[derive(Clone, Debug, Default)]
pub struct Resolved {
    /// The manifest's digest, of what is referred to (the index, where it is one) for OCI. Nothing for HTTP.
    pub checksum: Option<Sha256>,
    /// Other digests that a resource may pin the same module by: for an index, the chosen manifest's.
    pub also: Vec<Sha256>,
    /// The manifest itself, as the registry sent it: the image's, where it was found by an index.
    pub manifest: Option<bytes::Bytes>,
}

/// A download that has ended.
#[derive(Debug)]
pub struct Downloaded {
    /// The module, whole. Gone when this is dropped, unless it is persisted.
    pub file: tempfile::NamedTempFile,
    /// Its SHA-256.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub size: u64,
}

/// Who is told of a download while it goes on.
pub trait Progress: Send + Sync {
    /// So many bytes of the answer have come, of so many if the source said.
    fn received(&self, bytes: u64, of: Option<u64>);

    /// How far it is. Told in the order of the variants; from the beginning if a download is tried again.
    fn reached(&self, _: Stage) {}
}

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Its source has not answered yet.
    Asking,
    /// Its source has the module, and it waits for a place among those that are received.
    Waiting,
    /// It is received, and given up if it has not come by then.
    Receiving(tokio::time::Instant),
    /// It has come, and is looked at.
    Landed,
}

/// Nobody is told.
impl Progress for () {
    fn received(&self, _: u64, _: Option<u64>) {}
}
