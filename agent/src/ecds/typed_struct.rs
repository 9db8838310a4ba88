//! Filters whose configuration is JSON in Protobuf: `TypedStruct`, of which there are two.

use std::borrow::Cow;
use std::sync::OnceLock;

use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::{Map, Number, Value as Json};

use super::environment::PREFIX;
use super::filter::Kind;
use crate::wire::{Any, Field, Malformed, Value, fields, merged, put_bytes, replaced, text};

/// Deeper than any configuration, and far less than a stack holds. (Envoy's decoder stops at 100 messages.)
const MAX_DEPTH: usize = 64;
/// `TypedStruct.value`, in both.
const VALUE: u32 = 2;
/// `Struct.fields`, `ListValue.values`.
const FIELDS: u32 = 1;
/// `Value.struct_value`.
const STRUCT: u32 = 5;

/// Whether the type is one of the two.
pub(super) fn is(type_name: &str) -> bool {
    matches!(type_name, "udpa.type.v1.TypedStruct" | "xds.type.v3.TypedStruct")
}

/// The type that the `TypedStruct` stands for, and the `Struct`.
pub(super) fn read(message: &[u8]) -> Result<(&str, Cow<'_, [u8]>), Malformed> {
    let type_url = text(message, 1, "TypedStruct.type_url")?;
    Ok((type_url, merged(message, VALUE, "TypedStruct.value")?.unwrap_or_default()))
}

/// The Wasm filter that a `Struct` describes, encoded. Strict: what Envoy's message has no field for is an error.
pub(super) fn decode(kind: Kind, value: &[u8]) -> Result<Vec<u8>, String> {
    let type_name = kind.type_url().rsplit('/').next().unwrap_or_default();
    let json = object(value, 0).map_err(|why| format!("TypedStruct of {type_name}: {why}"))?;
    let descriptor = descriptors()
        .and_then(|pool| pool.get_message_by_name(type_name))
        .ok_or_else(|| format!("this agent does not know {type_name}"))?;
    let message = DynamicMessage::deserialize(descriptor.clone(), Json::Object(json))
        .map_err(|why| format!("TypedStruct of {type_name}: {}", unquoted(&why.to_string())))?;
    sorted(&descriptor, &message.encode_to_vec(), 0)
        .map_err(|why| format!("TypedStruct of {type_name}: {why}"))
}

/// An error without the text that it is about, which may be a secret.
fn unquoted(error: &str) -> String {
    match (error.split_once("string \""), error.rsplit_once("\", expected")) {
        (Some((before, _)), Some((_, after))) => format!("{before}string, expected{after}"),
        _ => error.to_owned(),
    }
}

/// The descriptors that build.rs compiles from proto/.
fn descriptors() -> Option<&'static DescriptorPool> {
    static POOL: OnceLock<Option<DescriptorPool>> = OnceLock::new();
    POOL.get_or_init(|| {
        DescriptorPool::decode(&include_bytes!(concat!(env!("OUT_DIR"), "/wasm_filters.bin"))[..]).ok()
    })
    .as_ref()
}

/// A message with the entries of its maps in order, so that one configuration has one encoding: Envoy compares bytes
/// to see whether a filter has changed.
fn sorted(descriptor: &MessageDescriptor, message: &[u8], depth: usize) -> Result<Vec<u8>, Malformed> {
    let mut found: Vec<(Field<'_>, Cow<'_, [u8]>)> = Vec::new();
    for field in fields(message) {
        let field = field?;
        let known = descriptor.get_field(field.number);
        let child = known.as_ref().and_then(|known| known.kind().as_message().cloned());
        let raw = match (child, field.value) {
            (Some(child), Value::Bytes(bytes)) if depth < MAX_DEPTH => {
                let mut raw = Vec::with_capacity(field.raw.len());
                put_bytes(&mut raw, field.number, &sorted(&child, bytes, depth + 1)?);
                Cow::Owned(raw)
            }
            (None, Value::Bytes(bytes)) if field.number == Any::VALUE && depth < MAX_DEPTH => {
                match packed(descriptor, message)? {
                    Some(packed) => {
                        let mut raw = Vec::with_capacity(field.raw.len());
                        put_bytes(&mut raw, field.number, &sorted(&packed, bytes, depth + 1)?);
                        Cow::Owned(raw)
                    }
                    None => Cow::Borrowed(field.raw),
                }
            }
            _ => Cow::Borrowed(field.raw),
        };
        found.push((field, raw));
    }
    let is_map = |number| descriptor.get_field(number).is_some_and(|field| field.is_map());
    found.sort_by(|(one, one_raw), (other, other_raw)| {
        one.number
            .cmp(&other.number)
            .then_with(|| if is_map(one.number) { one_raw.cmp(other_raw) } else { std::cmp::Ordering::Equal })
    });
    Ok(found.iter().flat_map(|(_, raw)| raw.iter().copied()).collect())
}

/// What an `Any` holds, if `descriptor` is that of one.
fn packed(descriptor: &MessageDescriptor, message: &[u8]) -> Result<Option<MessageDescriptor>, Malformed> {
    if descriptor.full_name() != "google.protobuf.Any" {
        return Ok(None);
    }
    Ok(descriptor.parent_pool().get_message_by_name(Any::read(message)?.type_name()))
}

/// Why a `Struct` is no JSON.
#[derive(Debug, thiserror::Error)]
enum NoJson {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error("it is nested more than {MAX_DEPTH} deep")]
    Deep,
    #[error("field {0:?} has no value")]
    Nothing(String),
    #[error("a number is infinite or none at all")]
    NotFinite,
}

fn object(message: &[u8], depth: usize) -> Result<Map<String, Json>, NoJson> {
    let mut object = Map::new();
    for field in fields(message) {
        let field = field?;
        if field.number == FIELDS {
            let entry = field.bytes("Struct.fields")?;
            let key = text(entry, 1, "a key of a Struct")?;
            let value = merged(entry, 2, "Struct.fields.value")?.unwrap_or_default();
            let value =
                json(&value, depth + 1)?.ok_or_else(|| NoJson::Nothing(key.chars().take(100).collect()))?;
            object.insert(key.to_owned(), value);
        }
    }
    Ok(object)
}

fn json(message: &[u8], depth: usize) -> Result<Option<Json>, NoJson> {
    if depth > MAX_DEPTH {
        return Err(NoJson::Deep);
    }
    let mut value = None;
    for field in fields(message) {
        let field = field?;
        value = Some(match (field.number, field.value) {
            (1, Value::Varint(_)) => Json::Null,
            (2, Value::Fixed64(bits)) => Json::Number(number(f64::from_bits(bits))?),
            (3, _) => Json::String(field.text("Value.string_value")?.to_owned()),
            (4, Value::Varint(bit)) => Json::Bool(bit != 0),
            (STRUCT, _) => Json::Object(object(field.bytes("Value.struct_value")?, depth)?),
            (6, _) => {
                let mut list = Vec::new();
                for field in fields(field.bytes("Value.list_value")?) {
                    let field = field?;
                    if field.number == FIELDS {
                        let value = json(field.bytes("ListValue.values")?, depth + 1)?;
                        list.push(value.ok_or_else(|| NoJson::Nothing("of a list".into()))?);
                    }
                }
                Json::Array(list)
            }
            _ => continue,
        });
    }
    Ok(value)
}

/// A whole number becomes one that JSON readers take for an integer.
fn number(value: f64) -> Result<Number, NoJson> {
    // Up to 2^53 every integer has its own f64.
    if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 {
        return Ok(Number::from(value as i64));
    }
    Number::from_f64(value).ok_or(NoJson::NotFinite)
}

/// A `TypedStruct` of a Wasm filter without the variables that only the agent is told. Nothing if it has none.
pub(super) fn stripped(message: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
    let (_, value) = read(message)?;
    let path: &[&[&str]] = &[
        &["config"],
        &["vm_config", "vmConfig"],
        &["environment_variables", "environmentVariables"],
        &["key_values", "keyValues"],
    ];
    match stripped_at(path, &value)? {
        Some(value) => replaced(message, VALUE, &value).map(Some),
        None => Ok(None),
    }
}

/// A `Struct` whose part at that path (each step by either of the names that JSON may use) lacks those variables.
fn stripped_at(path: &[&[&str]], message: &[u8]) -> Result<Option<Vec<u8>>, Malformed> {
    let mut changed = false;
    let mut result = Vec::with_capacity(message.len());
    for field in fields(message) {
        let field = field?;
        let mut kept = Cow::Borrowed(field.raw);
        if field.number == FIELDS {
            let entry = field.bytes("Struct.fields")?;
            let key = text(entry, 1, "a key of a Struct")?;
            match path.split_first() {
                None if key.starts_with(PREFIX) => kept = Cow::Borrowed(b""),
                Some((names, deeper)) if names.contains(&key) => {
                    let value = merged(entry, 2, "Struct.fields.value")?.unwrap_or_default();
                    if let Some(inner) = merged(&value, STRUCT, "Value.struct_value")?
                        && let Some(inner) = stripped_at(deeper, &inner)?
                    {
                        let mut raw = Vec::new();
                        put_bytes(&mut raw, FIELDS, &replaced(entry, 2, &replaced(&value, STRUCT, &inner)?)?);
                        kept = Cow::Owned(raw);
                    }
                }
                _ => {}
            }
        }
        changed |= kept.len() != field.raw.len();
        result.extend_from_slice(&kept);
    }
    Ok(changed.then_some(result))
}
