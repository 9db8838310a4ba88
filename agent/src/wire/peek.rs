//! Of which type a message is, for those who pass it on.

use super::field::{Malformed, fields};
use crate::ecds::Protocol;

/// The type that a request asks for; empty if it does not say. Of all else only the lengths are looked at.
///
/// # Errors
///
/// The message is none.
pub fn type_url_of_request(protocol: Protocol, message: &[u8]) -> Result<&str, Malformed> {
    let number = match protocol {
        Protocol::Sotw => 4,
        Protocol::Delta => 2,
    };
    type_url(message, number)
}

/// The type of a response's resources; empty if it does not say. Of all else, resources too, only the lengths are
/// looked at: the type may come after them.
///
/// # Errors
///
/// The message is none.
pub fn type_url_of_response(protocol: Protocol, message: &[u8]) -> Result<&str, Malformed> {
    // The same number in `DiscoveryResponse` and `DeltaDiscoveryResponse`.
    match protocol {
        Protocol::Sotw | Protocol::Delta => type_url(message, 4),
    }
}

/// The last occurrence counts, so that this sees the type that Envoy sees.
fn type_url(message: &[u8], number: u32) -> Result<&str, Malformed> {
    let mut found = None;
    for field in fields(message) {
        let field = field?;
        if field.number == number {
            found = Some(field);
        }
    }
    found.map_or(Ok(""), |field| field.text("type_url"))
}
