//! The JSON tree a configuration is read from.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A JSON value that keeps the order and the duplicates of an object's members.
///
/// `serde_json::Value` keeps only the last of two equal keys; here the reader can refuse them instead.
/// Numbers are doubles: that is all a protobuf `Struct`, through which Istio hands a configuration on, has.
/// Strings without escapes are borrowed from what was read, so that a list of many takes no copy of them.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// Any number.
    Number(f64),
    /// A string, unescaped.
    String(Cow<'a, str>),
    /// An array.
    List(Vec<Json<'a>>),
    /// An object, its members as they were written.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
    /// An array of which only a mark is left: its strings went elsewhere while it was read.
    Taken(super::Taken),
}

impl Json<'_> {
    /// An object without members.
    pub const EMPTY_OBJECT: Json<'static> = Json::Object(Vec::new());
    /// A list without items.
    pub const EMPTY_LIST: Json<'static> = Json::List(Vec::new());

    /// The member `name` of an object.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().find(|(other, _)| other == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The value as JSON on lines of its own, indented by two spaces.
    #[cfg(not(target_family = "wasm"))]
    pub fn to_string_pretty(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default() // a tree without floating NaN always has a text
    }
}

impl From<bool> for Json<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u32> for Json<'_> {
    fn from(value: u32) -> Self {
        Self::Number(value.into())
    }
}

impl<'a> From<&'a str> for Json<'a> {
    fn from(value: &'a str) -> Self {
        Self::String(Cow::Borrowed(value))
    }
}

impl<'a, const N: usize> From<[&'a str; N]> for Json<'a> {
    fn from(words: [&'a str; N]) -> Self {
        Self::List(words.map(Self::from).into())
    }
}

/// How much of a string a message quotes, in bytes.
const QUOTED: usize = 60;

impl fmt::Display for Json<'_> {
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
            Self::List(_) | Self::Taken(_) => f.write_str("a list"),
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

impl<'de> Deserialize<'de> for Json<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Tree)
    }
}

pub(super) struct Tree;

impl<'de> Visitor<'de> for Tree {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Json<'de>, E> {
        Ok(Json::Bool(value))
    }

    #[expect(clippy::cast_precision_loss, reason = "a protobuf Struct has no wider number either")]
    fn visit_i64<E: Error>(self, value: i64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "a protobuf Struct has no wider number either")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value as f64))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Json<'de>, E> {
        Ok(Json::Number(value))
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Borrowed(value)))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Json<'de>, E> {
        Ok(Json::String(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = access.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some((Key(key), value)) = access.next_entry()? {
            members.push((key, value));
        }
        Ok(Json::Object(members))
    }
}

/// A member's name. (Serde's own `Cow` is never borrowed.)
pub(super) struct Key<'de>(pub(super) Cow<'de, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Json::deserialize(deserializer)? {
            Json::String(name) => Ok(Self(name)),
            _ => Err(D::Error::custom("expected a name")),
        }
    }
}

#[cfg(not(target_family = "wasm"))]
impl serde::Serialize for Json<'_> {
    #[expect(clippy::cast_possible_truncation, reason = "whole and small")]
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null | Self::Taken(_) => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) if value.fract() == 0.0 && value.abs() < 1e15 => {
                serializer.serialize_i64(*value as i64)
            }
            Self::Number(value) => serializer.serialize_f64(*value),
            Self::String(value) => serializer.serialize_str(value),
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(members) => {
                serializer.collect_map(members.iter().map(|(name, value)| (name, value)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_of_two_equal_keys_are_kept_in_order() {
        let json: Json<'_> = serde_json::from_str(r#"{"b": 1, "a": [true, null], "b": "two"}"#).unwrap();
        let Json::Object(members) = json else { panic!("an object") };
        assert_eq!(members.iter().map(|(key, _)| key.as_ref()).collect::<Vec<_>>(), ["b", "a", "b"]);
        assert_eq!(members[2].1, Json::String("two".into()));
    }

    #[test]
    fn a_string_is_copied_only_to_undo_its_escapes() {
        let json: Json<'_> = serde_json::from_str(r#"{"a": "plain", "b": "es\u0063aped"}"#).unwrap();
        let Json::Object(members) = json else { panic!("an object") };
        assert!(matches!(&members[0], (Cow::Borrowed("a"), Json::String(Cow::Borrowed("plain")))));
        assert!(
            matches!(&members[1], (Cow::Borrowed("b"), Json::String(Cow::Owned(text))) if text == "escaped")
        );
    }

    #[test]
    fn a_long_string_is_quoted_in_part_and_cut_between_characters() {
        let shown = Json::String("é".repeat(100).into()).to_string();
        assert_eq!(shown, format!("{:?}... (200 bytes)", "é".repeat(30)));
    }

    #[test]
    fn numbers_are_shown_as_they_are_written() {
        for number in ["0", "7", "-7", "2.5", "-0.125", "1000000"] {
            assert_eq!(serde_json::from_str::<Json<'_>>(number).unwrap().to_string(), number);
        }
        assert_eq!(Json::Number(-1e300).to_string(), "a number of more than 15 digits");
    }

    #[test]
    fn nesting_without_end_is_an_error_and_not_a_stack_overflow() {
        assert!(serde_json::from_str::<Json<'_>>(&"[".repeat(100_000)).is_err());
    }
}
