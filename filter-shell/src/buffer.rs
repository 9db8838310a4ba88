//! Buffers that the host has, read piece by piece: what is large need not be in the VM at once.

use std::io::Read;

use crate::abi;

/// A buffer of the host, from its start to its end.
#[derive(Debug)]
pub struct Buffer {
    number: u32,
    at: usize,
    size: usize,
}

/// The plugin's configuration, in `on_configure`, which has its size as argument.
pub fn plugin_configuration(size: usize) -> Buffer {
    Buffer { number: 7, at: 0, size }
}

/// The body of a callout's answer, in `on_http_call_response`, which has its size as argument.
pub fn http_call_response_body(size: usize) -> Buffer {
    Buffer { number: 4, at: 0, size }
}

/// The first value of a header of a callout's answer, in `on_http_call_response`; none if there was no answer.
pub fn http_call_response_header(name: &str) -> Option<Vec<u8>> {
    abi::header(6, name)
}

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

impl Read for Buffer {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        // Never beyond its end: hosts differ in what they answer there.
        let wanted = buffer.len().min(self.size - self.at);
        if wanted == 0 {
            return Ok(0);
        }
        let piece = abi::buffer(self.number, self.at, wanted).unwrap_or_default();
        let size = piece.len().min(wanted);
        if let (Some(to), Some(from)) = (buffer.get_mut(..size), piece.get(..size)) {
            to.copy_from_slice(from);
        }
        self.at += size;
        Ok(size)
    }
}
