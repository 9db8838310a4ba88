//! Header maps as bytes, without a panic.
//!
//! The SDK panics at a status that it does not expect. Here a map that is not there in a phase has no lines, and what
//! the host did not do is told. Names are in lower case.

use crate::abi;

/// Which headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Map {
    /// Of the request, in its header callback.
    Request = 0,
    /// In its trailer callback.
    RequestTrailers = 1,
    /// Of the response, in its header callback.
    Response = 2,
    /// In its trailer callback.
    ResponseTrailers = 3,
}

/// All lines, as the ABI writes them down: [`filter_kit::reads::pairs`] reads them.
pub fn pairs(map: Map) -> Vec<u8> {
    abi::pairs(map as u32).unwrap_or_default()
}

/// The first value of a header.
pub fn first(map: Map, name: &str) -> Option<Vec<u8>> {
    abi::header(map as u32, name)
}

/// Puts one line in place of all that have the name. Whether the host did so.
pub fn replace(map: Map, name: &[u8], value: &[u8]) -> bool {
    abi::replace(map as u32, name, value)
}

/// Adds a line; to a header that Envoy keeps inline it adds the value, behind a comma. Whether the host did so.
pub fn add(map: Map, name: &[u8], value: &[u8]) -> bool {
    abi::add(map as u32, name, value)
}

/// Removes all lines of the name. Whether the host did so; also if there was none.
pub fn remove(map: Map, name: &[u8]) -> bool {
    abi::remove(map as u32, name)
}
