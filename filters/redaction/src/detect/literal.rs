//! Texts that are listed, the longest of them that stands at a place.

use super::{Boundary, Verdict};
use crate::text::{More, Text};

/// Sorted texts, each once.
#[derive(Clone, Debug)]
pub(crate) struct Literals {
    sorted: Vec<Box<[u8]>>,
    /// Whether ASCII letters are compared without case; they are in lower case then.
    any_case: bool,
}

impl Literals {
    pub(crate) fn new(texts: impl IntoIterator<Item = Vec<u8>>, any_case: bool) -> Self {
        let fold = |mut text: Vec<u8>| {
            if any_case {
                text.make_ascii_lowercase();
            }
            text.into_boxed_slice()
        };
        let mut sorted: Vec<Box<[u8]>> =
            texts.into_iter().map(fold).filter(|text| !text.is_empty()).collect();
        sorted.sort();
        sorted.dedup();
        Self { sorted, any_case }
    }

    /// The bytes that may stand at a place of one of them; `None` where one has ended before.
    pub(crate) fn bytes_at(&self, place: usize) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        for text in &self.sorted {
            let byte = *text.get(place)?;
            bytes.push(byte);
            if self.any_case {
                bytes.push(byte.to_ascii_uppercase());
            }
        }
        Some(bytes)
    }

    /// The first three bytes of each; `None` for one that has fewer.
    pub(crate) fn beginnings(&self) -> impl Iterator<Item = Option<[u8; 3]>> {
        self.sorted.iter().map(|text| text.first_chunk().copied())
    }

    /// Looks for one that begins at `start`.
    pub(super) fn at(&self, text: &Text<'_>, start: usize, boundary: Boundary) -> Verdict {
        if !boundary.begins(text, start) {
            return Verdict::No;
        }
        self.longest(text, start, boundary).unwrap_or(Verdict::Need)
    }

    fn longest(&self, text: &Text<'_>, start: usize, boundary: Boundary) -> Result<Verdict, More> {
        // Those that begin as the text does stand side by side; with each byte there are fewer.
        let mut like = self.sorted.as_slice();
        let (mut best, mut depth) = (Verdict::No, 0);
        loop {
            if let Some(first) = like.first()
                && first.len() == depth
            {
                if boundary.ends(text, start + depth)? {
                    best = Verdict::Match(start + depth);
                }
                like = like.get(1..).unwrap_or_default();
            }
            if like.is_empty() {
                return Ok(best);
            }
            let Some(mut byte) = text.at(start + depth)? else { return Ok(best) };
            if self.any_case {
                byte.make_ascii_lowercase();
            }
            let next = |text: &[u8]| text.get(depth).copied();
            let from = like.partition_point(|text| next(text) < Some(byte));
            let to = like.partition_point(|text| next(text) <= Some(byte));
            like = like.get(from..to).unwrap_or_default();
            depth += 1;
        }
    }
}
