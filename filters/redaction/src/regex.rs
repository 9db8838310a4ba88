//! Regular expressions that take the same time for each byte, whatever they are and whatever they are looked for in.
//!
//! An expression is made a deterministic automaton when it is configured; one that would need too many states is
//! refused then. Each place where a match may begin is tried by itself, which costs a look into a table for each byte
//! and no more of them than the longest match has. There are no anchors, no captures and nothing greedy or lazy: of the
//! matches that begin somewhere the longest counts, as with every other detector.

mod dfa;
mod nfa;
mod parse;

pub(crate) use dfa::Dfa;

use crate::bytes::Bytes;

/// An expression, ready to be looked for.
#[derive(Clone, Debug)]
pub(crate) struct Regex {
    dfa: Dfa,
    /// How long its longest match is; `None` if there is none that is.
    longest: Option<usize>,
}

/// The longest expression, in bytes.
pub(crate) const MAX_PATTERN: usize = 512;

impl Regex {
    /// Reads an expression. `any_case`: ASCII letters stand for both of their cases.
    ///
    /// # Errors
    ///
    /// What would be right in its place.
    pub(crate) fn new(pattern: &str, any_case: bool) -> Result<Self, String> {
        if pattern.len() > MAX_PATTERN {
            return Err(format!("an expression of at most {MAX_PATTERN} bytes"));
        }
        let tree = parse::parse(pattern, any_case)?;
        if tree.shortest() == 0 {
            return Err("an expression that matches no empty text".to_owned());
        }
        let longest = tree.longest();
        let nfa = nfa::Nfa::new(&tree).ok_or("an expression with fewer repetitions")?;
        let dfa =
            Dfa::new(&nfa).ok_or("an expression that is less ambiguous: this one needs too many states")?;
        Ok(Self { dfa, longest })
    }

    /// How long its longest match is, in bytes; `None` if it may be of any length.
    pub(crate) fn longest(&self) -> Option<usize> {
        self.longest
    }

    /// Whether all of a text is a match.
    pub(crate) fn covers(&self, text: &[u8]) -> bool {
        let end = text.iter().try_fold(Dfa::START, |state, byte| self.dfa.next(state, *byte));
        end.is_some_and(|state| self.dfa.accepts(state))
    }

    /// The bytes that may stand at the first places of a match; `None` from where on one may have ended.
    pub(crate) fn begins(&self) -> [Option<Bytes>; 3] {
        self.dfa.begins()
    }

    pub(crate) fn dfa(&self) -> &Dfa {
        &self.dfa
    }
}

#[cfg(test)]
mod tests;
