//! Calls under way, and who waits for them.

use std::collections::BTreeMap;

use crate::breaker::Admission;
use crate::key::Key;
use crate::question::Question;

/// A call under way. It belongs to the plugin and not to the request that was first to ask: that one may go away.
#[derive(Debug)]
pub struct Flight {
    /// What it asks about, if that is known: requests of the same key wait for it.
    pub key: Option<Key>,
    /// The streams that wait. One that is gone by now is none of the flight's business.
    pub waiters: Vec<u32>,
    /// When its first attempt began, in milliseconds.
    pub begun: u64,
    /// When this attempt began.
    pub attempt_begun: u64,
    /// How long this attempt may take, in milliseconds.
    pub timeout_ms: u64,
    /// Of what use it is to the breaker.
    pub admission: Admission,
    /// The question, if it may be asked once more.
    pub again: Option<Question>,
}

/// Every call under way, by the token that the host gave it.
#[derive(Debug, Default)]
pub struct Flights {
    by_token: BTreeMap<u32, Flight>,
    /// Their tokens.
    by_key: BTreeMap<Key, usize>,
}

impl Flights {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_token.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_token.is_empty()
    }

    /// Whether one asks about `key`.
    pub fn asks_about(&self, key: &Key) -> bool {
        self.by_key.contains_key(key)
    }

    /// Adds one.
    pub fn begin(&mut self, token: u32, flight: Flight) {
        if let Some(key) = flight.key {
            self.by_key.insert(key, token as usize);
        }
        self.by_token.insert(token, flight);
    }

    /// Has `stream`, if that is one, wait for the flight that asks about `key`. Whether there is one.
    pub fn join(&mut self, key: &Key, stream: Option<u32>) -> bool {
        let token = self.by_key.get(key).and_then(|token| u32::try_from(*token).ok());
        let flight = token.and_then(|token| self.by_token.get_mut(&token));
        let Some(flight) = flight else { return false };
        flight.waiters.extend(stream);
        true
    }

    /// Takes one away.
    pub fn end(&mut self, token: u32) -> Option<Flight> {
        let flight = self.by_token.remove(&token)?;
        if let Some(key) = &flight.key
            && self.by_key.get(key) == Some(&(token as usize))
        {
            self.by_key.remove(key);
        }
        Some(flight)
    }

    /// Those that the host should have answered more than `grace_ms` ago.
    pub fn overdue(&self, now: u64, grace_ms: u64) -> Vec<u32> {
        let late = |flight: &Flight| {
            now > flight.attempt_begun.saturating_add(flight.timeout_ms).saturating_add(grace_ms)
        };
        self.by_token.iter().filter(|(_, flight)| late(flight)).map(|(token, _)| *token).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flight(key: Option<u8>, stream: u32) -> Flight {
        Flight {
            key: key.map(|key| [key; 32]),
            waiters: vec![stream],
            begun: 0,
            attempt_begun: 0,
            timeout_ms: 200,
            admission: Admission::Pass,
            again: None,
        }
    }

    #[test]
    fn requests_of_one_key_wait_for_one_call() {
        let mut flights = Flights::default();
        flights.begin(4, flight(Some(1), 10));
        flights.begin(8, flight(Some(2), 20));
        assert!(
            flights.join(&[1; 32], Some(11))
                && flights.join(&[1; 32], None)
                && flights.join(&[2; 32], Some(21))
        );
        assert!(!flights.join(&[3; 32], Some(30)));
        assert_eq!(flights.end(4).unwrap().waiters, [10, 11]);
        assert!(!flights.asks_about(&[1; 32]) && flights.asks_about(&[2; 32]));
        assert!(flights.end(4).is_none());
        assert_eq!(flights.len(), 1);
    }

    #[test]
    fn a_call_without_a_key_is_nobody_elses() {
        let mut flights = Flights::default();
        flights.begin(4, flight(None, 10));
        flights.begin(8, flight(None, 20));
        assert_eq!((flights.end(8).unwrap().waiters, flights.end(4).unwrap().waiters), (vec![20], vec![10]));
        assert!(flights.is_empty());
    }

    #[test]
    fn a_call_is_overdue_only_when_the_host_has_forgotten_it() {
        let mut flights = Flights::default();
        flights.begin(4, flight(None, 10));
        assert_eq!(flights.overdue(300, 100), [] as [u32; 0]);
        assert_eq!(flights.overdue(301, 100), [4]);
    }
}
