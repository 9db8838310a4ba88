//! Buffers of the host: as a whole, or piece by piece, as what is large need not be in the VM at once.

use std::io::Read;

use crate::import;
use crate::inbox::{self, answer};

/// A buffer of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Buffer {
    /// The body of the answer to a call, in its callback, which has its size.
    CallResponseBody = 4,
    /// The plugin's configuration, in `proxy_on_configure`, which has its size.
    PluginConfiguration = 7,
}

/// The first `size` bytes.
pub fn first(buffer: Buffer, size: usize) -> Vec<u8> {
    // SAFETY: both out pointers are valid for a write.
    inbox::copy(|at, length| unsafe { import::proxy_get_buffer_bytes(buffer as u32, 0, size, at, length) })
}

/// A buffer from its start to its end.
#[derive(Debug)]
pub struct Reader {
    buffer: Buffer,
    at: usize,
    size: usize,
}

impl Reader {
    /// Of a buffer of that size.
    pub fn of(buffer: Buffer, size: usize) -> Self {
        Self { buffer, at: 0, size }
    }
}

impl Read for Reader {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        // Never beyond its end: hosts differ in what they answer there.
        let wanted = to.len().min(self.size - self.at);
        if wanted == 0 {
            return Ok(0);
        }
        let copy = |piece: &[u8]| {
            let size = piece.len().min(wanted);
            if let (Some(to), Some(from)) = (to.get_mut(..size), piece.get(..size)) {
                to.copy_from_slice(from);
            }
            size
        };
        let size = read(self.buffer, self.at, wanted, copy).unwrap_or_default();
        self.at += size;
        Ok(size)
    }
}

fn read<R>(buffer: Buffer, start: usize, size: usize, read: impl FnOnce(&[u8]) -> R) -> Option<R> {
    // SAFETY: both out pointers are valid for a write.
    let hostcall =
        |at, length| unsafe { import::proxy_get_buffer_bytes(buffer as u32, start, size, at, length) };
    answer(hostcall, read)
}
