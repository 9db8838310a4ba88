//! A `google.protobuf.Struct` as bytes: what a plugin is handed when its configuration is one (Envoy's
//! `MessageUtil::anyToBytes` has a text for StringValue and BytesValue alone).

use crate::tree::{Dialect, Kind, Node, Value};

const LENGTH_DELIMITED: u8 = 2;
const FIXED_64: u8 = 1;

/// A map as a Struct: `map<string, Value> fields = 1`.
pub(crate) fn structure(node: &Node, dialect: Dialect) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, value) in node.entries().unwrap_or_default() {
        let mut entry = Vec::new();
        field(&mut entry, 1, key.name.as_bytes());
        field(&mut entry, 2, &self::value(value, dialect));
        field(&mut bytes, 1, &entry);
    }
    bytes
}

/// A TypedStruct: `string type_url = 1; Struct value = 2`.
pub(crate) fn typed_structure(type_url: &str, node: Option<&Node>, dialect: Dialect) -> Vec<u8> {
    let mut bytes = Vec::new();
    if !type_url.is_empty() {
        field(&mut bytes, 1, type_url.as_bytes());
    }
    if let Some(node) = node {
        field(&mut bytes, 2, &structure(node, dialect));
    }
    bytes
}

/// `oneof kind { null_value = 1; number_value = 2; string_value = 3; bool_value = 4; struct_value = 5; list_value = 6 }`
fn value(node: &Node, dialect: Dialect) -> Vec<u8> {
    let mut bytes = Vec::new();
    match &node.kind {
        Kind::Scalar(scalar) => match scalar.value(dialect) {
            Value::Null => bytes.extend([1 << 3, 0]),
            Value::Bool(value) => bytes.extend([4 << 3, u8::from(value)]),
            Value::Number(value) => {
                bytes.push(2 << 3 | FIXED_64);
                bytes.extend(value.to_le_bytes());
            }
            Value::Text(text) => field(&mut bytes, 3, text.as_bytes()),
        },
        Kind::Map(_) => field(&mut bytes, 5, &structure(node, dialect)),
        Kind::List(items) => {
            let mut list = Vec::new();
            for item in items {
                field(&mut list, 1, &value(item, dialect));
            }
            field(&mut bytes, 6, &list);
        }
    }
    bytes
}

fn field(bytes: &mut Vec<u8>, number: u8, content: &[u8]) {
    bytes.push(number << 3 | LENGTH_DELIMITED);
    let mut length = content.len();
    while length >= 0x80 {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes.extend(content);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::json;

    #[test]
    fn a_struct_is_written_as_protobuf_writes_it() {
        // printf 'fields{key:"a" value{list_value{values{string_value:"x"} values{number_value:1} values{bool_value:true}
        // values{null_value:0}}}}' | protoc --encode=google.protobuf.Struct
        let tree = json(r#"{"a": ["x", 1, true, null]}"#).unwrap();
        let mut expected = vec![0x0a, 0x1f, 0x0a, 0x01, b'a', 0x12, 0x1a, 0x32, 0x18];
        expected.extend([0x0a, 0x03, 0x1a, 0x01, b'x']);
        expected.extend([0x0a, 0x09, 0x11, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f]);
        expected.extend([0x0a, 0x02, 0x20, 0x01, 0x0a, 0x02, 0x08, 0x00]);
        assert_eq!(structure(&tree, Dialect::Envoy), expected);
    }

    #[test]
    fn a_length_of_128_and_more_has_two_bytes() {
        let tree = json(&format!("{{\"a\": \"{}\"}}", "x".repeat(200))).unwrap();
        let bytes = structure(&tree, Dialect::Envoy);
        assert_eq!(&bytes[..3], [0x0a, 0xd1, 0x01]);
        assert_eq!(bytes.len(), 3 + 0xd1);
    }
}
