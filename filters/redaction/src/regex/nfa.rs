//! An expression as an automaton that may be in several states at once.

use super::parse::Tree;
use crate::bytes::Bytes;

/// What is done in a state.
#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    /// One byte of these leads on.
    One(Bytes, usize),
    /// Both are gone to.
    Both(usize, usize),
    /// A match ends.
    End,
}

/// States, of which each is built after those that it leads to.
pub(super) struct Nfa {
    pub(super) states: Vec<State>,
    pub(super) start: usize,
}

/// The most states there may be: bounds what a configuration costs to read.
const MOST: usize = 2048;

impl Nfa {
    /// `None` if it would be too large.
    pub(super) fn new(tree: &Tree) -> Option<Self> {
        let mut nfa = Self { states: vec![State::End], start: 0 };
        nfa.start = nfa.before(tree, 0)?;
        Some(nfa)
    }

    fn add(&mut self, state: State) -> Option<usize> {
        self.states.push(state);
        (self.states.len() <= MOST).then(|| self.states.len() - 1)
    }

    /// Puts `tree` before the state `next`; answers where it begins.
    fn before(&mut self, tree: &Tree, next: usize) -> Option<usize> {
        match tree {
            Tree::One(bytes) => self.add(State::One(*bytes, next)),
            Tree::All(parts) => parts.iter().rev().try_fold(next, |next, part| self.before(part, next)),
            Tree::Any(parts) => {
                let mut starts = Vec::with_capacity(parts.len());
                for part in parts {
                    starts.push(self.before(part, next)?);
                }
                let last = starts.pop()?;
                starts.into_iter().try_fold(last, |other, start| self.add(State::Both(start, other)))
            }
            Tree::Times(part, least, most) => {
                let mut start = next;
                match most {
                    // Each of those that need not be there may be passed by, straight to the end.
                    Some(most) => {
                        for _ in *least..*most {
                            let one = self.before(part, start)?;
                            start = self.add(State::Both(one, next))?;
                        }
                    }
                    None => {
                        // A loop: its beginning is known only after what it leads to.
                        let again = self.add(State::Both(next, next))?;
                        let one = self.before(part, again)?;
                        if let Some(state) = self.states.get_mut(again) {
                            *state = State::Both(one, next);
                        }
                        start = again;
                    }
                }
                (0..*least).try_fold(start, |next, _| self.before(part, next))
            }
        }
    }

    /// Adds a state, and all that it leads to without a byte; `seen`: those that are there.
    pub(super) fn close(&self, state: usize, into: &mut Vec<usize>, seen: &mut [bool]) {
        let mut stack = vec![state];
        while let Some(state) = stack.pop() {
            let Some(seen) = seen.get_mut(state) else { continue };
            if std::mem::replace(seen, true) {
                continue;
            }
            match self.states.get(state) {
                Some(State::Both(one, other)) => stack.extend([*other, *one]),
                _ => into.push(state),
            }
        }
    }
}
