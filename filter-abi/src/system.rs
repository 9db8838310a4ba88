//! Clocks, random bytes, the log, the timer and Envoy's own functions.

use filter_kit::level::Level;

use crate::import;
use crate::inbox::answer;

/// The time in milliseconds since 1970, by the wall clock; 0 if the host has none.
pub fn wall_ms() -> u64 {
    let mut time = 0;
    // SAFETY: the out pointer is valid for a write.
    unsafe { import::proxy_get_current_time_nanoseconds(&raw mut time) };
    time / 1_000_000
}

/// Nanoseconds by a clock that never goes back, from whenever.
pub fn monotonic_ns() -> Option<u64> {
    const MONOTONIC: u32 = 1;
    let mut time = 0;
    // SAFETY: the out pointer is valid for a write.
    let errno = unsafe { import::clock_time_get(MONOTONIC, 0, &raw mut time) };
    (errno == 0).then_some(time)
}

/// Random bytes; zeros if the host has none.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // SAFETY: the bytes are valid for a write of their length.
    unsafe { import::random_get(bytes.as_mut_ptr(), bytes.len()) };
    bytes
}

/// Writes a line into Envoy's log.
pub fn log(level: Level, text: &str) {
    let number = match level {
        Level::Info => 2,
        Level::Warn => 3,
        Level::Error => 4,
    };
    // SAFETY: the text is valid for its length.
    unsafe { import::proxy_log(number, text.as_ptr(), text.len()) };
}

/// Has `proxy_on_tick` called once in so many milliseconds for the root context at hand; 0 is never.
pub fn tick_every(milliseconds: u32) {
    // SAFETY: a number alone.
    unsafe { import::proxy_set_tick_period_milliseconds(milliseconds) };
}

/// What Envoy's own function `name` answers, if that is of `N` bytes.
pub fn foreign<const N: usize>(name: &str, argument: &[u8]) -> Option<[u8; N]> {
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
