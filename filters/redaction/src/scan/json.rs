//! JSON as it streams, without a tree: which bytes are text to look into, and which values are to go as a whole.
//!
//! What is no JSON is looked into as text from there on: a body is what it is, whatever its type says.

mod gone;
mod plain;
mod token;

use super::Tally;
use super::edit::{Edit, shift};
use super::nested::Nested;
use super::quote::Marks;
use super::stack::Stack;
use super::unit::Unit;
use crate::rules::Rules;
use crate::text;

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
    ahead: Ahead,
}

/// What was seen of the piece at hand before it was come to.
#[derive(Clone, Copy, Debug, Default)]
struct Ahead {
    /// The next place where a string may have something.
    hit: usize,
    marks: Marks,
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
            stack: Stack::new(&rules.pointers),
            target: None,
            unit: Unit::default(),
            recent: Vec::new(),
            name: Vec::new(),
            ahead: Ahead::default(),
        }
    }

    /// Whether a document has begun and not ended.
    pub(crate) fn is_open(&self) -> bool {
        !self.stack.is_empty() && self.state != State::Text
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
        self.ahead = Ahead::default();
        loop {
            at = self.pass_plain(rules, bytes, at);
            if at >= bytes.len() {
                self.remember(bytes);
                return at;
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
                    // What is text has no place in JSON.
                    (self.stack, self.recent, self.name) = (Stack::default(), Vec::new(), Vec::new());
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
        text::remember(&mut self.recent, bytes);
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
                self.begin_string(rules);
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
                self.stack.begin(&rules.pointers);
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

    /// What comes is a string that is looked into.
    fn begin_string(&mut self, rules: &Rules) {
        self.state = State::InString;
        if rules.any_near() {
            self.unit.begin_after(&self.name);
        } else {
            self.unit.reset();
        }
    }

    fn next_item(&mut self, rules: &Rules) {
        if !rules.pointers.is_empty() {
            self.target = self.stack.item(&rules.pointers).and_then(|number| rules.pointed(number));
        }
    }

    /// Takes note of the name of the member at hand, where words nearby matter.
    fn note_name(&mut self, rules: &Rules, name: &[u8]) {
        if rules.any_near() {
            self.name.clear();
            self.name.extend_from_slice(name.get(..name.len().min(64)).unwrap_or_default());
            // So that no word goes on from it.
            self.name.push(b' ');
        }
    }

    fn after_value(&mut self) {
        self.target = None;
        self.state = State::Comma;
    }
}
