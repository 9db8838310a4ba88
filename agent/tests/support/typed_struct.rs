//! Configuration as JSON in Protobuf, as hand-written resources have it.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Any, ListValue, Struct, Value};
use meshloom_agent::wire;
use prost::Message as _;
use serde_json::Value as Json;

/// The types that say so: the older, and the newer.
pub(crate) const TYPED_STRUCTS: [&str; 2] =
    ["type.googleapis.com/udpa.type.v1.TypedStruct", "type.googleapis.com/xds.type.v3.TypedStruct"];

/// A message of the type `inner`, written down as one of the type `outer`.
pub(crate) fn typed_struct(outer: &str, inner: &str, json: &Json) -> Any {
    let mut message = Vec::new();
    wire::put_bytes(&mut message, 1, inner.as_bytes());
    wire::put_bytes(&mut message, 2, &structure(json).encode_to_vec());
    Any { type_url: outer.to_owned(), value: message }
}

/// An object as Protobuf has it.
pub(crate) fn structure(json: &Json) -> Struct {
    let fields = json.as_object().unwrap().iter().map(|(key, json)| (key.clone(), value(json)));
    Struct { fields: fields.collect() }
}

fn value(json: &Json) -> Value {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(bit) => Kind::BoolValue(*bit),
        Json::Number(number) => Kind::NumberValue(number.as_f64().unwrap()),
        Json::String(text) => Kind::StringValue(text.clone()),
        Json::Array(list) => Kind::ListValue(ListValue { values: list.iter().map(value).collect() }),
        Json::Object(_) => Kind::StructValue(structure(json)),
    };
    Value { kind: Some(kind) }
}
