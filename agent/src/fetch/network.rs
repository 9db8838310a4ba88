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
use super::place::Place;
use super::receive::Receiver;
use super::registries::{Entry, Problems, Registries};
use super::request::Caller;
use super::retry::Attempts;
use super::unpack::Limits;
use super::{Downloaded, Fetcher, Progress, Resolved, Stage};
use crate::live::{Live, Read};
use crate::trust::Signature;
use crate::{Effort, Reason, Sha256, Unavailable, Wanted};

/// Downloads by http, https and from OCI registries.
///
/// Time is bounded thus. Connecting, the beginning of each answer, and a standstill within one have budgets of their
/// own, by option. [`resolve`](Fetcher::resolve) and [`signatures`](Fetcher::signatures) each take at most the
/// resource's own timeout, retries and waits included. [`download`](Fetcher::download) has to be answered within that;
/// then it waits for a place among the concurrent downloads, which is not counted; and once it has one, it may go on
/// until the longer of the resource's timeout and `MESHLOOM_WASM_DOWNLOAD_TIMEOUT`.
#[derive(Debug)]
pub struct Network {
    pub(super) options: Arc<FetchOptions>,
    pub(super) places: Places,
    callers: Live<Caller>,
    limits: Limits,
    downloads: Semaphore,
}

/// Until when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// Something has to have come.
    pub(super) start: Instant,
    /// From when it begins to come until all has come.
    pub(super) longest: Duration,
}

impl Budget {
    fn of(wanted: &Wanted, longer: Duration) -> Self {
        Self { start: after(wanted.timeout), longest: wanted.timeout.max(longer) }
    }
}

/// In that time from now. Far enough away for what cannot be added.
fn after(wait: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(wait).unwrap_or_else(|| now + Duration::from_secs(365 * 24 * 3600))
}

/// Where a wanted module is.
enum Source {
    Http(Url),
    Oci,
}

impl Network {
    /// With those options, and the registry configuration that they name. It is read again whenever it has changed, or
    /// a file of certificates or keys has that it names.
    ///
    /// # Errors
    ///
    /// All that is wrong with either.
    pub fn new(options: FetchOptions) -> Result<Self, Problems> {
        let options = options.with_lower_case_proxies();
        let Some(path) = options.registries.clone() else {
            return Self::with_registries(options, Registries::default());
        };
        let registries = match Registries::read(&path) {
            Ok(registries) => registries,
            Err(Problems(mut problems)) => {
                let others = Self::with_registries(options, Registries::default()).err();
                problems.extend(others.into_iter().flat_map(|more| more.0));
                return Err(Problems(problems));
            }
        };
        let options = Arc::new(usable(options)?);
        let caller = {
            let options = options.clone();
            move |registries: Registries| {
                let mut files = registries.files();
                files.push(path.clone());
                Ok(Read { value: caller(&options, registries)?, files })
            }
        };
        let first = caller(registries)?;
        let read = {
            let options = options.clone();
            move || {
                let path = options.registries.as_deref().unwrap_or(Path::new(""));
                Registries::read(path).and_then(&caller).map_err(|problems| problems.to_string())
            }
        };
        Ok(Self::made(options, Live::new(first, read)))
    }

    /// With those options and that registry configuration, whatever file the options name.
    ///
    /// # Errors
    ///
    /// All that is wrong with the options.
    pub fn with_registries(options: FetchOptions, registries: Registries) -> Result<Self, Problems> {
        let options = Arc::new(usable(options)?);
        let caller = caller(&options, registries)?;
        Ok(Self::made(options, Live::fixed(caller)))
    }

    fn made(options: Arc<FetchOptions>, callers: Live<Caller>) -> Self {
        Self {
            places: Places::new(&options),
            limits: Limits {
                module: options.max_binary_size,
                unpacked: options.max_unpacked_size,
                ..Limits::default()
            },
            downloads: Semaphore::new(options.concurrent_downloads.min(Semaphore::MAX_PERMITS)),
            options,
            callers,
        }
    }

    /// What requests are made by, as the registry configuration says now. For all requests of one thing.
    pub(super) fn caller(&self) -> Arc<Caller> {
        self.callers.look()
    }

    /// The attempts at one request, none of which begins after the deadline.
    pub(super) fn attempts(&self, effort: Effort, deadline: Instant) -> Attempts {
        Attempts::new(effort, self.options.attempts, self.options.backoff, deadline)
    }

    /// Whether the module that an image has is larger than any may be.
    pub(super) fn is_too_large(&self, size: u64) -> bool {
        size > self.options.max_archive_size.max(self.limits.module)
    }

    /// Takes in what a source has answered to give, once there is a place for it.
    pub(super) async fn receiver<'a>(
        &'a self,
        caller: &Caller,
        entry: Option<(usize, &Entry)>,
        folder: &'a Path,
        progress: &'a dyn Progress,
        budget: Budget,
    ) -> Receiver<'a> {
        progress.reached(Stage::Waiting);
        // The source's own first: who waits for that is in nobody else's way.
        let of_source = caller.paces.place(entry).await;
        let place = Place::new(self.downloads.acquire().await.ok(), of_source);
        let deadline = after(budget.longest);
        progress.reached(Stage::Receiving(deadline));
        Receiver {
            folder,
            limits: &self.limits,
            largest_archive: self.options.max_archive_size,
            progress,
            deadline,
            place,
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
        let budget = Budget::of(wanted, self.options.download_timeout);
        match source(wanted)? {
            Source::Http(url) => self.http(wanted, &url, folder, progress, budget).await,
            Source::Oci => self.oci_download(wanted, resolved, folder, progress, budget).await,
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

fn usable(mut options: FetchOptions) -> Result<FetchOptions, Problems> {
    if options.concurrent_downloads == 0 {
        return Err(Problems(vec![
            "MESHLOOM_WASM_CONCURRENT_DOWNLOADS: expected a number above 0".to_owned(),
        ]));
    }
    // As Istio's agent means it, and does not do it.
    if options.request_timeout.is_zero() {
        options.request_timeout = FetchOptions::default().request_timeout;
    }
    Ok(options)
}

fn caller(options: &Arc<FetchOptions>, registries: Registries) -> Result<Caller, Problems> {
    let clients = Clients::new(options.clone(), registries).map_err(Problems)?;
    Ok(Caller { clients, paces: Paces::default(), request_timeout: options.request_timeout })
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
    let url = crate::shown::text(&wanted.url);
    format!("module downloaded from {url} has checksum {found}, which does not match: {expected}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_timeout_of_nothing_stands_for_the_default() {
        let timeout = |given| {
            let options = FetchOptions { request_timeout: given, ..FetchOptions::default() };
            Network::with_registries(options, Registries::default()).unwrap().caller().request_timeout
        };
        assert_eq!(timeout(Duration::ZERO), Duration::from_secs(15));
        assert_eq!(timeout(Duration::from_secs(3)), Duration::from_secs(3));
    }

    #[test]
    fn all_that_is_wrong_with_the_registry_configuration_and_the_options_is_told() {
        let options = FetchOptions {
            registries: Some("/nowhere/registries.yaml".into()),
            concurrent_downloads: 0,
            ..FetchOptions::default()
        };
        let Problems(problems) = Network::new(options).unwrap_err();
        assert_eq!(problems.len(), 2, "{problems:?}");
    }
}
