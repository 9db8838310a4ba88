//! A body's secrets, found and replaced chunk by chunk.

mod edit;
mod value;

use memchr::memchr2;

use crate::config::Detector;
use crate::eligibility::Body;
use crate::key::{Before, REACH};
use edit::Edit;
use value::{Quote, Step, Value, ends_bare, ends_scalar};

/// Goes through one body. What it knows between chunks is where it stands and the last bytes before that.
#[derive(Clone, Debug)]
pub struct Scanner {
    json: bool,
    state: State,
    /// Backslashes just before the next byte, while that matters.
    run: u32,
    /// The end of what was searched since the last value, at most [`REACH`] bytes.
    tail: Vec<u8>,
    redacted: u64,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Looking for the sign after a key.
    Searching,
    /// Between the sign after a key of that detector and the value.
    Entering(usize, Sign),
    /// In a value that a detector found.
    Inside(usize, Value),
}

#[derive(Clone, Copy, Debug)]
enum Sign {
    /// `=`; white space may follow if some went before.
    Equals { spaced: bool },
    /// `:` after a name whose quotation marks have that many backslashes.
    Colon { level: u32 },
}

/// What the byte after a sign begins.
enum Opening {
    /// Nothing yet.
    Wait(Sign),
    /// No value: there is none.
    Nothing,
    /// A value after this quotation mark.
    Quoted(Quote),
    /// A value with this byte.
    Unquoted(Value),
}

impl Scanner {
    /// A scanner at the beginning of a body.
    pub fn new(body: Body) -> Self {
        Self { json: body == Body::Json, state: State::Searching, run: 0, tail: Vec::new(), redacted: 0 }
    }

    /// How many values were replaced so far.
    pub fn redacted(&self) -> u64 {
        self.redacted
    }

    /// Goes through the next chunk: `None` leaves it as it is, `Some` is what to send in its place.
    pub fn scan(&mut self, detectors: &[Detector], chunk: &[u8]) -> Option<Vec<u8>> {
        let mut edit = Edit::new(chunk);
        if matches!(self.state, State::Inside(..)) {
            edit.leave_out_from(0);
        }
        let mut at = 0;
        while let Some(&byte) = chunk.get(at) {
            at = match self.state {
                State::Searching => self.search(detectors, chunk, at),
                // What a backslash is there for, the byte after it tells.
                _ if byte == b'\\' => {
                    self.run = self.run.saturating_add(1);
                    at + 1
                }
                State::Entering(detector, sign) => {
                    self.enter(detectors, detector, sign, &mut edit, (at, byte))
                }
                State::Inside(detector, value) => {
                    self.pass(detectors, detector, value, &mut edit, (at, byte))
                }
            };
        }
        edit.finish()
    }

    /// Finds the next sign that has a key before it; answers where to go on.
    fn search(&mut self, detectors: &[Detector], chunk: &[u8], from: usize) -> usize {
        let mut at = from;
        while let Some(found) = chunk.get(at..).and_then(|rest| memchr2(b'=', b':', rest)) {
            let sign = at + found;
            at = sign + 1;
            let before = Before { tail: &self.tail, chunk: chunk.get(from..sign).unwrap_or_default() };
            let found = if chunk.get(sign) == Some(&b'=') {
                before.assigned(detectors).map(|(detector, spaced)| (detector, Sign::Equals { spaced }))
            } else {
                before.member(detectors).map(|(detector, level)| (detector, Sign::Colon { level }))
            };
            if let Some((detector, sign)) = found {
                self.tail.clear();
                self.run = 0;
                self.state = State::Entering(detector, sign);
                return at;
            }
        }
        let seen = chunk.get(from..).unwrap_or_default();
        let kept = REACH.saturating_sub(seen.len()).min(self.tail.len());
        self.tail.drain(..self.tail.len() - kept);
        self.tail.extend_from_slice(seen.get(seen.len().saturating_sub(REACH)..).unwrap_or_default());
        chunk.len()
    }

    /// Takes in a byte between sign and value that is no backslash; answers where to go on.
    fn enter(
        &mut self,
        detectors: &[Detector],
        detector: usize,
        sign: Sign,
        edit: &mut Edit<'_>,
        (at, byte): (usize, u8),
    ) -> usize {
        let run = std::mem::take(&mut self.run);
        match opening(sign, byte, run, self.json) {
            Opening::Wait(sign) => {
                self.state = State::Entering(detector, sign);
                at + 1
            }
            Opening::Nothing => {
                self.state = State::Searching;
                at
            }
            Opening::Quoted(quote) => {
                edit.leave_out_from(at + 1);
                self.state = State::Inside(detector, Value::Quoted { quote, marked: false });
                at + 1
            }
            Opening::Unquoted(value) => {
                edit.leave_out_from(at);
                match sign {
                    Sign::Colon { level } => {
                        // A number or a structure becomes a string, so that JSON stays JSON.
                        edit.insert_backslashes(level);
                        edit.insert(b"\"");
                        self.mark(detectors, detector, edit);
                        edit.insert_backslashes(level);
                        edit.insert(b"\"");
                    }
                    Sign::Equals { .. } => {
                        // The backslash of an escape went out already; another makes it one of its own.
                        edit.insert_backslashes(run % 2);
                        self.mark(detectors, detector, edit);
                    }
                }
                self.state = State::Inside(detector, value);
                at
            }
        }
    }

    /// Takes in a byte of a value that is no backslash; answers where to go on.
    fn pass(
        &mut self,
        detectors: &[Detector],
        detector: usize,
        value: Value,
        edit: &mut Edit<'_>,
        (at, byte): (usize, u8),
    ) -> usize {
        let run = std::mem::take(&mut self.run);
        let next = match value.step(byte, run, self.json) {
            Step::Within(next) => {
                if let Value::Quoted { marked: false, .. } = value {
                    self.mark(detectors, detector, edit);
                }
                self.state = State::Inside(detector, next);
                return at + 1;
            }
            Step::EndsBefore => {
                // Of the backslashes before the byte that ends the value, those that belong to that byte stay.
                let stay = match value {
                    Value::Quoted { quote, marked } => {
                        let stay = run.min(quote.level);
                        if !marked && run > stay {
                            self.mark(detectors, detector, edit);
                        }
                        stay
                    }
                    _ => run,
                };
                edit.insert_backslashes(stay);
                at
            }
            Step::EndsWith => at + 1,
        };
        edit.keep_from(next);
        self.state = State::Searching;
        next
    }

    fn mark(&mut self, detectors: &[Detector], detector: usize, edit: &mut Edit<'_>) {
        self.redacted += 1;
        if let Some(detector) = detectors.get(detector) {
            edit.insert(detector.replacement.as_bytes());
        }
    }
}

/// What `byte` begins after a sign and `run` backslashes.
fn opening(sign: Sign, byte: u8, run: u32, json: bool) -> Opening {
    let quote = Quote { mark: byte, level: run };
    match (sign, byte) {
        // Fewer backslashes than the name had: a string around it ends here.
        (Sign::Colon { level }, b'"' | b'\'') if run < level => Opening::Nothing,
        // Within a JSON string a bare mark ends that string: nothing follows the equals sign.
        (Sign::Equals { .. }, b'"') if run == 0 && json => Opening::Nothing,
        (_, b'"' | b'\'') => Opening::Quoted(quote),

        (Sign::Colon { .. }, byte) if byte.is_ascii_whitespace() => Opening::Wait(sign),
        // JSON in a JSON string has its line ends and tabs as escapes.
        (Sign::Colon { level }, b'n' | b'r' | b't') if level > 0 && run > 0 => Opening::Wait(sign),
        (Sign::Colon { level }, b'{' | b'[') => {
            Opening::Unquoted(Value::Nested { level, depth: 0, within: None })
        }
        (Sign::Colon { .. }, byte) if ends_scalar(byte) => Opening::Nothing,
        (Sign::Colon { .. }, _) => Opening::Unquoted(Value::Scalar),

        (Sign::Equals { spaced: true }, b' ' | b'\t') => Opening::Wait(sign),
        // `key => value`
        (Sign::Equals { .. }, b'>') if run == 0 => Opening::Wait(Sign::Equals { spaced: true }),
        // `key == value` compares.
        (Sign::Equals { .. }, b'=') if run == 0 => Opening::Nothing,
        (Sign::Equals { .. }, b'n' | b'r' | b't') if run % 2 == 1 && json => Opening::Nothing,
        (Sign::Equals { .. }, byte) if ends_bare(byte) => Opening::Nothing,
        (Sign::Equals { .. }, _) => Opening::Unquoted(Value::Bare),
    }
}

#[cfg(test)]
mod tests;
