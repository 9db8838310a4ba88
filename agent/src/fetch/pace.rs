//! How often, and by how many at a time, a host is called.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

use super::registries::Entry;

/// The paces of the registry configuration's entries, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Paces {
    next: Mutex<HashMap<usize, Instant>>,
    downloads: Mutex<HashMap<usize, Arc<Semaphore>>>,
}

impl Paces {
    /// Waits until the host may be called again. Turns are given in the order in which they are asked for.
    pub(super) async fn turn(&self, entry: Option<(usize, &Entry)>) {
        let Some((index, entry)) = entry else { return };
        let Some(pace) = entry.requests_per_second else { return };
        let apart = Duration::try_from_secs_f64(pace.recip()).unwrap_or(Duration::from_secs(3600));
        let turn = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let next = next.entry(index).or_insert_with(Instant::now);
            let turn = (*next).max(Instant::now());
            *next = turn + apart;
            turn
        };
        sleep_until(turn).await;
    }

    /// Waits until one more may be downloaded. The place is free again when the permit is dropped.
    pub(super) async fn place(&self, entry: Option<(usize, &Entry)>) -> Option<OwnedSemaphorePermit> {
        let (index, entry) = entry?;
        let places = entry.concurrent_downloads?;
        let semaphore = {
            let mut downloads = self.downloads.lock().unwrap_or_else(PoisonError::into_inner);
            downloads.entry(index).or_insert_with(|| Arc::new(Semaphore::new(places))).clone()
        };
        // It is never closed.
        semaphore.acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::Registries;

    #[tokio::test(start_paused = true)]
    async fn calls_are_kept_apart_and_downloads_wait_for_a_place() {
        let yaml =
            "registries: [{prefix: a.test, requestsPerSecond: 4, concurrentDownloads: 1}, {prefix: b.test}]";
        let registries = Registries::parse(yaml).unwrap();
        let (slow, free) = (registries.find("a.test", ""), registries.find("b.test", ""));
        let paces = Paces::default();
        let begin = Instant::now();
        for _ in 0..5 {
            paces.turn(slow).await;
            paces.turn(free).await;
            paces.turn(None).await;
        }
        assert_eq!(begin.elapsed().as_millis(), 1_000);

        let held = paces.place(slow).await;
        assert!(held.is_some() && paces.place(free).await.is_none());
        let waiting = tokio::time::timeout(Duration::from_secs(1), paces.place(slow));
        assert!(waiting.await.is_err());
        drop(held);
        assert!(paces.place(slow).await.is_some());
    }
}
