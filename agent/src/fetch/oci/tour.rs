//! The places where an image is, one after the other.

use std::collections::VecDeque;

use oci_client::Reference;
use tokio::time::Instant;

use super::place::Place;
use crate::fetch::failure::Failure;
use crate::fetch::network::{Budget, Network};
use crate::fetch::retry::Attempts;
use crate::{Reason, Unavailable};

/// The mirrors, each tried once, and then the registry itself, tried as often as is allowed.
pub(super) struct Tour<'a> {
    network: &'a Network,
    budget: Budget,
    places: VecDeque<Place>,
    attempts: Attempts,
    problems: Vec<Unavailable>,
}

impl<'a> Tour<'a> {
    pub(super) fn new(
        network: &'a Network,
        reference: &Reference,
        budget: Budget,
    ) -> Result<Self, Unavailable> {
        let places: VecDeque<Place> = Place::all(reference, &network.registries)?.into();
        let attempts = attempts(network, budget, places.len());
        Ok(Self { network, budget, places, attempts, problems: Vec::new() })
    }

    /// Where to try now, unless all was tried.
    pub(super) fn place(&self) -> Option<Place> {
        self.places.front().cloned()
    }

    /// Until when to try there: a mirror that does not answer leaves as much time to each place after it.
    pub(super) fn deadline(&self) -> Instant {
        let now = Instant::now();
        let places = u32::try_from(self.places.len()).unwrap_or(u32::MAX).max(1);
        now + self.budget.start.saturating_duration_since(now) / places
    }

    /// Goes on to the next place, if there is one.
    pub(super) fn next(&mut self) -> bool {
        if self.places.len() < 2 {
            return false;
        }
        self.places.pop_front();
        self.attempts = attempts(self.network, self.budget, self.places.len());
        true
    }

    /// It failed there. Waits for the next attempt if there is one, or goes on to the next place.
    pub(super) async fn failed(&mut self, failure: Failure) {
        let place = self.places.front();
        tracing::debug!(
            registry = place.map_or("", Place::host),
            repository = place.map_or("", Place::repository),
            attempt = self.attempts.made(),
            cause = failure.cause.message,
            "a request to a registry failed"
        );
        if self.attempts.next(&failure).await {
            return;
        }
        let mut cause = failure.cause;
        if self.attempts.made() > 1 {
            cause.message.push_str(&format!(" (after {} attempts)", self.attempts.made()));
        }
        self.problems.push(cause);
        self.places.pop_front();
        self.attempts = attempts(self.network, self.budget, self.places.len());
    }

    /// All failures. The last one's kind counts: it is the registry's own.
    pub(super) fn summary(mut self, what: &str) -> Unavailable {
        let Some(mut last) = self.problems.pop() else {
            return Unavailable::new(
                Reason::Unusable,
                "could not fetch Wasm OCI image: there is no place to look",
            );
        };
        let before =
            self.problems.iter().map(|problem| format!("; before, a mirror failed: {}", problem.message));
        last.message =
            format!("could not fetch Wasm OCI image: {what}{}{}", last.message, before.collect::<String>());
        last
    }
}

fn attempts(network: &Network, budget: Budget, places: usize) -> Attempts {
    let most = if places > 1 { 1 } else { network.options.attempts };
    Attempts::new(most, network.options.backoff, budget.start)
}
