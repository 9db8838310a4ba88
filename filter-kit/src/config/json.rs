//! The JSON tree a configuration is read from.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A JSON value that keeps the order and the duplicates of an object's members.
///
/// `serde_json::Value` keeps only the last of two equal keys; here the reader can refuse them instead.
/// Numbers are doubles: that is all a protobuf `Struct`, through which Istio hands a configuration on, has.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Any number.
    Number(f64),
    /// A string, unescaped.
    String(String),
    /// An array.
    List(Vec<Json>),
    /// An object, its members as they were written.
    Object(Vec<(String, Json)>),
}

/// How much of a string a message quotes, in bytes.
const QUOTED: usize = 60;

impl fmt::Display for Json {
    /// Names the value as an error message would: scalars as they are, the others by their kind.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(value) => write_number(*value, f),
            Self::String(value) if value.len() <= QUOTED => write!(f, "{value:?}"),
            Self::String(value) => {
                let end = value.floor_char_boundary(QUOTED);
                write!(f, "{:?}... ({} bytes)", value.get(..end).unwrap_or_default(), value.len())
            }
            Self::List(_) => f.write_str("a list"),
            Self::Object(_) => f.write_str("an object"),
        }
    }
}

/// Writes a number to six decimals. The standard library's exact way costs every filter 14 KB of code.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
fn write_number(value: f64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let magnitude = value.abs();
    let sign = if value < 0.0 { "-" } else { "" };
    if magnitude > 1e15 {
        return f.write_str("a number of more than 15 digits");
    }
    let whole = magnitude as u64;
    let millionths = ((magnitude - whole as f64) * 1e6) as u64;
    write!(f, "{sign}{whole}")?;
    if magnitude.fract() > 0.0 {
        let decimals = format!("{millionths:06}");
        write!(f, ".{}", decimals.trim_end_matches('0'))?;
    }
    Ok(())
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "a protobuf Struct has no wider number either")]
    fn visit_i64<E: Error>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "a protobuf Struct has no wider number either")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = access.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = access.next_entry()? {
            members.push(member);
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_of_two_equal_keys_are_kept_in_order() {
        let json: Json = serde_json::from_str(r#"{"b": 1, "a": [true, null], "b": "two"}"#).unwrap();
        let Json::Object(members) = json else { panic!("an object") };
        assert_eq!(members.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["b", "a", "b"]);
        assert_eq!(members[2].1, Json::String("two".into()));
    }

    #[test]
    fn a_long_string_is_quoted_in_part_and_cut_between_characters() {
        let shown = Json::String("é".repeat(100)).to_string();
        assert_eq!(shown, format!("{:?}... (200 bytes)", "é".repeat(30)));
    }

    #[test]
    fn numbers_are_shown_as_they_are_written() {
        for number in ["0", "7", "-7", "2.5", "-0.125", "1000000"] {
            assert_eq!(serde_json::from_str::<Json>(number).unwrap().to_string(), number);
        }
        assert_eq!(Json::Number(-1e300).to_string(), "a number of more than 15 digits");
    }

    #[test]
    fn nesting_without_end_is_an_error_and_not_a_stack_overflow() {
        assert!(serde_json::from_str::<Json>(&"[".repeat(100_000)).is_err());
    }
}
