//! Attributes of the stream at hand, and its filter state.

use crate::import;
use crate::inbox::answer;

/// Hands `read` the attribute at `path`, whose segments are divided by zero bytes as in `"request\0duration"`; `None` if
/// there is none.
#[inline]
pub fn attribute<R>(path: &str, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
    // SAFETY: the path is valid for its length, and both out pointers for a write.
    let hostcall = |at, size| unsafe { import::proxy_get_property(path.as_ptr(), path.len(), at, size) };
    answer(hostcall, read)
}

/// Keeps `value` with the stream under `name`, where an access log finds it as `%FILTER_STATE(wasm.name:PLAIN)%`. Whether
/// the host did so.
pub fn keep(name: &str, value: &[u8]) -> bool {
    // SAFETY: name and value are valid for their lengths.
    unsafe { import::proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) == 0 }
}
