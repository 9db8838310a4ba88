//! What becomes of one chunk.

/// A chunk, and what has been decided on its bytes so far: kept or left out, from the front to the back.
pub(super) struct Edit<'a> {
    chunk: &'a [u8],
    out: Vec<u8>,
    /// Where the part begins that is being kept, or left out, now.
    since: usize,
    keeping: bool,
    changed: bool,
}

impl<'a> Edit<'a> {
    /// All of `chunk` is kept until something else is said.
    pub(super) fn new(chunk: &'a [u8]) -> Self {
        Self { chunk, out: Vec::new(), since: 0, keeping: true, changed: false }
    }

    /// From the byte at `at` on, bytes are left out.
    pub(super) fn leave_out_from(&mut self, at: usize) {
        if self.keeping {
            self.out.extend_from_slice(self.chunk.get(self.since..at).unwrap_or_default());
            self.since = at;
            self.keeping = false;
        }
    }

    /// From the byte at `at` on, bytes are kept again.
    pub(super) fn keep_from(&mut self, at: usize) {
        if !self.keeping {
            self.changed |= at > self.since;
            self.since = at;
            self.keeping = true;
        }
    }

    /// Puts `bytes` where bytes are being left out.
    pub(super) fn insert(&mut self, bytes: &[u8]) {
        self.changed |= !bytes.is_empty();
        self.out.extend_from_slice(bytes);
    }

    /// Puts `count` backslashes where bytes are being left out.
    pub(super) fn insert_backslashes(&mut self, count: u32) {
        for _ in 0..count {
            self.insert(b"\\");
        }
    }

    /// The chunk as it became, or `None` if that is as it was.
    pub(super) fn finish(mut self) -> Option<Vec<u8>> {
        if self.keeping {
            self.leave_out_from(self.chunk.len());
        } else {
            self.keep_from(self.chunk.len());
        }
        self.changed.then_some(self.out)
    }
}
