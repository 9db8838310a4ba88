//! A body, piece by piece: what is decided of it leaves, what is not comes again with the next piece.

mod decode;
mod edit;
mod json;
mod nested;
mod quote;
mod stack;
mod unit;

use edit::{Edit, Output};
use json::Json;
use unit::Unit;

use crate::eligibility::Body;
use crate::rules::Rules;

pub(crate) use stack::DEEPEST;

/// Goes through one body. What it knows between pieces is where it stands and the last bytes before that.
#[derive(Clone, Debug)]
pub struct Scanner {
    how: How,
    tally: Tally,
}

#[derive(Clone, Debug)]
enum How {
    Text(Unit),
    Events(Unit),
    Json(Box<Json>),
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many matches of each detector.
    pub matches: Vec<u64>,
    /// A detector whose action is `block` has a match.
    pub blocked: bool,
    /// How often what was said to be JSON was none.
    pub broken: u64,
}

/// What became of a piece.
#[derive(Debug, PartialEq, Eq)]
pub struct Scanned {
    /// How many of its bytes are decided. The others have to come again.
    pub consumed: usize,
    /// What those bytes became; `None` if they stay as they are.
    pub put: Option<Vec<u8>>,
}

impl Scanner {
    /// A scanner at the beginning of a body.
    pub fn new(rules: &Rules, body: Body) -> Self {
        let how = match body {
            Body::Text => How::Text(Unit::default()),
            Body::Events => How::Events(Unit::default()),
            Body::Json => How::Json(Box::new(Json::new(rules))),
        };
        Self { how, tally: Tally { matches: vec![0; rules.detectors()], ..Tally::default() } }
    }

    /// What was found so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Goes through the next piece of a body, which begins with what was not decided of the one before. `end`: it is the
    /// last.
    pub fn scan(&mut self, rules: &Rules, bytes: &[u8], end: bool) -> Scanned {
        let mut edits = Vec::new();
        let consumed = match &mut self.how {
            How::Text(unit) => unit.scan(rules, bytes, end, &mut edits, &mut self.tally),
            How::Json(json) => json.scan(rules, bytes, end, &mut edits, &mut self.tally),
            How::Events(unit) => events(unit, rules, bytes, end, &mut edits, &mut self.tally),
        };
        let consumed = if end { bytes.len() } else { consumed };
        let mut output = Output::new(bytes);
        for edit in edits {
            output.replace(edit.range, &edit.put);
        }
        Scanned { consumed, put: output.finish(consumed) }
    }
}

/// Goes through a stream of events: each is a text by itself, and ends before the empty line behind it.
fn events(
    unit: &mut Unit,
    rules: &Rules,
    bytes: &[u8],
    end: bool,
    edits: &mut Vec<Edit>,
    tally: &mut Tally,
) -> usize {
    let ends_line = |byte: &u8| matches!(byte, b'\n' | b'\r');
    if unit.last() == Some(b'\n') && bytes.first().is_some_and(ends_line) {
        unit.reset();
    }
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        if unit.is_fresh() {
            // The empty line itself.
            let lines = rest.iter().take_while(|byte| ends_line(byte)).count();
            if lines > 0 {
                at += lines;
                continue;
            }
        }
        let event = rest.windows(2).position(|pair| matches!(pair, b"\n\n" | b"\n\r"));
        // Whether the line end that comes last is one of two, the next piece tells.
        let open_line = event.is_none() && !end && rest.last() == Some(&b'\n');
        let length = event.unwrap_or(rest.len() - usize::from(open_line));
        let first = edits.len();
        let piece = rest.get(..length).unwrap_or_default();
        let done = unit.scan(rules, piece, event.is_some() || end, edits, tally);
        for edit in edits.iter_mut().skip(first) {
            edit.range = edit.range.start + at..edit.range.end + at;
        }
        if event.is_some() {
            unit.reset();
            at += length;
        } else if open_line && done == length && !unit.is_open() {
            unit.remember(b"\n");
            return bytes.len();
        } else {
            return at + done;
        }
    }
}

#[cfg(test)]
mod tests;
