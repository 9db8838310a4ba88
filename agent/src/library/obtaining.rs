//! One attempt to obtain a module, for all who want it at the same time.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::address::{Address, Scheme};
use super::patience::{self, Told};
use super::shelf::Inner;
use super::{Held, Reason, Unavailable};
use crate::store::Source;
use crate::{Effort, Sha256, Wanted};

/// Instead of what is too far away to be added.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// Who may share a download.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) url: String,
    pub(super) pinned: Option<Sha256>,
    /// Of the pull secret.
    pub(super) credentials: Sha256,
    /// Of the verification key, by its fingerprint.
    pub(super) signer: Option<Sha256>,
    /// Whoever tries harder does not wait for one who gives up sooner.
    pub(super) effort: Effort,
}

impl Key {
    /// What agents of one store tell downloads from one another by.
    pub(super) fn digest(&self) -> Sha256 {
        let text = |digest: Option<Sha256>| digest.map(|digest| digest.to_string()).unwrap_or_default();
        let (pinned, signer) = (text(self.pinned), text(self.signer));
        Sha256::of(format!("{}\n{pinned}\n{}\n{signer}", self.url, self.credentials).as_bytes())
    }
}

/// What a download has come to.
#[derive(Clone, Debug)]
pub(super) struct Landed {
    pub(super) held: Held,
    pub(super) source: Source,
}

/// The module: from disk, or by a download that whoever wants the same takes part in.
pub(super) async fn obtain(inner: Arc<Inner>, wanted: Wanted) -> Result<Held, Unavailable> {
    let began = Instant::now();
    let address = Address::of(&wanted)?;
    let known = {
        let (inner, wanted, address) = (inner.clone(), wanted.clone(), address.clone());
        blocking(move || {
            inner.trust.look();
            inner.find_on_disk(&wanted, &address)
        })
        .await?
    };
    inner.metrics.lookup(known.is_some());
    if let Some(landed) = known {
        inner.given(&wanted, &address, landed.source);
        return Ok(landed.held);
    }
    loop {
        let asking = began.checked_add(wanted.timeout).unwrap_or(began + FAR);
        if asking <= Instant::now() {
            return Err(timed_out(&wanted, &address));
        }
        let key = inner.key(&wanted, &address);
        let (flight, stage, joined) = inner.flights.join(key.clone(), || {
            let (told, stage) = Told::new();
            let begin = super::fetching::fetch(inner.clone(), wanted.clone(), address.clone(), key, told);
            (begin, stage)
        });
        match patience::wait(flight, stage, asking).await {
            None => return Err(timed_out(&wanted, &address)),
            // Whoever began it had less time than this one has.
            Some(Err(error)) if joined && error.reason == Reason::TimedOut => {}
            Some(Err(error)) => return Err(error),
            Some(Ok(landed)) => {
                inner.given(&wanted, &address, landed.source);
                inner.note_meaning().await;
                return Ok(landed.held);
            }
        }
    }
}

fn timed_out(wanted: &Wanted, address: &Address) -> Unavailable {
    let after = wanted.timeout;
    let message = match address.scheme {
        Scheme::Oci => {
            format!(
                "could not fetch Wasm OCI image: could not fetch manifest: {}: not there after {after:?}",
                address.shown
            )
        }
        Scheme::Http => format!("wasm module download failed: {}: not there after {after:?}", address.shown),
    };
    Unavailable::new(Reason::TimedOut, message)
}

/// Runs what waits for the disk where it holds up nobody.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Unavailable> + Send + 'static,
) -> Result<T, Unavailable> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Unavailable::new(Reason::Disk, format!("work on the store did not end: {error}"))),
    }
}
