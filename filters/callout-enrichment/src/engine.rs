//! What becomes of a request: the cache, calls under way, the breaker and the policies together.
//!
//! Plain decisions: the shell does what they say. Times are milliseconds of a clock that does not go back.

mod outcome;
mod settle;
mod verdict;

use std::rc::Rc;

use crate::answer::Answer;
use crate::breaker::{Admission, Breaker};
use crate::cache::{Age, Cache, Known};
use crate::config::Enrichment;
use crate::flight::{Asker, Flight, Flights, Token};
use crate::key::Key;
use crate::question::Question;
use crate::retry::{self, Budget};
use crate::tally::{Count, Tally};

use outcome::{Outcome, outcome};

pub use outcome::TELLING;
pub use verdict::{Cause, Denial, Deny, Policy, Verdict, Word};

/// What is to be done about a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Consulted {
    /// It is decided. With an admission the service is asked as well, for later requests.
    Decided(Verdict, Option<Admission>),
    /// It waits for a call that is under way.
    Joined,
    /// The service is asked.
    Ask,
}

/// A question about to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Asking {
    /// The time, in milliseconds.
    pub now: u64,
    /// What it asks about.
    pub key: Option<Key>,
    /// Why it may be.
    pub admission: Admission,
    /// Who wants the answer.
    pub asker: Asker,
}

/// A call that has ended: who waited for it, and what becomes of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Settled {
    /// The streams that waited; some may be gone.
    pub waiters: Vec<u32>,
    /// What becomes of each.
    pub verdict: Verdict,
}

/// What follows an answer.
#[derive(Debug)]
pub enum Next {
    /// It is asked once more: the flight goes on, under another token, or ends in [`Engine::unsent_again`].
    Again(Question, Flight),
    /// That was it.
    Settled(Settled),
}

/// How long after its timeout a call is given up that the host has not answered. Envoy always answers.
const GRACE_MS: u64 = 200;

/// The state of one plugin in one VM.
#[derive(Debug)]
pub struct Engine {
    config: Rc<Enrichment>,
    cache: Option<Cache>,
    flights: Flights,
    breaker: Option<Breaker>,
    budget: Budget,
}

impl Engine {
    /// With nothing known and nothing under way.
    pub fn new(config: Rc<Enrichment>) -> Self {
        let cache = config.cache.as_ref().map(|cache| Cache::new(cache.max_entries, cache.max_bytes));
        let budget = Budget::new(config.retry.as_ref().map_or(0, |retry| retry.budget));
        let breaker = config.breaker.map(Breaker::new);
        Self { config, cache, flights: Flights::default(), breaker, budget }
    }

    /// Entries of the cache, calls under way, and whether the breaker is open.
    pub fn gauges(&self) -> [u64; 3] {
        let entries = self.cache.as_ref().map_or(0, Cache::len);
        [entries as u64, self.flights.len() as u64, u64::from(self.is_left_alone())]
    }

    /// Whether calls are under way.
    pub fn is_waiting(&self) -> bool {
        !self.flights.is_empty()
    }

    /// What is to be done about a request of that key.
    pub fn consult(&mut self, now: u64, key: Option<&Key>, asker: Asker, tally: &mut Tally) -> Consulted {
        if let (Some(cache), Some(key)) = (&mut self.cache, key) {
            match cache.get(now, key) {
                Some((Known::Enriched(enriched), Age::Fresh)) => {
                    tally.count(Count::CacheHit);
                    return Consulted::Decided(Verdict::With(enriched, Word::Cache), None);
                }
                Some((Known::Nothing(denial), Age::Fresh)) => {
                    tally.count(Count::CacheNegative);
                    return Consulted::Decided(self.refused(now, Some(key), denial, tally), None);
                }
                Some((Known::Enriched(enriched), Age::Revalidate)) => {
                    tally.count(Count::CacheStale);
                    let again = if self.flights.asks_about(key) { None } else { self.admit(now, tally).ok() };
                    return Consulted::Decided(Verdict::With(enriched, Word::Stale), again);
                }
                _ => tally.count(Count::CacheMiss),
            }
            // What asks a service that is left alone may take as long as it did before.
            if !self.is_left_alone() && self.flights.join(key, asker) {
                tally.count(Count::Joined);
                return Consulted::Joined;
            }
        }
        let probe = match self.admit(now, tally) {
            Ok(Admission::Pass) => return Consulted::Ask,
            // Nobody waits to find out whether the service is back.
            Ok(probe) if key.is_none_or(|key| !self.flights.asks_about(key)) => Some(probe),
            // One call for each key: the next request of another one finds out.
            Ok(probe) => {
                self.withdraw(now, probe);
                None
            }
            Err(()) => None,
        };
        Consulted::Decided(self.failed(now, key, Cause::Error, tally), probe)
    }

    fn is_left_alone(&self) -> bool {
        self.breaker.as_ref().is_some_and(Breaker::is_open)
    }

    fn admit(&mut self, now: u64, tally: &mut Tally) -> Result<Admission, ()> {
        // Before the breaker: a probe that it admits must be made.
        if self.flights.len() as u64 >= self.config.call.max_inflight {
            tally.count(Count::Overflow);
            return Err(());
        }
        match self.breaker.as_mut().map_or(Admission::Pass, |breaker| breaker.admit(now)) {
            Admission::Stop => {
                tally.count(Count::BreakerRejected);
                Err(())
            }
            admission => Ok(admission),
        }
    }

    /// Notes that the question was sent.
    pub fn sent(&mut self, token: Token, asking: Asking, question: Question, tally: &mut Tally) {
        tally.count(Count::Calls);
        self.budget.called();
        // What a probe finds out is not worth two calls.
        let retry = self.config.retry.as_ref().filter(|_| asking.admission == Admission::Pass);
        let mut flight = Flight {
            key: asking.key.filter(|_| self.cache.is_some()),
            waiters: Vec::new(),
            shadows: 0,
            begun: asking.now,
            attempt_begun: asking.now,
            timeout_ms: self.config.call.timeout_ms,
            admission: asking.admission,
            again: retry.map(|_| question),
        };
        flight.join(asking.asker);
        self.flights.begin(token, flight);
    }

    /// Decides about a request whose question the host did not send.
    pub fn unsent(
        &mut self,
        now: u64,
        key: Option<&Key>,
        admission: Admission,
        tally: &mut Tally,
    ) -> Verdict {
        tally.count(Count::CallDispatchError);
        self.record(now, admission, true);
        self.failed(now, key, Cause::Error, tally)
    }

    /// Decides about a request that there is no question about.
    pub fn unaskable(
        &mut self,
        now: u64,
        key: Option<&Key>,
        admission: Admission,
        tally: &mut Tally,
    ) -> Verdict {
        tally.count(Count::Unaskable);
        self.withdraw(now, admission);
        self.failed(now, key, Cause::Invalid, tally)
    }

    /// How long the call took that the answer is to, in milliseconds, and what follows. `None` if nobody asked.
    pub fn answered(
        &mut self,
        now: u64,
        token: Token,
        answer: &Answer<'_>,
        tally: &mut Tally,
    ) -> Option<(u64, Next)> {
        let mut flight = self.flights.end(token)?;
        let took = now.saturating_sub(flight.attempt_begun);
        let outcome = outcome(&self.config, answer, took, flight.timeout_ms, tally);
        self.record(now, flight.admission, outcome.is_failure());
        if let Some(question) = flight.again.take()
            && let Some(left) = self.may_retry(now, &flight, &outcome)
        {
            tally.count(Count::Retries);
            (flight.attempt_begun, flight.timeout_ms) = (now, left);
            return Some((took, Next::Again(question, flight)));
        }
        let verdict = self.settle(now, flight.key.as_ref(), outcome, answer, tally);
        Some((took, Next::Settled(end(flight, verdict, tally))))
    }

    /// Notes that the question was sent once more.
    pub fn sent_again(&mut self, token: Token, flight: Flight, tally: &mut Tally) {
        tally.count(Count::Calls);
        self.flights.begin(token, flight);
    }

    /// Decides about those who wait for a question that the host did not send once more.
    pub fn unsent_again(&mut self, now: u64, flight: Flight, tally: &mut Tally) -> Settled {
        let verdict = self.unsent(now, flight.key.as_ref(), flight.admission, tally);
        end(flight, verdict, tally)
    }

    /// Ends what the host should have answered long ago. Answers how long each has taken, too.
    pub fn overdue(&mut self, now: u64, tally: &mut Tally) -> Vec<(u64, Settled)> {
        let tokens = self.flights.overdue(now, GRACE_MS);
        let flights: Vec<Flight> = tokens.into_iter().filter_map(|token| self.flights.end(token)).collect();
        let settled = flights.into_iter().map(|flight| {
            tally.count(Count::CallTimeout);
            self.record(now, flight.admission, true);
            let verdict = self.failed(now, flight.key.as_ref(), Cause::Timeout, tally);
            (now.saturating_sub(flight.attempt_begun), end(flight, verdict, tally))
        });
        settled.collect()
    }

    fn may_retry(&mut self, now: u64, flight: &Flight, outcome: &Outcome) -> Option<u64> {
        let retry = self.config.retry.as_ref()?;
        if !outcome.is_retried_by(&retry.on) {
            return None;
        }
        let left = retry::time_left(self.config.call.timeout_ms, now.saturating_sub(flight.begun))?;
        (!self.is_left_alone() && self.budget.take()).then_some(left)
    }

    fn withdraw(&mut self, now: u64, admission: Admission) {
        if let Some(breaker) = &mut self.breaker {
            breaker.withdraw(now, admission);
        }
    }

    fn record(&mut self, now: u64, admission: Admission, failed: bool) {
        if let Some(breaker) = &mut self.breaker {
            breaker.record(now, admission, failed);
        }
    }
}

/// A flight that is over, with what becomes of those who wanted its answer.
fn end(flight: Flight, verdict: Verdict, tally: &mut Tally) -> Settled {
    verdict.count_shadows(flight.shadows, tally);
    Settled { waiters: flight.waiters, verdict }
}

#[cfg(test)]
mod tests;
