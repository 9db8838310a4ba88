//! A body on its way: pieces in order, moved and not copied.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::abi::Status;

/// Bytes in pieces, as Envoy's `Buffer::OwnedImpl`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buffer {
    pieces: VecDeque<Bytes>,
    length: usize,
}

impl From<Bytes> for Buffer {
    fn from(bytes: Bytes) -> Self {
        let mut buffer = Self::default();
        buffer.push(bytes);
        buffer
    }
}

impl Buffer {
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn pieces(&self) -> usize {
        self.pieces.len()
    }

    pub(crate) fn push(&mut self, bytes: Bytes) {
        self.length += bytes.len();
        if !bytes.is_empty() {
            self.pieces.push_back(bytes);
        }
    }

    /// Takes everything out of `other`.
    pub(crate) fn absorb(&mut self, other: &mut Self) {
        self.length += other.length;
        other.length = 0;
        if self.pieces.is_empty() {
            std::mem::swap(&mut self.pieces, &mut other.pieces);
        } else {
            self.pieces.append(&mut other.pieces);
        }
    }

    pub(crate) fn take(&mut self) -> Self {
        std::mem::take(self)
    }

    /// The bytes from `start`, `length` of them or as many as there are.
    pub(crate) fn copy(&self, start: usize, length: usize) -> Vec<u8> {
        let end = start.saturating_add(length).min(self.length);
        let mut bytes = Vec::with_capacity(end.saturating_sub(start));
        let mut at = 0;
        for piece in &self.pieces {
            let from = start.saturating_sub(at).min(piece.len());
            let to = end.saturating_sub(at).min(piece.len());
            bytes.extend_from_slice(piece.get(from..to).unwrap_or_default());
            at += piece.len();
        }
        bytes
    }

    pub(crate) fn to_vec(&self) -> Vec<u8> {
        self.copy(0, self.length)
    }

    pub(crate) fn into_bytes(mut self) -> Bytes {
        if self.pieces.len() == 1 {
            return self.pieces.pop_front().unwrap_or_default();
        }
        let mut whole = BytesMut::with_capacity(self.length);
        self.pieces.iter().for_each(|piece| whole.extend_from_slice(piece));
        whole.freeze()
    }

    fn drain(&mut self, mut count: usize) {
        count = count.min(self.length);
        self.length -= count;
        while count > 0 {
            let Some(first) = self.pieces.front_mut() else { return };
            if first.len() > count {
                let _ = first.split_to(count);
                return;
            }
            count -= first.len();
            self.pieces.pop_front();
        }
    }

    /// What `proxy_set_buffer_bytes` does in Envoy: replace a beginning, or append; never in the middle.
    ///
    /// # Errors
    ///
    /// `BAD_ARGUMENT` for a start inside the buffer, which the specification would allow.
    pub(crate) fn set(&mut self, start: usize, length: usize, data: &[u8]) -> Result<(), Status> {
        if start == 0 {
            self.drain(length);
            self.length += data.len();
            if !data.is_empty() {
                self.pieces.push_front(Bytes::copy_from_slice(data));
            }
            Ok(())
        } else if start >= self.length {
            self.push(Bytes::copy_from_slice(data));
            Ok(())
        } else {
            Err(Status::BadArgument)
        }
    }

    /// What the specification lets it do: replace `length` bytes from `start`.
    pub(crate) fn splice(&mut self, start: usize, length: usize, data: &[u8]) {
        let mut whole = self.to_vec();
        let start = start.min(whole.len());
        let end = start.saturating_add(length).min(whole.len());
        whole.splice(start..end, data.iter().copied());
        *self = Self::from(Bytes::from(whole));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn abc() -> Buffer {
        let mut buffer = Buffer::from(Bytes::from_static(b"ab"));
        buffer.push(Bytes::from_static(b"cde"));
        buffer
    }

    #[test]
    fn a_copy_spans_pieces_and_stops_at_the_end() {
        for (start, length, expected) in [(0, 5, "abcde"), (1, 3, "bcd"), (4, 9, "e"), (5, 1, ""), (9, 1, "")]
        {
            assert_eq!(abc().copy(start, length), expected.as_bytes(), "{start}, {length}");
        }
        assert_eq!(abc().copy(1, usize::MAX), b"bcde");
    }

    #[test]
    fn a_beginning_is_replaced_an_end_appended_a_middle_refused() {
        for (start, length, expected) in [
            (0, 0, Ok("Xabcde")),
            (0, 1, Ok("Xbcde")),
            (0, 3, Ok("Xde")),
            (0, 5, Ok("X")),
            (0, 99, Ok("X")),
            (5, 0, Ok("abcdeX")),
            (9, 9, Ok("abcdeX")),
            (1, 1, Err(Status::BadArgument)),
        ] {
            let mut buffer = abc();
            let result =
                buffer.set(start, length, b"X").map(|()| String::from_utf8(buffer.to_vec()).unwrap());
            assert_eq!(result, expected.map(str::to_owned), "{start}, {length}");
            assert_eq!(buffer.to_vec().len(), buffer.len());
        }
    }

    #[test]
    fn the_specification_allows_a_middle() {
        let mut buffer = abc();
        buffer.splice(1, 3, b"-");
        assert_eq!(buffer.to_vec(), b"a-e");
    }
}
