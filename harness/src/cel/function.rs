//! The functions there are.

use super::{Failed, convert, time};
use crate::property::Value;

/// Functions, and methods with their target as first argument.
const FUNCTIONS: [(&str, usize); 10] = [
    ("bytes", 1),
    ("double", 1),
    ("duration", 1),
    ("dyn", 1),
    ("int", 1),
    ("matches", 2),
    ("size", 1),
    ("string", 1),
    ("timestamp", 1),
    ("uint", 1),
];
const METHODS: [(&str, usize); 5] =
    [("contains", 1), ("endsWith", 1), ("matches", 1), ("size", 0), ("startsWith", 1)];

pub(super) fn is_known(name: &str, method: bool, arguments: usize) -> bool {
    if method {
        METHODS.contains(&(name, arguments)) || (arguments == 0 && time::is_part(name))
    } else {
        FUNCTIONS.contains(&(name, arguments))
    }
}

pub(super) fn call(name: &str, arguments: &[Value]) -> Result<Value, Failed> {
    match (name, arguments) {
        ("size", [value]) => size(value),
        ("contains", [Value::Text(text), Value::Text(part)]) => Ok(Value::Bool(
            part.is_empty() || text.windows(part.len()).any(|window| window == part.as_slice()),
        )),
        ("startsWith", [Value::Text(text), Value::Text(part)]) => Ok(Value::Bool(text.starts_with(part))),
        ("endsWith", [Value::Text(text), Value::Text(part)]) => Ok(Value::Bool(text.ends_with(part))),
        ("matches", [Value::Text(text), Value::Text(pattern)]) => matches(text, pattern),
        ("dyn", [value]) => Ok(value.clone()),
        (name, [value]) if time::is_part(name) => time::part(name, value),
        (name, [value]) => convert::convert(name, value),
        _ => Err(Failed),
    }
}

fn size(value: &Value) -> Result<Value, Failed> {
    let size = match value {
        Value::Text(text) => String::from_utf8_lossy(text).chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(values) => values.len(),
        Value::Map(map) => map.len(),
        Value::Headers(map) => {
            let mut names: Vec<&[u8]> = map.iter().map(|(name, _)| name).collect();
            names.sort_unstable();
            names.dedup();
            names.len()
        }
        _ => return Err(Failed),
    };
    i64::try_from(size).map(Value::Int).map_err(|_| Failed)
}

/// Whether the pattern is found anywhere in the text.
fn matches(text: &[u8], pattern: &[u8]) -> Result<Value, Failed> {
    let (Ok(text), Ok(pattern)) = (std::str::from_utf8(text), std::str::from_utf8(pattern)) else {
        return Err(Failed);
    };
    let pattern = regex_lite::RegexBuilder::new(pattern).size_limit(1 << 20).build().map_err(|_| Failed)?;
    Ok(Value::Bool(pattern.is_match(text)))
}
