//! Writing fields, and copies of messages that lack some or have others.

use super::field::{Malformed, fields};

/// Appends a number as fields have it.
fn put_raw_varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

/// Appends a field that is an integer, a boolean or an enumeration.
pub fn put_varint(into: &mut Vec<u8>, number: u32, value: u64) {
    put_raw_varint(into, u64::from(number) << 3);
    put_raw_varint(into, value);
}

/// Appends a field that is a string, bytes or a message.
pub fn put_bytes(into: &mut Vec<u8>, number: u32, value: &[u8]) {
    put_raw_varint(into, u64::from(number) << 3 | 2);
    put_raw_varint(into, value.len() as u64);
    into.extend_from_slice(value);
}

/// Appends a string, unless it is empty: proto3 does not write its default.
pub(crate) fn put_text(into: &mut Vec<u8>, number: u32, value: &str) {
    if !value.is_empty() {
        put_bytes(into, number, value.as_bytes());
    }
}

/// The message without the fields of those numbers.
///
/// # Errors
///
/// `message` is none.
pub fn without(message: &[u8], numbers: &[u32]) -> Result<Vec<u8>, Malformed> {
    let mut kept = Vec::with_capacity(message.len());
    for field in fields(message) {
        let field = field?;
        if !numbers.contains(&field.number) {
            kept.extend_from_slice(field.raw);
        }
    }
    Ok(kept)
}

/// The message with that value (a string, bytes or a message) in the place of the field's first occurrence, or at the
/// end if there is none.
///
/// # Errors
///
/// `message` is none.
pub fn replaced(message: &[u8], number: u32, value: &[u8]) -> Result<Vec<u8>, Malformed> {
    let layer = super::Layer::around(message, number)?;
    Ok(layer.wrap(value))
}
