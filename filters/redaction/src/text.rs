//! A text that is looked into, as far as it has come.

/// How far back from a match anything is looked at, in bytes: keys of assignments, words nearby, boundaries.
pub(crate) const REACH: usize = 512;

/// Keeps the last of the bytes that were decided, as far back as anything is looked at.
pub(crate) fn remember(behind: &mut Vec<u8>, bytes: &[u8]) {
    let new = bytes.get(bytes.len().saturating_sub(REACH)..).unwrap_or_default();
    let old = (behind.len() + new.len()).saturating_sub(REACH).min(behind.len());
    behind.drain(..old);
    // No more than that: many streams may stand here.
    behind.reserve_exact(new.len());
    behind.extend_from_slice(new);
}

/// More of the text must come before anything can be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct More;

/// A part of a text and what went before it. A string in JSON is a text by itself; any other body is one text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    /// The end of what went before, at most [`REACH`] bytes of it; only looked at, never changed.
    pub(crate) behind: &'a [u8],
    /// What is looked into.
    pub(crate) bytes: &'a [u8],
    /// Whether the text ends here.
    pub(crate) end: bool,
}

impl<'a> Text<'a> {
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The byte at `place`; `None` at the end of the text.
    pub(crate) fn at(&self, place: usize) -> Result<Option<u8>, More> {
        match self.bytes.get(place) {
            Some(byte) => Ok(Some(*byte)),
            None if self.end => Ok(None),
            None => Err(More),
        }
    }

    /// The byte before `place`; `None` at the beginning of the text.
    pub(crate) fn before(&self, place: usize) -> Option<u8> {
        match place.checked_sub(1) {
            Some(place) => self.bytes.get(place).copied(),
            None => self.behind.last().copied(),
        }
    }

    /// The bytes before `place`, last first.
    pub(crate) fn backwards(&self, place: usize) -> impl Iterator<Item = u8> + Clone + use<'a> {
        let near = self.bytes.get(..place).unwrap_or_default();
        near.iter().rev().chain(self.behind.iter().rev()).copied().take(REACH)
    }

    /// The bytes from `start` to `end`.
    pub(crate) fn slice(&self, start: usize, end: usize) -> &'a [u8] {
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// Whether a word ends before `place`, or none is there.
    pub(crate) fn begins(&self, place: usize) -> bool {
        !self.before(place).is_some_and(is_word)
    }

    /// Whether no word goes on at `place`.
    pub(crate) fn ends(&self, place: usize) -> Result<bool, More> {
        Ok(!self.at(place)?.is_some_and(is_word))
    }
}

/// What a word is made of: ASCII letters, digits and the underscore, as `\b` of most expressions has it. Bytes of other
/// letters are none, for scripts that are written without spaces have no boundaries.
pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
