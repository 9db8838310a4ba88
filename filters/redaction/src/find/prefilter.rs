//! One pass over the bytes, for all detectors: finds the places where one may find something.
//!
//! Four positions of a window over the text are looked at, the byte before a place and three from the place on. For
//! each byte a table has a word of four bytes, one for each position, with a bit for each group of detectors that
//! may have the byte there. Shifted and anded as the window moves, the last of them has a bit for each group that
//! has its bytes in a row: what is known as Shift-And, eight patterns at once.

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

    /// The next place from `from` on that is worth a look, and the groups for which it is.
    #[inline]
    pub(crate) fn find(&self, text: &Text<'_>, from: usize) -> Option<(usize, u8)> {
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        let from = {
            if from == 0 && !text.bytes.is_empty() {
                let groups = self.groups_at(text, 0);
                if groups != 0 {
                    return Some((0, groups));
                }
            }
            match self.nibbles.find(text, from.max(1), |place| self.groups_at(text, place)) {
                Ok(found) => return Some(found),
                // Where nothing was left to look at together, the first place is still to be looked at.
                Err(rest) => rest.min(text.len()),
            }
        };
        self.find_byte_by_byte(text, from)
    }

    /// The groups for which a place is worth a look.
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    fn groups_at(&self, text: &Text<'_>, place: usize) -> u8 {
        let after = if text.end { self.word(0) } else { u32::MAX };
        let word = |place: usize| text.bytes.get(place).map_or(after, |byte| self.word(*byte));
        let before = text.before(place).map_or(u32::MAX, |byte| self.word(byte));
        let all = before & (word(place) >> 8) & (word(place + 1) >> 16) & (word(place + 2) >> 24);
        all.to_le_bytes().first().copied().unwrap_or_default()
    }

    #[inline]
    fn find_byte_by_byte(&self, text: &Text<'_>, from: usize) -> Option<(usize, u8)> {
        // Before a text there is any byte.
        let mut row = text.before(from).map_or(0xff, |byte| self.word(byte) & 0xff);
        let rest = text.bytes.get(from..)?;
        let hit = |row: u32| u8::try_from(row >> 24).unwrap_or_default();
        let push = |row: u32, byte: u8| ((row << 8) | 0xff) & self.word(byte);
        let mut index = 0;
        // Four at a time: nearly always there is nothing in any of them.
        for four in rest.chunks_exact(4) {
            let [a, b, c, d] = four else { break };
            let first = push(row, *a);
            let second = push(first, *b);
            let third = push(second, *c);
            let fourth = push(third, *d);
            if first | second | third | fourth > 0x00ff_ffff {
                break;
            }
            row = fourth;
            index += 4;
        }
        for byte in rest.get(index..).unwrap_or_default() {
            row = push(row, *byte);
            if row > 0x00ff_ffff {
                return Some(((from + index).saturating_sub(2), hit(row)));
            }
            index += 1;
        }
        // What may come is any byte. After the end there is none, which is as good as one that only stands for any.
        let after = if text.end { self.word(0) } else { u32::MAX };
        for index in rest.len()..rest.len() + 2 {
            row = ((row << 8) | 0xff) & after;
            if row > 0x00ff_ffff {
                return Some(((from + index).saturating_sub(2), hit(row)));
            }
        }
        None
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
