//! From nodes to values.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use super::node::{Each, Node, Operator};
use super::{Failed, Names, compare, function};
use crate::property::Value;
use crate::property::group::Found;

/// How many nodes one evaluation may visit, those of macros each time.
const STEPS: u32 = 100_000;

type Result<T> = std::result::Result<T, Failed>;

pub(super) fn evaluate(node: &Node, names: &dyn Names) -> Result<Found> {
    Evaluation { names, locals: RefCell::default(), steps: Cell::new(STEPS) }.found(node)
}

struct Evaluation<'a> {
    names: &'a dyn Names,
    /// What macros call their elements, the innermost last.
    locals: RefCell<Vec<(String, Value)>>,
    steps: Cell<u32>,
}

impl Evaluation<'_> {
    fn value(&self, node: &Node) -> Result<Value> {
        match self.found(node)? {
            Found::Value(value) => Ok(value),
            Found::Group(_) => Err(Failed),
        }
    }

    fn found(&self, node: &Node) -> Result<Found> {
        self.steps.set(self.steps.get().checked_sub(1).ok_or(Failed)?);
        let value = match node {
            Node::Literal(value) => value.clone(),
            Node::Name(name) => {
                let locals = self.locals.borrow();
                if let Some((_, value)) = locals.iter().rev().find(|(local, _)| local == name) {
                    return Ok(Found::Value(value.clone()));
                }
                return self.names.top(name).ok_or(Failed);
            }
            Node::Select(of, field) => self.member(of, field.as_bytes())?.ok_or(Failed)?,
            Node::Has(of, field) => Value::Bool(self.member(of, field.as_bytes())?.is_some()),
            Node::Index(of, index) => self.element(of, index)?,
            Node::Call { target, name, arguments } => {
                let all = target.iter().map(AsRef::as_ref).chain(arguments);
                let arguments: Vec<Value> = all.map(|node| self.value(node)).collect::<Result<_>>()?;
                function::call(name, &arguments)?
            }
            Node::List(nodes) => {
                Value::List(nodes.iter().map(|node| self.value(node)).collect::<Result<_>>()?)
            }
            Node::Map(entries) => self.map(entries)?,
            // Either side decides by itself, and a failure of the other does not matter then.
            Node::And(left, right) => Value::Bool(self.either(left, right, false)?),
            Node::Or(left, right) => Value::Bool(self.either(left, right, true)?),
            Node::If(condition, yes, no) => match self.value(condition)? {
                Value::Bool(true) => return self.found(yes),
                Value::Bool(false) => return self.found(no),
                _ => return Err(Failed),
            },
            Node::Not(of) => match self.value(of)? {
                Value::Bool(yes) => Value::Bool(!yes),
                _ => return Err(Failed),
            },
            Node::Negate(of) => match self.value(of)? {
                Value::Int(number) => Value::Int(number.checked_neg().ok_or(Failed)?),
                Value::Double(number) => Value::Double(-number),
                Value::Duration(time) => Value::Duration(time.checked_neg().ok_or(Failed)?),
                _ => return Err(Failed),
            },
            Node::Binary(Operator::In, element, range) => Value::Bool(self.contains(element, range)?),
            Node::Binary(operator, left, right) => {
                compare::operate(*operator, &self.value(left)?, &self.value(right)?)?
            }
            Node::Each { what, range, name, only, step } => {
                self.each(*what, range, name, only.as_deref(), step)?
            }
        };
        Ok(Found::Value(value))
    }

    fn member(&self, of: &Node, field: &[u8]) -> Result<Option<Value>> {
        match self.found(of)? {
            Found::Group(group) => Ok(self.names.member(group, field)),
            // Elements have numbers, not names.
            Found::Value(Value::List(_)) => Err(Failed),
            Found::Value(value @ (Value::Map(_) | Value::Headers(_) | Value::Message(_))) => {
                Ok(value.child(field))
            }
            Found::Value(_) => Err(Failed),
        }
    }

    fn element(&self, of: &Node, index: &Node) -> Result<Value> {
        let (of, index) = (self.found(of)?, self.value(index)?);
        match (of, index) {
            (Found::Group(group), Value::Text(name)) => self.names.member(group, &name).ok_or(Failed),
            (Found::Value(value @ (Value::Map(_) | Value::Headers(_))), Value::Text(name)) => {
                value.child(&name).ok_or(Failed)
            }
            (Found::Value(Value::List(values)), index) => {
                let index = match index {
                    Value::Int(index) => usize::try_from(index).ok(),
                    Value::Uint(index) => usize::try_from(index).ok(),
                    _ => None,
                };
                index.and_then(|index| values.into_iter().nth(index)).ok_or(Failed)
            }
            _ => Err(Failed),
        }
    }

    fn map(&self, entries: &[(Node, Node)]) -> Result<Value> {
        let mut map = BTreeMap::new();
        for (key, value) in entries {
            let Value::Text(key) = self.value(key)? else { return Err(Failed) };
            let key = String::from_utf8(key).map_err(|_| Failed)?;
            if map.insert(key, self.value(value)?).is_some() {
                return Err(Failed);
            }
        }
        Ok(Value::Map(map))
    }

    /// Whether one of the two is `decisive`, or both are not.
    fn either(&self, left: &Node, right: &Node, decisive: bool) -> Result<bool> {
        let mut sides = [None; 2];
        for (side, node) in sides.iter_mut().zip([left, right]) {
            *side = match self.value(node) {
                Ok(Value::Bool(yes)) if yes == decisive => return Ok(decisive),
                Ok(Value::Bool(yes)) => Some(yes),
                _ => None,
            };
        }
        if sides.iter().all(Option::is_some) { Ok(!decisive) } else { Err(Failed) }
    }

    fn contains(&self, element: &Node, range: &Node) -> Result<bool> {
        let element = self.value(element)?;
        match (self.found(range)?, &element) {
            (Found::Group(group), Value::Text(name)) => Ok(self.names.member(group, name).is_some()),
            (Found::Value(Value::List(values)), element) => {
                Ok(values.iter().any(|value| compare::equal(value, element)))
            }
            (Found::Value(map @ (Value::Map(_) | Value::Headers(_))), Value::Text(name)) => {
                Ok(map.child(name).is_some())
            }
            (Found::Value(Value::Map(_)), _) => Ok(false),
            _ => Err(Failed),
        }
    }

    fn each(&self, what: Each, range: &Node, name: &str, only: Option<&Node>, step: &Node) -> Result<Value> {
        let elements = match self.value(range)? {
            Value::List(values) => values,
            Value::Map(map) => map.into_keys().map(Value::from).collect(),
            Value::Headers(map) => {
                let mut keys: Vec<Vec<u8>> = map.iter().map(|(name, _)| name.to_vec()).collect();
                keys.sort();
                keys.dedup();
                keys.into_iter().map(Value::Text).collect()
            }
            _ => return Err(Failed),
        };
        let (mut taken, mut hits, mut failed) = (Vec::new(), 0_usize, false);
        let count = elements.len();
        for element in elements {
            self.locals.borrow_mut().push((name.to_owned(), element.clone()));
            let is_taken = only.map_or(Ok(Value::Bool(true)), |only| self.value(only));
            let result = match &is_taken {
                Ok(Value::Bool(false)) => None,
                _ => Some(self.value(step)),
            };
            self.locals.borrow_mut().pop();
            let (Ok(Value::Bool(_)), Some(result)) = (&is_taken, result) else {
                if matches!(is_taken, Ok(Value::Bool(false))) {
                    continue;
                }
                return Err(Failed);
            };
            match (what, result) {
                (Each::Map, result) => taken.push(result?),
                (Each::Filter, Ok(Value::Bool(true))) => taken.push(element),
                (Each::Filter, Ok(Value::Bool(false))) => {}
                (Each::All, Ok(Value::Bool(false))) => return Ok(Value::Bool(false)),
                (Each::Exists, Ok(Value::Bool(true))) => return Ok(Value::Bool(true)),
                (_, Ok(Value::Bool(yes))) => hits += usize::from(yes),
                // Another element may still decide.
                (Each::All | Each::Exists, _) => failed = true,
                _ => return Err(Failed),
            }
        }
        match what {
            Each::Map | Each::Filter => Ok(Value::List(taken)),
            Each::ExistsOne => Ok(Value::Bool(hits == 1)),
            _ if failed => Err(Failed),
            Each::All => Ok(Value::Bool(hits == count)),
            Each::Exists => Ok(Value::Bool(false)),
        }
    }
}
