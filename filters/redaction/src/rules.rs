//! A configuration, ready to be applied to bodies.

mod allow;
mod pointer;

pub(crate) use allow::{Allow, Allowed};
pub(crate) use pointer::Pointer;

use crate::action::{Action, Change, MARKER};
use crate::detect::literal::Literals;
use crate::detect::{Boundary, Keys, Kind, sign};
use crate::find::{Finder, Near, Pattern};
use crate::scan::Tally;
use crate::tokens::Tokens;

/// What is looked for in bodies, and what becomes of it.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The detectors that look into texts.
    pub(crate) finder: Finder,
    /// Which detector each pattern of the finder is of.
    of_pattern: Vec<usize>,
    detectors: Vec<Ruled>,
    allow: Allow,
    /// Whether a match of which no end comes is let go.
    releases: bool,
    /// Names of JSON members whose values go as a whole, in the order of their detectors.
    keyed: Vec<(usize, Keys)>,
    /// The signs of those names.
    key_signs: u64,
    /// Paths to such values.
    pub(crate) pointers: Vec<Pointer>,
    pointed: Vec<usize>,
    /// Whether names of members are looked into as values are.
    pub(crate) scans_names: bool,
    /// Numbers with fewer characters are not looked into.
    pub(crate) shortest_number: usize,
    /// What JSON numbers become.
    zero: bool,
    keeps_length: bool,
    cap: usize,
    near: bool,
}

/// What becomes of the matches of one detector.
#[derive(Clone, Debug)]
struct Ruled {
    action: Action,
    /// Whether they are e-mail addresses.
    address: bool,
    /// Whether it makes no difference what a value is, so that it need not be waited for.
    prompt: bool,
}

/// One detector, to be made rules of.
pub(crate) struct Rule {
    pub(crate) looks_for: LooksFor,
    pub(crate) action: Action,
}

/// Where a detector looks.
pub(crate) enum LooksFor {
    /// In texts.
    Pattern(Pattern),
    /// In texts and, for the same keys, at members of JSON.
    Assignment(Pattern, Keys),
    /// At members of JSON with these names.
    Keys(Keys),
    /// At these places of JSON.
    Pointers(Vec<Pointer>),
}

/// What concerns all detectors.
#[derive(Clone, Debug, Default)]
pub(crate) struct Common {
    pub(crate) allow: Allow,
    pub(crate) scans_names: bool,
    /// Whether a JSON number becomes `0`, and not a string.
    pub(crate) zero: bool,
    /// Whether bodies keep their length.
    pub(crate) keeps_length: bool,
    /// How much is held back at most, in bytes.
    pub(crate) max_hold: usize,
    /// Whether a match of which no end comes is let go; else it is taken for one.
    pub(crate) releases: bool,
}

/// How many paths into JSON are followed at once: each is a bit of a word.
pub(crate) const MOST_POINTERS: usize = 64;

/// The shortest JSON number that any of the detectors built in may match, in characters.
const SHORTEST_NUMBER: usize = 9;

impl Rules {
    pub(crate) fn new(rules: Vec<Rule>, common: Common) -> Self {
        let Common { allow, scans_names, zero, keeps_length, max_hold, releases } = common;
        let (mut patterns, mut of_pattern) = (Vec::new(), Vec::new());
        let (mut keyed, mut pointers, mut pointed) = (Vec::new(), Vec::new(), Vec::new());
        let mut detectors = Vec::new();
        for (detector, Rule { looks_for, action }) in rules.into_iter().enumerate() {
            let mut prompt = action.is_constant() && allow.is_empty();
            let mut address = false;
            match looks_for {
                LooksFor::Pattern(pattern) => {
                    prompt = false;
                    address = matches!(pattern.kind, Kind::Email);
                    patterns.push(Pattern { cap: max_hold, ..pattern });
                    of_pattern.push(detector);
                }
                LooksFor::Assignment(pattern, keys) => {
                    patterns.push(Pattern { cap: if prompt { 1 } else { max_hold }, ..pattern });
                    of_pattern.push(detector);
                    keyed.push((detector, keys));
                }
                LooksFor::Keys(keys) => keyed.push((detector, keys)),
                LooksFor::Pointers(list) => {
                    pointed.extend(std::iter::repeat_n(detector, list.len()));
                    pointers.extend(list);
                }
            }
            detectors.push(Ruled { action, address, prompt });
        }
        let literal = |pattern: &Pattern| matches!(pattern.kind, Kind::Literal(_) | Kind::Regex(_));
        Self {
            shortest_number: if patterns.iter().any(literal) { 1 } else { SHORTEST_NUMBER },
            near: patterns.iter().any(|pattern| pattern.near.is_some()),
            finder: Finder::new(patterns),
            of_pattern,
            key_signs: keyed.iter().fold(0, |signs, (_, keys)| signs | keys.signs()),
            detectors,
            allow,
            releases,
            keyed,
            pointers,
            pointed,
            scans_names,
            zero,
            keeps_length,
            cap: max_hold,
        }
    }

    /// These rules, and one more that puts what tokens stand for in their place. `looks`: whether the others hold too.
    #[must_use]
    pub fn restoring(&self, tokens: &Tokens, looks: bool) -> Self {
        let mut rules = self.clone();
        let mut patterns = Vec::new();
        if looks {
            patterns.extend_from_slice(rules.finder.patterns());
        } else {
            rules.of_pattern.clear();
            rules.keyed.clear();
            rules.key_signs = 0;
            rules.pointers.clear();
            rules.near = false;
        }
        rules.of_pattern.push(rules.detectors.len());
        let restore = Action::Restore(tokens.clone());
        rules.detectors.push(Ruled { action: restore, address: false, prompt: false });
        let kind = Kind::Literal(Literals::new(tokens.all(), false));
        patterns.push(Pattern { kind, boundary: Boundary::None, near: None, cap: rules.cap });
        rules.finder = Finder::new(patterns);
        rules
    }

    /// How many detectors there are.
    pub fn detectors(&self) -> usize {
        self.detectors.len()
    }

    pub(crate) fn detector_of(&self, pattern: usize) -> Option<usize> {
        self.of_pattern.get(pattern).copied()
    }

    /// Whether it matters what members of JSON are called.
    pub(crate) fn names_matter(&self) -> bool {
        !self.keyed.is_empty() || !self.pointers.is_empty() || self.near
    }

    /// Whether words nearby matter.
    pub(crate) fn any_near(&self) -> bool {
        self.near
    }

    /// The first detector that has the values of members with this name.
    #[inline]
    pub(crate) fn keyed(&self, name: &[u8]) -> Option<usize> {
        if self.key_signs & sign(name) == 0 {
            return None;
        }
        self.keyed.iter().find(|(_, keys)| keys.contains(name)).map(|(detector, _)| *detector)
    }

    /// The detector of a pointer.
    pub(crate) fn pointed(&self, pointer: usize) -> Option<usize> {
        self.pointed.get(pointer).copied()
    }

    /// After how many bytes a value that goes as a whole is not waited for.
    pub(crate) fn cap(&self, detector: usize) -> usize {
        if self.detectors.get(detector).is_some_and(|ruled| ruled.prompt) { 0 } else { self.cap }
    }

    /// Takes note of a match whose end has not come although it is waited for no more; whether it is let go.
    pub(crate) fn lets_go(&self, detector: usize, tally: &mut Tally) -> bool {
        if self.detectors.get(detector).is_some_and(|ruled| ruled.prompt) {
            return false;
        }
        tally.overlong += 1;
        self.releases
    }

    /// Whether a match stays, so that others may find something in it.
    pub(crate) fn only_counts(&self, detector: usize) -> bool {
        matches!(self.action(detector), Some(Action::Tag))
    }

    fn action(&self, detector: usize) -> Option<&Action> {
        self.detectors.get(detector).map(|ruled| &ruled.action)
    }

    /// Takes note of a match of a detector and answers what stands in its place; `None` if it stays.
    pub(crate) fn change(
        &self,
        detector: usize,
        matched: &[u8],
        runs_on: bool,
        tally: &mut Tally,
    ) -> Option<Change> {
        let Ruled { action, address, .. } = self.detectors.get(detector)?;
        if matches!(action, Action::Restore(_)) {
            return action.change(matched, runs_on, &mut tally.tokens);
        }
        if matches!(action, Action::Tokenize(_)) && tally.tokens.is_none() {
            return None;
        }
        if !runs_on && self.allow.covers(matched, *address) {
            return None;
        }
        if let Some(matches) = tally.matches.get_mut(detector) {
            *matches += 1;
        }
        tally.blocked |= matches!(action, Action::Block);
        action.change(matched, runs_on, &mut tally.tokens)
    }

    /// What stands in place of the next `length` bytes of a match that runs on.
    pub(crate) fn go_on(&self, detector: usize, length: usize) -> Option<Change> {
        match self.action(detector)? {
            Action::Mask(mask) => Some(Change { put: vec![mask.byte; length], masks: true }),
            Action::Tag | Action::Block => None,
            _ => Some(Change { put: Vec::new(), masks: false }),
        }
    }

    /// What was no string becomes one, its marks with `level` backslashes. `length` is that of what it stands for.
    pub(crate) fn quoted(&self, put: Vec<u8>, level: u32, length: usize) -> Vec<u8> {
        if self.zero || self.keeps_length {
            return self.zero_of(length);
        }
        let level = usize::try_from(level).unwrap_or(0);
        let mut text = Vec::with_capacity(put.len() + 2 * level + 2);
        for part in [&put[..], &[]] {
            text.extend(std::iter::repeat_n(b'\\', level));
            text.push(b'"');
            text.extend_from_slice(part);
        }
        text
    }

    fn zero_of(&self, length: usize) -> Vec<u8> {
        let mut zero = vec![b'0'];
        if self.keeps_length {
            zero.resize(length.max(1), b' ');
        }
        zero
    }

    /// What stands in place of a JSON number or word that goes as a whole; `None` if it stays.
    pub(crate) fn scalar(&self, detector: usize, token: &[u8], tally: &mut Tally) -> Option<Vec<u8>> {
        let change = self.change(detector, token, false, tally)?;
        if matches!(self.action(detector), Some(Action::Remove)) {
            return Some(b"null".to_vec());
        }
        Some(self.quoted(change.put, 0, token.len()))
    }

    /// What stands in place of the first byte of an object or a list that goes as a whole; `None` if it stays.
    pub(crate) fn nested(&self, detector: usize, tally: &mut Tally) -> Option<Vec<u8>> {
        let change = self.change(detector, &[], true, tally)?;
        Some(match self.action(detector)? {
            Action::Remove => b"null".to_vec(),
            Action::Replace(_) => self.quoted(change.put, 0, 1),
            _ => self.quoted(MARKER.as_bytes().to_vec(), 0, 1),
        })
    }

    /// What stands in place of the bytes that follow; `None` if they stay.
    pub(crate) fn padding(&self, detector: usize, length: usize) -> Option<Vec<u8>> {
        self.go_on(detector, length)?;
        Some(if self.keeps_length { vec![b' '; length] } else { Vec::new() })
    }

    /// Words that must stand before a match of a pattern.
    pub(crate) fn near(words: Vec<String>, within: usize) -> Near {
        let words = words.into_iter().map(|word| word.to_ascii_lowercase().into_bytes().into_boxed_slice());
        Near { words: words.collect(), within }
    }
}
