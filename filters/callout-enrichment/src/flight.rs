//! Calls under way, and who waits for them.

use std::collections::BTreeMap;

use crate::breaker::Admission;
use crate::key::Key;
use crate::question::Question;

/// By which the host knows a call.
pub type Token = u32;

/// Who wants an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// This stream, which waits for it.
    Stream(u32),
    /// A request that has gone on: what would have become of it is counted.
    Shadow,
    /// No request: the answer is for those that come.
    Nobody,
}

/// A call under way. It belongs to the plugin and not to the request that was first to ask: that one may go away.
#[derive(Debug)]
pub struct Flight {
    /// What it asks about, if that is known: requests of the same key wait for it.
    pub key: Option<Key>,
    /// The streams that wait. One that is gone by now is none of the flight's business.
    pub waiters: Vec<u32>,
    /// How many requests have gone on without it, and are counted.
    pub shadows: u64,
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

impl Flight {
    /// Has one more want the answer.
    pub fn join(&mut self, asker: Asker) {
        match asker {
            Asker::Stream(stream) => self.waiters.push(stream),
            Asker::Shadow => self.shadows += 1,
            Asker::Nobody => {}
        }
    }
}

/// Every call under way, by the token that the host gave it.
#[derive(Debug, Default)]
pub struct Flights {
    by_token: BTreeMap<Token, Flight>,
    by_key: BTreeMap<Key, Token>,
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
    pub fn begin(&mut self, token: Token, flight: Flight) {
        if let Some(key) = flight.key {
            self.by_key.insert(key, token);
        }
        self.by_token.insert(token, flight);
    }

    /// Has `asker` want the answer of the flight that asks about `key`. Whether there is one.
    pub fn join(&mut self, key: &Key, asker: Asker) -> bool {
        let flight = self.by_key.get(key).and_then(|token| self.by_token.get_mut(token));
        flight.map(|flight| flight.join(asker)).is_some()
    }

    /// Takes one away.
    pub fn end(&mut self, token: Token) -> Option<Flight> {
        let flight = self.by_token.remove(&token)?;
        if let Some(key) = &flight.key
            && self.by_key.get(key) == Some(&token)
        {
            self.by_key.remove(key);
        }
        Some(flight)
    }

    /// Those that the host should have answered more than `grace_ms` ago.
    pub fn overdue(&self, now: u64, grace_ms: u64) -> Vec<Token> {
        let late = |flight: &Flight| {
            now > flight.attempt_begun.saturating_add(flight.timeout_ms).saturating_add(grace_ms)
        };
        self.by_token.iter().filter(|(_, flight)| late(flight)).map(|(token, _)| *token).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: Key = Key::numbered(1);
    const TWO: Key = Key::numbered(2);

    fn flight(key: Option<Key>, stream: u32) -> Flight {
        Flight {
            key,
            waiters: vec![stream],
            shadows: 0,
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
        flights.begin(4, flight(Some(ONE), 10));
        flights.begin(8, flight(Some(TWO), 20));
        for (key, asker) in
            [(ONE, Asker::Stream(11)), (ONE, Asker::Shadow), (ONE, Asker::Nobody), (TWO, Asker::Stream(21))]
        {
            assert!(flights.join(&key, asker));
        }
        assert!(!flights.join(&Key::numbered(3), Asker::Stream(30)));
        let first = flights.end(4).unwrap();
        assert_eq!((first.waiters, first.shadows), (vec![10, 11], 1));
        assert!(!flights.asks_about(&ONE) && flights.asks_about(&TWO));
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
        assert_eq!(flights.overdue(300, 100), [] as [Token; 0]);
        assert_eq!(flights.overdue(301, 100), [4]);
    }
}
