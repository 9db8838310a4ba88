//! What a regular expression matches: the longest from a place on.

use super::{Boundary, Verdict};
use crate::regex::{Dfa, Regex};
use crate::text::{More, Text};

/// An expression, and how long a match may be.
#[derive(Clone, Debug)]
pub(crate) struct Expression {
    pub(crate) regex: Regex,
    /// In bytes. Of a longer one only so much is a match.
    pub(crate) max_len: usize,
}

/// The longest match that is waited for, in bytes.
pub(crate) const MAX_LEN: usize = 1024;

impl Expression {
    /// Looks for one that begins at `start`.
    pub(super) fn at(&self, text: &Text<'_>, start: usize, boundary: Boundary) -> Verdict {
        if !boundary.begins(text, start) {
            return Verdict::No;
        }
        Verdict::from(self.longest(text, start, boundary))
    }

    fn longest(&self, text: &Text<'_>, start: usize, boundary: Boundary) -> Result<Option<usize>, More> {
        let dfa = self.regex.dfa();
        let (mut state, mut place, mut best) = (Dfa::START, start, None);
        loop {
            let full = place - start == self.max_len;
            if dfa.accepts(state) {
                let goes_on = || Ok(text.at(place)?.is_some_and(|byte| dfa.next(state, byte).is_some()));
                if boundary.ends(text, place)? || (full && goes_on()?) {
                    best = Some(place);
                }
            }
            if full || dfa.is_last(state) {
                return Ok(best);
            }
            match text.at(place)?.and_then(|byte| dfa.next(state, byte)) {
                Some(next) => (state, place) = (next, place + 1),
                None => return Ok(best),
            }
        }
    }
}
