//! Where modules are obtained: the store, a shared one, an offline set, the network; and trust before any of it counts.
//!
//! | pinned or policy | looked up again |
//! |---|---|
//! | `sha256` of the resource, or `oci://…@sha256:` | never while it is in the store |
//! | `IfNotPresent` | never while it is in the store |
//! | `Always` | when the resource is at another version than the one that was last given its module |
//! | unspecified | as `Always` for `oci://…:latest`, else as `IfNotPresent` |
//!
//! A version counts as given only once its module was: an attempt that fails changes nothing.
//!
//! A module that came by a pull secret is given to whoever has another one only after the registry has told its manifest
//! to that other, too; not so what is pinned by a digest, since who knows it knows the module, and it must be had without
//! network.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;

use super::address::{Address, Scheme};
use super::flights::Flights;
use super::obtaining::{Key, Landed, blocking, obtain};
use super::patience::Hears;
use super::refused::Refused;
use super::{Held, Library, LibraryOptions, Reason, Unavailable};
use crate::fetch::Fetcher;
use crate::status::Metrics;
use crate::store::bundle::{Bundle, Packed};
use crate::store::{Files, Source, Store, StoreOptions};
use crate::trust::{Policy, PublicKey, Rule, Trust};
use crate::{Sha256, Wanted};

/// Modules at hand, and how to come by others.
#[derive(Clone)]
pub struct Shelf(Arc<Inner>);

pub(super) struct Inner {
    pub(super) store: Store,
    pub(super) shared: Option<Files>,
    pub(super) bundle: Option<Bundle>,
    pub(super) fetcher: Arc<dyn Fetcher>,
    pub(super) trust: Trust,
    pub(super) metrics: Arc<Metrics>,
    pub(super) offline: bool,
    /// Images that were looked at and are of no use.
    pub(super) refused: Refused,
    pub(super) flights: Flights<Key, Result<Landed, Unavailable>, Hears>,
    /// Modules that Envoy may have, as far as their bytes go.
    admitted: Mutex<HashSet<Sha256>>,
}

/// All that a shelf is made of.
pub struct Parts {
    /// Where modules are kept.
    pub store: Store,
    /// Another agent's, that is only read.
    pub shared: Option<Files>,
    /// An offline set.
    pub bundle: Option<Bundle>,
    /// The network.
    pub fetcher: Arc<dyn Fetcher>,
    /// What modules have to be.
    pub trust: Trust,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Whether the network is never used.
    pub offline: bool,
}

impl Shelf {
    /// A shelf of these.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { store, shared, bundle, fetcher, trust, metrics, offline } = parts;
        let (modules, bytes) = store.files().holds();
        metrics.store_holds(modules, bytes);
        Self(Arc::new(Inner {
            store,
            shared,
            bundle,
            fetcher,
            trust,
            metrics,
            offline,
            refused: Refused::default(),
            flights: Flights::new(),
            admitted: Mutex::default(),
        }))
    }

    /// The store, for whoever looks at it.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Obtains a module and what has to go with it into an offline set: the signatures that its source has for it.
    ///
    /// # Errors
    ///
    /// As those of [`obtain`](Library::obtain).
    pub async fn pack(&self, wanted: Wanted) -> Result<(Packed, Held), Unavailable> {
        let held = self.obtain(wanted.clone()).await?;
        let address = Address::of(&wanted)?;
        let mut signatures = Vec::new();
        if address.scheme == Scheme::Oci && !self.0.offline {
            let found = async {
                let resolved = self.0.fetcher.resolve(&wanted).await?;
                self.0.fetcher.signatures(&wanted, &resolved).await
            };
            match found.await {
                Ok(found) => signatures = found,
                Err(error) => tracing::warn!(source = address.shown, %error, "packed without signatures"),
            }
        }
        let Held { path, sha256, checksum, size, .. } = held.clone();
        Ok((Packed { url: wanted.url, checksum, sha256, size, path, signatures }, held))
    }

    /// The keys (their fingerprints) whose signatures of a module were found right. Nothing, if none was wanted.
    #[must_use]
    pub fn signers(&self, wanted: &Wanted, held: &Held) -> Option<Vec<Sha256>> {
        let address = Address::of(wanted).ok()?;
        if self.0.rules(wanted, &address).is_empty() {
            return None;
        }
        Some(self.0.store.files().signers(&address.source(held.checksum)))
    }

    /// Opens store, shared store and offline set as the options say.
    ///
    /// # Errors
    ///
    /// What cannot be opened, and why.
    pub fn open(
        store: &StoreOptions,
        library: &LibraryOptions,
        trust: Trust,
        fetcher: Arc<dyn Fetcher>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Unavailable> {
        let shared = store.shared.as_deref().map(Files::of_another);
        if let Some(shared) = &shared {
            shared.reload()?;
        }
        let bundle = library.bundle.as_deref().map(Bundle::open).transpose()?;
        let store = Store::open(store)?;
        Ok(Self::new(Parts { store, shared, bundle, fetcher, trust, metrics, offline: library.offline }))
    }

    /// Hashes and parses one module, if it is on disk: then it is at hand. Asks no source.
    pub async fn recall(&self, wanted: Wanted) {
        let inner = self.0.clone();
        let done = blocking(move || {
            let address = Address::of(&wanted)?;
            inner.find_on_disk(&wanted, &address).map(drop)
        });
        if let Err(error) = done.await {
            tracing::warn!(%error, "a stored module is not served");
        }
    }

    /// Hashes and parses what is on disk, those modules first that were asked for last, so that all of them are at hand.
    /// Modules that are in use by then wait for nothing.
    pub async fn warm(&self) {
        for source in self.0.store.files().sources() {
            let inner = self.0.clone();
            let done = blocking(move || match inner.store.verified(&source)? {
                Some(held) => inner.admit(&held.sha256, &held.path, &held.path.display().to_string()),
                None => Ok(()),
            });
            if let Err(error) = done.await {
                tracing::warn!(%error, "a stored module is not served");
            }
        }
    }

    /// [Warms](Self::warm) up, then writes down what the store has noted every second,
    /// reads the rules on signatures again if they have changed, and removes what has expired at
    /// each `interval`. Never ends.
    pub async fn keep_house(&self, interval: Duration) {
        self.warm().await;
        let mut flush = tokio::time::interval(Duration::from_secs(1));
        let mut purge = tokio::time::interval(interval.max(Duration::from_millis(1)));
        loop {
            let inner = self.0.clone();
            let done = tokio::select! {
                _ = flush.tick() => blocking(move || {
                    inner.trust.look();
                    inner.store.flush()
                })
                .await,
                _ = purge.tick() => blocking(move || {
                    let collected = inner.store.gc(SystemTime::now())?;
                    inner.forget_gone();
                    tracing::debug!(?collected, "the store was looked through");
                    inner.count();
                    Ok(())
                })
                .await,
            };
            if let Err(error) = done {
                tracing::warn!(%error, "the store cannot be kept up");
            }
        }
    }
}

impl Library for Shelf {
    fn at_hand(&self, wanted: &Wanted) -> Option<Held> {
        let address = Address::of(wanted).ok()?;
        let landed = self.0.find(wanted, &address)?;
        self.0.given(wanted, &address, landed.source);
        self.0.metrics.lookup(true);
        Some(landed.held)
    }

    fn obtain(&self, wanted: Wanted) -> BoxFuture<'static, Result<Held, Unavailable>> {
        Box::pin(obtain(self.0.clone(), wanted))
    }
}

impl Inner {
    /// What a URL means is written down before anybody is told that the module is there: if the agent were killed and the
    /// source away, a module whose URL is forgotten would not be found again.
    pub(super) async fn note_meaning(self: &Arc<Self>) {
        let inner = self.clone();
        if let Err(error) = blocking(move || inner.store.flush()).await {
            tracing::warn!(%error, "what was fetched is there, but will not be found after a restart");
        }
    }

    /// The module if it can be had without hashing.
    fn find(&self, wanted: &Wanted, address: &Address) -> Option<Landed> {
        let source = self.meant(wanted, address)?;
        let mut files = std::iter::once(self.store.files()).chain(&self.shared);
        let held = files.find_map(|files| files.at_hand(&source))?;
        self.is_admitted(&held.sha256).then_some(Landed { held, source })
    }

    /// The module if it is on disk, hashed and parsed if it was not since the start. Blocks.
    pub(super) fn find_on_disk(
        &self,
        wanted: &Wanted,
        address: &Address,
    ) -> Result<Option<Landed>, Unavailable> {
        let Some(source) = self.meant(wanted, address) else { return Ok(None) };
        let Some(held) = self.on_disk(&source)? else { return Ok(None) };
        match self.admit(&held.sha256, &held.path, &address.shown) {
            Ok(()) => Ok(Some(Landed { held, source })),
            // It came under another policy. The source may have a better one by now.
            Err(error) if error.reason == Reason::NotAModule && !self.offline => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The module of a source, hashed if it was not since the start. Blocks.
    pub(super) fn on_disk(&self, source: &Source) -> Result<Option<Held>, Unavailable> {
        if let Some(held) = self.store.checked(source)? {
            return Ok(Some(held));
        }
        let Some(shared) = &self.shared else { return Ok(None) };
        if !shared.knows(source) {
            shared.reload()?;
        }
        match shared.checked(source)? {
            crate::store::Checked::Held(held) => Ok(Some(held)),
            _ => Ok(None),
        }
    }

    /// What the wanted module is known as, if no source has to be asked for that.
    fn meant(&self, wanted: &Wanted, address: &Address) -> Option<Source> {
        let source = match address.pinned {
            Some(checksum) => address.source(checksum),
            None => {
                let meaning =
                    |files: &Files| files.meaning(&wanted.url, &wanted.resource, &wanted.resource_version);
                let own = meaning(self.store.files());
                let (source, is_same_version) = own.or_else(|| meaning(self.shared.as_ref()?))?;
                if !(address.ignores_version || is_same_version) || !self.may_have(wanted, address, &source) {
                    return None;
                }
                source
            }
        };
        self.is_signed(wanted, address, &source).then_some(source)
    }

    /// Whether these credentials, or none, have opened the source before.
    fn may_have(&self, wanted: &Wanted, address: &Address, source: &Source) -> bool {
        if address.scheme == Scheme::Http {
            return true;
        }
        let files = self.store.files();
        files.is_granted(source, &self.store.anybody())
            || files.is_granted(source, &self.credentials(wanted, address))
    }

    /// What has to be signed, and by whom.
    pub(super) fn rules(&self, wanted: &Wanted, address: &Address) -> Vec<Arc<Rule>> {
        self.trust.rules(&address.reference, wanted.verification_key.as_ref())
    }

    /// Whether no rule is against serving it from the store.
    fn is_signed(&self, wanted: &Wanted, address: &Address, source: &Source) -> bool {
        let rules = self.rules(wanted, address);
        rules.iter().filter(|rule| rule.policy() == Policy::Enforce).all(|rule| match address.scheme {
            Scheme::Http => address.pinned.is_some(),
            Scheme::Oci => rule.is_satisfied_by(&self.store.files().signers(source)),
        })
    }

    /// What is known of whoever asks. HTTP has no use for pull secrets.
    pub(super) fn credentials(&self, wanted: &Wanted, address: &Address) -> Sha256 {
        // Revealed to be hashed by a key of the store.
        let secret = wanted.pull_secret.as_ref().filter(|_| address.scheme == Scheme::Oci);
        self.store.identity(secret.map_or("", crate::Secret::reveal))
    }

    pub(super) fn key(&self, wanted: &Wanted, address: &Address) -> Key {
        Key {
            url: wanted.url.clone(),
            pinned: address.pinned,
            credentials: self.credentials(wanted, address),
            effort: wanted.effort,
            signer: wanted.verification_key.as_ref().map(PublicKey::fingerprint),
        }
    }

    /// The resource was given its module.
    pub(super) fn given(&self, wanted: &Wanted, address: &Address, source: Source) {
        if address.is_bound {
            let shown = address.shown.clone();
            self.store.resolved(&wanted.url, shown, source, &wanted.resource, &wanted.resource_version);
        }
    }

    fn is_admitted(&self, sha256: &Sha256) -> bool {
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner).contains(sha256)
    }

    /// Whether the module may go to Envoy. Blocks.
    pub(super) fn admit(
        &self,
        sha256: &Sha256,
        path: &std::path::Path,
        shown: &str,
    ) -> Result<(), Unavailable> {
        if !self.is_admitted(sha256) {
            self.trust.admit(path, shown)?;
            self.admitted.lock().unwrap_or_else(PoisonError::into_inner).insert(*sha256);
        }
        Ok(())
    }

    /// Keeps what is known of modules as short as the store.
    fn forget_gone(&self) {
        let stores = std::iter::once(self.store.files()).chain(&self.shared);
        let there: HashSet<Sha256> = stores.flat_map(Files::list).map(|module| module.sha256).collect();
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner).retain(|sha256| there.contains(sha256));
    }

    pub(super) fn count(&self) {
        let (modules, bytes) = self.store.files().holds();
        self.metrics.store_holds(modules, bytes);
    }
}
