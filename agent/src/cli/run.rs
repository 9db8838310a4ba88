//! `run`: the agent itself.

use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::time::SystemTime;

use clap::{ArgMatches, Args};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::fetching::{Checked, Fetching, Opened};
use super::threads::ThreadOptions;
use super::{Failure, cache, options};
use crate::Library;
use crate::admin::{self, Admin, AdminOptions, Inventory, Stored};
use crate::ecds::{self, Desk, Folder, LastGood};
use crate::library::Shelf;
use crate::status::{Board, Metrics};
use crate::xds::{self, Conversion, Proxy};

/// A second signal ended it.
const AT_ONCE: i32 = 130;

const EXAMPLES: &str = "\
Examples:
  meshloom-agent run --discovery-address=istiod.istio-system.svc:15012
  meshloom-agent run --discovery-address=http://127.0.0.1:18000 --xds-listen=127.0.0.1:15010 --cache-dir=modules

SIGTERM, SIGINT and POST /quitquitquit end it with grace: readiness turns to 503, streams are drained, the exit code is 0.
A second signal ends it at once.";

/// `meshloom-agent run`
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Run {
    #[command(flatten)]
    xds: xds::Options,
    #[command(flatten, next_help_heading = "Wasm")]
    ecds: ecds::Options,
    /// Where resources are remembered that Envoy accepted, for after a restart: a folder of this agent's own. Without it,
    /// one in the cache-dir
    #[arg(long, env = "MESHLOOM_LAST_GOOD_DIR", value_name = "FOLDER", help_heading = "Wasm")]
    last_good_dir: Option<PathBuf>,
    #[command(flatten)]
    fetching: Fetching,
    #[command(flatten)]
    admin: AdminOptions,
    #[command(flatten)]
    threads: ThreadOptions,
}

/// What a running agent is made of.
struct Parts {
    metrics: Arc<Metrics>,
    board: Arc<Board>,
    opened: Opened,
    configuration: serde_json::Value,
}

impl Run {
    pub(super) fn run(self, matches: &ArgMatches) -> Result<(), Failure> {
        let metrics = Arc::new(Metrics::default());
        let checked = self.check()?;
        let mut command = super::command();
        command.build();
        let configuration =
            command.find_subcommand("run").map(|run| options::in_effect(run, matches)).unwrap_or_default();
        self.threads.runtime()?.block_on(async {
            let opened = self.fetching.open(checked, false, Arc::clone(&metrics))?;
            self.serve(Parts { metrics, board: Arc::default(), opened, configuration }).await
        })
    }

    /// Everything that can be told to be wrong before anything is opened.
    fn check(&self) -> Result<Checked, Failure> {
        let mut problems = self.admin.problems();
        problems.extend(xds::problems(&self.xds, std::env::vars_os()));
        match self.fetching.check(&mut problems) {
            Some(checked) if problems.is_empty() => Ok(checked),
            _ => Err(Failure::unusable(problems)),
        }
    }

    async fn serve(self, parts: Parts) -> Result<(), Failure> {
        let Parts { metrics, board, opened, configuration } = parts;
        let (quit, stop) = (CancellationToken::new(), CancellationToken::new());
        listen_to_signals(quit.clone())?;

        let address = self.admin.admin_address;
        let listener = TcpListener::bind(address).await.map_err(|error| {
            Failure::failed(format!("admin-address: cannot listen on {address}: {error}"))
        })?;
        let bound = listener.local_addr().unwrap_or(address);
        tracing::info!(address = %bound, "status page: http://{bound}/");
        let admin = tokio::spawn(admin::serve(
            listener,
            Arc::new(Admin {
                board: Arc::clone(&board),
                metrics: Arc::clone(&metrics),
                inventory: Arc::new(Shelved(opened.shelf.clone())),
                options: self.admin.clone(),
                configuration,
                started: SystemTime::now(),
                quit: quit.clone(),
            }),
            stop.clone(),
        ));
        let house = {
            let (shelf, interval) = (opened.shelf.clone(), self.fetching.store.purge_interval);
            tokio::spawn(async move { shelf.keep_house(interval).await })
        };

        let proxy = self.proxy(opened.library, &opened.shelf, &board, &metrics).await?;
        board.listens(true);
        let asked = quit.clone();
        let served = proxy.serve(async move {
            asked.cancelled().await;
        });
        let served = served.await;
        // So that readiness says so, whatever the reason.
        quit.cancel();
        board.listens(false);
        tracing::info!("streams are ended");
        stop.cancel();
        let _panicked = admin.await;
        house.abort();
        served.map_err(Failure::failed)
    }
}

impl Run {
    async fn proxy(
        &self,
        library: Arc<dyn Library>,
        shelf: &Shelf,
        board: &Arc<Board>,
        metrics: &Arc<Metrics>,
    ) -> Result<Proxy, Failure> {
        let folder = self.last_good_dir.clone();
        let folder = folder.unwrap_or_else(|| self.fetching.store.folder.join(".meshloom/last-good"));
        let memory = Folder::open(&folder)
            .map_err(|error| Failure::failed(format!("last-good-dir: {}: {error}", folder.display())))?;
        let last_good = Arc::new(LastGood::remembered_by(memory));
        // Before Envoy can ask: what stands in for a module must not be missed because all the others are hashed first.
        for wanted in last_good.modules() {
            shelf.recall(wanted).await;
        }
        let (options, desk_library) = (self.ecds.clone(), Arc::clone(&library));
        let (board_of_desk, metrics_of_desk) = (Arc::clone(board), Arc::clone(metrics));
        let desk = move |stream, protocol| {
            Desk::new(
                stream,
                protocol,
                Arc::clone(&desk_library),
                Arc::clone(&board_of_desk),
                Arc::clone(&metrics_of_desk),
                Arc::clone(&last_good),
                options.clone(),
            )
        };
        let conversion = Conversion { library, desk: Arc::new(desk) };
        Proxy::bind(&self.xds, std::env::vars_os(), conversion, Arc::clone(board), Arc::clone(metrics))
            .await
            .map_err(|refused| Failure { code: super::FAILED, lines: refused.0 })
    }
}

/// The first signal asks, the second does not.
fn listen_to_signals(quit: CancellationToken) -> Result<(), Failure> {
    let listen =
        |kind| signal(kind).map_err(|error| Failure::failed(format!("cannot listen to signals: {error}")));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if quit.is_cancelled() {
                tracing::warn!("a second signal: ending at once");
                process::exit(AT_ONCE);
            }
            tracing::info!("a signal: ending with grace; another ends at once");
            quit.cancel();
        }
    });
    Ok(())
}

/// The store, for the status page.
struct Shelved(Shelf);

impl Inventory for Shelved {
    fn modules(&self) -> Vec<Stored> {
        cache::stored(self.0.store())
    }
}
