//! An agent's xDS proxy, with the options of a command line, between the two fakes.

#![allow(dead_code, unreachable_pub, reason = "several tests use it, and each a part of it")]

use std::ffi::OsString;
use std::sync::Arc;

use clap::Parser as _;
use futures_util::future::BoxFuture;
use meshloom_agent::ecds::{self, Desk, LastGood};
use meshloom_agent::status::{Board, Metrics};
use meshloom_agent::xds::{Conversion, Health, Options, Proxy, Refused, Streams};
use meshloom_agent::{Held, Library, Reason, Unavailable, Wanted};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A proxy that runs until this is dropped.
pub struct Agent {
    /// As [`Envoy::connect`](crate::envoy::Envoy::connect) takes it.
    pub address: String,
    pub streams: Arc<Streams>,
    pub health: Health,
    pub board: Arc<Board>,
    pub metrics: Arc<Metrics>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
    folder: tempfile::TempDir,
}

#[derive(clap::Parser)]
struct Command {
    #[command(flatten)]
    options: Options,
}

impl Agent {
    /// On a UNIX socket in a folder of its own, with those options, and with nothing in its library.
    pub async fn start(options: &[&str]) -> Self {
        Self::try_start(options).await.unwrap()
    }

    /// The same, for options that may be refused.
    pub async fn try_start(options: &[&str]) -> Result<Self, Refused> {
        Self::start_with(options, ecds::Options::default(), Arc::new(Empty)).await
    }

    /// The same, with modules, and options of what becomes of them.
    pub async fn start_with(
        options: &[&str],
        wasm: ecds::Options,
        library: Arc<dyn Library>,
    ) -> Result<Self, Refused> {
        let board = Arc::<Board>::default();
        let metrics = Arc::<Metrics>::default();
        let conversion = Conversion {
            library: library.clone(),
            desk: {
                let (board, metrics, last_good) =
                    (board.clone(), metrics.clone(), Arc::<LastGood>::default());
                Arc::new(move |stream, protocol| {
                    let (library, board, metrics) = (library.clone(), board.clone(), metrics.clone());
                    Desk::new(stream, protocol, library, board, metrics, last_good.clone(), wasm.clone())
                })
            },
        };
        let folder = tempfile::tempdir().unwrap();
        let listen = format!("--xds-listen=unix:{}", folder.path().join("XDS").display());
        let mut arguments = vec!["agent", "--xds-token-file=/dev/null", "--xds-drain=0s"];
        if !options.iter().any(|option| option.starts_with("--xds-listen=")) {
            arguments.push(&listen);
        }
        for option in options {
            // Given twice, clap refuses them.
            let name = option.split_inclusive('=').next().unwrap();
            arguments.retain(|given| !(name.ends_with('=') && given.starts_with(name)));
            arguments.push(option);
        }
        let options = Command::parse_from(arguments).options;
        let proxy = Proxy::bind(&options, environment(), conversion, board.clone(), metrics.clone()).await?;
        let (stop, stopped) = oneshot::channel();
        let (address, streams, health) = (proxy.address().to_string(), proxy.streams(), proxy.health());
        let serving = tokio::spawn(async move {
            // A dropped sender is no wish to end: then the task is aborted.
            let stopped = async {
                if stopped.await.is_err() {
                    std::future::pending().await
                }
            };
            proxy.serve(stopped).await.unwrap();
        });
        Ok(Self { address, streams, health, board, metrics, stop: Some(stop), serving, folder })
    }

    /// Tells it to end. Streams may go on for a while.
    pub fn tell_to_stop(&mut self) {
        _ = self.stop.take().unwrap().send(());
    }

    /// Until it has ended after it was told to.
    pub async fn stopped(mut self) {
        (&mut self.serving).await.unwrap();
        assert!(!self.folder.path().join("XDS").exists(), "the socket is left");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// What the agent finds in its environment.
fn environment() -> [(OsString, OsString); 2] {
    [("XDS_HEADER_x-tenant".into(), "acme".into()), ("HOME".into(), "/".into())]
}

/// A library without modules.
struct Empty;

impl Library for Empty {
    fn at_hand(&self, _: &Wanted) -> Option<Held> {
        None
    }

    fn obtain(&self, wanted: Wanted) -> BoxFuture<'static, Result<Held, Unavailable>> {
        Box::pin(async move { Err(Unavailable::new(Reason::NotFound, format!("{} is nowhere", wanted.url))) })
    }
}
