//! Expressions of the Common Expression Language, as Envoy's foreign function `expr_create` takes them.
//!
//! The language is there but for message literals, types as values, and map literals with keys that are no text. An
//! expression ends after a number of steps, whatever a guest made up.

use crate::property::Value;
use crate::property::group::{Found, Group};

mod compare;
mod convert;
mod evaluate;
mod function;
mod node;
mod parse;
mod time;
mod token;

use node::Node;

/// An expression that can be evaluated.
#[derive(Debug)]
pub(crate) struct Expression(Node);

/// Why a text is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It cannot be read.
    Unread,
    /// It calls a function that there is not; Envoy has given it a token by then.
    Unknown,
}

/// Why an expression has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failed;

/// What the names in an expression stand for.
pub(crate) trait Names {
    fn top(&self, name: &str) -> Option<Found>;
    fn member(&self, group: Group, name: &[u8]) -> Option<Value>;
}

impl Expression {
    /// # Errors
    ///
    /// [`Refused`] if it is none.
    pub(crate) fn read(text: &str) -> Result<Self, Refused> {
        let node = parse::parse(text).ok_or(Refused::Unread)?;
        if node.calls_unknown() { Err(Refused::Unknown) } else { Ok(Self(node)) }
    }

    /// # Errors
    ///
    /// [`Failed`], as with a name that stands for nothing.
    pub(crate) fn evaluate(&self, names: &dyn Names) -> Result<Found, Failed> {
        evaluate::evaluate(&self.0, names)
    }
}

#[cfg(test)]
mod tests;
