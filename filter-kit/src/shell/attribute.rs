//! Attributes of a stream, such as `request.duration` (Envoy's documentation lists them).

/// Declared here, and not taken from the SDK, for two reasons. The SDK stops the module for a status it does not
/// expect, and a filter must not fall with a property that another Envoy answers otherwise. And it builds the path
/// anew in each call: a sixth of what http-timing costs.
#[expect(unsafe_code, reason = "an import is declared, and that is as safe as the host is right")]
mod import {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub(super) fn proxy_get_property(
            path: *const u8,
            path_size: usize,
            value: *mut *mut u8,
            value_size: *mut usize,
        ) -> u32;
    }
}

/// The attribute at `path`, whose segments are divided by zero bytes as in `b"request\0duration"`; `None` if it
/// is not there, or the host has anything against giving it.
#[expect(unsafe_code, reason = "a call of the host that answers by pointers into this module's memory")]
pub fn bytes(path: &'static [u8]) -> Option<Vec<u8>> {
    let mut value = std::ptr::null_mut();
    let mut size = 0;
    // SAFETY: the path is valid for its length, and both out pointers for a write.
    let status =
        unsafe { import::proxy_get_property(path.as_ptr(), path.len(), &raw mut value, &raw mut size) };
    if status != 0 || value.is_null() {
        return None;
    }
    // SAFETY: the host got this memory from the module's own allocator (proxy_on_memory_allocate, which makes a
    // boxed slice of that size), wrote `size` bytes there, and left it to the caller (Proxy-Wasm ABI 0.2.1).
    Some(unsafe { Vec::from_raw_parts(value, size, size) })
}

/// The attribute at `path` as an integer, a duration in nanoseconds, or a time in nanoseconds since 1970: Envoy
/// writes each as 8 bytes, little endian.
pub fn integer(path: &'static [u8]) -> Option<i64> {
    Some(i64::from_le_bytes(bytes(path)?.try_into().ok()?))
}
