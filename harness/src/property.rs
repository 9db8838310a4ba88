//! Properties and how Envoy writes each type as bytes.

use std::collections::BTreeMap;

use crate::abi::{Status, pairs};
use crate::header::HeaderMap;

pub(crate) mod given;
pub(crate) mod group;
mod message;
pub(crate) mod wire;

pub use given::TrafficDirection;
pub use message::Message;

/// The value of a property, typed as in Envoy's attributes.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing, which cannot be written as bytes.
    Null,
    /// Text, as it is; mostly UTF-8, but a header need not be.
    Text(Vec<u8>),
    /// Bytes, as they are.
    Bytes(Vec<u8>),
    /// Eight bytes, little endian.
    Int(i64),
    /// Eight bytes, little endian.
    Uint(u64),
    /// Eight bytes, little endian.
    Double(f64),
    /// One byte.
    Bool(bool),
    /// A duration in nanoseconds.
    Duration(i64),
    /// Nanoseconds since 1970.
    Timestamp(i64),
    /// Further values by name; as bytes, a serialised map.
    Map(BTreeMap<String, Self>),
    /// Headers: a map whose keys are any case, several values of a name joined by commas.
    Headers(HeaderMap),
    /// Further values by number; as bytes, a serialised map of values to nothing.
    List(Vec<Self>),
    /// A protobuf message.
    Message(Message),
}

impl Value {
    /// A map of these.
    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// The value under one more segment of a path (`Context::getProperty`).
    pub(crate) fn child(&self, segment: &[u8]) -> Option<Self> {
        match self {
            Self::Map(entries) => entries.get(std::str::from_utf8(segment).ok()?).cloned(),
            Self::Headers(map) => joined(map, segment).map(Self::Text),
            Self::List(values) => {
                let index: usize = std::str::from_utf8(segment).ok()?.trim().parse().ok()?;
                values.get(index).cloned()
            }
            Self::Message(message) => message.field(segment),
            _ => None,
        }
    }

    /// Puts a value at a path below this one, segments joined by dots.
    pub(crate) fn set(&mut self, path: &str, value: Self) {
        match self {
            Self::Headers(map) => {
                if let Self::Text(text) | Self::Bytes(text) = value {
                    map.replace(path, text);
                }
            }
            Self::Message(message) => message.set_field(path, value),
            _ => {
                let (name, rest) =
                    path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
                if !matches!(self, Self::Map(_)) {
                    *self = Self::Map(BTreeMap::new());
                }
                let Self::Map(entries) = self else { return };
                match rest {
                    Some(rest) => entries.entry(name.to_owned()).or_insert(Self::Null).set(rest, value),
                    None => {
                        entries.insert(name.to_owned(), value);
                    }
                }
            }
        }
    }

    /// The value as `proxy_get_property` and `expr_evaluate` give it (Envoy's `serializeValue`).
    ///
    /// # Errors
    ///
    /// `SERIALIZATION_FAILURE` if it has no bytes, or is a map that holds what has none.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Status> {
        Ok(match self {
            Self::Null => return Err(Status::SerializationFailure),
            Self::Text(bytes) | Self::Bytes(bytes) => bytes.clone(),
            Self::Message(message) => message.to_bytes(),
            Self::Int(number) | Self::Duration(number) | Self::Timestamp(number) => {
                number.to_le_bytes().to_vec()
            }
            Self::Uint(number) => number.to_le_bytes().to_vec(),
            Self::Double(number) => number.to_le_bytes().to_vec(),
            Self::Bool(yes) => vec![u8::from(*yes)],
            Self::Map(entries) => {
                let entries: Vec<(&[u8], Vec<u8>)> = entries
                    .iter()
                    .map(|(key, value)| Ok((key.as_bytes(), value.to_bytes()?)))
                    .collect::<Result<_, Status>>()?;
                serialized(entries.len(), entries.iter().map(|(key, value)| (*key, &value[..])))
            }
            Self::Headers(map) => {
                // Each name once. Envoy has them in the order of a hash table.
                let entries: BTreeMap<&[u8], Vec<u8>> =
                    map.iter().map(|(name, _)| (name, joined(map, name).unwrap_or_default())).collect();
                serialized(entries.len(), entries.iter().map(|(name, value)| (*name, &value[..])))
            }
            Self::List(values) => {
                let values: Vec<Vec<u8>> = values.iter().map(Self::to_bytes).collect::<Result<_, _>>()?;
                serialized(values.len(), values.iter().map(|value| (&value[..], &b""[..])))
            }
        })
    }
}

/// Every value of a header, joined (`HeaderUtility::getAllOfHeaderAsString`).
fn joined(map: &HeaderMap, name: &[u8]) -> Option<Vec<u8>> {
    let values: Vec<&[u8]> = map.get_all(std::str::from_utf8(name).ok()?).collect();
    (!values.is_empty()).then(|| values.join(&b","[..]))
}

/// Unlike an empty header map, an empty property map is written with its count.
fn serialized<'a>(count: usize, pairs: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone) -> Vec<u8> {
    if count == 0 { vec![0; 4] } else { pairs::encode_pairs(count, pairs) }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.as_bytes().to_vec())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text.into_bytes())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.to_vec())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Uint(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Double(number)
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}

/// As in a `google.protobuf.Struct`: every number is a double.
impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match json {
            Json::Null => Self::Null,
            Json::Bool(yes) => Self::Bool(yes),
            Json::Number(number) => Self::Double(number.as_f64().unwrap_or_default()),
            Json::String(text) => text.into(),
            Json::Array(values) => Self::List(values.into_iter().map(Self::from).collect()),
            Json::Object(entries) => {
                Self::Map(entries.into_iter().map(|(key, value)| (key, value.into())).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_its_bytes() {
        for (value, expected) in [
            (Value::from("text"), &b"text"[..]),
            (Value::Bytes(vec![0, 255]), b"\x00\xff"),
            (Value::Int(-2), b"\xfe\xff\xff\xff\xff\xff\xff\xff"),
            (Value::Uint(200), b"\xc8\0\0\0\0\0\0\0"),
            (Value::Double(1.5), b"\0\0\0\0\0\0\xf8\x3f"),
            (Value::Bool(true), b"\x01"),
            (Value::Duration(1_000), b"\xe8\x03\0\0\0\0\0\0"),
            (Value::Timestamp(1), b"\x01\0\0\0\0\0\0\0"),
            (Value::Map(BTreeMap::new()), b"\0\0\0\0"),
            (Value::Headers(HeaderMap::new()), b"\0\0\0\0"),
            (Value::map([("k", "v".into())]), b"\x01\0\0\0\x01\0\0\0\x01\0\0\0k\0v\0"),
            (Value::List(vec!["v".into()]), b"\x01\0\0\0\x01\0\0\0\0\0\0\0v\0\0"),
        ] {
            assert_eq!(value.to_bytes().as_deref(), Ok(expected), "{value:?}");
        }
    }

    #[test]
    fn nothing_has_no_bytes_wherever_it_is() {
        for value in [Value::Null, Value::List(vec![Value::Null]), Value::map([("k", Value::Null)])] {
            assert_eq!(value.to_bytes(), Err(Status::SerializationFailure), "{value:?}");
        }
    }

    #[test]
    fn a_header_with_several_lines_is_one_value() {
        let headers =
            Value::Headers(HeaderMap::from([("x-twice", "one"), (":path", "/"), ("X-Twice", "two")]));
        assert_eq!(headers.child(b"X-twice"), Some("one,two".into()));
        assert_eq!(headers.child(b"none"), None);
        let expected = Value::map([(":path", "/".into()), ("x-twice", Value::from("one,two"))]);
        assert_eq!(headers.to_bytes(), expected.to_bytes());
    }

    #[test]
    fn a_path_leads_through_maps_and_lists() {
        let value = Value::from(serde_json::json!({ "list": ["a", { "key": 1 }] }));
        let list = value.child(b"list").unwrap();
        assert_eq!(list.child(b"0"), Some("a".into()));
        assert_eq!(list.child(b"1").and_then(|map| map.child(b"key")), Some(Value::Double(1.0)));
        for outside in [&b"2"[..], b"-1", b"x", b""] {
            assert_eq!(list.child(outside), None, "{outside:?}");
        }
        assert_eq!(Value::Int(1).child(b"0"), None);
    }

    #[test]
    fn a_value_can_be_put_below_another() {
        let mut value = Value::Null;
        value.set("a.b", 1_i64.into());
        value.set("a.c", 2_i64.into());
        assert_eq!(value, Value::map([("a", Value::map([("b", Value::Int(1)), ("c", Value::Int(2))]))]));
        let mut headers = Value::Headers(HeaderMap::from([("x", "1")]));
        headers.set("x", "2".into());
        assert_eq!(headers.child(b"x"), Some("2".into()));
    }
}
