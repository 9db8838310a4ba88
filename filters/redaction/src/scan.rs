//! A body, piece by piece: what is decided of it leaves, what is not comes again with the next piece.

mod decode;
mod edit;
mod events;
mod json;
mod nested;
mod quote;
mod stack;
mod unit;

use edit::Output;
use events::Events;
use json::Json;
use unit::Unit;

use crate::eligibility::Body;
use crate::rules::Rules;
use crate::tokens::Tokens;

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
    Events(Box<Events>),
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
    /// How many matches were longer than what is held back.
    pub overlong: u64,
    /// What tokens stand for; none where no tokens are given, as in a response.
    pub(crate) tokens: Option<Tokens>,
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
            Body::Events => How::Events(Box::default()),
            Body::Json => How::Json(Box::new(Json::new(rules))),
        };
        Self { how, tally: Tally { matches: vec![0; rules.detectors()], ..Tally::default() } }
    }

    /// What was found so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The tokens that stand in place of matches.
    pub fn tokens(&mut self) -> &mut Option<Tokens> {
        &mut self.tally.tokens
    }

    /// Goes through the next piece of a body, which begins with what was not decided of the one before. `end`: it is the
    /// last.
    pub fn scan(&mut self, rules: &Rules, bytes: &[u8], end: bool) -> Scanned {
        let mut edits = Vec::new();
        let consumed = match &mut self.how {
            How::Text(unit) => unit.scan(rules, bytes, end, &mut edits, &mut self.tally),
            How::Json(json) => json.scan(rules, bytes, end, &mut edits, &mut self.tally),
            How::Events(events) => events.scan(rules, bytes, end, &mut edits, &mut self.tally),
        };
        let consumed = if end { bytes.len() } else { consumed };
        let mut output = Output::new(bytes);
        for edit in edits {
            output.replace(edit.range, &edit.put);
        }
        Scanned { consumed, put: output.finish(consumed) }
    }
}

#[cfg(test)]
mod tests;
