//! The network, as a source of modules.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use reqwest::Url;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::client::Clients;
use super::credentials::Places;
use super::options::FetchOptions;
use super::pace::Paces;
use super::receive::Receiver;
use super::registries::{Problems, Registries};
use super::request::Caller;
use super::unpack::Limits;
use super::{Downloaded, Fetcher, Progress, Resolved};
use crate::trust::Signature;
use crate::{Reason, Sha256, Unavailable, Wanted};

/// Downloads by http, https and from OCI registries.
///
/// Time is bounded thus. Connecting, the beginning of each answer, and a standstill within one have budgets of their
/// own, by option. [`resolve`](Fetcher::resolve) and [`signatures`](Fetcher::signatures) each take at most the
/// resource's own timeout, retries and waits included. [`download`](Fetcher::download) has to begin to receive within
/// that; once it receives, it may go on until the longer of that and `MESHLOOM_WASM_DOWNLOAD_TIMEOUT`. Waiting for a
/// place among the concurrent downloads is not counted.
#[derive(Debug)]
pub struct Network {
    pub(super) options: Arc<FetchOptions>,
    pub(super) registries: Arc<Registries>,
    pub(super) caller: Caller,
    pub(super) places: Places,
    limits: Limits,
    downloads: Semaphore,
}

/// Until when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// Something has to have come.
    pub(super) start: Instant,
    /// All has to have come.
    pub(super) end: Instant,
}

impl Budget {
    fn of(wanted: &Wanted, longer: Duration) -> Self {
        let now = Instant::now();
        // Far enough away for what cannot be added.
        let after =
            |wait| now.checked_add(wait).unwrap_or_else(|| now + Duration::from_secs(365 * 24 * 3600));
        Self { start: after(wanted.timeout), end: after(wanted.timeout.max(longer)) }
    }
}

/// Where a wanted module is.
enum Source {
    Http(Url),
    Oci,
}

impl Network {
    /// With those options, and the registry configuration that they name.
    ///
    /// # Errors
    ///
    /// All that is wrong with either.
    pub fn new(options: FetchOptions) -> Result<Self, Problems> {
        let registries = match &options.registries {
            Some(path) => Registries::read(path),
            None => Ok(Registries::default()),
        };
        let options = options.with_lower_case_proxies();
        match registries {
            Ok(registries) => Self::with_registries(options, registries),
            Err(Problems(mut problems)) => {
                problems.extend(
                    Self::with_registries(options, Registries::default())
                        .err()
                        .into_iter()
                        .flat_map(|more| more.0),
                );
                Err(Problems(problems))
            }
        }
    }

    /// With those options and that registry configuration, whatever file the options name.
    ///
    /// # Errors
    ///
    /// All that is wrong with the options.
    pub fn with_registries(mut options: FetchOptions, registries: Registries) -> Result<Self, Problems> {
        if options.concurrent_downloads == 0 {
            return Err(Problems(vec![
                "MESHLOOM_WASM_CONCURRENT_DOWNLOADS: expected a number above 0".to_owned(),
            ]));
        }
        // As Istio's agent means it, and does not do it.
        if options.request_timeout.is_zero() {
            options.request_timeout = FetchOptions::default().request_timeout;
        }
        let (options, registries) = (Arc::new(options), Arc::new(registries));
        let clients = Clients::new(options.clone(), registries.clone()).map_err(Problems)?;
        Ok(Self {
            caller: Caller { clients, paces: Paces::default(), request_timeout: options.request_timeout },
            places: Places::new(&options),
            limits: Limits {
                module: options.max_binary_size,
                unpacked: options.max_unpacked_size,
                ..Limits::default()
            },
            downloads: Semaphore::new(options.concurrent_downloads.min(Semaphore::MAX_PERMITS)),
            options,
            registries,
        })
    }

    pub(super) fn receiver<'a>(
        &'a self,
        folder: &'a Path,
        progress: &'a dyn Progress,
        budget: Budget,
    ) -> Receiver<'a> {
        Receiver {
            folder,
            limits: &self.limits,
            largest_archive: self.options.max_archive_size,
            progress,
            deadline: budget.end,
        }
    }

    async fn resolved(&self, wanted: &Wanted) -> Result<Resolved, Unavailable> {
        match source(wanted)? {
            Source::Http(_) => Ok(Resolved::default()),
            Source::Oci => self.oci_resolve(wanted, Budget::of(wanted, Duration::ZERO)).await,
        }
    }

    async fn downloaded(
        &self,
        wanted: &Wanted,
        resolved: &Resolved,
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<Downloaded, Unavailable> {
        let source = source(wanted)?;
        let _turn = self.downloads.acquire().await;
        let longer = self.options.download_timeout;
        match source {
            Source::Http(url) => {
                let _place = self.caller.paces.place(self.caller.clients.entry(&url)).await;
                self.http(wanted, &url, folder, progress, Budget::of(wanted, longer)).await
            }
            Source::Oci => {
                let reference = super::oci::reference(&wanted.url)?;
                let entry = self.registries.find(reference.registry(), reference.repository());
                let _place = self.caller.paces.place(entry).await;
                self.oci_download(wanted, resolved, folder, progress, Budget::of(wanted, longer)).await
            }
        }
    }

    async fn signed(&self, wanted: &Wanted, resolved: &Resolved) -> Result<Vec<Signature>, Unavailable> {
        match source(wanted)? {
            // There is no place for them.
            Source::Http(_) => Ok(Vec::new()),
            Source::Oci => self.oci_signatures(wanted, resolved, Budget::of(wanted, Duration::ZERO)).await,
        }
    }
}

impl Fetcher for Network {
    fn resolve<'a>(&'a self, wanted: &'a Wanted) -> BoxFuture<'a, Result<Resolved, Unavailable>> {
        self.resolved(wanted).boxed()
    }

    fn download<'a>(
        &'a self,
        wanted: &'a Wanted,
        resolved: &'a Resolved,
        folder: &'a Path,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Downloaded, Unavailable>> {
        self.downloaded(wanted, resolved, folder, progress).boxed()
    }

    fn signatures<'a>(
        &'a self,
        wanted: &'a Wanted,
        resolved: &'a Resolved,
    ) -> BoxFuture<'a, Result<Vec<Signature>, Unavailable>> {
        self.signed(wanted, resolved).boxed()
    }
}

fn source(wanted: &Wanted) -> Result<Source, Unavailable> {
    let unusable = |message: String| Unavailable::new(Reason::Unusable, message);
    // An OCI reference need not be a URL by the letter.
    if wanted.url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("oci://")) {
        return Ok(Source::Oci);
    }
    let url = Url::parse(&wanted.url)
        .map_err(|error| unusable(format!("fail to parse Wasm module fetch url: {error}")))?;
    match url.scheme() {
        "http" | "https" => Ok(Source::Http(url)),
        other => Err(unusable(format!("unsupported Wasm module downloading URL scheme: {other}"))),
    }
}

/// What came is not what the resource says, in Istio's words.
pub(super) fn mismatch(wanted: &Wanted, found: Sha256, expected: Sha256) -> String {
    let url = Url::parse(&wanted.url).map_or_else(|_| wanted.url.clone(), |url| super::failure::shown(&url));
    format!("module downloaded from {url} has checksum {found}, which does not match: {expected}")
}
