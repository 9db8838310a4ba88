//! Modules that are being obtained for a stream, each in a task of its own.

use std::collections::BTreeMap;

use tokio::task::{AbortHandle, JoinError, JoinSet};

use crate::ecds::Ticket;
use crate::{Held, Reason, Unavailable};

/// Modules that are being obtained for a stream. All are given up when it is over.
#[derive(Default)]
pub(super) struct Attempts {
    tasks: JoinSet<(Ticket, Result<Held, Unavailable>)>,
    running: BTreeMap<Ticket, AbortHandle>,
}

impl Attempts {
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    pub(super) fn begin(
        &mut self,
        ticket: Ticket,
        obtaining: impl Future<Output = Result<Held, Unavailable>> + Send + 'static,
    ) {
        let handle = self.tasks.spawn(async move { (ticket, obtaining.await) });
        self.running.insert(ticket, handle);
    }

    pub(super) fn give_up(&mut self, ticket: Ticket) {
        if let Some(attempt) = self.running.remove(&ticket) {
            attempt.abort();
        }
    }

    /// The next that has ended by itself.
    pub(super) async fn next(&mut self) -> (Ticket, Result<Held, Unavailable>) {
        loop {
            match self.tasks.join_next().await {
                Some(Ok((ticket, outcome))) => {
                    // Given up when it had already ended: the desk does not expect it.
                    if self.running.remove(&ticket).is_some() {
                        return (ticket, outcome);
                    }
                }
                Some(Err(cause)) => {
                    if let Some(ticket) = self.lost(&cause) {
                        let broken =
                            Unavailable::new(Reason::Unusable, "the attempt to obtain it broke down");
                        return (ticket, Err(broken));
                    }
                }
                None => std::future::pending().await,
            }
        }
    }

    /// The attempt that broke down, so that the desk does not wait for it for ever.
    fn lost(&mut self, cause: &JoinError) -> Option<Ticket> {
        let lost = cause.id();
        let ticket =
            self.running.iter().find(|(_, handle)| handle.id() == lost).map(|(ticket, _)| *ticket)?;
        self.running.remove(&ticket);
        Some(ticket)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    fn failed(message: &str) -> Result<Held, Unavailable> {
        Err(Unavailable::new(Reason::NotFound, message))
    }

    #[tokio::test]
    async fn each_attempt_ends_once_and_by_its_ticket() {
        let mut attempts = Attempts::default();
        attempts.begin(Ticket(1), pending());
        attempts.begin(Ticket(2), ready(failed("two")));
        let (ticket, outcome) = attempts.next().await;
        assert_eq!((ticket, outcome.unwrap_err().message), (Ticket(2), "two".into()));
        assert!(!attempts.is_empty());
        attempts.give_up(Ticket(1));
        assert!(attempts.is_empty());
    }

    #[tokio::test]
    async fn what_was_given_up_does_not_end_any_more_even_if_it_had() {
        let mut attempts = Attempts::default();
        attempts.begin(Ticket(1), ready(failed("one")));
        tokio::task::yield_now().await;
        attempts.give_up(Ticket(1));
        attempts.begin(Ticket(2), ready(failed("two")));
        assert_eq!(attempts.next().await.0, Ticket(2));
    }

    #[tokio::test]
    async fn an_attempt_that_breaks_down_ends_as_a_failed_one() {
        let mut attempts = Attempts::default();
        attempts.begin(Ticket(1), async { panic!("broken") });
        let (ticket, outcome) = attempts.next().await;
        assert_eq!((ticket, outcome.unwrap_err().reason), (Ticket(1), Reason::Unusable));
        assert!(attempts.is_empty());
    }
}
