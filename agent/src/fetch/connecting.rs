//! A connection that does not come.
//!
//! A server that is away without a word sees TCP's first packet again only after 1, 2, 4 s..., so that one which is back
//! could go unseen for seconds. Hence while the first connection is waited for, others are begun beside it, and the
//! request goes along whichever is there first. A server that has the request and is slow to answer is not asked twice.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use rand::Rng as _;
use tokio::time::sleep;
use tower::{Layer, Service};

use super::failure::Failure;

/// How long the first connection has before the first beside it is begun, drawn for each request so that agents which
/// began together do not knock together.
const FIRST: std::ops::RangeInclusive<f64> = 1.0..=1.4;
/// The same after each further one has failed.
const AGAIN: std::ops::RangeInclusive<f64> = 0.05..=0.4;

tokio::task_local! {
    /// The connections that the request waits for.
    static WAITED_FOR: Arc<AtomicU32>;
}

/// Tells the request, if it is [`beside`], that it waits for a connection as long as that future goes on.
pub(crate) async fn waiting<T>(connection: impl Future<Output = T>) -> T {
    struct Waits(Arc<AtomicU32>);
    impl Drop for Waits {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
    let waits = WAITED_FOR.try_with(|waited_for| {
        waited_for.fetch_add(1, Ordering::Relaxed);
        Waits(waited_for.clone())
    });
    let connected = connection.await;
    drop(waits);
    connected
}

/// What the first request comes to, or while it waits for its connection one `beside` it, of which there are as many as
/// it takes, one after the other.
pub(crate) async fn beside<T, F: Future<Output = Result<T, Failure>>>(
    first: impl Future<Output = Result<T, Failure>>,
    another: impl Fn() -> F,
) -> Result<T, Failure> {
    let waited_for = Arc::new(AtomicU32::new(0));
    let mut first = pin!(WAITED_FOR.scope(waited_for.clone(), first));
    let mut pause = FIRST;
    loop {
        let pause = std::mem::replace(&mut pause, AGAIN);
        let pause = Duration::from_secs_f64(rand::rng().random_range(pause));
        tokio::select! {
            biased;
            outcome = &mut first => return outcome,
            () = sleep(pause) => {}
        }
        if waited_for.load(Ordering::Relaxed) == 0 {
            return first.await;
        }
        tokio::select! {
            biased;
            outcome = &mut first => return outcome,
            outcome = another() => match outcome {
                Err(failure) if failure.again => {}
                outcome => return outcome,
            },
        }
    }
}

/// Marks the connections that a client makes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks;

/// See [`Marks`].
#[derive(Clone, Debug)]
pub(super) struct Marked<S>(S);

impl<S> Layer<S> for Marks {
    type Service = Marked<S>;

    fn layer(&self, connector: S) -> Marked<S> {
        Marked(connector)
    }
}

impl<S, R> Service<R> for Marked<S>
where
    S: Service<R, Response: 'static, Error: 'static, Future: Send + 'static>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, to: R) -> Self::Future {
        waiting(self.0.call(to)).boxed()
    }
}
