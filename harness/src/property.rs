//! Properties and how Envoy writes each type as bytes.

use std::collections::BTreeMap;

use crate::abi::{Status, pairs};
use crate::header::HeaderMap;

/// The value of a property, typed as in Envoy's attributes.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text or bytes, as they are.
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
    /// A protobuf message in its wire format. Its fields cannot be read one by one here.
    Message(Vec<u8>),
}

impl Value {
    /// A map of these.
    pub fn map<K: Into<String>>(entries: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// The value under one more segment of a path.
    pub(crate) fn child(&self, segment: &[u8]) -> Option<Self> {
        match self {
            Self::Map(entries) => entries.get(std::str::from_utf8(segment).ok()?).cloned(),
            Self::Headers(map) => {
                let name = std::str::from_utf8(segment).ok()?;
                let values: Vec<&[u8]> = map.get_all(name).collect();
                (!values.is_empty()).then(|| Self::Bytes(values.join(&b","[..])))
            }
            Self::List(values) => {
                let index: usize = std::str::from_utf8(segment).ok()?.parse().ok()?;
                values.get(index).cloned()
            }
            _ => None,
        }
    }

    /// The value as `proxy_get_property` gives it (Envoy's `serializeValue`).
    ///
    /// # Errors
    ///
    /// `SERIALIZATION_FAILURE` if a map holds what has no bytes.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Status> {
        Ok(match self {
            Self::Bytes(bytes) | Self::Message(bytes) => bytes.clone(),
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
            Self::Headers(map) => serialized(map.len(), map.iter()),
            Self::List(values) => {
                let values: Vec<Vec<u8>> = values.iter().map(Self::to_bytes).collect::<Result<_, _>>()?;
                serialized(values.len(), values.iter().map(|value| (&value[..], &b""[..])))
            }
        })
    }
}

/// Unlike an empty header map, an empty property map is written with its count.
fn serialized<'a>(count: usize, pairs: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone) -> Vec<u8> {
    if count == 0 { vec![0; 4] } else { pairs::encode_pairs(count, pairs) }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Bytes(text.into_bytes())
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

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}
