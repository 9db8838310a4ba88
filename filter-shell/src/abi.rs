//! The hostcalls that the SDK has no safe way to make, and the only unsafe code of this crate.
//!
//! The SDK panics at a status that it does not expect, such as the one for a header map that is not there (a response
//! in a request's callback; a request that another filter answered, in `on_log`), and so ends the VM. Here any status
//! but OK is no answer. The SDK also has no random bytes.
#![expect(unsafe_code, reason = "the ABI is imported functions and pointers between them")]

use std::ptr::null_mut;

use proxy_wasm::types::MetricType;

mod import {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub(super) fn proxy_get_property(
            path: *const u8,
            path_size: usize,
            value: *mut *mut u8,
            value_size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_get_header_map_value(
            map: u32,
            name: *const u8,
            name_size: usize,
            value: *mut *mut u8,
            value_size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_get_header_map_pairs(
            map: u32,
            value: *mut *mut u8,
            value_size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_get_buffer_bytes(
            buffer: u32,
            start: usize,
            max_size: usize,
            value: *mut *mut u8,
            value_size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_set_buffer_bytes(
            buffer: u32,
            start: usize,
            size: usize,
            value: *const u8,
            value_size: usize,
        ) -> u32;
        pub(super) fn proxy_continue_stream(stream: u32) -> u32;
        pub(super) fn proxy_replace_header_map_value(
            map: u32,
            name: *const u8,
            name_size: usize,
            value: *const u8,
            value_size: usize,
        ) -> u32;
        pub(super) fn proxy_add_header_map_value(
            map: u32,
            name: *const u8,
            name_size: usize,
            value: *const u8,
            value_size: usize,
        ) -> u32;
        pub(super) fn proxy_remove_header_map_value(map: u32, name: *const u8, name_size: usize) -> u32;
        pub(super) fn proxy_set_property(
            path: *const u8,
            path_size: usize,
            value: *const u8,
            value_size: usize,
        ) -> u32;
        pub(super) fn proxy_close_stream(stream: u32) -> u32;
        pub(super) fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
        pub(super) fn proxy_increment_metric(id: u32, by: i64) -> u32;
        pub(super) fn proxy_record_metric(id: u32, value: u64) -> u32;
    }

    // Envoy gives these to any module, whatever target it was compiled for (Envoy 1.36 to 1.40, `exports.cc`).
    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        pub(super) fn random_get(bytes: *mut u8, size: usize) -> u32;
        pub(super) fn environ_sizes_get(count: *mut usize, size: *mut usize) -> u32;
        pub(super) fn environ_get(variables: *mut *const u8, bytes: *mut u8) -> u32;
    }
}

/// The value of the attribute at `path`, its parts joined by zero bytes.
pub(crate) fn attribute(path: &str) -> Option<Vec<u8>> {
    // SAFETY: the path is valid for its length, and both out pointers for a write.
    answer(|at, size| unsafe { import::proxy_get_property(path.as_ptr(), path.len(), at, size) })
}

/// The first value of the header `name` in a map of the ABI.
pub(crate) fn header(map: u32, name: &str) -> Option<Vec<u8>> {
    // SAFETY: the name is valid for its length, and both out pointers for a write.
    answer(|at, size| unsafe { import::proxy_get_header_map_value(map, name.as_ptr(), name.len(), at, size) })
}

/// All of a map, as the ABI writes it down.
pub(crate) fn pairs(map: u32) -> Option<Vec<u8>> {
    // SAFETY: both out pointers are valid for a write.
    answer(|at, size| unsafe { import::proxy_get_header_map_pairs(map, at, size) })
}

/// A part of a buffer of the ABI; shorter than `size` at its end.
pub(crate) fn buffer(number: u32, start: usize, size: usize) -> Option<Vec<u8>> {
    // SAFETY: both out pointers are valid for a write.
    answer(|at, length| unsafe { import::proxy_get_buffer_bytes(number, start, size, at, length) })
}

/// Puts bytes in place of `size` from `start` on; whether the host did so.
pub(crate) fn set_buffer(number: u32, start: usize, size: usize, bytes: &[u8]) -> bool {
    // SAFETY: the bytes are valid for their length.
    unsafe { import::proxy_set_buffer_bytes(number, start, size, bytes.as_ptr(), bytes.len()) == 0 }
}

/// Lets a stream of the ABI go on; false if the host does not.
pub(crate) fn resume(stream: u32) -> bool {
    // SAFETY: a number in, a number out.
    unsafe { import::proxy_continue_stream(stream) == 0 }
}

/// Resets a stream of the ABI; false if the host does not.
pub(crate) fn close(stream: u32) -> bool {
    // SAFETY: a number in, a number out.
    unsafe { import::proxy_close_stream(stream) == 0 }
}

/// Makes the header have this value and no other; whether the host did so.
pub(crate) fn replace(map: u32, name: &[u8], value: &[u8]) -> bool {
    // SAFETY: name and value are valid for their lengths.
    let status = unsafe {
        import::proxy_replace_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    };
    status == 0
}

/// Adds a line; whether the host did so.
pub(crate) fn add(map: u32, name: &[u8], value: &[u8]) -> bool {
    // SAFETY: name and value are valid for their lengths.
    let status = unsafe {
        import::proxy_add_header_map_value(map, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    };
    status == 0
}

/// Takes every line of the header away; whether the host did so.
pub(crate) fn remove(map: u32, name: &[u8]) -> bool {
    // SAFETY: the name is valid for its length.
    unsafe { import::proxy_remove_header_map_value(map, name.as_ptr(), name.len()) == 0 }
}

/// Sets a property of the stream; whether the host did so.
pub(crate) fn set_property(path: &str, value: &[u8]) -> bool {
    // SAFETY: path and value are valid for their lengths.
    unsafe { import::proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) == 0 }
}

/// The id of a new metric, or the status with which the host refused it.
pub(crate) fn define(kind: MetricType, name: &str) -> Result<u32, u32> {
    let mut id = 0;
    // SAFETY: the name is valid for its length, and the out pointer for a write.
    let status = unsafe { import::proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut id) };
    if status == 0 { Ok(id) } else { Err(status) }
}

/// Adds to a counter or a gauge. Only an unknown id is refused, and there is none but the host's own.
pub(crate) fn increment(id: u32, by: i64) {
    // SAFETY: numbers alone.
    unsafe { import::proxy_increment_metric(id, by) };
}

/// Records a value in a histogram.
pub(crate) fn record(id: u32, value: u64) {
    // SAFETY: numbers alone.
    unsafe { import::proxy_record_metric(id, value) };
}

/// Random bytes; zeros if the host has none.
pub(crate) fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    // SAFETY: the bytes are valid for a write of their length.
    unsafe { import::random_get(bytes.as_mut_ptr(), bytes.len()) };
    bytes
}

/// The environment of the VM: lines of `NAME=value`, each with a zero byte behind it.
pub(crate) fn environment() -> Vec<u8> {
    let (mut count, mut size) = (0_usize, 0_usize);
    // SAFETY: both are valid for a write.
    if unsafe { import::environ_sizes_get(&raw mut count, &raw mut size) } != 0 {
        return Vec::new();
    }
    let (mut variables, mut bytes) = (vec![std::ptr::null(); count], vec![0; size]);
    // SAFETY: there is room for as many pointers, and as many bytes, as the host has just said; the pointers are not used.
    if unsafe { import::environ_get(variables.as_mut_ptr(), bytes.as_mut_ptr()) } != 0 {
        return Vec::new();
    }
    bytes
}

fn answer(hostcall: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Option<Vec<u8>> {
    let (mut at, mut size) = (null_mut(), 0);
    if hostcall(&raw mut at, &raw mut size) != 0 {
        return None;
    }
    if at.is_null() || size == 0 {
        return Some(Vec::new());
    }
    // SAFETY: the host had the SDK's `proxy_on_memory_allocate` allocate these bytes as a vector of this capacity, wrote
    // all of them, and keeps nothing of them.
    Some(unsafe { Vec::from_raw_parts(at, size, size) })
}
