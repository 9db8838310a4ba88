//! Values that go as a whole: of members with a name or at a place that a detector is for.

use super::token::{number, token};
use super::{Json, LONGEST_SCALAR, Part, State};
use crate::action::Change;
use crate::rules::Rules;
use crate::scan::Tally;
use crate::scan::decode::Decoded;
use crate::scan::edit::Edit;
use crate::scan::nested::Nested;

impl Json {
    pub(super) fn rest_of_scalar(
        &mut self,
        rules: &Rules,
        bytes: &[u8],
        at: usize,
        edits: &mut Vec<Edit>,
    ) -> Part {
        let length = number(bytes.get(at..).unwrap_or_default());
        if let State::GoneScalar { detector } = self.state
            && let Some(put) = rules.padding(detector, length)
        {
            edits.push(Edit { range: at..at + length, put, masks: false });
        }
        if at + length < bytes.len() {
            self.after_value();
        }
        Part::Done(at + length)
    }

    /// A value that goes as a whole, from its first byte.
    pub(super) fn whole(
        &mut self,
        rules: &Rules,
        bytes: &[u8],
        at: usize,
        end: bool,
        edits: &mut Vec<Edit>,
        tally: &mut Tally,
    ) -> Part {
        let Some(detector) = self.target else { return Part::Broken(at) };
        let stays = rules.only_counts(detector);
        match bytes.get(at) {
            Some(b'"') => {
                self.state = State::Going { detector };
                self.whole_string(rules, bytes, at + 1, end, detector, edits, tally)
            }
            Some(b'{' | b'[') if stays => {
                rules.change(detector, &[], true, tally);
                self.target = None;
                Part::Done(at)
            }
            Some(b'{' | b'[') => {
                if let Some(put) = rules.nested(detector, tally) {
                    edits.push(Edit { range: at..at + 1, put, masks: false });
                }
                let mut nested = Nested::default();
                nested.closes_with(b'{');
                self.state = State::GoneNested { detector, nested };
                Part::Done(at + 1)
            }
            _ => {
                let Some(token) = token(bytes, at) else { return Part::Broken(at) };
                let stop = at + token.len();
                let long = token.len() > LONGEST_SCALAR;
                if stop == bytes.len() && !end && !long {
                    return Part::Wait(at);
                }
                let kept = token.get(..token.len().min(LONGEST_SCALAR)).unwrap_or_default();
                if stays {
                    rules.change(detector, kept, false, tally);
                    self.target = None;
                    return Part::Done(at);
                }
                if let Some(put) = rules.scalar(detector, kept, tally) {
                    edits.push(Edit { range: at..at + kept.len(), put, masks: false });
                }
                if long {
                    self.state = State::GoneScalar { detector };
                } else {
                    self.after_value();
                }
                Part::Done(at + kept.len())
            }
        }
    }

    /// A string that goes as a whole, from the first byte of its content.
    #[expect(clippy::too_many_arguments, reason = "the state of a scan, handed through")]
    pub(super) fn whole_string(
        &mut self,
        rules: &Rules,
        bytes: &[u8],
        at: usize,
        end: bool,
        detector: usize,
        edits: &mut Vec<Edit>,
        tally: &mut Tally,
    ) -> Part {
        let cap = rules.cap(detector);
        // Only what is within the cap is looked at, so that it makes no difference how much has come.
        let within = bytes.get(..bytes.len().min(at + cap + 1)).unwrap_or_default();
        let close = self.ahead.marks.closing(within, at);
        if close.is_none() && bytes.len() <= at + cap && !end {
            return Part::Wait(at);
        }
        let stop = close.map_or(within.len().min(at + cap), |(close, _)| close);
        let raw = bytes.get(at..stop).unwrap_or_default();
        let runs_on = close.is_none();
        let decoded = Decoded::new(raw, !runs_on);
        let taken = at + decoded.length;
        if runs_on && rules.lets_go(detector, tally) {
            return self.look_after_all(rules, at);
        }
        if rules.only_counts(detector) {
            if taken > at || runs_on {
                rules.change(detector, &decoded.bytes, runs_on, tally);
            }
            return self.look_after_all(rules, at);
        }
        if (taken > at || runs_on)
            && let Some(Change { put, masks }) = rules.change(detector, &decoded.bytes, runs_on, tally)
        {
            let edit = Edit { range: 0..decoded.bytes.len(), put, masks };
            let mut edit = decoded.written(raw, &edit);
            edit.range = at..taken;
            edits.push(edit);
        }
        if runs_on {
            self.state = State::Gone { detector, escape: false };
            return Part::Done(taken);
        }
        self.after_value();
        Part::Done(stop + 1)
    }

    /// A string that was to go as a whole stays, from the first byte of its content: it is looked into as others are.
    fn look_after_all(&mut self, rules: &Rules, at: usize) -> Part {
        self.target = None;
        self.begin_string(rules);
        Part::Done(at)
    }

    pub(super) fn gone(
        &mut self,
        rules: &Rules,
        bytes: &[u8],
        at: usize,
        detector: usize,
        mut escape: bool,
        edits: &mut Vec<Edit>,
    ) -> Part {
        let rest = bytes.get(at..).unwrap_or_default();
        let close = rest.iter().position(|byte| {
            let closes = *byte == b'"' && !escape;
            escape = *byte == b'\\' && !escape;
            closes
        });
        let length = close.unwrap_or(rest.len());
        if length > 0
            && let Some(Change { put, masks }) = rules.go_on(detector, length)
        {
            edits.push(Edit { range: at..at + length, put, masks });
        }
        match close {
            Some(_) => {
                self.after_value();
                Part::Done(at + length + 1)
            }
            None => {
                self.state = State::Gone { detector, escape };
                Part::Done(bytes.len())
            }
        }
    }

    pub(super) fn gone_nested(
        &mut self,
        rules: &Rules,
        bytes: &[u8],
        at: usize,
        detector: usize,
        mut nested: Nested,
        edits: &mut Vec<Edit>,
    ) -> Part {
        let rest = bytes.get(at..).unwrap_or_default();
        let close = rest.iter().position(|byte| nested.closes_with(*byte));
        let length = close.map_or(rest.len(), |place| place + 1);
        if let Some(put) = rules.padding(detector, length) {
            edits.push(Edit { range: at..at + length, put, masks: false });
        }
        if close.is_some() {
            self.after_value();
        } else {
            self.state = State::GoneNested { detector, nested };
        }
        Part::Done(at + length)
    }
}
