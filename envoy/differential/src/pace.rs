//! Waits until what was caused has happened, which shows in Envoy's log and at the servers.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a step may show nothing before it is taken to have caused nothing.
const NOTHING: Duration = Duration::from_millis(120);
/// How long nothing more may show before all of it is taken to have happened.
const QUIET: Duration = Duration::from_millis(20);
const LOOK: Duration = Duration::from_millis(3);

/// What has shown so far.
#[derive(Clone)]
pub(crate) struct Pace {
    log: Arc<OnceLock<PathBuf>>,
    events: Arc<AtomicU64>,
    /// How many servers wait for what they sent to be seen.
    serving: Arc<AtomicU64>,
    slowness: u32,
}

/// How much had shown at some time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark(u64, u64);

impl Pace {
    /// Waits so many times longer than on a machine that has nothing else to do.
    pub(crate) fn new(slowness: u32) -> Self {
        Self { log: Arc::default(), events: Arc::default(), serving: Arc::default(), slowness }
    }

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

    /// For a client: waits until something has shown since `mark`, or nothing does, and then until it is quiet, at
    /// the servers as well.
    pub(crate) async fn settle(&self, mark: Mark) {
        loop {
            self.wait(mark).await;
            if self.serving.load(Ordering::SeqCst) == 0 {
                return;
            }
        }
    }

    /// The same for a server, between two things that it sends.
    pub(crate) async fn settle_server(&self, mark: Mark) {
        self.serving.fetch_add(1, Ordering::SeqCst);
        self.wait(mark).await;
        self.event(); // what the server does next has still to show
        self.serving.fetch_sub(1, Ordering::SeqCst);
    }

    async fn wait(&self, mark: Mark) {
        let begun = Instant::now();
        while self.mark() == mark && begun.elapsed() < NOTHING * self.slowness {
            sleep(LOOK).await;
        }
        self.quiet(QUIET * self.slowness).await;
    }

    /// Lets so many milliseconds pass, or as many more as everything else takes longer.
    pub(crate) async fn pass(&self, milliseconds: u64) {
        // A sleep of no time would still be one.
        if milliseconds > 0 {
            sleep(Duration::from_millis(milliseconds) * self.slowness).await;
        }
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
