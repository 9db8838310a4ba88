//! Header maps as bytes. Names are in lower case. A map that is not there in a callback has no lines.

use crate::import;
use crate::inbox::{self, answer};

/// A header map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Map {
    /// Of the request.
    Request = 0,
    /// Behind its body.
    RequestTrailers = 1,
    /// Of the response.
    Response = 2,
    /// Behind its body.
    ResponseTrailers = 3,
    /// Of the answer to a call, in its callback.
    CallResponse = 6,
}

/// Hands `read` the first value of a header; `None` if there is no such line.
#[inline]
pub fn first<R>(map: Map, name: &[u8], read: impl FnOnce(&[u8]) -> R) -> Option<R> {
    // SAFETY: the name is valid for its length, and both out pointers for a write.
    let hostcall = |at, size| unsafe {
        import::proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), at, size)
    };
    answer(hostcall, read)
}

/// All lines, as the ABI writes them down: [`filter_kit::reads::pairs`] reads them.
pub fn pairs(map: Map) -> Vec<u8> {
    // SAFETY: both out pointers are valid for a write.
    let hostcall = |at, size| unsafe { import::proxy_get_header_map_pairs(map as u32, at, size) };
    inbox::copy(hostcall)
}

/// The same without a copy, for those who [give them back](give_back) once they are read: what hostcalls answer meanwhile
/// needs an allocation.
pub fn take_pairs(map: Map) -> Vec<u8> {
    // SAFETY: both out pointers are valid for a write.
    let hostcall = |at, size| unsafe { import::proxy_get_header_map_pairs(map as u32, at, size) };
    inbox::owned(hostcall).unwrap_or_default()
}

/// Has what hostcalls answer written there from now on.
pub fn give_back(pairs: Vec<u8>) {
    inbox::give_back(pairs);
}

/// Puts one line in place of all that have the name. Whether the host did so.
pub fn replace(map: Map, name: &[u8], value: &[u8]) -> bool {
    // SAFETY: name and value are valid for their lengths.
    let status = unsafe {
        import::proxy_replace_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    };
    status == 0
}

/// Adds a line; to a header that Envoy keeps inline it adds the value, behind a comma. Whether the host did so.
pub fn add(map: Map, name: &[u8], value: &[u8]) -> bool {
    // SAFETY: name and value are valid for their lengths.
    let status = unsafe {
        import::proxy_add_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    };
    status == 0
}

/// Removes all lines of the name. Whether the host did so, also if there was none. Envoy chooses the route anew after any
/// removal from a request (Envoy 1.36 to 1.40, `context.cc`): look first.
pub fn remove(map: Map, name: &[u8]) -> bool {
    // SAFETY: the name is valid for its length.
    unsafe { import::proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) == 0 }
}

/// A map without a line, as the ABI writes it down.
pub const NO_LINES: [u8; 4] = [0; 4];
