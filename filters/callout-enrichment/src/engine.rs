//! What becomes of a request: the cache, calls under way, the breaker and the policies together.
//!
//! Plain decisions: the shell does what they say. Times are milliseconds of a clock that does not go back.

mod outcome;

use std::rc::Rc;

use crate::answer::Answer;
use crate::breaker::{Admission, Breaker};
use crate::cache::{Age, Cache, Known, Lifetime};
use crate::config::Enrichment;
use crate::flight::{Flight, Flights};
use crate::freshness::Freshness;
use crate::key::Key;
use crate::mapping::Enriched;
use crate::question::Question;
use crate::retry::{self, Budget};
use crate::tally::{Count, Tally};

use outcome::{Outcome, outcome};

/// Why there is no new answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// None came in time.
    Timeout,
    /// None came, or one that says that the service failed, or nothing could be asked.
    Error,
    /// There was one that cannot be used, or nothing to ask about.
    Invalid,
    /// The service answered 4xx.
    Refused,
}

/// What becomes of a request for a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether an answer may be used that is no longer fresh.
    pub stale: bool,
    /// What the client is answered otherwise; none lets the request go on without.
    pub deny: Option<u16>,
}

/// What the upstream is told about how a request was enriched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the words say it")]
pub enum Word {
    Ok,
    Cache,
    Stale,
    Timeout,
    Error,
    Invalid,
    Refused,
    Skipped,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on with these values.
    With(Rc<Enriched>, Word),
    /// It goes on without any.
    Without(Word),
    /// The client is answered so.
    Deny(u16, Word),
}

/// What is to be done about a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Consulted {
    /// It is decided. With an admission the service is asked as well, for later requests.
    Decided(Verdict, Option<Admission>),
    /// It waits for a call that is under way.
    Joined,
    /// The service is asked.
    Ask(Admission),
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
    /// The stream that waits for the answer; none if nobody does.
    pub stream: Option<u32>,
}

/// Calls that have ended: who waited for it, and what becomes of them.
#[derive(Debug, PartialEq, Eq)]
pub struct Settled {
    /// The streams that waited; some may be gone.
    pub waiters: Vec<u32>,
    /// What becomes of each.
    pub verdict: Verdict,
    /// How long the last attempt took, in milliseconds.
    pub took_ms: u64,
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
        let open = self.breaker.as_ref().is_some_and(Breaker::is_open);
        [entries as u64, self.flights.len() as u64, u64::from(open)]
    }

    /// Whether calls are under way.
    pub fn is_waiting(&self) -> bool {
        !self.flights.is_empty()
    }

    /// What is to be done about a request of that key. `stream` waits if it has to; none does not.
    pub fn consult(
        &mut self,
        now: u64,
        key: Option<&Key>,
        stream: Option<u32>,
        tally: &mut Tally,
    ) -> Consulted {
        if let (Some(cache), Some(key)) = (&mut self.cache, key) {
            match cache.get(now, key) {
                Some((Known::Enriched(enriched), Age::Fresh)) => {
                    tally.count(Count::CacheHit);
                    return Consulted::Decided(Verdict::With(enriched, Word::Cache), None);
                }
                Some((Known::Nothing, Age::Fresh)) => {
                    tally.count(Count::CacheNegative);
                    return Consulted::Decided(self.failed(now, Some(key), Cause::Refused, tally), None);
                }
                Some((Known::Enriched(enriched), Age::Revalidate)) => {
                    tally.count(Count::CacheStale);
                    let again = if self.flights.asks_about(key) { None } else { self.admit(now, tally).ok() };
                    return Consulted::Decided(Verdict::With(enriched, Word::Stale), again);
                }
                _ => tally.count(Count::CacheMiss),
            }
            if self.flights.join(key, stream) {
                tally.count(Count::Joined);
                return Consulted::Joined;
            }
        }
        match self.admit(now, tally) {
            Ok(admission) => Consulted::Ask(admission),
            Err(()) => Consulted::Decided(self.failed(now, key, Cause::Error, tally), None),
        }
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
    pub fn sent(&mut self, token: u32, asking: Asking, question: Question, tally: &mut Tally) {
        tally.count(Count::Calls);
        self.budget.called();
        // What a probe finds out is not worth two calls.
        let retry = self.config.retry.as_ref().filter(|_| asking.admission == Admission::Pass);
        let flight = Flight {
            key: asking.key.filter(|_| self.cache.is_some()),
            waiters: asking.stream.into_iter().collect(),
            begun: asking.now,
            attempt_begun: asking.now,
            timeout_ms: self.config.call.timeout_ms,
            admission: asking.admission,
            again: retry.map(|_| question),
        };
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
        if let Some(breaker) = &mut self.breaker {
            breaker.withdraw(now, admission);
        }
        self.failed(now, key, Cause::Invalid, tally)
    }

    /// What follows an answer. `None` if nobody asked.
    pub fn answered(&mut self, now: u64, token: u32, answer: &Answer<'_>, tally: &mut Tally) -> Option<Next> {
        let mut flight = self.flights.end(token)?;
        let took = now.saturating_sub(flight.attempt_begun);
        let outcome = outcome(&self.config, answer, took, flight.timeout_ms, tally);
        self.record(now, flight.admission, outcome.is_failure());
        if let Some(question) = flight.again.take()
            && let Some(left) = self.may_retry(now, &flight, &outcome, answer)
        {
            tally.count(Count::Retries);
            (flight.attempt_begun, flight.timeout_ms) = (now, left);
            return Some(Next::Again(question, flight));
        }
        let verdict = self.settle(now, flight.key.as_ref(), outcome, answer, tally);
        Some(Next::Settled(Settled { waiters: flight.waiters, verdict, took_ms: took }))
    }

    /// Notes that the question was sent once more.
    pub fn sent_again(&mut self, token: u32, flight: Flight, tally: &mut Tally) {
        tally.count(Count::Calls);
        self.flights.begin(token, flight);
    }

    /// Decides about those who wait for a question that the host did not send once more.
    pub fn unsent_again(&mut self, now: u64, flight: Flight, tally: &mut Tally) -> Settled {
        let verdict = self.unsent(now, flight.key.as_ref(), flight.admission, tally);
        Settled { waiters: flight.waiters, verdict, took_ms: 0 }
    }

    /// Ends what the host should have answered long ago.
    pub fn overdue(&mut self, now: u64, tally: &mut Tally) -> Vec<Settled> {
        let tokens = self.flights.overdue(now, GRACE_MS);
        let flights: Vec<Flight> = tokens.into_iter().filter_map(|token| self.flights.end(token)).collect();
        let settled = flights.into_iter().map(|flight| {
            tally.count(Count::CallTimeout);
            self.record(now, flight.admission, true);
            let verdict = self.failed(now, flight.key.as_ref(), Cause::Timeout, tally);
            Settled { waiters: flight.waiters, verdict, took_ms: now.saturating_sub(flight.attempt_begun) }
        });
        settled.collect()
    }

    fn may_retry(
        &mut self,
        now: u64,
        flight: &Flight,
        outcome: &Outcome,
        answer: &Answer<'_>,
    ) -> Option<u64> {
        let retry = self.config.retry.as_ref()?;
        if !outcome.is_retried_by(&retry.on, answer) {
            return None;
        }
        let left = retry::time_left(self.config.call.timeout_ms, now.saturating_sub(flight.begun))?;
        let open = self.breaker.as_ref().is_some_and(Breaker::is_open);
        (!open && self.budget.take()).then_some(left)
    }

    fn settle(
        &mut self,
        now: u64,
        key: Option<&Key>,
        outcome: Outcome,
        answer: &Answer<'_>,
        tally: &mut Tally,
    ) -> Verdict {
        match outcome {
            Outcome::Enriched(enriched) => {
                tally.add(Count::Invalid, enriched.invalid);
                let enriched = Rc::new(enriched);
                if let Some(key) = key {
                    let ttl = self.config.cache.as_ref().map_or(0, |cache| cache.ttl_ms);
                    self.keep(now, *key, Known::Enriched(Rc::clone(&enriched)), ttl, answer, tally);
                }
                Verdict::With(enriched, Word::Ok)
            }
            Outcome::Refused(404) if !self.config.policy(Cause::Refused).stale => {
                if let Some(key) = key {
                    let ttl = self.config.cache.as_ref().map_or(0, |cache| cache.negative_ttl_ms);
                    self.keep(now, *key, Known::Nothing, ttl, answer, tally);
                }
                self.failed(now, key, Cause::Refused, tally)
            }
            Outcome::Refused(_) => self.failed(now, key, Cause::Refused, tally),
            Outcome::Invalid => {
                tally.count(Count::Invalid);
                self.failed(now, key, Cause::Invalid, tally)
            }
            Outcome::Timeout => self.failed(now, key, Cause::Timeout, tally),
            Outcome::Failed(_) => self.failed(now, key, Cause::Error, tally),
        }
    }

    /// Keeps what is known now as long as configuration and answer both allow, or forgets what was known.
    fn keep(
        &mut self,
        now: u64,
        key: Key,
        known: Known,
        ttl_ms: u64,
        answer: &Answer<'_>,
        tally: &mut Tally,
    ) {
        let (Some(cache), Some(limits)) = (&mut self.cache, &self.config.cache) else { return };
        let freshness = Freshness::of(answer);
        if !freshness.may_store || ttl_ms == 0 {
            return cache.forget(&key);
        }
        let fresh = now.saturating_add(freshness.max_age_ms.map_or(ttl_ms, |most| most.min(ttl_ms)));
        let stale = |window: u64| match known {
            Known::Enriched(_) if freshness.may_be_stale => fresh.saturating_add(window),
            _ => fresh,
        };
        let revalidate = stale(limits.stale_while_revalidate_ms);
        let on_error = stale(limits.stale_if_error_ms).max(revalidate);
        tally.add(Count::CacheEvicted, cache.put(now, key, known, Lifetime { fresh, revalidate, on_error }));
    }

    /// What the policy for `cause` says.
    fn failed(&mut self, now: u64, key: Option<&Key>, cause: Cause, tally: &mut Tally) -> Verdict {
        let policy = self.config.policy(cause);
        if policy.stale
            && let (Some(cache), Some(key)) = (&mut self.cache, key)
            && let Some((Known::Enriched(enriched), _)) = cache.get(now, key)
        {
            tally.count(Count::CacheStale);
            return Verdict::With(enriched, Word::Stale);
        }
        let word = Word::of(cause);
        policy.deny.map_or(Verdict::Without(word), |status| Verdict::Deny(status, word))
    }

    fn record(&mut self, now: u64, admission: Admission, failed: bool) {
        if let Some(breaker) = &mut self.breaker {
            breaker.record(now, admission, failed);
        }
    }
}

impl Word {
    /// The word for a request that is not enriched for that cause.
    pub fn of(cause: Cause) -> Self {
        match cause {
            Cause::Timeout => Self::Timeout,
            Cause::Error => Self::Error,
            Cause::Invalid => Self::Invalid,
            Cause::Refused => Self::Refused,
        }
    }

    /// As it stands in the header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Cache => "cache",
            Self::Stale => "stale",
            Self::Timeout => "timeout",
            Self::Error => "error",
            Self::Invalid => "invalid",
            Self::Refused => "4xx",
            Self::Skipped => "skipped",
        }
    }
}

#[cfg(test)]
mod tests;
