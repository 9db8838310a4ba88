//! What obtains modules, as the options say: for every command that needs some.

use std::path::Path;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::Failure;
use super::counted::Counted;
use crate::fetch::{Downloaded, FetchOptions, Fetcher, Network, Progress, Resolved, Stage};
use crate::library::{LibraryOptions, Shelf};
use crate::status::Metrics;
use crate::store::StoreOptions;
use crate::trust::{Signature, Trust, TrustOptions};
use crate::{Library, Unavailable, Wanted};

/// Store, downloads, and what modules have to be
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Fetching {
    #[command(flatten, next_help_heading = "Store")]
    pub(super) store: StoreOptions,
    #[command(flatten, next_help_heading = "Downloads")]
    pub(super) fetch: FetchOptions,
    #[command(flatten, next_help_heading = "Sources")]
    pub(super) library: LibraryOptions,
    #[command(flatten, next_help_heading = "Trust")]
    pub(super) trust: TrustOptions,
}

/// All that is open.
pub(super) struct Opened {
    pub(super) library: Arc<dyn Library>,
    pub(super) shelf: Shelf,
}

/// What is read of the options before anything is opened.
pub(super) struct Checked {
    trust: Trust,
    network: Network,
}

impl Fetching {
    /// Reads the files that the options name. What is wrong goes to the problems, one a line.
    pub(super) fn check(&self, problems: &mut Vec<String>) -> Option<Checked> {
        let trust = Trust::new(&self.trust).map_err(|why| problems.extend(super::lines(&why)));
        let network = Network::new(self.fetch.clone()).map_err(|why| problems.extend(why.0));
        Some(Checked { trust: trust.ok()?, network: network.ok()? })
    }

    /// Opens the store.
    pub(super) fn open(
        &self,
        checked: Checked,
        bars: bool,
        metrics: Arc<Metrics>,
    ) -> Result<Opened, Failure> {
        let Checked { trust, network } = checked;
        let network = Counted::new(network, Arc::clone(&metrics));
        let fetcher: Arc<dyn Fetcher> =
            if bars { Arc::new(Bars::around(network)) } else { Arc::new(network) };
        let shelf =
            Shelf::open(&self.store, &self.library, trust, fetcher, metrics).map_err(Failure::failed)?;
        Ok(Opened { library: Arc::new(shelf.clone()), shelf })
    }

    /// The same for a command that a person may be waiting for.
    pub(super) fn open_with_bars(&self) -> Result<Opened, Failure> {
        let mut problems = Vec::new();
        match self.check(&mut problems) {
            Some(checked) => self.open(checked, true, Arc::default()),
            None => Err(Failure::unusable(problems)),
        }
    }
}

/// Shows a bar for each download, if there is a terminal.
struct Bars<F> {
    inner: F,
    bars: MultiProgress,
}

impl<F> Bars<F> {
    /// Indicatif draws on stderr, and nothing where that is no terminal.
    fn around(inner: F) -> Self {
        Self { inner, bars: MultiProgress::new() }
    }

    fn bar(&self, wanted: &Wanted) -> Bar {
        let style = "{msg:40!} {bar:30} {bytes:>10} of {total_bytes:<10} {bytes_per_sec:>12}";
        let style = ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = self
            .bars
            .add(ProgressBar::new(0).with_style(style).with_message(crate::shown::text(&wanted.url)));
        Bar(bar)
    }
}

struct Bar(ProgressBar);

impl Progress for Bar {
    fn received(&self, bytes: u64, of: Option<u64>) {
        self.0.set_length(of.unwrap_or(bytes));
        self.0.set_position(bytes);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Tells two.
struct Both<'a>(&'a dyn Progress, &'a dyn Progress);

impl Progress for Both<'_> {
    fn received(&self, bytes: u64, of: Option<u64>) {
        self.0.received(bytes, of);
        self.1.received(bytes, of);
    }

    fn reached(&self, stage: Stage) {
        self.0.reached(stage);
        self.1.reached(stage);
    }
}

impl<F: Fetcher> Fetcher for Bars<F> {
    fn resolve<'a>(&'a self, wanted: &'a Wanted) -> BoxFuture<'a, Result<Resolved, Unavailable>> {
        self.inner.resolve(wanted)
    }

    fn download<'a>(
        &'a self,
        wanted: &'a Wanted,
        resolved: &'a Resolved,
        folder: &'a Path,
        progress: &'a dyn Progress,
    ) -> BoxFuture<'a, Result<Downloaded, Unavailable>> {
        Box::pin(async move {
            let bar = self.bar(wanted);
            self.inner.download(wanted, resolved, folder, &Both(progress, &bar)).await
        })
    }

    fn signatures<'a>(
        &'a self,
        wanted: &'a Wanted,
        resolved: &'a Resolved,
    ) -> BoxFuture<'a, Result<Vec<Signature>, Unavailable>> {
        self.inner.signatures(wanted, resolved)
    }
}
