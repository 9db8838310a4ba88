//! Where a JSON string ends.

/// How many bytes are looked at together.
const BLOCK: usize = 64;

/// Where the quotation marks and backslashes of a piece are: they are looked for in many bytes together, and asked for one
/// by one, from front to back.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marks {
    /// From where on they are known, and how far.
    from: usize,
    known: usize,
    /// For each byte from there on, whether it is one.
    bits: u64,
}

impl Marks {
    /// The first quotation mark or backslash of `bytes` at or after `at`; their number if there is none. They are the same
    /// in all calls, or begin with the same.
    #[inline]
    pub(crate) fn next(&mut self, bytes: &[u8], at: usize) -> usize {
        let offset = at.wrapping_sub(self.from);
        let known = offset < self.known;
        match if known { self.bits >> offset } else { 0 } {
            0 => {
                let place;
                (*self, place) = Self::look(bytes, if known { self.from + self.known } else { at });
                place
            }
            bits => at + place(bits),
        }
    }

    /// The quotation mark that closes the string at `at`, and whether anything in it is escaped. `None` if it has not come.
    pub(crate) fn closing(&mut self, bytes: &[u8], at: usize) -> Option<(usize, bool)> {
        let (mut place, mut escaped) = (at, false);
        loop {
            place = self.next(bytes, place);
            match bytes.get(place)? {
                b'"' => return Some((place, escaped)),
                _ => {
                    escaped = true;
                    place += 2;
                }
            }
        }
    }

    #[inline(never)]
    fn look(bytes: &[u8], mut at: usize) -> (Self, usize) {
        while let Some(block) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
            let bits = marks(block);
            if bits != 0 {
                return (Self { from: at, known: BLOCK, bits }, at + place(bits));
            }
            at += BLOCK;
        }
        let rest = bytes.get(at..).unwrap_or_default();
        let mut block = [0; BLOCK];
        block.iter_mut().zip(rest).for_each(|(byte, rest)| *byte = *rest);
        let bits = marks(&block);
        let place = if bits == 0 { bytes.len() } else { at + place(bits) };
        (Self { from: at, known: rest.len(), bits }, place)
    }
}

fn place(bits: u64) -> usize {
    bits.trailing_zeros() as usize
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use crate::find::simd::quotes_and_escapes as marks;

/// The quotation marks and backslashes of a block, as bits: eight bytes at a time.
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline]
fn marks(block: &[u8; BLOCK]) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const QUOTES: u64 = ONES * b'"' as u64;
    const BACKSLASHES: u64 = ONES * b'\\' as u64;
    /// All bits of a byte but the highest.
    const LOW: u64 = ONES * 0x7f;
    // The highest bit of each byte that is not zero; a sum of two bytes never carries over into the next.
    let some = |word: u64| ((word & LOW) + LOW) | word;
    let (words, _) = block.as_chunks::<8>();
    words.iter().enumerate().fold(0, |bits, (index, word)| {
        let word = u64::from_le_bytes(*word);
        let found = !(some(word ^ QUOTES) & some(word ^ BACKSLASHES)) & !LOW;
        // Gathers the eight highest bits in the highest byte.
        bits | ((found >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * index)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_mark_is_found_in_turn(
            bytes in prop::collection::vec(prop_oneof![4 => any::<u8>(), 1 => Just(b'"'), 1 => Just(b'\\')], 0..300),
            step in 1usize..20,
        ) {
            let (mut marks, mut at) = (Marks::default(), 0);
            while at <= bytes.len() {
                let expected = bytes.iter().skip(at).position(|byte| matches!(byte, b'"' | b'\\'));
                prop_assert_eq!(marks.next(&bytes, at), expected.map_or(bytes.len(), |place| at + place));
                at += step;
            }
        }
    }
}
