//! The Proxy-Wasm ABI 0.2.1 without the SDK, and the only unsafe code here: what Envoy calls of this module, and what
//! this module calls of Envoy.
//!
//! The SDK gives the answer of a call to the stream that made it, and drops it if that stream is gone. Here others may
//! wait for the same answer, and the cache wants it in any case, so a call belongs to its root context, as it does in
//! Envoy. Besides, each callback that a module exports costs every stream, and the SDK exports all of them.
#![expect(
    unsafe_code,
    reason = "the ABI is exported functions, imported functions and pointers between them"
)]

mod import;

use std::cell::RefCell;
use std::ptr::null_mut;

thread_local! {
    /// Where Envoy writes what a hostcall answers. One is enough: each hostcall here has one answer, and it is
    /// read before the next call. It keeps the size of the largest answer there was, up to a bound.
    static INBOX: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The largest inbox that is kept, in bytes: larger than the headers of any request that Envoy takes.
const KEPT: usize = 256 << 10;

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
    super::with(|vm| vm.on_configure(root, size)).map_or(0, u32::from)
}

/// Called by Envoy once in a period for each root context that asked for it.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(root: u32) {
    super::with(|vm| vm.on_tick(root));
}

const CONTINUE: u32 = 0;
const PAUSE: u32 = 1;

/// Called by Envoy for each request that comes to this filter.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, _headers: u32, _is_end: u32) -> u32 {
    if super::with(|vm| vm.on_request_headers(context)).unwrap_or(true) { CONTINUE } else { PAUSE }
}

/// Called by Envoy when the response to such a request begins, whoever makes it.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_response_headers(context: u32, _headers: u32, _is_end: u32) -> u32 {
    super::with(|vm| vm.on_response_headers(context));
    CONTINUE
}

/// Called by Envoy for each answer, and for each call that has none.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    root: u32,
    token: u32,
    _headers: u32,
    body_size: usize,
    _trailers: u32,
) {
    super::with(|vm| vm.on_http_call_response(root, token, body_size));
}

/// Called by Envoy for each context that is over.
#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    super::with(|vm| vm.on_delete(context));
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
        let answer = {
            let inbox = inbox.try_borrow().ok()?;
            // Elsewhere is nothing that this module gave.
            if !std::ptr::eq(inbox.as_ptr(), at) {
                return None;
            }
            inbox.get(..size).map(read)
        };
        if size > KEPT
            && let Ok(mut inbox) = inbox.try_borrow_mut()
        {
            *inbox = Vec::new();
        }
        answer
    })
}

/// What there is to read as a whole.
#[derive(Clone, Copy)]
pub(super) enum Buffer {
    CallResponseBody = 4,
    PluginConfiguration = 7,
}

/// The first `size` bytes of a buffer.
pub(super) fn buffer(buffer: Buffer, size: usize) -> Vec<u8> {
    // SAFETY: both out pointers are valid for a write.
    let hostcall = |at, length| unsafe { import::proxy_get_buffer_bytes(buffer as u32, 0, size, at, length) };
    answer(hostcall, <[u8]>::to_vec).unwrap_or_default()
}

/// Hands `read` the attribute at `path`, whose segments are divided by zero bytes; `None` if there is none.
pub(super) fn attribute<R>(path: &str, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
    // SAFETY: the path is valid for its length, and both out pointers for a write.
    let hostcall = |at, size| unsafe { import::proxy_get_property(path.as_ptr(), path.len(), at, size) };
    answer(hostcall, read)
}

/// Sets the filter state `wasm.<name>` of the stream.
pub(super) fn set_filter_state(name: &str, value: &[u8]) {
    // SAFETY: name and value are valid for their lengths.
    unsafe { import::proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) };
}

/// A header map.
#[derive(Clone, Copy)]
pub(super) enum Map {
    Request = 0,
    Response = 2,
    CallResponse = 6,
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

/// Sets a header in place of every line of that name.
pub(super) fn set_header(map: Map, name: &str, value: &[u8]) {
    // SAFETY: name and value are valid for their lengths.
    unsafe {
        import::proxy_replace_header_map_value(
            map as u32,
            name.as_ptr(),
            name.len(),
            value.as_ptr(),
            value.len(),
        )
    };
}

/// Takes every line of that name off a request.
pub(super) fn strip(name: &str) {
    // Envoy chooses the route anew after a removal, even of what is not there (Envoy 1.36 to 1.40, `context.cc`).
    if header(Map::Request, name, |_| ()).is_some() {
        // SAFETY: the name is valid for its length.
        unsafe { import::proxy_remove_header_map_value(Map::Request as u32, name.as_ptr(), name.len()) };
    }
}

/// Sends a request to a cluster and answers the token by which its answer is known.
///
/// # Errors
///
/// The host's status: it does not know the cluster, or has no healthy host of it.
pub(super) fn call(cluster: &str, headers: &[u8], body: &[u8], timeout_ms: u64) -> Result<u32, u32> {
    let timeout_ms = u32::try_from(timeout_ms).unwrap_or(u32::MAX >> 1);
    let mut token = 0;
    // SAFETY: all texts are valid for their lengths, and the out pointer for a write.
    let status = unsafe {
        import::proxy_http_call(
            cluster.as_ptr(),
            cluster.len(),
            headers.as_ptr(),
            headers.len(),
            body.as_ptr(),
            body.len(),
            NO_LINES.as_ptr(),
            NO_LINES.len(),
            timeout_ms,
            &raw mut token,
        )
    };
    if status == 0 { Ok(token) } else { Err(status) }
}

/// A map without a line, as the ABI writes it down.
pub(super) const NO_LINES: [u8; 4] = [0; 4];

/// Answers the request in the upstream's place. `headers` are lines as the ABI writes a map down.
pub(super) fn reply(status: u16, details: &str, headers: &[u8], body: &[u8]) {
    // SAFETY: all texts are valid for their lengths.
    unsafe {
        import::proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            -1,
        )
    };
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

/// Lets the request go on. Its headers are out of reach from then on (Envoy 1.36 to 1.40, `context.cc`).
pub(super) fn resume() {
    // SAFETY: a number alone.
    unsafe { import::proxy_continue_stream(0) };
}

/// Has hostcalls act on that context until this callback ends. False if it is gone.
pub(super) fn act_on(context: u32) -> bool {
    // SAFETY: a number alone.
    unsafe { import::proxy_set_effective_context(context) == 0 }
}

/// Has `on_tick` called so often for the root context at hand; 0 is never.
pub(super) fn tick_every(period_ms: u32) {
    // SAFETY: a number alone.
    unsafe { import::proxy_set_tick_period_milliseconds(period_ms) };
}

/// The time in milliseconds since 1970, by the wall clock; 0 if the host has none.
pub(super) fn wall_ms() -> u64 {
    let mut time = 0;
    // SAFETY: the out pointer is valid for a write.
    unsafe { import::proxy_get_current_time_nanoseconds(&raw mut time) };
    time / 1_000_000
}

/// Milliseconds by a clock that never goes back, from whenever.
pub(super) fn now_ms() -> u64 {
    const MONOTONIC: u32 = 1;
    let mut time = 0;
    // SAFETY: the out pointer is valid for a write.
    match unsafe { import::clock_time_get(MONOTONIC, 1, &raw mut time) } {
        0 => time / 1_000_000,
        _ => wall_ms(),
    }
}

/// Random bytes; zeros if the host has none.
pub(super) fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    // SAFETY: the bytes are valid for a write of their length.
    unsafe { import::random_get(bytes.as_mut_ptr(), bytes.len()) };
    bytes
}

/// How a line is marked in Envoy's log.
#[derive(Clone, Copy)]
pub(super) enum Level {
    Warn = 3,
    Error = 4,
}

/// Writes a line into Envoy's log.
pub(super) fn log(level: Level, text: &str) {
    // SAFETY: the text is valid for its length.
    unsafe { import::proxy_log(level as u32, text.as_ptr(), text.len()) };
}

/// What a metric does with what it is given.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Counter = 0,
    Gauge = 1,
    Histogram = 2,
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
