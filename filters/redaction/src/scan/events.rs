//! A stream of server-sent events (HTML, section 9.2): each is a text by itself, and so is each line of data that is
//! JSON.
//!
//! An event ends with an empty line. What is undecided at the end of a line waits for the next line to begin, and no
//! longer: so none is held over the end of its event.

use super::Tally;
use super::edit::{Edit, shift};
use super::json::Json;
use super::unit::Unit;
use crate::rules::Rules;
use crate::text::Text;

/// Where in a stream of events its pieces have come to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events {
    /// The text of the event at hand.
    unit: Unit,
    /// The JSON of its data, as far as that has come; it may go over several lines.
    json: Option<Box<Json>>,
    /// Whether a line of JSON has begun and not ended.
    in_json: bool,
    /// The last byte that was decided; none before the first.
    last: Option<u8>,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Empty,
    /// Data that is JSON, after so many bytes.
    Json(usize),
    Text,
    /// What it is, more bytes will tell.
    Open,
}

/// Up to where a text goes.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    /// How long it is without the line end that comes last.
    text: usize,
    /// And with it.
    all: usize,
    /// What comes then.
    next: Line,
}

const DATA: &[u8] = b"data:";

/// The most white space that is passed over before JSON, in bytes.
const BLANKS: usize = 8;

fn ends_line(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

impl Events {
    /// Goes through the next piece; see [`Unit::scan`].
    pub(crate) fn scan(
        &mut self,
        rules: &Rules,
        bytes: &[u8],
        end: bool,
        edits: &mut Vec<Edit>,
        tally: &mut Tally,
    ) -> usize {
        let mut at = 0;
        while at < bytes.len() || end {
            let rest = bytes.get(at..).unwrap_or_default();
            let first = edits.len();
            let (done, goes_on) = if self.in_json {
                self.json_line(rules, rest, end, edits, tally)
            } else {
                self.text(rules, rest, end, edits, tally)
            };
            shift(edits, first, at);
            self.last = rest.get(..done).unwrap_or_default().last().copied().or(self.last);
            at += done;
            if !goes_on {
                break;
            }
        }
        at
    }

    /// Goes through text up to the end of its event, or to a line of JSON. Answers how much of it is decided, and
    /// whether it can go on from there.
    fn text(
        &mut self,
        rules: &Rules,
        rest: &[u8],
        end: bool,
        edits: &mut Vec<Edit>,
        tally: &mut Tally,
    ) -> (usize, bool) {
        let Stretch { text, all, next } = self.stretch(rest, end);
        let whole = next != Line::Open || end;
        let piece = rest.get(..text).unwrap_or_default();
        let line_end = rest.get(text..all).unwrap_or_default();
        let done = self.unit.scan(rules, piece, whole, edits, tally);
        if !whole {
            // A line end that nothing waits for leaves. Whether it is part of a match that waits, the next line tells.
            if done < text || self.unit.is_open() || may_begin(rules, line_end) {
                return (done, false);
            }
            self.unit.remember(line_end);
            return (all, false);
        }
        self.unit.reset();
        match next {
            Line::Json(before) => {
                if !self.json.as_ref().is_some_and(|json| json.is_open()) {
                    self.json = Some(Box::new(Json::new(rules)));
                }
                self.in_json = true;
                (all + before, true)
            }
            Line::Empty => {
                self.json = None;
                (all + 1, true)
            }
            Line::Text | Line::Open => (rest.len(), false),
        }
    }

    /// How far the text goes that begins here.
    fn stretch(&self, rest: &[u8], end: bool) -> Stretch {
        let (mut text, mut at, mut before) = (0, 0, self.last.unwrap_or(b'\n'));
        loop {
            if ends_line(before) {
                if before == b'\r' && rest.get(at) == Some(&b'\n') {
                    // The other half of a line end.
                    (at, before) = (at + 1, b'\n');
                    continue;
                }
                let next = self.line(rest.get(at..).unwrap_or_default(), end);
                if next != Line::Text {
                    return Stretch { text, all: at, next };
                }
            }
            let Some(length) = rest.get(at..).unwrap_or_default().iter().position(|byte| ends_line(*byte))
            else {
                return Stretch { text: rest.len(), all: rest.len(), next: Line::Open };
            };
            text = at + length;
            before = rest.get(text).copied().unwrap_or(b'\n');
            at = text + 1;
        }
    }

    /// What the line is that begins here.
    fn line(&self, rest: &[u8], end: bool) -> Line {
        let open = if end { Line::Text } else { Line::Open };
        let Some(first) = rest.first() else { return Line::Open };
        if ends_line(*first) {
            return Line::Empty;
        }
        let Some(value) = rest.strip_prefix(DATA) else {
            return if DATA.starts_with(rest) { open } else { Line::Text };
        };
        if self.json.as_ref().is_some_and(|json| json.is_open()) {
            return Line::Json(DATA.len());
        }
        let blanks = value.iter().take(BLANKS).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        match value.get(blanks) {
            Some(b'{' | b'[' | b'"') => Line::Json(DATA.len() + blanks),
            None if blanks < BLANKS => open,
            _ => Line::Text,
        }
    }

    /// Goes through a line of JSON; see [`text`](Self::text).
    fn json_line(
        &mut self,
        rules: &Rules,
        rest: &[u8],
        end: bool,
        edits: &mut Vec<Edit>,
        tally: &mut Tally,
    ) -> (usize, bool) {
        let Some(json) = &mut self.json else { return (0, false) };
        let broken = tally.broken;
        let line_end = rest.iter().position(|byte| ends_line(*byte));
        // The line end is white space to JSON, and ends a number.
        let line = rest.get(..line_end.map_or(rest.len(), |place| place + 1)).unwrap_or_default();
        let mut done = json.scan(rules, line, end && line_end.is_none(), edits, tally);
        if line_end.is_some() && done < line.len() {
            // A string that has not ended: no JSON has a line end in one.
            let first = edits.len();
            json.scan(rules, line.get(done..).unwrap_or_default(), true, edits, tally);
            shift(edits, first, done);
            done = line.len();
        }
        // What looks like JSON need not be any.
        tally.broken = broken;
        self.in_json = line_end.is_none();
        (done, line_end.is_some())
    }
}

/// Whether a match may begin in a line end.
fn may_begin(rules: &Rules, line_end: &[u8]) -> bool {
    let text = Text { behind: &[], bytes: line_end, end: false };
    !matches!(rules.finder.next(&text, 0), crate::find::Next::Wait(place) if place == line_end.len())
}
