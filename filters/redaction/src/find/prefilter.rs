//! One pass over the bytes, for all detectors: finds the places where one may find something.
//!
//! Four positions of a window over the text are looked at, the byte before a place and three from the place on. For
//! each byte a table has a word of four bytes, one for each position, with a bit for each group of detectors that
//! may have the byte there. A group has its bytes in a row where all four words have its bit: eight patterns at once.

use super::classes::{Around, Bytes, GROUPS};
use crate::text::Text;

/// Finds places that are worth a look.
#[derive(Clone, Debug)]
pub(crate) struct Prefilter {
    table: Box<[u32; 256]>,
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    nibbles: super::simd::Nibbles,
}

impl Prefilter {
    /// For groups, each with all bytes that its detectors have at each position.
    pub(super) fn new(groups: &[Around; GROUPS]) -> Self {
        let word = |byte: u8| {
            let mut word = 0_u32;
            for (group, around) in groups.iter().enumerate() {
                for (position, bytes) in around.iter().enumerate() {
                    word |= u32::from(bytes.has(byte)) << (position * 8 + group);
                }
            }
            word
        };
        let mut table = Box::new([0; 256]);
        for (byte, slot) in (0..=u8::MAX).zip(table.iter_mut()) {
            *slot = word(byte);
        }
        Self {
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            nibbles: super::simd::Nibbles::new(&table),
            table,
        }
    }

    #[inline]
    fn word(&self, byte: u8) -> u32 {
        self.table.get(usize::from(byte)).copied().unwrap_or_default()
    }

    /// The next place from `from` on that is worth a look, and the groups for which it is. `second` says of a place with
    /// the bytes of some groups for which of them it still is, at a second glance.
    #[inline]
    pub(crate) fn find(
        &self,
        text: &Text<'_>,
        from: usize,
        second: impl Fn(usize, u8) -> u8,
    ) -> Option<(usize, u8)> {
        let second = &second;
        let exact = |place: usize| match self.groups_at(text, place) {
            0 => 0,
            groups => second(place, groups),
        };
        let mut place = from;
        if place == 0 {
            // What is looked at together has a byte before it.
            if text.bytes.is_empty() {
                return None;
            }
            match exact(0) {
                0 => place = 1,
                groups => return Some((0, groups)),
            }
        }
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        match self.nibbles.find(text.bytes, place, exact) {
            Ok(found) => return Some(found),
            Err(rest) => place = rest,
        }
        match self.find_eight_by_eight(text.bytes, place, second) {
            Ok(found) => return Some(found),
            Err(rest) => place = rest,
        }
        (place..text.len()).map(|place| (place, exact(place))).find(|(_, groups)| *groups != 0)
    }

    /// The groups that have their bytes at a place.
    #[inline]
    fn groups_at(&self, text: &Text<'_>, place: usize) -> u8 {
        // What may come is any byte. After the end there is none, which is as good as one that only stands for any.
        let after = if text.end { self.word(0) } else { u32::MAX };
        let word = |place: usize| text.bytes.get(place).map_or(after, |byte| self.word(*byte));
        // Before a text there is any byte.
        let before = text.before(place).map_or(u32::MAX, |byte| self.word(byte));
        let all = before & (word(place) >> 8) & (word(place + 1) >> 16) & (word(place + 2) >> 24);
        all.to_le_bytes().first().copied().unwrap_or_default()
    }

    /// The first place from `place` on, which is not 0, with what `still` says of it; or from where on the bytes have to
    /// be looked at one by one.
    ///
    /// Two bytes in a row are put together, and then two such pairs: no step waits for the one before, as it would if a
    /// window moved over the bytes.
    #[inline]
    fn find_eight_by_eight(
        &self,
        bytes: &[u8],
        place: usize,
        still: impl Fn(usize, u8) -> u8,
    ) -> Result<(usize, u8), usize> {
        let mut place = place;
        let Some(&[before, first, second]) =
            bytes.get(place.saturating_sub(1)..).and_then(<[u8]>::first_chunk)
        else {
            return Err(place);
        };
        let pair = |left: u32, right: u32| left & (right >> 8);
        let mut last = self.word(second);
        let (mut older, mut old) = (pair(self.word(before), self.word(first)), pair(self.word(first), last));
        let (eights, _) = bytes.get(place + 2..).unwrap_or_default().as_chunks::<8>();
        for eight in eights {
            let (mut all, mut any) = ([0; 8], 0);
            for (all, byte) in all.iter_mut().zip(eight) {
                let word = self.word(*byte);
                let new = pair(last, word);
                *all = older & (new >> 16);
                any |= *all;
                (older, old, last) = (old, new, word);
            }
            if any != 0 {
                for (place, all) in (place..).zip(all) {
                    let groups = all.to_le_bytes()[0];
                    if groups != 0 {
                        let groups = still(place, groups);
                        if groups != 0 {
                            return Ok((place, groups));
                        }
                    }
                }
            }
            place += 8;
        }
        Err(place)
    }
}

/// Puts the bytes of one more detector to those of its group.
pub(super) fn add(groups: &mut [Around; GROUPS], group: usize, around: Around) {
    if let Some(all) = groups.get_mut(group) {
        all.iter_mut().zip(around).for_each(|(all, bytes)| all.add(bytes));
    }
}

/// Groups without a detector.
pub(super) const NOTHING: [Around; GROUPS] = [[Bytes::NONE; 4]; GROUPS];
