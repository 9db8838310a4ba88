//! The places where an image is, one after the other.

use std::collections::VecDeque;
use std::sync::Arc;

use oci_client::Reference;
use tokio::time::Instant;

use super::place::Place;
use crate::fetch::failure::Failure;
use crate::fetch::network::{Budget, Network};
use crate::fetch::request::Caller;
use crate::fetch::retry::Attempts;
use crate::{Effort, Reason, Unavailable, Wanted};

/// The mirrors, each tried once, and then the registry itself, tried as often as is allowed.
pub(super) struct Tour<'a> {
    pub(super) network: &'a Network,
    pub(super) wanted: &'a Wanted,
    /// The same for all of it: the registry configuration may change meanwhile.
    pub(super) caller: Arc<Caller>,
    pub(super) budget: Budget,
    places: VecDeque<Place>,
    attempts: Attempts,
    problems: Vec<Unavailable>,
}

impl<'a> Tour<'a> {
    pub(super) fn new(
        network: &'a Network,
        wanted: &'a Wanted,
        reference: &Reference,
        budget: Budget,
    ) -> Result<Self, Unavailable> {
        let caller = network.caller();
        let places: VecDeque<Place> = Place::all(reference, &caller.clients.registries)?.into();
        let attempts = attempts(network, wanted, budget, places.len());
        Ok(Self { network, wanted, caller, budget, places, attempts, problems: Vec::new() })
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

    /// Whether connections have to be there at once.
    pub(super) fn is_brisk(&self) -> bool {
        self.attempts.are_brisk()
    }

    /// Goes on to the next place, if there is one.
    pub(super) fn next(&mut self) -> bool {
        if self.places.len() < 2 {
            return false;
        }
        self.places.pop_front();
        self.attempts = attempts(self.network, self.wanted, self.budget, self.places.len());
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
        self.attempts = attempts(self.network, self.wanted, self.budget, self.places.len());
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

/// A place that there is another after is tried once.
fn attempts(network: &Network, wanted: &Wanted, budget: Budget, places: usize) -> Attempts {
    let effort = if places > 1 && wanted.effort == Effort::Full { Effort::Once } else { wanted.effort };
    network.attempts(effort, budget.start)
}
