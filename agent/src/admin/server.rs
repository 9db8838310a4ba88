//! Connections: how many, and for how long.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::guard::Peer;
use super::{Admin, router};

/// Connections at one time. Prometheus, the kubelet and a person need a handful.
const CONNECTIONS: usize = 64;
/// How long a client may take for the head of a request, and be silent between two.
const HEAD: Duration = Duration::from_secs(10);
/// How many bytes the head of a request may have.
const HEAD_BYTES: usize = 16 * 1024;
/// How long a connection may last; then it ends after the answer that is being sent.
const CONNECTION: Duration = Duration::from_secs(120);
/// How long that answer may take.
const LAST_ANSWER: Duration = Duration::from_secs(5);

/// Serves until it is told to stop; then what is being answered is answered.
pub async fn serve(listener: TcpListener, admin: Arc<Admin>, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = TaskTracker::new();
    let routes = router(admin);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (socket, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Most likely out of file descriptors: that passes when others close theirs.
                tracing::warn!(%error, "the admin server cannot accept a connection");
                sleep(Duration::from_millis(200)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::debug!(%peer, "the admin server has too many connections");
            continue;
        };
        let (routes, stop) = (routes.clone().layer(Extension(Peer(peer))), stop.clone());
        connections.spawn(async move {
            answer(socket, routes, stop).await;
            drop(place);
        });
    }
    connections.close();
    connections.wait().await;
}

async fn answer(socket: TcpStream, routes: axum::Router, stop: CancellationToken) {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(HEAD_BYTES);
    let connection = builder.serve_connection(TokioIo::new(socket), TowerToHyperService::new(routes));
    tokio::pin!(connection);
    tokio::select! {
        // Whatever is wrong with a connection is its client's affair.
        _ended = connection.as_mut() => return,
        () = stop.cancelled() => {}
        () = sleep(CONNECTION) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ended_or_cut_off = timeout(LAST_ANSWER, connection).await;
}
