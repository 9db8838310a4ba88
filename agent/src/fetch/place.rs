//! Places among the downloads that go on at a time.
//!
//! A place is for a download that fills the line. Nobody has one before its source has answered, so that sources which
//! do not answer hold up nobody; and one that hardly moves loses its place, and goes on without: it is not in the way.

use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, SemaphorePermit};
use tokio::time::Instant;

/// How long a download is watched before it is judged, each time.
const WATCHED: Duration = Duration::from_secs(5);
/// Bytes that have to come in that time for a place to be kept: 64 KiB/s.
const LEAST: u64 = 5 * (64 << 10);

/// The place of one download.
#[derive(Debug)]
pub(super) struct Place<'a> {
    permits: Option<(Option<SemaphorePermit<'a>>, Option<OwnedSemaphorePermit>)>,
    judged: Instant,
    received: u64,
}

impl<'a> Place<'a> {
    /// One of all downloads, and one of those from that source if it has a limit of its own.
    pub(super) fn new(one: Option<SemaphorePermit<'a>>, of_source: Option<OwnedSemaphorePermit>) -> Self {
        Self { permits: Some((one, of_source)), judged: Instant::now() + WATCHED, received: 0 }
    }

    /// So many bytes have come.
    pub(super) fn received(&mut self, bytes: usize) {
        self.received += bytes as u64;
    }

    /// When it is judged next. Never, once the place is lost.
    pub(super) fn judged(&self) -> Option<Instant> {
        self.permits.as_ref().map(|_| self.judged)
    }

    /// Loses the place if too little has come since it was judged last.
    pub(super) fn judge(&mut self) {
        if self.judged > Instant::now() {
            return;
        }
        if self.received < LEAST {
            self.permits = None;
        }
        self.received = 0;
        self.judged = Instant::now() + WATCHED;
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_place_is_kept_by_what_comes_fast_and_lost_by_what_does_not() {
        let places = Semaphore::new(1);
        let mut place = Place::new(places.acquire().await.ok(), None);
        for _ in 0..3 {
            place.received(LEAST as usize);
            tokio::time::sleep_until(place.judged().unwrap()).await;
            place.judge();
        }
        assert_eq!(places.available_permits(), 0);
        place.received(LEAST as usize - 1);
        place.judge();
        assert_eq!(places.available_permits(), 0, "not judged before its time");
        tokio::time::sleep_until(place.judged().unwrap()).await;
        place.judge();
        assert_eq!((places.available_permits(), place.judged()), (1, None));
    }
}
