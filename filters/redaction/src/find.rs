//! Finds the next match in a text, or how much of the text cannot be told yet.
//!
//! Matches do not overlap. Of several the leftmost counts, of those that begin together the longest, and of those
//! the detector that is listed first. Where more has to come before that can be decided, nothing is.

mod classes;
mod glance;
mod prefilter;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub(crate) mod simd;

use crate::detect::email::{self, is_local};
use crate::detect::rest::Rest;
use crate::detect::{Boundary, Found, Kind, Verdict};
use crate::text::{More, REACH, Text};
use glance::Glance;
use prefilter::Prefilter;

/// One detector as it is looked for.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    pub(crate) kind: Kind,
    pub(crate) boundary: Boundary,
    pub(crate) near: Option<Near>,
    /// After how many bytes of a match its end is not waited for.
    pub(crate) cap: usize,
}

/// Words of which one must stand before a match.
#[derive(Clone, Debug)]
pub(crate) struct Near {
    /// In lower case.
    pub(crate) words: Vec<Box<[u8]>>,
    /// How far before it, in bytes.
    pub(crate) within: usize,
}

/// A match.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hit {
    /// Which of the patterns.
    pub(crate) pattern: usize,
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// What it goes on with after its end, if that has not come.
    pub(crate) rest: Option<Rest>,
    /// See [`Found::quotes`].
    pub(crate) quotes: Option<u32>,
}

/// What comes next in a text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next {
    Hit(Hit),
    /// No match ends before more comes. What stands from this place on is needed then.
    Wait(usize),
}

/// Looks for all patterns at once.
#[derive(Clone, Debug)]
pub(crate) struct Finder {
    patterns: Vec<Pattern>,
    /// Which patterns each group has, as bits.
    groups: [Vec<usize>; classes::GROUPS],
    prefilter: Prefilter,
    /// The same for JSON as it is written: a colon behind a quotation mark is none of a string there.
    json: Prefilter,
    glance: Glance,
    has_email: bool,
    has_ipv6: bool,
}

impl Finder {
    pub(crate) fn new(patterns: Vec<Pattern>) -> Self {
        let mut groups: [Vec<usize>; classes::GROUPS] = Default::default();
        let mut bytes = prefilter::NOTHING;
        let mut json = prefilter::NOTHING;
        for (index, pattern) in patterns.iter().enumerate() {
            let (group, around) = classes::of(&pattern.kind);
            prefilter::add(&mut bytes, group, around);
            if let Some(members) = groups.get_mut(group) {
                members.push(index);
            }
            for (group, around) in classes::in_json(&pattern.kind) {
                prefilter::add(&mut json, group, around);
            }
        }
        let has = |wanted: fn(&Kind) -> bool| patterns.iter().any(|pattern| wanted(&pattern.kind));
        Self {
            has_email: has(|kind| matches!(kind, Kind::Email)),
            has_ipv6: has(|kind| matches!(kind, Kind::Ipv6)),
            prefilter: Prefilter::new(&bytes),
            json: Prefilter::new(&json),
            glance: Glance::new(patterns.iter().map(|pattern| &pattern.kind)),
            groups,
            patterns,
        }
    }

    /// What is looked for.
    pub(crate) fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }

    /// The next place from `from` on in JSON as it is written where there may be something in a string without escapes that
    /// does not begin with a colon; the length if there is none.
    pub(crate) fn next_in_json(&self, bytes: &[u8], from: usize) -> usize {
        let text = Text { behind: &[], bytes, end: false };
        let found = self.json.find(&text, from, |place, groups| self.glance.at(&text, place, groups));
        found.map_or(bytes.len(), |(place, _)| place)
    }

    /// What comes next at or after `from`.
    #[inline]
    pub(crate) fn next(&self, text: &Text<'_>, from: usize) -> Next {
        let mut at = from;
        while let Some((place, groups)) = self.worth_a_look(text, at) {
            if let Some(next) = self.look(text, from, place, groups) {
                return next;
            }
            at = place + 1;
        }
        Next::Wait(self.needed(text, from, text.len()))
    }

    /// The next place from `from` on, and the groups for which it is worth a look.
    #[inline]
    fn worth_a_look(&self, text: &Text<'_>, from: usize) -> Option<(usize, u8)> {
        self.prefilter.find(text, from, |place, groups| self.glance.at(text, place, groups))
    }

    /// Asks the detectors of these groups about a place.
    #[inline(never)]
    fn look(&self, text: &Text<'_>, from: usize, place: usize, groups: u8) -> Option<Next> {
        let mut race = Race { best: None, need: usize::MAX };
        self.ask_groups(text, from, place, groups, &mut race);
        if let Some(hit) = race.best {
            self.look_for_earlier(text, from, place, hit.start, &mut race);
        }
        match race.best {
            Some(hit) if hit.start < race.need => Some(Next::Hit(hit)),
            best if race.need < usize::MAX => {
                // What was found here has to be found again.
                let found = best.map_or(place, |hit| hit.start.min(place));
                Some(Next::Wait(self.needed(text, from, race.need.min(found))))
            }
            _ => None,
        }
    }

    fn ask_groups(&self, text: &Text<'_>, from: usize, place: usize, groups: u8, race: &mut Race) {
        for (_, members) in self.groups.iter().enumerate().filter(|(group, _)| groups & (1 << group) != 0) {
            for index in members {
                self.ask(text, from, place, *index, race);
            }
        }
    }

    fn ask(&self, text: &Text<'_>, from: usize, place: usize, index: usize, race: &mut Race) {
        let Some(pattern) = self.patterns.get(index) else { return };
        let Found { start, verdict, quotes } = pattern.kind.look(text, place, pattern.boundary, pattern.cap);
        if start < from {
            return;
        }
        let hit = |end, rest| Hit { pattern: index, start, end, rest, quotes };
        let hit = match verdict {
            Verdict::No => return,
            Verdict::Need => {
                race.need = race.need.min(start).min(place);
                return;
            }
            Verdict::Match(end) => hit(end, None),
            Verdict::Runs(end, rest) => hit(end, Some(rest)),
        };
        if pattern.near.as_ref().is_none_or(|near| near.holds(text, start)) {
            race.enter(hit);
        }
    }

    /// Others may begin at or before `start` although what gives them away comes after `place`.
    fn look_for_earlier(&self, text: &Text<'_>, from: usize, place: usize, start: usize, race: &mut Race) {
        let mut at = place + 1;
        // An address of version 4 or 6 has its first sign within five bytes.
        let all = |_, groups| groups;
        while let Some((next, groups)) =
            self.prefilter.find(text, at, all).filter(|(next, _)| *next <= start + 5)
        {
            if next <= start {
                self.ask_groups(text, from, next, groups, race);
            } else {
                self.ask_those_that_look_back(text, from, next, race);
            }
            at = next + 1;
        }
        if self.has_email {
            let local = text.bytes.get(start..).unwrap_or_default();
            let length = local.iter().take(email::MAX_LOCAL + 1).take_while(|byte| is_local(**byte)).count();
            match text.at(start + length) {
                Ok(Some(b'@')) => self.ask_those_that_look_back(text, from, start + length, race),
                Ok(_) => {}
                Err(More) => {
                    if let Some(length) = email::local(text, text.len()) {
                        race.need = race.need.min(text.len().saturating_sub(length).max(from));
                    }
                }
            }
        }
    }

    fn ask_those_that_look_back(&self, text: &Text<'_>, from: usize, place: usize, race: &mut Race) {
        for (index, pattern) in self.patterns.iter().enumerate() {
            if pattern.kind.looks_back() {
                self.ask(text, from, place, index, race);
            }
        }
    }

    /// From where on bytes are needed when more comes: nothing before `limit` is decided any more, but what may turn out
    /// to be the beginning of something whose sign has not come.
    fn needed(&self, text: &Text<'_>, from: usize, limit: usize) -> usize {
        let length = text.len();
        if text.end {
            return limit.min(length);
        }
        let mut needed = limit.min(length);
        if self.has_email
            && let Some(local) = email::local(text, length)
        {
            needed = needed.min(length.saturating_sub(local));
        }
        if self.has_ipv6 {
            let digits =
                text.backwards(length).take(5).take_while(|byte| classes::BEFORE_COLON.has(*byte)).count();
            if digits <= 4 {
                needed = needed.min(length.saturating_sub(digits));
            }
        }
        needed.max(from)
    }
}

/// The candidates at a place.
struct Race {
    best: Option<Hit>,
    /// The first of those about which more must come.
    need: usize,
}

impl Race {
    fn enter(&mut self, hit: Hit) {
        // What runs on is longer than anything that ends.
        let length = |hit: &Hit| (hit.rest.is_some(), hit.end);
        let better = self.best.as_ref().is_none_or(|best| {
            hit.start < best.start
                || (hit.start == best.start
                    && (length(&hit) > length(best)
                        || (length(&hit) == length(best) && hit.pattern < best.pattern)))
        });
        if better {
            self.best = Some(hit);
        }
    }
}

impl Near {
    fn holds(&self, text: &Text<'_>, start: usize) -> bool {
        let mut before: Vec<u8> = text.backwards(start).take(self.within.min(REACH)).collect();
        before.reverse();
        before.make_ascii_lowercase();
        self.words.iter().any(|word| before.windows(word.len().max(1)).any(|part| part == &**word))
    }
}
