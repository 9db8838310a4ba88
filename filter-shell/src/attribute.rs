//! Envoy's attributes of the stream at hand, each by the first of its names that the host knows.
//!
//! The parts of a name are joined by zero bytes: `&["xds\0route_name", "route_name"]`. What is missing, and what has
//! not the bytes of its type, is `None`. Nothing panics.

use filter_kit::attribute;

use crate::abi;

/// The bytes of an attribute. Empty if it is an empty text.
pub fn bytes(names: &[&str]) -> Option<Vec<u8>> {
    names.iter().find_map(|name| abi::attribute(name))
}

/// An attribute that is a whole number: sizes in bytes, durations in nanoseconds.
pub fn integer(names: &[&str]) -> Option<i64> {
    names.iter().find_map(|name| attribute::integer(&abi::attribute(name)?))
}

/// An attribute that is true or false.
pub fn boolean(names: &[&str]) -> Option<bool> {
    names.iter().find_map(|name| attribute::boolean(&abi::attribute(name)?))
}

/// An attribute that is text; `None` also if it is not UTF-8.
pub fn text(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| String::from_utf8(abi::attribute(name)?).ok())
}

/// Keeps `value` with the stream under `name`, where an access log finds it as `%FILTER_STATE(wasm.name:PLAIN)%`. Whether
/// the host did so.
pub fn keep(name: &str, value: &[u8]) -> bool {
    abi::set_property(name, value)
}
