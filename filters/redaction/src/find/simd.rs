//! The prefilter and the search for quotation marks, sixteen bytes at a time: for a build with `simd128`.
//!
//! A byte is in a class if its low half and its high half are: two lookups in tables of sixteen bytes. Such a class may
//! have more bytes than it should; what is found is looked at once more with the exact table.
#![expect(unsafe_code, reason = "vectors are loaded from memory; each load is within its slice")]

use core::arch::wasm32::{
    i8x16_bitmask, i8x16_eq, i8x16_ne, u8x16_shr, u8x16_splat, u8x16_swizzle, v128, v128_and, v128_load,
    v128_or,
};

use crate::text::Text;

/// The classes of the prefilter by halves of bytes, for each of the four positions.
#[derive(Clone, Debug)]
pub(super) struct Nibbles {
    low: [[u8; 16]; 4],
    high: [[u8; 16]; 4],
}

/// How many bytes are looked at together.
const LANES: usize = 16;

impl Nibbles {
    pub(super) fn new(table: &[u32; 256]) -> Self {
        let mut nibbles = Self { low: [[0; 16]; 4], high: [[0; 16]; 4] };
        for (byte, word) in table.iter().enumerate() {
            for (position, groups) in word.to_le_bytes().into_iter().enumerate() {
                let low = nibbles.low.get_mut(position).and_then(|table| table.get_mut(byte % 16));
                low.into_iter().for_each(|low| *low |= groups);
                let high = nibbles.high.get_mut(position).and_then(|table| table.get_mut(byte / 16));
                high.into_iter().for_each(|high| *high |= groups);
            }
        }
        nibbles
    }

    /// The first place from `from` on that may be worth a look, with what `exact` says of it; or from where on the bytes
    /// have to be looked at one by one. `from` is not 0.
    #[inline]
    pub(super) fn find(
        &self,
        text: &Text<'_>,
        from: usize,
        exact: impl Fn(usize) -> u8,
    ) -> Result<(usize, u8), usize> {
        let bytes = text.bytes;
        let tables = self.low.each_ref().map(load);
        let highs = self.high.each_ref().map(load);
        let half = u8x16_splat(15);
        let mut place = from;
        while place + LANES + 2 <= bytes.len() {
            let mut found = u8x16_splat(0xff);
            for (position, (low, high)) in tables.iter().zip(&highs).enumerate() {
                // SAFETY: the last position ends at `place + 2 + LANES`, which is within the slice; `place` is not 0.
                let vector = unsafe { v128_load(bytes.as_ptr().add(place + position - 1).cast()) };
                let low = u8x16_swizzle(*low, v128_and(vector, half));
                let high = u8x16_swizzle(*high, u8x16_shr(vector, 4));
                found = v128_and(found, v128_and(low, high));
            }
            let mut lanes = i8x16_bitmask(i8x16_ne(found, u8x16_splat(0)));
            while lanes != 0 {
                let lane = place + lanes.trailing_zeros() as usize;
                let groups = exact(lane);
                if groups != 0 {
                    return Ok((lane, groups));
                }
                lanes &= lanes - 1;
            }
            place += LANES;
        }
        Err(place)
    }
}

/// The first quotation mark or backslash at or after `at`, or from where on the bytes have to be looked at one by one.
#[inline]
pub(crate) fn quote_or_escape(bytes: &[u8], at: usize) -> Result<usize, usize> {
    let mut place = at;
    while place + LANES <= bytes.len() {
        // SAFETY: the vector ends within the slice.
        let vector = unsafe { v128_load(bytes.as_ptr().add(place).cast()) };
        let quotes = i8x16_eq(vector, u8x16_splat(b'"'));
        let lanes = i8x16_bitmask(v128_or(quotes, i8x16_eq(vector, u8x16_splat(b'\\'))));
        if lanes != 0 {
            return Ok(place + lanes.trailing_zeros() as usize);
        }
        place += LANES;
    }
    Err(place)
}

fn load(table: &[u8; 16]) -> v128 {
    // SAFETY: the table has as many bytes as a vector.
    unsafe { v128_load(table.as_ptr().cast()) }
}
