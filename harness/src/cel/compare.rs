//! Operators between two values. Numbers of different types compare, but are not added.

use std::cmp::Ordering;

use super::Failed;
use super::node::Operator;
use crate::property::Value;

pub(super) fn operate(operator: Operator, left: &Value, right: &Value) -> Result<Value, Failed> {
    let ordered = |accepted: &[Ordering]| match order(left, right) {
        Some(Ok(order)) => Ok(Value::Bool(accepted.contains(&order))),
        // NaN is neither less nor greater.
        Some(Err(Unordered)) => Ok(Value::Bool(false)),
        None => Err(Failed),
    };
    match operator {
        Operator::Equal => Ok(Value::Bool(equal(left, right))),
        Operator::Unequal => Ok(Value::Bool(!equal(left, right))),
        Operator::Less => ordered(&[Ordering::Less]),
        Operator::LessOrEqual => ordered(&[Ordering::Less, Ordering::Equal]),
        Operator::Greater => ordered(&[Ordering::Greater]),
        Operator::GreaterOrEqual => ordered(&[Ordering::Greater, Ordering::Equal]),
        Operator::In => Err(Failed),
        Operator::Add => add(left, right),
        Operator::Subtract => subtract(left, right),
        Operator::Multiply | Operator::Divide | Operator::Remainder => scale(operator, left, right),
    }
}

pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::List(left), Value::List(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Map(left), Value::Map(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| equal(value, other)))
        }
        _ => match order(left, right) {
            Some(order) => order == Ok(Ordering::Equal),
            None => left == right,
        },
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Unordered;

/// `None` for types that have no order between them.
fn order(left: &Value, right: &Value) -> Option<Result<Ordering, Unordered>> {
    use Value::{Bool, Bytes, Double, Duration, Int, Text, Timestamp, Uint};
    Some(match (left, right) {
        (Int(left), Int(right)) | (Duration(left), Duration(right)) | (Timestamp(left), Timestamp(right)) => {
            Ok(left.cmp(right))
        }
        (Uint(left), Uint(right)) => Ok(left.cmp(right)),
        (Int(left), Uint(right)) => Ok(i128::from(*left).cmp(&i128::from(*right))),
        (Uint(left), Int(right)) => Ok(i128::from(*left).cmp(&i128::from(*right))),
        (Double(left), right) => left.partial_cmp(&double(right)?).ok_or(Unordered),
        (left, Double(right)) => double(left)?.partial_cmp(right).ok_or(Unordered),
        (Text(left), Text(right)) | (Bytes(left), Bytes(right)) => Ok(left.cmp(right)),
        (Bool(left), Bool(right)) => Ok(left.cmp(right)),
        _ => return None,
    })
}

#[expect(clippy::cast_precision_loss, reason = "so are numbers compared with doubles")]
fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Uint(number) => Some(*number as f64),
        Value::Double(number) => Some(*number),
        _ => None,
    }
}

fn add(left: &Value, right: &Value) -> Result<Value, Failed> {
    use Value::{Bytes, Double, Duration, Int, List, Text, Timestamp, Uint};
    Ok(match (left, right) {
        (Int(left), Int(right)) => Int(left.checked_add(*right).ok_or(Failed)?),
        (Uint(left), Uint(right)) => Uint(left.checked_add(*right).ok_or(Failed)?),
        (Double(left), Double(right)) => Double(left + right),
        (Duration(left), Duration(right)) => Duration(left.checked_add(*right).ok_or(Failed)?),
        (Timestamp(left), Duration(right)) | (Duration(left), Timestamp(right)) => {
            Timestamp(left.checked_add(*right).ok_or(Failed)?)
        }
        (Text(left), Text(right)) => Text([left.as_slice(), right].concat()),
        (Bytes(left), Bytes(right)) => Bytes([left.as_slice(), right].concat()),
        (List(left), List(right)) => List([left.as_slice(), right].concat()),
        _ => return Err(Failed),
    })
}

fn subtract(left: &Value, right: &Value) -> Result<Value, Failed> {
    use Value::{Double, Duration, Int, Timestamp, Uint};
    Ok(match (left, right) {
        (Int(left), Int(right)) => Int(left.checked_sub(*right).ok_or(Failed)?),
        (Uint(left), Uint(right)) => Uint(left.checked_sub(*right).ok_or(Failed)?),
        (Double(left), Double(right)) => Double(left - right),
        (Duration(left), Duration(right)) | (Timestamp(left), Timestamp(right)) => {
            Duration(left.checked_sub(*right).ok_or(Failed)?)
        }
        (Timestamp(left), Duration(right)) => Timestamp(left.checked_sub(*right).ok_or(Failed)?),
        _ => return Err(Failed),
    })
}

fn scale(operator: Operator, left: &Value, right: &Value) -> Result<Value, Failed> {
    use Operator::{Divide, Multiply, Remainder};
    use Value::{Double, Int, Uint};
    Ok(match (left, right) {
        (Int(left), Int(right)) => Int(match operator {
            Multiply => left.checked_mul(*right),
            Divide => left.checked_div(*right),
            _ => left.checked_rem(*right),
        }
        .ok_or(Failed)?),
        (Uint(left), Uint(right)) => Uint(
            match operator {
                Multiply => left.checked_mul(*right),
                Divide => left.checked_div(*right),
                _ => left.checked_rem(*right),
            }
            .ok_or(Failed)?,
        ),
        (Double(left), Double(right)) if operator != Remainder => {
            Double(if operator == Multiply { left * right } else { left / right })
        }
        _ => return Err(Failed),
    })
}
