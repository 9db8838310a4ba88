//! One text, piece by piece: a string of JSON, an event of a stream, or a whole body.

use super::Tally;
use super::edit::Edit;
use crate::action::Change;
use crate::detect::rest::{Passed, Rest};
use crate::find::{Hit, Next};
use crate::rules::Rules;
use crate::text::{self, Text};

/// What is known of a text between its pieces.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unit {
    /// The end of what was decided, for what is looked at before a match.
    behind: Vec<u8>,
    /// A match that has begun and not ended.
    rest: Option<(usize, Rest)>,
}

impl Unit {
    /// A new text begins.
    pub(crate) fn reset(&mut self) {
        self.behind.clear();
        self.rest = None;
    }

    /// A new text begins, with `before` to be looked at before its matches.
    pub(crate) fn begin_after(&mut self, before: &[u8]) {
        self.reset();
        self.remember(before);
    }

    /// Whether a match has begun and not ended.
    pub(crate) fn is_open(&self) -> bool {
        self.rest.is_some()
    }

    /// Goes through the next piece and adds what is to be changed in it. Answers how much of it is decided; what is not
    /// has to come again, with more behind it.
    pub(crate) fn scan(
        &mut self,
        rules: &Rules,
        bytes: &[u8],
        end: bool,
        edits: &mut Vec<Edit>,
        tally: &mut Tally,
    ) -> usize {
        let (mut at, mut open) = self.pass(rules, bytes, 0, end, edits);
        if !open {
            let behind = std::mem::take(&mut self.behind);
            let text = Text { behind: &behind, bytes, end };
            while !open {
                match rules.finder.next(&text, at) {
                    Next::Wait(needed) => {
                        at = needed;
                        break;
                    }
                    Next::Hit(hit) => {
                        self.hit(rules, &text, hit, edits, tally);
                        (at, open) = self.pass(rules, bytes, hit.end, end, edits);
                    }
                }
            }
            self.behind = behind;
        }
        if !end {
            self.remember(bytes.get(..at).unwrap_or_default());
        }
        at
    }

    /// Goes on with a match that has not ended; answers up to where all is decided, and whether it still has not ended.
    fn pass(
        &mut self,
        rules: &Rules,
        bytes: &[u8],
        at: usize,
        end: bool,
        edits: &mut Vec<Edit>,
    ) -> (usize, bool) {
        let Some((detector, rest)) = &mut self.rest else { return (at, false) };
        let detector = *detector;
        let (length, open) = match rest.pass(bytes.get(at..).unwrap_or_default(), end) {
            Passed::Ends(length) => {
                self.rest = None;
                (length, false)
            }
            Passed::Goes(length) => (length, true),
        };
        if length > 0
            && let Some(Change { put, masks }) = rules.go_on(detector, length)
        {
            edits.push(Edit { range: at..at + length, put, masks });
        }
        (at + length, open)
    }

    fn hit(&mut self, rules: &Rules, text: &Text<'_>, hit: Hit, edits: &mut Vec<Edit>, tally: &mut Tally) {
        let Some(detector) = rules.detector_of(hit.pattern) else { return };
        let matched = text.slice(hit.start, hit.end);
        let runs_on = hit.rest.is_some();
        if runs_on && rules.lets_go(detector, tally) {
            return;
        }
        let change = match rules.change(detector, matched, runs_on, tally) {
            Some(Change { put, masks }) => match hit.quotes {
                Some(level) => Some(Change { put: rules.quoted(put, level, matched.len()), masks: false }),
                None => Some(Change { put, masks }),
            },
            None => None,
        };
        if let Some(Change { put, masks }) = change {
            edits.push(Edit { range: hit.start..hit.end, put, masks });
        }
        self.rest = hit.rest.map(|rest| (detector, rest));
    }

    /// Looks into a JSON number; answers what stands in its place if there is a match in it.
    pub(crate) fn scan_number(&mut self, rules: &Rules, token: &[u8], tally: &mut Tally) -> Option<Vec<u8>> {
        let text = Text { behind: &self.behind, bytes: token, end: true };
        let mut at = 0;
        while let Next::Hit(hit) = rules.finder.next(&text, at) {
            let put =
                rules.detector_of(hit.pattern).and_then(|detector| rules.scalar(detector, token, tally));
            if put.is_some() {
                return put;
            }
            at = hit.end;
        }
        None
    }

    /// Takes note of bytes that were decided.
    pub(crate) fn remember(&mut self, bytes: &[u8]) {
        text::remember(&mut self.behind, bytes);
    }
}
