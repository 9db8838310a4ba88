//! Bodies in the host's buffers.

use crate::abi;

/// The body of a message in its callbacks: what came with the last one, and what those before have held back.
///
/// The SDK panics where a host refuses; here that is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Body {
    /// Of the request.
    Request = 0,
    /// Of the response.
    Response = 1,
}

/// More than any buffer has.
const ALL: usize = u32::MAX as usize;

impl Body {
    /// All of it, in one copy; `None` if there is no such buffer.
    pub fn read(self, size: usize) -> Option<Vec<u8>> {
        abi::buffer(self as u32, 0, size)
    }

    /// Puts bytes in place of all of it; whether the host did so.
    pub fn write(self, bytes: &[u8]) -> bool {
        abi::set_buffer(self as u32, 0, ALL, bytes)
    }

    /// Adds bytes to its end; whether the host did so. Envoy takes no place inside of a buffer for a start, and any
    /// behind it for its end (Envoy 1.40, `context.cc`).
    pub fn append(self, bytes: &[u8]) -> bool {
        abi::set_buffer(self as u32, ALL, 0, bytes)
    }

    /// Has what is held back leave after the callback; whether the host does.
    pub fn resume(self) -> bool {
        abi::resume(self as u32)
    }
}
