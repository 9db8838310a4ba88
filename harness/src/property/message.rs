//! The protobuf messages among properties: metadata, the node, localities.

use std::collections::BTreeMap;

use super::Value;
use super::wire::Writer;

/// A protobuf message. As a property it is its wire format; a longer path leads to its fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Message(Body);

#[derive(Clone, Debug, PartialEq)]
enum Body {
    Bytes(Vec<u8>),
    Metadata(BTreeMap<String, Value>),
    Fields(Vec<(u32, &'static str, Value)>),
}

impl Message {
    /// A message of any type in its wire format. No path leads into it.
    #[must_use]
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Body::Bytes(bytes.into()))
    }

    /// `envoy.config.core.v3.Metadata`: JSON objects by the filters' names.
    #[must_use]
    pub fn metadata<K: Into<String>, V: Into<Value>>(filters: impl IntoIterator<Item = (K, V)>) -> Self {
        let filters = filters.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self(Body::Metadata(filters.collect()))
    }

    /// `envoy.config.core.v3.Node`
    #[must_use]
    pub fn node(id: impl Into<String>, cluster: impl Into<String>, metadata: impl Into<Value>) -> Self {
        let metadata = match metadata.into() {
            map @ Value::Map(_) => map,
            _ => Value::Map(BTreeMap::new()),
        };
        Self(Body::Fields(vec![
            (1, "id", id.into().into()),
            (2, "cluster", cluster.into().into()),
            (3, "metadata", metadata),
            (4, "locality", Self::locality("", "", "").into()),
            (6, "user_agent_name", "envoy".into()),
        ]))
    }

    /// `envoy.config.core.v3.Locality`
    #[must_use]
    pub fn locality(region: &str, zone: &str, sub_zone: &str) -> Self {
        Self(Body::Fields(vec![
            (1, "region", region.into()),
            (2, "zone", zone.into()),
            (3, "sub_zone", sub_zone.into()),
        ]))
    }

    pub(super) fn add_metadata(&mut self, filter: String, value: Value) {
        if let Body::Metadata(filters) = &mut self.0 {
            filters.insert(filter, value);
        }
    }

    /// The value of a field; `None` if the message has none of that name.
    pub(super) fn field(&self, name: &[u8]) -> Option<Value> {
        match &self.0 {
            Body::Bytes(_) => None,
            Body::Metadata(filters) => match name {
                b"filter_metadata" => Some(Value::Map(filters.clone())),
                b"typed_filter_metadata" => Some(Value::Map(BTreeMap::new())),
                _ => None,
            },
            Body::Fields(fields) => {
                fields.iter().find(|(_, known, _)| known.as_bytes() == name).map(|(.., value)| value.clone())
            }
        }
    }

    /// Gives a field another value, if there is one of that name.
    pub(super) fn set_field(&mut self, path: &str, value: Value) {
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        match &mut self.0 {
            Body::Bytes(_) => {}
            Body::Metadata(filters) => {
                if let (Some(rest), "filter_metadata") = (rest, name) {
                    let mut all = Value::Map(std::mem::take(filters));
                    all.set(rest, value);
                    if let Value::Map(all) = all {
                        *filters = all;
                    }
                }
            }
            Body::Fields(fields) => {
                if let Some((.., field)) = fields.iter_mut().find(|(_, known, _)| *known == name) {
                    match rest {
                        Some(rest) => field.set(rest, value),
                        None => *field = value,
                    }
                }
            }
        }
    }

    /// The wire format. As in proto3, what is empty is left out.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        match &self.0 {
            Body::Bytes(bytes) => bytes.clone(),
            Body::Metadata(filters) => entries(filters, structure),
            Body::Fields(fields) => {
                let mut message = Writer::default();
                for (number, _, value) in fields {
                    let content = match value {
                        Value::Map(map) => structure(&Value::Map(map.clone())),
                        Value::Message(inner) => inner.to_bytes(),
                        Value::Text(text) => text.clone(),
                        _ => Vec::new(),
                    };
                    if !content.is_empty() {
                        message.bytes(*number, &content);
                    }
                }
                message.finish()
            }
        }
    }
}

/// A map field numbered 1, as `Metadata` and `Struct` have it.
fn entries(map: &BTreeMap<String, Value>, content: impl Fn(&Value) -> Vec<u8>) -> Vec<u8> {
    let mut message = Writer::default();
    for (key, value) in map {
        let mut entry = Writer::default();
        entry.bytes(1, key.as_bytes());
        entry.bytes(2, &content(value));
        message.bytes(1, &entry.finish());
    }
    message.finish()
}

/// `google.protobuf.Struct`
fn structure(value: &Value) -> Vec<u8> {
    match value {
        Value::Map(map) => entries(map, any),
        _ => Vec::new(),
    }
}

/// `google.protobuf.Value`
fn any(value: &Value) -> Vec<u8> {
    let mut message = Writer::default();
    match value {
        #[expect(clippy::cast_precision_loss, reason = "numbers of a Struct are doubles")]
        Value::Int(number) => message.double(2, *number as f64),
        #[expect(clippy::cast_precision_loss, reason = "the same")]
        Value::Uint(number) => message.double(2, *number as f64),
        Value::Double(number) => message.double(2, *number),
        Value::Text(text) | Value::Bytes(text) => message.bytes(3, text),
        Value::Bool(yes) => message.number(4, u64::from(*yes)),
        Value::Map(_) => message.bytes(5, &structure(value)),
        Value::List(values) => {
            let mut list = Writer::default();
            values.iter().for_each(|value| list.bytes(1, &any(value)));
            message.bytes(6, &list.finish());
        }
        _ => message.number(1, 0),
    }
    message.finish()
}

impl From<Message> for Value {
    fn from(message: Message) -> Self {
        Self::Message(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_is_written_as_envoy_writes_it() {
        // Envoy's own bytes, of a route with this metadata.
        let metadata = Message::metadata([("test", serde_json::json!({ "key": "value" }))]);
        assert_eq!(metadata.to_bytes(), b"\n\x18\n\x04test\x12\x10\n\x0e\n\x03key\x12\x07\x1a\x05value");
        assert!(Message::metadata::<&str, Value>([]).to_bytes().is_empty());
    }

    #[test]
    fn each_kind_of_json_has_its_field() {
        let json = serde_json::json!([null, 1.5, "s", true, {}, []]);
        let Value::List(values) = Value::from(json) else { panic!("a list") };
        let bytes: Vec<Vec<u8>> = values.iter().map(any).collect();
        assert_eq!(bytes[0], b"\x08\x00");
        assert_eq!(bytes[1], b"\x11\0\0\0\0\0\0\xf8\x3f");
        assert_eq!(bytes[2], b"\x1a\x01s");
        assert_eq!(bytes[3], b"\x20\x01");
        assert_eq!(bytes[4], b"\x2a\x00");
        assert_eq!(bytes[5], b"\x32\x00");
    }

    #[test]
    fn a_node_is_read_field_by_field() {
        let mut node = Message::node("me", "us", serde_json::json!({ "role": "test" }));
        assert_eq!(node.field(b"id"), Some("me".into()));
        assert_eq!(node.field(b"none"), None);
        node.set_field("metadata.role", "other".into());
        node.set_field("locality.zone", "z".into());
        assert_eq!(node.field(b"metadata").and_then(|map| map.child(b"role")), Some("other".into()));
        let bytes = node.to_bytes();
        assert!(bytes.starts_with(b"\n\x02me\x12\x02us\x1a"));
        assert!(bytes.ends_with(b"\"\x03\x12\x01z2\x05envoy"), "{}", bytes.escape_ascii());
    }
}
