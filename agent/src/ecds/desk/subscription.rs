//! What Envoy asks for.

use std::collections::BTreeSet;

use super::Protocol;
use crate::wire::Request;

/// The names that Envoy is subscribed to.
#[derive(Debug)]
pub(super) struct Subscription {
    protocol: Protocol,
    names: BTreeSet<String>,
    wildcard: bool,
    /// Whether there was a request: a first one that names nothing asks for everything.
    begun: bool,
    /// State of the world: the names that the control plane was last told of, in their order.
    told: Vec<String>,
}

/// The name that stands for all.
const WILDCARD: &str = "*";

impl Subscription {
    pub(super) fn new(protocol: Protocol) -> Self {
        Self { protocol, names: BTreeSet::new(), wildcard: false, begun: false, told: Vec::new() }
    }

    /// Whether Envoy asks for that resource.
    pub(super) fn has(&self, name: &str) -> bool {
        self.wildcard || self.names.contains(name)
    }

    /// Takes a request's names over. Returns whether they change anything that the control plane was told.
    pub(super) fn take(&mut self, request: &Request<'_>) -> bool {
        let first = !std::mem::replace(&mut self.begun, true);
        match self.protocol {
            Protocol::Sotw => {
                let names: BTreeSet<String> = request.names.iter().map(|name| (*name).to_owned()).collect();
                // Once something was named, to name nothing is to ask for nothing.
                self.wildcard = names.contains(WILDCARD)
                    || names.is_empty() && (first || self.wildcard && self.names.is_empty());
                let changed = first || names != self.names;
                self.names = names;
                if changed {
                    self.told = request.names.iter().map(|name| (*name).to_owned()).collect();
                }
                changed
            }
            Protocol::Delta => {
                for name in &request.unsubscribe {
                    self.wildcard &= *name != WILDCARD;
                    self.names.remove(*name);
                }
                for name in &request.subscribe {
                    self.wildcard |= *name == WILDCARD;
                    self.names.insert((*name).to_owned());
                }
                self.wildcard |= first && request.subscribe.is_empty();
                first || !request.subscribe.is_empty() || !request.unsubscribe.is_empty()
            }
        }
    }

    /// State of the world: what a request of the agent's own has to name, lest it changes anything.
    pub(super) fn told(&self) -> Vec<&str> {
        self.told.iter().map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sotw(names: &[&'static str]) -> Request<'static> {
        Request { names: names.to_vec(), ..Request::default() }
    }

    fn delta(subscribe: &[&'static str], unsubscribe: &[&'static str]) -> Request<'static> {
        Request { subscribe: subscribe.to_vec(), unsubscribe: unsubscribe.to_vec(), ..Request::default() }
    }

    #[test]
    fn the_names_of_a_request_are_all_that_is_asked_for() {
        let mut subscription = Subscription::new(Protocol::Sotw);
        assert!(subscription.take(&sotw(&["a", "b"])));
        assert!(!subscription.take(&sotw(&["b", "a"])));
        assert!(subscription.take(&sotw(&["b"])));
        assert!(!subscription.has("a") && subscription.has("b"));
        assert!(subscription.take(&sotw(&[])));
        assert!(!subscription.has("b"));
        assert!(!subscription.take(&sotw(&[])));
        assert!(!subscription.has("b"));
    }

    #[test]
    fn a_first_request_that_names_nothing_asks_for_everything_until_something_is_named() {
        let mut subscription = Subscription::new(Protocol::Sotw);
        assert!(subscription.take(&sotw(&[])));
        assert!(!subscription.take(&sotw(&[])));
        assert!(subscription.has("a"));
        assert!(subscription.take(&sotw(&["b"])));
        assert!(!subscription.has("a"));
        assert!(subscription.take(&sotw(&["b", "*"])));
        assert!(subscription.has("a"));
    }

    #[test]
    fn increments_add_and_remove() {
        let mut subscription = Subscription::new(Protocol::Delta);
        assert!(subscription.take(&delta(&["a", "b"], &[])));
        assert!(!subscription.take(&delta(&[], &[])));
        assert!(subscription.take(&delta(&["c"], &["a"])));
        assert!(!subscription.has("a") && subscription.has("b") && subscription.has("c"));
        assert!(subscription.take(&delta(&["*"], &[])));
        assert!(subscription.has("anything"));
        assert!(subscription.take(&delta(&[], &["*"])));
        assert!(!subscription.has("anything") && subscription.has("b"));
    }

    #[test]
    fn a_first_increment_of_nothing_asks_for_everything() {
        let mut subscription = Subscription::new(Protocol::Delta);
        assert!(subscription.take(&delta(&[], &[])));
        assert!(subscription.has("a"));
    }
}
