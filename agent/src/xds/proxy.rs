//! The proxy as a whole.

use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Refused;
use super::address::Listen;
use super::health::Health;
use super::listener::{Listener, tcp_connections, unix_connections};
use super::options::Options;
use super::prober;
use super::service::Service;
use super::stream::Shared;
use super::streams::Streams;
use super::upstream::Upstream;
use crate::Library;
use crate::ecds::{Desk, Protocol};
use crate::status::{Board, Metrics};

/// How long connections of Envoy may take to close once their streams have ended.
const CLOSING: Duration = Duration::from_secs(2);

/// What turns remote modules into local files.
#[derive(Clone)]
pub struct Conversion {
    /// Where modules are obtained.
    pub library: Arc<dyn Library>,
    /// Makes the desk of each stream, by its number and protocol.
    pub desk: Arc<dyn Fn(u64, Protocol) -> Desk + Send + Sync>,
}

/// The xDS proxy, bound to its socket.
pub struct Proxy {
    options: Options,
    listener: Listener,
    address: Listen,
    shared: Arc<Shared>,
}

/// What can be told to be wrong with the options before anything is opened. `environment` is as in [`Proxy::bind`].
#[must_use]
pub fn problems(
    options: &Options,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Vec<String> {
    let upstream = Upstream::new(options, texts(environment));
    let mut problems = upstream.err().map(|refused| refused.0).unwrap_or_default();
    problems.extend(options.xds_listen.refused(options.xds_listen_anywhere));
    problems
}

/// Variables that are not UTF-8 cannot be metadata, and are none of the agent's.
fn texts(
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> impl Iterator<Item = (String, String)> {
    let environment = environment.into_iter();
    environment.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

impl Proxy {
    /// Binds the socket. From then on Envoy can connect, and is answered once [`serve`](Self::serve) runs.
    ///
    /// `environment` is where `XDS_HEADER_*` are looked for: [`std::env::vars_os`].
    ///
    /// # Errors
    ///
    /// All that is wrong with the options, or why the socket cannot be bound.
    pub async fn bind(
        options: &Options,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        conversion: Conversion,
        board: Arc<Board>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Refused> {
        let upstream = Upstream::new(options, texts(environment))?;
        let listener = Listener::bind(&options.xds_listen, options.xds_listen_anywhere).await?;
        let address = listener.address().map_err(|cause| Refused(vec![cause.to_string()]))?;
        let shared = Arc::new(Shared {
            upstream: Arc::new(upstream),
            conversion,
            board,
            metrics,
            streams: Arc::default(),
            health: Health::default(),
            max_request: options.xds_max_request,
            max_waiting: options.xds_max_waiting_requests,
            max_age: Some(options.xds_max_stream_age).filter(|age| !age.is_zero()),
            over: CancellationToken::new(),
        });
        Ok(Self { options: options.clone(), listener, address, shared })
    }

    /// Where Envoy finds it.
    #[must_use]
    pub fn address(&self) -> &Listen {
        &self.address
    }

    /// The streams there are.
    #[must_use]
    pub fn streams(&self) -> Arc<Streams> {
        self.shared.streams.clone()
    }

    /// By which the workload's health is reported.
    #[must_use]
    pub fn health(&self) -> Health {
        self.shared.health.clone()
    }

    /// Serves Envoy until `shutdown`. Then no connection is accepted any more and the socket is removed; streams go on
    /// for [`Options::xds_drain`] and are ended without error.
    ///
    /// # Errors
    ///
    /// If the server cannot run.
    pub async fn serve(self, shutdown: impl Future<Output = ()>) -> Result<(), tonic::transport::Error> {
        let Self { options, listener, address, shared } = self;
        tracing::info!(%address, control_plane = %options.discovery_address, "serving xDS");
        // Whoever drops this future, drops the streams too.
        let _over = shared.over.clone().drop_guard();
        let stopped = CancellationToken::new();
        let service = Service(shared.clone());
        let server = tonic::transport::Server::builder()
            .max_concurrent_streams(options.xds_max_streams)
            .http2_keepalive_interval(Some(options.grpc_keepalive_interval))
            .http2_keepalive_timeout(Some(options.grpc_keepalive_timeout));
        let serving = async {
            let stop = stopped.clone().cancelled_owned();
            match listener {
                Listener::Unix(listener, file) => {
                    let stop = async {
                        stop.await;
                        drop(file);
                    };
                    server.serve_with_incoming_shutdown(service, unix_connections(listener), stop).await
                }
                Listener::Tcp(listener) => {
                    server.serve_with_incoming_shutdown(service, tcp_connections(listener), stop).await
                }
            }
        };
        let draining = async {
            shutdown.await;
            tracing::info!(streams = shared.streams.open(), "shutting down");
            stopped.cancel();
            _ = tokio::time::timeout(options.xds_drain, shared.streams.none()).await;
            shared.over.cancel();
            shared.streams.none().await;
            // An Envoy that does not read would keep its connection open as long as it likes.
            tokio::time::sleep(CLOSING).await;
        };
        let probing = async {
            match &options.health_probe {
                Some(probe) => prober::run(&options, probe, &shared.health).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            served = serving => served,
            () = draining => Ok(()),
            () = probing => Ok(()),
        }
    }
}
