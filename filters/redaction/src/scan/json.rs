//! JSON as it streams, without a tree: which bytes are text to look into, and which values are to go as a whole.
//!
//! What is no JSON is looked into as text from there on: a body is what it is, whatever its type says.

mod gone;
mod plain;

use super::Tally;
use super::decode::Decoded;
use super::edit::Edit;
use super::nested::Nested;
use super::quote::{closing, quote_or_escape};
use super::stack::Stack;
use super::unit::Unit;
use crate::rules::Rules;
use crate::text::REACH;

/// The longest name that is compared with names of a configuration, in bytes as written.
const LONGEST_NAME: usize = 512;

/// The longest number or word that is looked at, in bytes.
const LONGEST_SCALAR: usize = 64;

/// The longest word that JSON has, in bytes.
const LONGEST_WORD: usize = 5;

/// What may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A value; and where a list has just begun, its end.
    Value {
        or_end: bool,
    },
    /// A name; and where an object has just begun, its end.
    Name {
        or_end: bool,
    },
    Colon,
    /// After a value.
    Comma,
    /// The rest of a string that is looked into.
    InString,
    /// The rest of a name that is looked at no more.
    InName,
    /// The rest of a number that is longer than any that is looked at.
    InScalar,
    /// The rest of a string that goes as a whole.
    Gone {
        detector: usize,
        escape: bool,
    },
    /// The content of a string that goes as a whole, of which nothing is decided yet.
    Going {
        detector: usize,
    },
    /// The rest of an object or a list that goes as a whole.
    GoneNested {
        detector: usize,
        nested: Nested,
    },
    /// The rest of a number that goes as a whole.
    GoneScalar {
        detector: usize,
    },
    /// It is no JSON.
    Text,
}

/// A JSON document, or several after each other, as far as it has come.
#[derive(Clone, Debug)]
pub(crate) struct Json {
    state: State,
    stack: Stack,
    /// The detector that has the value which comes next.
    target: Option<usize>,
    /// The string that is looked into; and all of the text, once it is no JSON.
    unit: Unit,
    /// The last bytes of all, for the case that it turns out to be no JSON.
    recent: Vec<u8>,
    /// The name of the member at hand, where words nearby matter.
    name: Vec<u8>,
    /// In the piece at hand, the next place where a string may have something.
    hit: usize,
}

/// What became of a part.
enum Part {
    /// It is decided up to here.
    Done(usize),
    /// From here on more must come.
    Wait(usize),
    /// What is here is no JSON.
    Broken(usize),
}

impl Json {
    pub(crate) fn new(rules: &Rules) -> Self {
        Self {
            state: State::Value { or_end: false },
            stack: Stack::new(rules.pointers.len()),
            target: None,
            unit: Unit::default(),
            recent: Vec::new(),
            name: Vec::new(),
            hit: 0,
        }
    }

    /// Goes through the next piece; see [`Unit::scan`].
    pub(crate) fn scan(
        &mut self,
        rules: &Rules,
        bytes: &[u8],
        end: bool,
        edits: &mut Vec<Edit>,
        tally: &mut Tally,
    ) -> usize {
        if self.state == State::Text {
            return self.unit.scan(rules, bytes, end, edits, tally);
        }
        let mut at = 0;
        self.hit = 0;
        let plain = rules.pointers.is_empty() && !rules.any_near() && !rules.scans_names;
        loop {
            if plain {
                at = self.pass_plain(rules, bytes, at);
                if at >= bytes.len() {
                    self.remember(bytes);
                    return at;
                }
            }
            match self.part(rules, bytes, at, end, edits, tally) {
                Part::Done(next) if next >= bytes.len() => {
                    self.remember(bytes);
                    return bytes.len();
                }
                Part::Done(next) => at = next,
                Part::Wait(needed) => {
                    self.remember(bytes.get(..needed).unwrap_or_default());
                    return needed;
                }
                Part::Broken(place) => {
                    tally.broken += 1;
                    self.remember(bytes.get(..place).unwrap_or_default());
                    self.unit.begin_after(&self.recent);
                    self.state = State::Text;
                    return place + self.text(rules, bytes, place, end, edits, tally);
                }
            }
        }
    }

    fn text(
        &mut self,
        rules: &Rules,
        bytes: &[u8],
        place: usize,
        end: bool,
        edits: &mut Vec<Edit>,
        tally: &mut Tally,
    ) -> usize {
        let first = edits.len();
        let scanned = self.unit.scan(rules, bytes.get(place..).unwrap_or_default(), end, edits, tally);
        shift(edits, first, place);
        scanned
    }

    fn remember(&mut self, bytes: &[u8]) {
        let new = bytes.get(bytes.len().saturating_sub(REACH)..).unwrap_or_default();
        let old = (self.recent.len() + new.len()).saturating_sub(REACH).min(self.recent.len());
        self.recent.drain(..old);
        self.recent.extend_from_slice(new);
    }

    #[inline]
    fn part(
        &mut self,
        rules: &Rules,
        bytes: &[u8],
        mut at: usize,
        end: bool,
        edits: &mut Vec<Edit>,
        tally: &mut Tally,
    ) -> Part {
        match self.state {
            State::InString => return self.string(rules, bytes, at, end, edits, tally),
            State::InName => return self.long_name(bytes, at),
            State::Going { detector } => {
                return self.whole_string(rules, bytes, at, end, detector, edits, tally);
            }
            State::Gone { detector, escape } => return self.gone(rules, bytes, at, detector, escape, edits),
            State::GoneNested { detector, nested } => {
                return self.gone_nested(rules, bytes, at, detector, nested, edits);
            }
            State::GoneScalar { .. } | State::InScalar => {
                return self.rest_of_scalar(rules, bytes, at, edits);
            }
            _ => {}
        }
        let byte = loop {
            match bytes.get(at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => at += 1,
                Some(byte) => break *byte,
                None => return Part::Done(at),
            }
        };
        match (self.state, byte) {
            (State::Comma, b',') if !self.stack.is_empty() => {
                if self.stack.is_in_object() {
                    self.state = State::Name { or_end: false };
                } else {
                    self.next_item(rules);
                    self.state = State::Value { or_end: false };
                }
                Part::Done(at + 1)
            }
            (State::Name { .. }, b'"') => self.name(rules, bytes, at, end, edits, tally),
            (State::Colon, b':') => {
                self.state = State::Value { or_end: false };
                Part::Done(at + 1)
            }
            (State::Value { .. }, _)
                if self.target.is_some() && !matches!(byte, b']' | b'}' | b',' | b':') =>
            {
                self.whole(rules, bytes, at, end, edits, tally)
            }
            (State::Value { .. }, b'"') => {
                self.state = State::InString;
                if rules.any_near() {
                    self.unit.begin_after(&self.name);
                } else {
                    self.unit.reset();
                }
                self.string(rules, bytes, at + 1, end, edits, tally)
            }
            (State::Value { .. }, b'{' | b'[') => {
                let is_object = byte == b'{';
                if !self.stack.push(is_object) {
                    return Part::Broken(at);
                }
                self.name.clear();
                if is_object {
                    self.state = State::Name { or_end: true };
                } else {
                    self.next_item(rules);
                    self.state = State::Value { or_end: true };
                }
                Part::Done(at + 1)
            }
            (State::Comma | State::Name { or_end: true } | State::Value { or_end: true }, b'}' | b']') => {
                if self.stack.is_empty() || !self.stack.pop(byte == b'}') {
                    return Part::Broken(at);
                }
                self.after_value();
                Part::Done(at + 1)
            }
            (State::Value { .. }, b'-' | b'0'..=b'9' | b'a'..=b'z') => {
                self.scalar(rules, bytes, at, end, edits, tally)
            }
            // A document of its own follows: lines of JSON. And what some put before the first (RFC 8259, section 8.1).
            (State::Comma, _) if self.stack.is_empty() => {
                self.stack.begin(rules.pointers.len());
                self.state = State::Value { or_end: false };
                if matches!(byte, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') {
                    Part::Done(at)
                } else {
                    Part::Broken(at)
                }
            }
            (State::Value { .. }, 0xef | 0xbb | 0xbf) if self.stack.is_empty() => Part::Done(at + 1),
            _ => Part::Broken(at),
        }
    }

    fn next_item(&mut self, rules: &Rules) {
        if !rules.pointers.is_empty() {
            self.target = self.stack.item(&rules.pointers).and_then(|number| rules.pointed(number));
        }
    }

    fn after_value(&mut self) {
        self.target = None;
        self.state = State::Comma;
    }

    /// A name, from its opening mark at `at`.
    fn name(
        &mut self,
        rules: &Rules,
        bytes: &[u8],
        at: usize,
        end: bool,
        edits: &mut Vec<Edit>,
        tally: &mut Tally,
    ) -> Part {
        let Some((close, escaped)) = closing(bytes, at + 1) else {
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
            if rules.any_near() {
                self.name.clear();
                self.name.extend_from_slice(name.get(..name.len().min(64)).unwrap_or_default());
                // So that no word goes on from it.
                self.name.push(b' ');
            }
        }
        if rules.scans_names {
            self.unit.reset();
            self.look_into(rules, raw, at + 1, escaped, true, edits, tally);
        }
        Part::Done(close + 1)
    }

    fn long_name(&mut self, bytes: &[u8], at: usize) -> Part {
        match closing(bytes, at) {
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
    fn look_into(
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
                edit.put = super::decode::escaped(&edit.put);
            }
            done
        };
        shift(edits, first, offset);
        done
    }

    /// A string that is looked into, from `at` on.
    #[inline]
    fn string(
        &mut self,
        rules: &Rules,
        bytes: &[u8],
        at: usize,
        end: bool,
        edits: &mut Vec<Edit>,
        tally: &mut Tally,
    ) -> Part {
        let first = quote_or_escape(bytes, at);
        if bytes.get(first) == Some(&b'"') && self.unit.is_fresh() {
            // Nearly every string: it is here, nothing of it is escaped, and nothing in it is worth a look.
            if self.hit < at {
                self.hit = rules.finder.next_in_json(bytes, at);
            }
            if self.hit >= first {
                self.after_value();
                return Part::Done(first + 1);
            }
        }
        let close = closing(bytes, at);
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
    fn scalar(
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
fn token(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let rest = bytes.get(at..)?;
    let length = if rest.first()?.is_ascii_lowercase() {
        rest.iter().take_while(|byte| byte.is_ascii_lowercase()).count()
    } else {
        number(rest)
    };
    if length == 0 { None } else { rest.get(..length) }
}

/// How much of a number stands here.
fn number(bytes: &[u8]) -> usize {
    let belongs = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
    bytes.iter().position(|byte| !belongs(byte)).unwrap_or(bytes.len())
}

fn wait_for_escape(bytes: &[u8], at: usize) -> Part {
    let run = bytes.get(at..).unwrap_or_default().iter().rev().take_while(|byte| **byte == b'\\').count();
    if run % 2 == 1 { Part::Wait(bytes.len() - 1) } else { Part::Done(bytes.len()) }
}

/// Edits of a part become edits of the whole.
fn shift(edits: &mut [Edit], first: usize, by: usize) {
    for edit in edits.iter_mut().skip(first) {
        edit.range = edit.range.start + by..edit.range.end + by;
    }
}
