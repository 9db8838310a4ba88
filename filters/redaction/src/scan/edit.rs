//! What becomes of bytes that were looked into.

use std::ops::Range;

/// Bytes that something else stands in place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) range: Range<usize>,
    pub(crate) put: Vec<u8>,
    /// Each byte of `put` stands in place of one byte of the range.
    pub(crate) masks: bool,
}

/// Edits of a part become edits of the whole.
pub(crate) fn shift(edits: &mut [Edit], first: usize, by: usize) {
    for edit in edits.iter_mut().skip(first) {
        edit.range = edit.range.start + by..edit.range.end + by;
    }
}

/// Input on its way to becoming output, edited from front to back; nothing is copied before the first edit.
pub(crate) struct Output<'a> {
    input: &'a [u8],
    out: Vec<u8>,
    /// Up to here the input is in `out`, or was left out.
    done: usize,
    changed: bool,
}

impl<'a> Output<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { input, out: Vec::new(), done: 0, changed: false }
    }

    /// Puts `with` in place of `range`, which lies behind every range before.
    pub(crate) fn replace(&mut self, range: Range<usize>, with: &[u8]) {
        let old = self.input.get(range.clone()).unwrap_or_default();
        if old == with {
            return;
        }
        if !self.changed {
            // Most edits make a body a little longer.
            self.out.reserve(self.input.len() + self.input.len() / 8 + with.len());
            self.changed = true;
        }
        self.out.extend_from_slice(self.input.get(self.done..range.start).unwrap_or_default());
        self.out.extend_from_slice(with);
        self.done = range.end.max(self.done);
    }

    /// What became of the first `consumed` bytes; `None` if they are as they were.
    pub(crate) fn finish(mut self, consumed: usize) -> Option<Vec<u8>> {
        if !self.changed {
            return None;
        }
        self.out.extend_from_slice(self.input.get(self.done..consumed).unwrap_or_default());
        Some(self.out)
    }
}
