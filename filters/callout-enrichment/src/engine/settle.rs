//! What is made of an answer: values that are kept, or what the policy for its cause says.

use std::rc::Rc;

use filter_kit::header;

use super::outcome::Outcome;
use super::{Cause, Denial, Deny, Engine, Verdict, Word};
use crate::answer::Answer;
use crate::cache::{Known, Lifetime};
use crate::freshness::Freshness;
use crate::key::Key;
use crate::question::map;
use crate::tally::{Count, Tally};

impl Engine {
    /// What becomes of those who wanted the answer of a call that went so.
    pub(super) fn settle(
        &mut self,
        now: u64,
        key: Option<&Key>,
        outcome: Outcome,
        answer: &Answer<'_>,
        tally: &mut Tally,
    ) -> Verdict {
        let takes_back = outcome.takes_back() && !self.config.policy(Cause::Refused).stale;
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
            Outcome::Refused(status) => {
                let denial = self.denial(status, answer);
                if let (Some(key), true) = (key, takes_back) {
                    // Nothing is kept of another refusal than a 404: the next request asks anew.
                    let known_for = self.config.cache.as_ref().filter(|_| status == 404);
                    let ttl = known_for.map_or(0, |cache| cache.negative_ttl_ms);
                    self.keep(now, *key, Known::Nothing(denial.clone()), ttl, answer, tally);
                }
                self.refused(now, key, denial, tally)
            }
            Outcome::Invalid => {
                tally.count(Count::Invalid);
                self.failed(now, key, Cause::Invalid, tally)
            }
            Outcome::Timeout => self.failed(now, key, Cause::Timeout, tally),
            Outcome::Failed(..) => self.failed(now, key, Cause::Error, tally),
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

    /// What of a 4xx is passed on to clients, if that is asked for.
    fn denial(&self, status: u16, answer: &Answer<'_>) -> Option<Rc<Denial>> {
        let Some(Deny::AsAnswered(names)) = &self.config.policy(Cause::Refused).deny else { return None };
        let mut lines = Vec::new();
        for name in names {
            let values = answer.lines(name).filter(|value| header::is_value(value));
            lines.extend(values.map(|value| (&**name, value.to_vec())));
        }
        // More than is read is none.
        let is_whole = answer.body.len() as u64 == answer.body_size;
        let body = if is_whole { answer.body.to_vec() } else { Vec::new() };
        Some(Rc::new(Denial { status, headers: map(&lines), body }))
    }

    /// What becomes of a request that the service refused, or is known to refuse.
    pub(super) fn refused(
        &mut self,
        now: u64,
        key: Option<&Key>,
        denial: Option<Rc<Denial>>,
        tally: &mut Tally,
    ) -> Verdict {
        match (self.failed(now, key, Cause::Refused, tally), denial) {
            (Verdict::Deny(..), Some(denial)) => Verdict::DenyAsAnswered(denial),
            (verdict, _) => verdict,
        }
    }

    /// What the policy for `cause` says.
    pub(super) fn failed(&mut self, now: u64, key: Option<&Key>, cause: Cause, tally: &mut Tally) -> Verdict {
        let policy = self.config.policy(cause);
        if policy.stale
            && let (Some(cache), Some(key)) = (&mut self.cache, key)
            && let Some((Known::Enriched(enriched), _)) = cache.get(now, key)
        {
            tally.count(Count::CacheStale);
            return Verdict::With(enriched, Word::Stale);
        }
        let word = Word::of(cause);
        match policy.deny {
            None => Verdict::Without(word),
            Some(Deny::With(status)) => Verdict::Deny(status, word),
            // In place of an answer that is not at hand.
            Some(Deny::AsAnswered(_)) => Verdict::Deny(403, word),
        }
    }
}
