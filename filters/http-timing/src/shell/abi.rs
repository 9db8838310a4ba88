//! The Proxy-Wasm ABI 0.2.1 without the SDK, and the only unsafe code here: what Envoy calls of this module, and
//! what this module calls of Envoy.
//!
//! The SDK needs a call when a stream begins and one when it is freed, and frees what each hostcall answers. All
//! that costs as much as the work of this filter: here Envoy calls it when a stream is over, and twice before for those
//! that want it.
#![expect(
    unsafe_code,
    reason = "the ABI is exported functions, imported functions and pointers between them"
)]

use std::cell::RefCell;
use std::ptr::null_mut;

use filter_kit::level::Level;

use crate::Kind;

thread_local! {
    /// Where Envoy writes what a hostcall answers. One is enough: each hostcall here has one answer, and it is
    /// read before the next call. It keeps the size of the largest answer there was.
    static INBOX: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

mod import {
    #[link(wasm_import_module = "env")]
    unsafe extern "C" {
        pub(super) fn proxy_log(level: u32, text: *const u8, size: usize) -> u32;
        pub(super) fn proxy_get_buffer_bytes(
            buffer: u32,
            start: usize,
            size: usize,
            value: *mut *mut u8,
            value_size: *mut usize,
        ) -> u32;
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
        pub(super) fn proxy_call_foreign_function(
            name: *const u8,
            name_size: usize,
            argument: *const u8,
            argument_size: usize,
            value: *mut *mut u8,
            value_size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_define_metric(kind: u32, name: *const u8, size: usize, id: *mut u32) -> u32;
        pub(super) fn proxy_increment_metric(id: u32, by: i64) -> u32;
        pub(super) fn proxy_record_metric(id: u32, value: u64) -> u32;
        pub(super) fn proxy_get_header_map_pairs(
            map: u32,
            value: *mut *mut u8,
            value_size: *mut usize,
        ) -> u32;
        pub(super) fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
        pub(super) fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    }

    // Envoy gives these to any module, whatever target it was compiled for (Envoy 1.36 to 1.40, `exports.cc`).
    #[link(wasm_import_module = "wasi_snapshot_preview1")]
    unsafe extern "C" {
        pub(super) fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u32;
        pub(super) fn random_get(bytes: *mut u8, size: usize) -> u32;
    }
}

/// Says which ABI this is; never called.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

/// Called by Envoy within a hostcall that has an answer. Null, which fails that hostcall, if there is no room.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    INBOX.with(|inbox| {
        let Ok(mut inbox) = inbox.try_borrow_mut() else { return null_mut() };
        if inbox.len() < size {
            inbox.clear();
            if inbox.try_reserve_exact(size).is_err() {
                return null_mut();
            }
            inbox.resize(size, 0);
        }
        inbox.as_mut_ptr()
    })
}

/// Called by Envoy for each root context, before it serves: a plugin, in one of its configurations.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(root: u32, size: usize) -> u32 {
    u32::from(super::on_configure(root, size))
}

/// Called by Envoy once in a period for each root context that asked for it, while it lives.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(root: u32) {
    super::on_tick(root);
}

const CONTINUE: u32 = 0;

/// Called by Envoy for each request that comes to this filter.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, _headers: u32, _is_end: u32) -> u32 {
    super::on_request_headers(context);
    CONTINUE
}

/// Called by Envoy when the response to such a request begins, whoever makes it.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(context: u32, _headers: u32, _is_end: u32) -> u32 {
    super::on_response_headers(context);
    CONTINUE
}

/// Called by Envoy for each stream that is over.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_log(context: u32) {
    super::on_log(context);
}

/// Hands `read` what a hostcall answered; `None` if the host has anything against answering.
fn answer<R>(
    hostcall: impl FnOnce(*mut *mut u8, *mut usize) -> u32,
    read: impl FnOnce(&[u8]) -> R,
) -> Option<R> {
    let (mut at, mut size) = (null_mut(), 0);
    if hostcall(&raw mut at, &raw mut size) != 0 {
        return None;
    }
    if size == 0 {
        return Some(read(&[])); // Envoy asks for no memory then, and answers a null pointer.
    }
    INBOX.with(|inbox| {
        let inbox = inbox.try_borrow().ok()?;
        // Elsewhere is nothing that this module gave.
        if !std::ptr::eq(inbox.as_ptr(), at) {
            return None;
        }
        inbox.get(..size).map(read)
    })
}

/// The configuration of the root context, inside `on_configure`.
pub(super) fn plugin_configuration(size: usize) -> Vec<u8> {
    const PLUGIN_CONFIGURATION: u32 = 7;
    // SAFETY: both out pointers are valid for a write.
    let hostcall =
        |at, length| unsafe { import::proxy_get_buffer_bytes(PLUGIN_CONFIGURATION, 0, size, at, length) };
    answer(hostcall, <[u8]>::to_vec).unwrap_or_default()
}

/// Hands `read` the attribute at `path`, whose segments are divided by zero bytes as in `"request\0duration"`; `None` if
/// there is none.
pub(super) fn attribute<R>(path: &str, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
    // SAFETY: the path is valid for its length, and both out pointers for a write.
    let hostcall = |at, size| unsafe { import::proxy_get_property(path.as_ptr(), path.len(), at, size) };
    answer(hostcall, read)
}

/// A header map of a stream that is over.
#[derive(Clone, Copy)]
pub(super) enum Map {
    Request = 0,
    Response = 2,
}

/// Hands `read` the first value of the header `name`; `None` if there is none.
pub(super) fn header<R>(map: Map, name: &str, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
    // SAFETY: the name is valid for its length, and both out pointers for a write.
    let hostcall = |at, size| unsafe {
        import::proxy_get_header_map_value(map as u32, name.as_ptr(), name.len(), at, size)
    };
    answer(hostcall, read)
}

/// All lines of a map, as the ABI writes them down.
pub(super) fn pairs(map: Map) -> Vec<u8> {
    // SAFETY: both out pointers are valid for a write.
    let hostcall = |at, size| unsafe { import::proxy_get_header_map_pairs(map as u32, at, size) };
    answer(hostcall, <[u8]>::to_vec).unwrap_or_default()
}

/// What Envoy's own function `name` answers, if that is of `N` bytes.
pub(super) fn foreign<const N: usize>(name: &str, argument: &[u8]) -> Option<[u8; N]> {
    // SAFETY: name and argument are valid for their lengths, and both out pointers for a write.
    let hostcall = |at, size| unsafe {
        import::proxy_call_foreign_function(
            name.as_ptr(),
            name.len(),
            argument.as_ptr(),
            argument.len(),
            at,
            size,
        )
    };
    answer(hostcall, |value| value.try_into().ok())?
}

/// Writes a line into Envoy's log.
pub(super) fn log(level: Level, text: &str) {
    let number = match level {
        Level::Info => 2,
        Level::Warn => 3,
        Level::Error => 4,
    };
    // SAFETY: the text is valid for its length.
    unsafe { import::proxy_log(number, text.as_ptr(), text.len()) };
}

/// The id of a new metric. Envoy gives a new one at every definition, even of a name it has (Envoy 1.40,
/// `context.cc`), and never frees one.
pub(super) fn define(kind: Kind, name: &str) -> Option<u32> {
    let mut id = 0;
    // SAFETY: the name is valid for its length, and the out pointer for a write.
    let status = unsafe { import::proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &raw mut id) };
    (status == 0).then_some(id)
}

/// Adds to the counter or gauge `id`.
pub(super) fn add(id: u32, by: i64) {
    // SAFETY: numbers alone. Only an unknown id is refused, and this one is Envoy's own.
    unsafe { import::proxy_increment_metric(id, by) };
}

/// Records one value in the histogram `id`.
pub(super) fn record(id: u32, value: u64) {
    // SAFETY: numbers alone, as above.
    unsafe { import::proxy_record_metric(id, value) };
}

/// The time in milliseconds since 1970, by the wall clock; 0 if the host has none.
pub(super) fn now_ms() -> u64 {
    let mut time = 0;
    // SAFETY: the out pointer is valid for a write.
    unsafe { import::proxy_get_current_time_nanoseconds(&raw mut time) };
    time / 1_000_000
}

/// Nanoseconds by a clock that never goes back, from whenever.
pub(super) fn monotonic() -> Option<u64> {
    const MONOTONIC: u32 = 1;
    let mut time = 0;
    // SAFETY: the out pointer is valid for a write.
    let errno = unsafe { import::clock_time_get(MONOTONIC, 0, &raw mut time) };
    (errno == 0).then_some(time)
}

/// A random number; 0 if the host has none.
pub(super) fn random() -> u64 {
    let mut bytes = [0; 8];
    // SAFETY: the bytes are valid for a write of their length.
    unsafe { import::random_get(bytes.as_mut_ptr(), bytes.len()) };
    u64::from_le_bytes(bytes)
}

/// Has Envoy call `proxy_on_tick` of the root context at hand once in so many milliseconds.
pub(super) fn tick_every(milliseconds: u32) {
    // SAFETY: a number alone.
    unsafe { import::proxy_set_tick_period_milliseconds(milliseconds) };
}
