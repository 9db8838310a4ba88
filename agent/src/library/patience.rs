//! How long it is waited for a download.

use futures_util::future::Either;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::fetch::{Progress, Stage};

/// Tells those who wait how far a download is.
pub(super) struct Told(watch::Sender<Stage>);

/// Hears how far a download is.
pub(super) type Hears = watch::Receiver<Stage>;

impl Told {
    pub(super) fn new() -> (Self, Hears) {
        let (tells, hears) = watch::channel(Stage::Asking);
        (Self(tells), hears)
    }
}

impl Progress for Told {
    fn received(&self, _: u64, _: Option<u64>) {}

    fn reached(&self, stage: Stage) {
        self.0.send_replace(stage);
    }
}

/// Waits for the outcome: `asking` is until when the source has to have answered. While the download waits for its turn
/// it is not timed; once it is received, it has the time that it was given for that; what has come is awaited.
pub(super) async fn wait<T>(
    outcome: impl Future<Output = T> + Unpin,
    mut stage: Hears,
    asking: Instant,
) -> Option<T> {
    let mut outcome = outcome;
    loop {
        let until = match *stage.borrow_and_update() {
            Stage::Asking => Some(asking),
            Stage::Receiving(until) => Some(until),
            Stage::Waiting | Stage::Landed => None,
        };
        let over = match until {
            Some(until) => Either::Left(sleep_until(until)),
            None => Either::Right(std::future::pending()),
        };
        tokio::select! {
            // What is there counts, however late it is.
            biased;
            outcome = &mut outcome => return Some(outcome),
            // Nothing more is told once the download has ended, and then its outcome is there.
            Ok(()) = stage.changed() => {}
            () = over => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt as _;
    use tokio::time::sleep;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// How long it was waited for a download that goes through these stages, each for so many seconds.
    async fn waited(asking: u64, stages: &[(Stage, u64)]) -> (Option<()>, u64) {
        let begun = Instant::now();
        let (told, hears) = Told::new();
        let stages = stages.to_vec();
        let download = async move {
            for (stage, seconds) in stages {
                told.reached(stage);
                sleep(SECOND * seconds as u32).await;
            }
        };
        let outcome = wait(download.boxed(), hears, begun + SECOND * asking as u32).await;
        (outcome, begun.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_does_not_answer_is_given_up_and_a_turn_is_waited_for() {
        assert_eq!(waited(5, &[(Stage::Asking, 6)]).await, (None, 5));
        assert_eq!(waited(5, &[(Stage::Asking, 4), (Stage::Waiting, 1000)]).await, (Some(()), 1004));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_received_has_time_of_its_own() {
        let until = Instant::now() + 60 * SECOND;
        let received = [(Stage::Asking, 1), (Stage::Receiving(until), 58)];
        assert_eq!(waited(5, &received).await, (Some(()), 59));
        let begun = Instant::now();
        let until = begun + 60 * SECOND;
        assert_eq!(waited(5, &[(Stage::Receiving(until), 100)]).await, (None, 60));
        let until = Instant::now() + 10 * SECOND;
        assert_eq!(waited(5, &[(Stage::Receiving(until), 9), (Stage::Landed, 50)]).await, (Some(()), 59));
    }
}
