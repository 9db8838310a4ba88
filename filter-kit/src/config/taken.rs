//! Long lists of strings, which go elsewhere as they are read.

use super::json::Json;
use super::problem::Problems;

/// What takes the strings of long lists.
pub trait Sink {
    /// A list begins; the answer is its number, from 0 in the order in which they stand there.
    fn begin(&mut self) -> usize;

    /// The next string of the list that began last.
    ///
    /// # Errors
    ///
    /// What a right one would be, to follow "expected".
    fn item(&mut self, text: &str) -> Result<(), &'static str>;
}

/// Lists that nobody wants.
impl Sink for () {
    fn begin(&mut self) -> usize {
        0
    }

    fn item(&mut self, _: &str) -> Result<(), &'static str> {
        Ok(())
    }
}

/// How many problems of one list are told.
const LISTED: usize = 50;

/// A list that was taken out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taken {
    /// What the sink called it.
    pub(super) number: usize,
    /// How many items it had.
    pub(super) count: usize,
    /// The items that are wrong, and what is wrong with them: the first of them, so that a log is not flooded.
    pub(super) problems: Vec<(usize, String)>,
    /// How many more there were.
    pub(super) more: usize,
}

impl Taken {
    pub(super) fn note(&mut self, message: String) {
        if self.problems.len() < LISTED {
            self.problems.push((self.count, message));
        } else {
            self.more += 1;
        }
    }

    pub(super) fn item(&mut self, item: &Json<'_>, sink: &mut dyn Sink) {
        let wrong = match item {
            Json::String(text) => sink.item(text).err(),
            _ => Some("a string"),
        };
        if let Some(expected) = wrong {
            self.note(format!("found {item}, expected {expected}"));
        }
        self.count += 1;
    }
}

/// Notes at `node` what was found wrong with the items of its list.
pub(super) fn note(taken: &Taken, path: &str, problems: &Problems) {
    for (index, message) in &taken.problems {
        problems.note(format!("{path}[{index}]"), message.clone());
    }
    problems.skip(taken.more);
}
