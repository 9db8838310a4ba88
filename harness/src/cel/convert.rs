//! From one type to another.

use super::{Failed, time};
use crate::property::Value;

pub(super) fn convert(to: &str, value: &Value) -> Result<Value, Failed> {
    let text = |value: &Value| match value {
        Value::Text(text) => String::from_utf8(text.clone()).ok(),
        _ => None,
    };
    let converted = match to {
        "int" => int(value).or_else(|| text(value)?.parse().ok()).map(Value::Int),
        "uint" => match value {
            Value::Uint(number) => Some(*number),
            Value::Text(_) => text(value).and_then(|text| text.parse().ok()),
            value => int(value).and_then(|number| u64::try_from(number).ok()),
        }
        .map(Value::Uint),
        #[expect(clippy::cast_precision_loss, reason = "as the language has it")]
        "double" => match value {
            Value::Int(number) => Some(*number as f64),
            Value::Uint(number) => Some(*number as f64),
            Value::Double(number) => Some(*number),
            value => text(value).and_then(|text| text.parse().ok()),
        }
        .map(Value::Double),
        "string" => string(value),
        "bytes" => match value {
            Value::Text(bytes) | Value::Bytes(bytes) => Some(Value::Bytes(bytes.clone())),
            _ => None,
        },
        "duration" => match value {
            Value::Duration(time) => Some(Value::Duration(*time)),
            value => text(value).and_then(|text| time::duration(&text)).map(Value::Duration),
        },
        "timestamp" => match value {
            Value::Timestamp(time) => Some(Value::Timestamp(*time)),
            Value::Int(seconds) => seconds.checked_mul(time::SECOND).map(Value::Timestamp),
            value => text(value).and_then(|text| time::timestamp(&text)).map(Value::Timestamp),
        },
        _ => None,
    };
    converted.ok_or(Failed)
}

fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::Uint(number) => i64::try_from(*number).ok(),
        #[expect(clippy::cast_possible_truncation, reason = "it fits, and the fraction is to go")]
        Value::Double(number) if number.abs() < 9.2e18 => Some(*number as i64),
        Value::Timestamp(time) => Some(time.div_euclid(time::SECOND)),
        _ => None,
    }
}

fn string(value: &Value) -> Option<Value> {
    Some(match value {
        Value::Text(_) => value.clone(),
        Value::Bytes(bytes) => String::from_utf8(bytes.clone()).ok()?.into(),
        Value::Int(number) => number.to_string().into(),
        Value::Uint(number) => number.to_string().into(),
        Value::Double(number) => number.to_string().into(),
        Value::Bool(yes) => yes.to_string().into(),
        Value::Timestamp(time) => time::written(*time).into(),
        Value::Duration(time) => time::seconds(*time).into(),
        _ => return None,
    })
}
