//! Sets of bytes.

/// Bytes, as a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bytes([u64; 4]);

impl Bytes {
    pub(crate) const NONE: Self = Self([0; 4]);
    pub(crate) const ALL: Self = Self([u64::MAX; 4]);

    pub(crate) const fn of(bytes: &[u8]) -> Self {
        let mut set = Self::NONE;
        let mut rest = bytes;
        while let [first, others @ ..] = rest {
            set = set.with(*first, *first);
            rest = others;
        }
        set
    }

    /// With the bytes from `first` to `last`.
    pub(crate) const fn with(self, first: u8, last: u8) -> Self {
        let Self([mut a, mut b, mut c, mut d]) = self;
        let mut byte = first as u32;
        while byte <= last as u32 {
            let bit = 1 << (byte % 64);
            match byte / 64 {
                0 => a |= bit,
                1 => b |= bit,
                2 => c |= bit,
                _ => d |= bit,
            }
            byte += 1;
        }
        Self([a, b, c, d])
    }

    pub(crate) const fn not(self) -> Self {
        let Self([a, b, c, d]) = self;
        Self([!a, !b, !c, !d])
    }

    pub(crate) fn has(self, byte: u8) -> bool {
        let word = self.0.get(usize::from(byte / 64)).copied().unwrap_or_default();
        word & (1 << (byte % 64)) != 0
    }

    pub(crate) fn in_any_case(self) -> Self {
        let letters = (b'a'..=b'z').map(|byte| (byte, byte.to_ascii_uppercase()));
        letters
            .filter(|(lower, upper)| self.has(*lower) || self.has(*upper))
            .fold(self, |set, (lower, upper)| set.with(lower, lower).with(upper, upper))
    }

    pub(crate) fn all(self) -> impl Iterator<Item = u8> {
        (0..=u8::MAX).filter(move |byte| self.has(*byte))
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word |= other);
    }
}
