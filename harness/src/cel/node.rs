//! What an expression is made of.

use super::function;
use crate::property::Value;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Literal(Value),
    Name(String),
    Select(Box<Self>, String),
    /// `has(of.field)`
    Has(Box<Self>, String),
    Index(Box<Self>, Box<Self>),
    Call {
        target: Option<Box<Self>>,
        name: String,
        arguments: Vec<Self>,
    },
    List(Vec<Self>),
    Map(Vec<(Self, Self)>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    If(Box<Self>, Box<Self>, Box<Self>),
    Not(Box<Self>),
    Negate(Box<Self>),
    Binary(Operator, Box<Self>, Box<Self>),
    /// A macro that runs over a list or the keys of a map.
    Each {
        what: Each,
        range: Box<Self>,
        name: String,
        /// Of `map` with three arguments: which elements are taken.
        only: Option<Box<Self>>,
        step: Box<Self>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Each {
    All,
    Exists,
    ExistsOne,
    Map,
    Filter,
}

impl Node {
    /// Whether no part of it lies deeper than that. Does not recurse, for it may be deep.
    pub(super) fn is_within(&self, depth: usize) -> bool {
        let mut left = vec![(self, depth)];
        while let Some((node, depth)) = left.pop() {
            let Some(depth) = depth.checked_sub(1) else { return false };
            left.extend(node.parts().into_iter().map(|part| (part, depth)));
        }
        true
    }

    fn parts(&self) -> Vec<&Self> {
        match self {
            Self::Literal(_) | Self::Name(_) => Vec::new(),
            Self::Select(of, _) | Self::Has(of, _) | Self::Not(of) | Self::Negate(of) => vec![of],
            Self::Index(left, right)
            | Self::And(left, right)
            | Self::Or(left, right)
            | Self::Binary(_, left, right) => vec![left, right],
            Self::Call { target, arguments, .. } => {
                target.iter().map(AsRef::as_ref).chain(arguments).collect()
            }
            Self::List(nodes) => nodes.iter().collect(),
            Self::Map(entries) => entries.iter().flat_map(|(key, value)| [key, value]).collect(),
            Self::If(condition, yes, no) => vec![condition, yes, no],
            Self::Each { range, only, step, .. } => {
                [range, step].into_iter().chain(only).map(AsRef::as_ref).collect()
            }
        }
    }

    /// Whether it calls a function that there is not, or not with so many arguments.
    pub(super) fn calls_unknown(&self) -> bool {
        let is_unknown = match self {
            Self::Call { target, name, arguments } => {
                !function::is_known(name, target.is_some(), arguments.len())
            }
            _ => false,
        };
        is_unknown || self.parts().into_iter().any(Self::calls_unknown)
    }
}
