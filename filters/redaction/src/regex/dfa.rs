//! The same automaton in one state at a time: a table.

use std::collections::BTreeMap;

use super::nfa::{Nfa, State};
use crate::bytes::Bytes;

/// A state, by its number.
pub(crate) type Number = u16;

/// What each byte leads to from each state.
#[derive(Clone, Debug)]
pub(crate) struct Dfa {
    /// Bytes that no state tells apart have the same class.
    classes: Box<[u8; 256]>,
    /// How many classes there are.
    width: usize,
    /// By state and class. `NOWHERE` is no state.
    table: Box<[Number]>,
    /// In which states a match ends.
    ends: Box<[bool]>,
    /// From which states nothing leads on.
    last: Box<[bool]>,
}

const NOWHERE: Number = Number::MAX;

/// The most states: bounds what a configuration costs, in time and memory of each VM.
const MOST: usize = 1024;

/// How much work may be done for it, in states that are looked at.
const MOST_WORK: usize = 4_000_000;

impl Dfa {
    pub(crate) const START: Number = 0;

    /// `None` if it would be too large.
    pub(super) fn new(nfa: &Nfa) -> Option<Self> {
        let (classes, examples) = classes(nfa);
        let width = examples.len();
        let mut start = Vec::new();
        nfa.close(nfa.start, &mut start, &mut vec![false; nfa.states.len()]);
        start.sort_unstable();
        let mut work = 0_usize;
        let mut numbers = BTreeMap::from([(start.clone(), Self::START)]);
        let (mut table, mut ends) = (Vec::new(), Vec::new());
        let mut new = vec![start];
        let mut at = 0;
        while let Some(states) = new.get(at).cloned() {
            at += 1;
            ends.push(states.iter().any(|state| matches!(nfa.states.get(*state), Some(State::End))));
            for example in &examples {
                let (mut next, mut seen) = (Vec::new(), vec![false; nfa.states.len()]);
                work += states.len() + nfa.states.len() / 8;
                if work > MOST_WORK {
                    return None;
                }
                for state in &states {
                    if let Some(State::One(bytes, to)) = nfa.states.get(*state)
                        && bytes.has(*example)
                    {
                        nfa.close(*to, &mut next, &mut seen);
                    }
                }
                if next.is_empty() {
                    table.push(NOWHERE);
                    continue;
                }
                next.sort_unstable();
                let known = numbers.get(&next).copied();
                let number = match known {
                    Some(number) => number,
                    None if new.len() == MOST => return None,
                    None => {
                        let number = Number::try_from(new.len()).ok()?;
                        numbers.insert(next.clone(), number);
                        new.push(next);
                        number
                    }
                };
                table.push(number);
            }
        }
        let last = table.chunks(width.max(1)).map(|row| row.iter().all(|to| *to == NOWHERE)).collect();
        Some(Self { classes, width, table: table.into(), ends: ends.into(), last })
    }

    /// Where a byte leads to; `None` if nowhere.
    #[inline]
    pub(crate) fn next(&self, state: Number, byte: u8) -> Option<Number> {
        let class = self.classes.get(usize::from(byte)).copied().unwrap_or_default();
        let to = self.table.get(usize::from(state) * self.width + usize::from(class)).copied();
        to.filter(|to| *to != NOWHERE)
    }

    /// Whether a match ends in a state.
    pub(crate) fn accepts(&self, state: Number) -> bool {
        self.ends.get(usize::from(state)).copied().unwrap_or_default()
    }

    /// Whether nothing leads on from a state.
    pub(crate) fn is_last(&self, state: Number) -> bool {
        self.last.get(usize::from(state)).copied().unwrap_or_default()
    }

    pub(super) fn begins(&self) -> [Option<Bytes>; 3] {
        let mut states = vec![Self::START];
        let mut ended = false;
        [(); 3].map(|()| {
            ended |= states.iter().any(|state| self.accepts(*state));
            let mut bytes = Bytes::NONE;
            let mut next = Vec::new();
            for (state, byte) in states.iter().flat_map(|state| (0..=u8::MAX).map(move |byte| (*state, byte)))
            {
                if let Some(to) = self.next(state, byte) {
                    bytes = bytes.with(byte, byte);
                    if !next.contains(&to) {
                        next.push(to);
                    }
                }
            }
            states = std::mem::take(&mut next);
            (!ended).then_some(bytes)
        })
    }
}

/// The class of each byte, and a byte of each class.
fn classes(nfa: &Nfa) -> (Box<[u8; 256]>, Vec<u8>) {
    let mut sets: Vec<Bytes> = Vec::new();
    for state in &nfa.states {
        if let State::One(bytes, _) = state
            && !sets.contains(bytes)
        {
            sets.push(*bytes);
        }
    }
    let mut known: BTreeMap<Vec<bool>, u8> = BTreeMap::new();
    let mut examples = Vec::new();
    let mut classes = Box::new([0; 256]);
    for (byte, class) in (0..=u8::MAX).zip(classes.iter_mut()) {
        let has = sets.iter().map(|set| set.has(byte)).collect();
        *class = *known.entry(has).or_insert_with(|| {
            examples.push(byte);
            u8::try_from(examples.len() - 1).unwrap_or(u8::MAX)
        });
    }
    (classes, examples)
}
