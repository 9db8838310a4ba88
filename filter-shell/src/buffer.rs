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
