//! What there is to read as a whole.

use crate::import;
use crate::inbox::answer;

/// A buffer of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Buffer {
    /// The body of the answer to a call, in its callback, which has its size.
    CallResponseBody = 4,
    /// The plugin's configuration, in `proxy_on_configure`, which has its size.
    PluginConfiguration = 7,
}

/// `size` bytes from `start` on; less at its end.
pub fn part(buffer: Buffer, start: usize, size: usize) -> Vec<u8> {
    // SAFETY: both out pointers are valid for a write.
    let hostcall =
        |at, length| unsafe { import::proxy_get_buffer_bytes(buffer as u32, start, size, at, length) };
    answer(hostcall, <[u8]>::to_vec).unwrap_or_default()
}
