//! What is wrong with a configuration.

use std::cell::{Cell, RefCell};
use std::fmt;

/// One thing wrong with a configuration, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// JSON path of the field, such as `rules[0].request[2].name`; empty for the configuration as a whole.
    pub path: String,
    /// What was found and what would be right, as a lowercase clause.
    pub message: String,
}

impl Problem {
    pub(super) fn at_top(message: impl Into<String>) -> Self {
        Self { path: String::new(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            write!(f, "config: {}", self.message)
        } else {
            write!(f, "config field `{}`: {}", self.path, self.message)
        }
    }
}

/// Why a configuration was refused: every problem found in it, at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    problems: Vec<Problem>,
}

impl Refusal {
    pub(super) fn of(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }

    pub(super) fn missing() -> Self {
        Self::of(Problem::at_top("no configuration was given, expected a JSON object"))
    }

    /// The problems, in the order they were found.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// How many problems a refusal lists: enough to mend a configuration, too few to flood a log.
const LISTED: usize = 50;

/// The problems noted so far: the first ones, and how many more there were.
#[derive(Default)]
pub(super) struct Problems {
    noted: RefCell<Vec<Problem>>,
    more: Cell<usize>,
}

impl Problems {
    pub(super) fn note(&self, path: String, message: String) {
        self.note_after(LISTED, path, message);
    }

    /// Counts problems that are not told.
    pub(super) fn skip(&self, more: usize) {
        self.more.set(self.more.get() + more);
    }

    /// How many are listed so far.
    pub(super) fn count(&self) -> usize {
        self.noted.borrow().len()
    }

    /// Notes a problem right after the first `count`, so before those that were found later.
    pub(super) fn note_after(&self, count: usize, path: String, message: String) {
        let mut noted = self.noted.borrow_mut();
        let place = count.min(noted.len());
        noted.insert(place, Problem { path, message });
        if noted.len() > LISTED {
            noted.pop();
            self.more.set(self.more.get() + 1);
        }
    }

    pub(super) fn into_refusal(self) -> Option<Refusal> {
        let mut problems = self.noted.into_inner();
        if problems.is_empty() {
            return None;
        }
        if self.more.get() > 0 {
            problems.push(Problem::at_top(format!("and {} more problems", self.more.get())));
        }
        Some(Refusal { problems })
    }
}
