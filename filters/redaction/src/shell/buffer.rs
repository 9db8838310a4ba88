//! The host's body buffers.

use filter_shell::buffer::Body;

use crate::hold::Buffer;

/// A body of that size.
pub(super) struct Bytes(pub(super) Body, pub(super) usize);

impl Buffer for Bytes {
    fn read(&mut self) -> Option<Vec<u8>> {
        self.0.read(self.1)
    }

    fn write(&mut self, bytes: &[u8]) -> bool {
        self.0.write(bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> bool {
        self.0.append(bytes)
    }

    fn resume(&mut self) -> bool {
        self.0.resume()
    }
}
