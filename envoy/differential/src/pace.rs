//! Waits until what was caused has happened, which shows in Envoy's log and at the servers.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a step may show nothing before it is taken to have caused nothing.
const NOTHING: Duration = Duration::from_millis(120);
/// How long nothing more may show before all of it is taken to have happened.
const QUIET: Duration = Duration::from_millis(15);
const LOOK: Duration = Duration::from_millis(3);

/// What has shown so far.
#[derive(Clone, Default)]
pub(crate) struct Pace {
    log: Arc<OnceLock<PathBuf>>,
    events: Arc<AtomicU64>,
}

/// How much had shown at some time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark(u64, u64);

impl Pace {
    /// Says where Envoy logs to.
    pub(crate) fn watch(&self, log: PathBuf) {
        self.log.set(log).expect("one log");
    }

    /// Says that a client or a server saw something.
    pub(crate) fn event(&self) {
        self.events.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn mark(&self) -> Mark {
        let size = self.log.get().and_then(|log| std::fs::metadata(log).ok()).map_or(0, |data| data.len());
        Mark(size, self.events.load(Ordering::SeqCst))
    }

    /// Waits until something has shown since `mark`, or nothing does, and then until it is quiet.
    pub(crate) async fn settle(&self, mark: Mark) {
        let begun = Instant::now();
        while self.mark() == mark && begun.elapsed() < NOTHING {
            sleep(LOOK).await;
        }
        self.quiet(QUIET).await;
    }

    /// Waits until nothing has shown for that long.
    pub(crate) async fn quiet(&self, long: Duration) {
        let (mut last, mut since) = (self.mark(), Instant::now());
        while since.elapsed() < long {
            sleep(LOOK).await;
            let now = self.mark();
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
    }
}
