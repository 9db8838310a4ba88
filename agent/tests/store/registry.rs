//! A source of modules that counts what it is asked.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use meshloom_agent::fetch::{Downloaded, Fetcher, Progress, Resolved};
use meshloom_agent::library::{Parts, Shelf};
use meshloom_agent::status::Metrics;
use meshloom_agent::store::{Store, StoreOptions};
use meshloom_agent::trust::{Signature, Trust, TrustOptions};
use meshloom_agent::{PullPolicy, Reason, Sha256, Unavailable, Wanted};
use tokio::sync::Semaphore;

/// A module that Envoy can run; each name gives another one.
pub(crate) fn module(name: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(module
            (import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i32) (result i32) local.get 0)
            (data (i32.const 0) "{name}"))"#
    ))
    .unwrap()
}

pub(crate) struct Registry {
    pub(crate) images: Mutex<HashMap<String, Image>>,
    pub(crate) resolved: AtomicUsize,
    pub(crate) downloaded: AtomicUsize,
    pub(crate) asked_for_signatures: AtomicUsize,
    /// Downloads that are begun and dropped.
    pub(crate) given_up: Arc<AtomicUsize>,
    /// What every request is answered, if it is not well.
    pub(crate) trouble: Mutex<Option<Unavailable>>,
    /// A download waits for one of these.
    pub(crate) permits: Semaphore,
}

#[derive(Clone, Default)]
pub(crate) struct Image {
    pub(crate) module: Vec<u8>,
    /// Of the manifest; none for HTTP.
    pub(crate) digest: Option<Sha256>,
    pub(crate) also: Vec<Sha256>,
    /// The pull secrets that open it; none, if anybody may have it.
    pub(crate) secrets: Vec<String>,
    pub(crate) signatures: Vec<Signature>,
}

impl Registry {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            images: Mutex::default(),
            resolved: AtomicUsize::new(0),
            downloaded: AtomicUsize::new(0),
            asked_for_signatures: AtomicUsize::new(0),
            given_up: Arc::default(),
            trouble: Mutex::default(),
            permits: Semaphore::new(1_000),
        })
    }

    /// Puts a module under an HTTP URL, and tells its SHA-256.
    pub(crate) fn serve(&self, url: &str, module: &[u8]) -> Sha256 {
        let image = Image { module: module.to_vec(), ..Image::default() };
        self.images.lock().unwrap().insert(url.to_owned(), image);
        Sha256::of(module)
    }

    /// Puts a module under an OCI URL, and tells its manifest's digest.
    pub(crate) fn push(&self, url: &str, module: &[u8]) -> Sha256 {
        let digest = Sha256::of(&[b"manifest of ", module].concat());
        let image = Image { module: module.to_vec(), digest: Some(digest), ..Image::default() };
        self.images.lock().unwrap().insert(url.to_owned(), image);
        digest
    }

    pub(crate) fn change(&self, url: &str, change: impl FnOnce(&mut Image)) {
        change(self.images.lock().unwrap().get_mut(url).unwrap());
    }

    /// From now on every request fails with that.
    pub(crate) fn fail(&self, reason: Reason) {
        *self.trouble.lock().unwrap() = Some(Unavailable::new(reason, "the registry is down"));
    }

    pub(crate) fn recover(&self) {
        *self.trouble.lock().unwrap() = None;
    }

    /// Manifests and modules that were asked for.
    pub(crate) fn visits(&self) -> (usize, usize) {
        (self.resolved.load(Ordering::SeqCst), self.downloaded.load(Ordering::SeqCst))
    }

    fn image(&self, wanted: &Wanted) -> Result<Image, Unavailable> {
        if let Some(trouble) = self.trouble.lock().unwrap().clone() {
            return Err(trouble);
        }
        let image = self.images.lock().unwrap().get(&wanted.url).cloned();
        let image = image.ok_or_else(|| Unavailable::new(Reason::NotFound, "no such image"))?;
        let secret = wanted.pull_secret.as_ref().map(|secret| secret.reveal().to_owned());
        if image.secrets.is_empty() || secret.is_some_and(|secret| image.secrets.contains(&secret)) {
            return Ok(image);
        }
        Err(Unavailable::new(Reason::Denied, "another pull secret is needed"))
    }
}

struct GivenUp(Arc<AtomicUsize>, bool);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.fetch_add(usize::from(self.1), Ordering::SeqCst);
    }
}

impl Fetcher for Registry {
    fn resolve<'a>(&'a self, wanted: &'a Wanted) -> BoxFuture<'a, Result<Resolved, Unavailable>> {
        Box::pin(async move {
            if !wanted.url.starts_with("oci://") {
                return Ok(Resolved::default());
            }
            self.resolved.fetch_add(1, Ordering::SeqCst);
            let image = self.image(wanted)?;
            Ok(Resolved { checksum: image.digest, also: image.also, manifest: None })
        })
    }

    fn download<'a>(
        &'a self,
        wanted: &'a Wanted,
        _: &'a Resolved,
        folder: &'a Path,
        _: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Downloaded, Unavailable>> {
        Box::pin(async move {
            self.downloaded.fetch_add(1, Ordering::SeqCst);
            let mut given_up = GivenUp(self.given_up.clone(), true);
            let permit = self.permits.acquire().await.unwrap();
            permit.forget();
            given_up.1 = false;
            let module = self.image(wanted)?.module;
            Ok(written(folder, &module))
        })
    }

    fn signatures<'a>(
        &'a self,
        wanted: &'a Wanted,
        _: &'a Resolved,
    ) -> BoxFuture<'a, Result<Vec<Signature>, Unavailable>> {
        Box::pin(async move {
            self.asked_for_signatures.fetch_add(1, Ordering::SeqCst);
            Ok(self.image(wanted)?.signatures)
        })
    }
}

/// A download that has ended.
pub(crate) fn written(folder: &Path, module: &[u8]) -> Downloaded {
    let mut file = tempfile::NamedTempFile::new_in(folder).unwrap();
    file.write_all(module).unwrap();
    Downloaded { file, sha256: Sha256::of(module), size: module.len() as u64 }
}

pub(crate) fn wanted(url: &str) -> Wanted {
    Wanted { resource_version: "1".to_owned(), ..Wanted::new(url, "ns.plugin", Duration::from_secs(30)) }
}

pub(crate) fn version(wanted: &Wanted, version: &str) -> Wanted {
    Wanted { resource_version: version.to_owned(), ..wanted.clone() }
}

pub(crate) fn policy(wanted: &Wanted, policy: PullPolicy) -> Wanted {
    Wanted { policy, ..wanted.clone() }
}

pub(crate) fn pinned(wanted: &Wanted, checksum: Sha256) -> Wanted {
    Wanted { checksum: Some(checksum), ..wanted.clone() }
}

pub(crate) fn parts(folder: &Path, registry: &Arc<Registry>) -> Parts {
    Parts {
        store: Store::open(&StoreOptions::at(folder)).unwrap(),
        shared: None,
        bundle: None,
        fetcher: registry.clone(),
        trust: Trust::new(&TrustOptions::default()).unwrap(),
        metrics: Arc::new(Metrics::default()),
        offline: false,
    }
}

pub(crate) fn shelf(folder: &Path, registry: &Arc<Registry>) -> Shelf {
    Shelf::new(parts(folder, registry))
}
