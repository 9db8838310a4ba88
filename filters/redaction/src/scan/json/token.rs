//! One token after the other: names, strings that are looked into, numbers and words.

use super::{Json, LONGEST_NAME, LONGEST_SCALAR, LONGEST_WORD, Part, State};
use crate::rules::Rules;
use crate::scan::Tally;
use crate::scan::decode::{self, Decoded};
use crate::scan::edit::{Edit, shift};

impl Json {
    /// A name, from its opening mark at `at`.
    pub(super) fn name(
        &mut self,
        rules: &Rules,
        bytes: &[u8],
        at: usize,
        end: bool,
        edits: &mut Vec<Edit>,
        tally: &mut Tally,
    ) -> Part {
        let Some((close, escaped)) = self.ahead.marks.closing(bytes, at + 1) else {
            if end {
                return Part::Broken(at);
            }
            if bytes.len() - at > LONGEST_NAME {
                self.target = None;
                self.name.clear();
                self.stack.member(&rules.pointers, &[]);
                self.state = State::InName;
                return Part::Done(at + 1);
            }
            return Part::Wait(at);
        };
        self.state = State::Colon;
        let raw = bytes.get(at + 1..close).unwrap_or_default();
        if raw.len() > LONGEST_NAME {
            self.target = None;
            self.stack.member(&rules.pointers, &[]);
            return Part::Done(close + 1);
        }
        if rules.names_matter() {
            let decoded;
            let name = if escaped {
                decoded = Decoded::new(raw, true);
                decoded.bytes.as_slice()
            } else {
                raw
            };
            self.target = rules.keyed(name);
            if !rules.pointers.is_empty() {
                let pointed =
                    self.stack.member(&rules.pointers, name).and_then(|number| rules.pointed(number));
                self.target = match (self.target, pointed) {
                    (Some(keyed), Some(pointed)) => Some(keyed.min(pointed)),
                    (keyed, pointed) => keyed.or(pointed),
                };
            }
            self.note_name(rules, name);
        }
        if rules.scans_names {
            self.unit.reset();
            self.look_into(rules, raw, at + 1, escaped, true, edits, tally);
        }
        Part::Done(close + 1)
    }

    pub(super) fn long_name(&mut self, bytes: &[u8], at: usize) -> Part {
        match self.ahead.marks.closing(bytes, at) {
            Some((close, _)) => {
                self.state = State::Colon;
                Part::Done(close + 1)
            }
            // A backslash at the end belongs to what comes.
            None => wait_for_escape(bytes, at),
        }
    }

    /// Looks into a part of a string; answers how much of it is decided.
    #[expect(clippy::too_many_arguments, reason = "the state of a scan, handed through")]
    pub(super) fn look_into(
        &mut self,
        rules: &Rules,
        raw: &[u8],
        offset: usize,
        escaped: bool,
        whole: bool,
        edits: &mut Vec<Edit>,
        tally: &mut Tally,
    ) -> usize {
        let first = edits.len();
        let done = if escaped {
            let decoded = Decoded::new(raw, whole);
            let mut inner = Vec::new();
            let done = self.unit.scan(rules, &decoded.bytes, whole, &mut inner, tally);
            edits.extend(inner.iter().map(|edit| decoded.written(raw, edit)));
            decoded.raw(done)
        } else {
            let done = self.unit.scan(rules, raw, whole, edits, tally);
            for edit in edits.iter_mut().skip(first).filter(|edit| !edit.masks) {
                edit.put = decode::escaped(&edit.put);
            }
            done
        };
        shift(edits, first, offset);
        done
    }

    /// A string that is looked into, from `at` on.
    #[inline]
    pub(super) fn string(
        &mut self,
        rules: &Rules,
        bytes: &[u8],
        at: usize,
        end: bool,
        edits: &mut Vec<Edit>,
        tally: &mut Tally,
    ) -> Part {
        let first = self.ahead.marks.next(bytes, at);
        let close = self.ahead.marks.closing(bytes, at);
        let stop = close.map_or(bytes.len(), |(close, _)| close);
        let raw = bytes.get(at..stop).unwrap_or_default();
        let whole = close.is_some() || end;
        let done = self.look_into(rules, raw, at, first < stop, whole, edits, tally);
        match close {
            Some((close, _)) => {
                self.after_value();
                Part::Done(close + 1)
            }
            None if end => Part::Done(bytes.len()),
            None => Part::Wait(at + done),
        }
    }

    /// A number or a word that is looked at, from its first byte.
    pub(super) fn scalar(
        &mut self,
        rules: &Rules,
        bytes: &[u8],
        at: usize,
        end: bool,
        edits: &mut Vec<Edit>,
        tally: &mut Tally,
    ) -> Part {
        let Some(token) = token(bytes, at) else { return Part::Broken(at) };
        let stop = at + token.len();
        let is_word = token.first().is_some_and(u8::is_ascii_lowercase);
        if is_word && token.len() > LONGEST_WORD {
            return Part::Broken(at);
        }
        if token.len() > LONGEST_SCALAR {
            self.state = State::InScalar;
            return Part::Done(at + 1);
        }
        if stop == bytes.len() && !end {
            return Part::Wait(at);
        }
        if is_word {
            if !matches!(token, b"true" | b"false" | b"null") {
                return Part::Broken(at);
            }
        } else if token.len() >= rules.shortest_number {
            self.unit.reset();
            if rules.any_near() {
                self.unit.begin_after(&self.name);
            }
            if let Some(put) = self.unit.scan_number(rules, token, tally) {
                edits.push(Edit { range: at..stop, put, masks: false });
            }
        }
        self.after_value();
        Part::Done(stop)
    }
}

/// A number or a word.
pub(super) fn token(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let rest = bytes.get(at..)?;
    let length = if rest.first()?.is_ascii_lowercase() {
        rest.iter().take_while(|byte| byte.is_ascii_lowercase()).count()
    } else {
        number(rest)
    };
    if length == 0 { None } else { rest.get(..length) }
}

/// How much of a number stands here.
pub(super) fn number(bytes: &[u8]) -> usize {
    let belongs = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
    bytes.iter().position(|byte| !belongs(byte)).unwrap_or(bytes.len())
}

fn wait_for_escape(bytes: &[u8], at: usize) -> Part {
    let run = bytes.get(at..).unwrap_or_default().iter().rev().take_while(|byte| **byte == b'\\').count();
    if run % 2 == 1 { Part::Wait(bytes.len() - 1) } else { Part::Done(bytes.len()) }
}
