//! The prefilter and the search for quotation marks, sixteen bytes at a time: for a build with `simd128`.
//!
//! A byte is in a class if its low half and its high half are: two lookups in tables of sixteen bytes. Such a class may
//! have more bytes than it should; what is found is looked at once more with the exact table. Signs, which are too different
//! for that, are compared.
#![expect(
    unsafe_code,
    reason = "vectors are loaded from memory; each load is within an array whose size is known"
)]

use core::arch::wasm32::{
    i8x16_bitmask, i8x16_eq, i8x16_ne, i8x16_sub, u8x16_lt, u8x16_shr, u8x16_splat, u8x16_swizzle, v128,
    v128_and, v128_andnot, v128_any_true, v128_load, v128_or,
};

use super::classes::{NUMBERS, SIGNS};

/// How many bytes a vector has.
const LANES: usize = 16;

/// How many places are looked at together.
const BLOCK: usize = 64;

/// What is looked at for them: the byte before the first, and what a number has behind the last.
const WINDOW: usize = BLOCK + 16;

/// The classes of the prefilter by halves of bytes, for each of the four positions.
#[derive(Clone, Debug)]
pub(super) struct Nibbles {
    low: [[u8; LANES]; 4],
    high: [[u8; LANES]; 4],
    /// The signs, each where its low half says: no two have the same.
    signs: [u8; LANES],
}

impl Nibbles {
    pub(super) fn new(table: &[u32; 256]) -> Self {
        let mut nibbles = Self { low: [[0; LANES]; 4], high: [[0; LANES]; 4], signs: [0; LANES] };
        for (byte, word) in (0..=u8::MAX).zip(table) {
            let (low, high) = (usize::from(byte % 16), usize::from(byte / 16));
            for (position, mut groups) in word.to_le_bytes().into_iter().enumerate() {
                if position == 1 && groups & (1 << SIGNS) != 0 {
                    groups &= !(1 << SIGNS);
                    nibbles.signs.iter_mut().skip(low).take(1).for_each(|sign| *sign = byte);
                }
                let low = nibbles.low.get_mut(position).and_then(|table| table.get_mut(low));
                low.into_iter().for_each(|low| *low |= groups);
                let high = nibbles.high.get_mut(position).and_then(|table| table.get_mut(high));
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
        bytes: &[u8],
        from: usize,
        exact: impl Fn(usize) -> u8,
    ) -> Result<(usize, u8), usize> {
        let low = self.low.each_ref().map(|table| load(table, 0));
        let high = self.high.each_ref().map(|table| load(table, 0));
        let signs = load(&self.signs, 0);
        let half = u8x16_splat(15);
        let mut place = from;
        while let Some(window) = bytes.get(place - 1..).and_then(<[u8]>::first_chunk::<WINDOW>) {
            let mut found = [u8x16_splat(0); BLOCK / LANES];
            let mut any = u8x16_splat(0);
            for (index, found) in found.iter_mut().enumerate() {
                let class = |position: usize, low: v128, high: v128| {
                    let vector = load(window, index * LANES + position);
                    let low = u8x16_swizzle(low, v128_and(vector, half));
                    v128_and(low, u8x16_swizzle(high, u8x16_shr(vector, 4)))
                };
                let [l0, l1, l2, l3] = low;
                let [h0, h1, h2, h3] = high;
                let groups = v128_and(
                    v128_and(class(0, l0, h0), class(1, l1, h1)),
                    v128_and(class(2, l2, h2), class(3, l3, h3)),
                );
                let vector = load(window, index * LANES + 1);
                let signs = i8x16_eq(u8x16_swizzle(signs, v128_and(vector, half)), vector);
                *found = v128_or(groups, v128_and(signs, u8x16_splat(1 << SIGNS)));
                any = v128_or(any, *found);
            }
            if v128_any_true(any) {
                let mut lanes = 0;
                for (index, found) in found.into_iter().enumerate() {
                    let found = without_short_numbers(found, window, index * LANES + 1);
                    let some = i8x16_bitmask(i8x16_ne(found, u8x16_splat(0)));
                    lanes |= u64::from(some) << (index * LANES);
                }
                while lanes != 0 {
                    let lane = place + lanes.trailing_zeros() as usize;
                    let groups = exact(lane);
                    if groups != 0 {
                        return Ok((lane, groups));
                    }
                    lanes &= lanes - 1;
                }
            }
            place += BLOCK;
        }
        Err(place)
    }
}

/// Leaves out years and other numbers that are too short, see [`super::glance`]. `at`: where in the window
/// the place of the first lane is.
#[inline]
fn without_short_numbers(found: v128, window: &[u8; WINDOW], at: usize) -> v128 {
    let digits =
        |after: usize| u8x16_lt(i8x16_sub(load(window, at + after), u8x16_splat(b'0')), u8x16_splat(10));
    let long = v128_and(digits(5), digits(7));
    v128_andnot(found, v128_andnot(u8x16_splat(1 << NUMBERS), long))
}

/// Where quotation marks and backslashes stand in a block, as bits.
#[inline]
pub(crate) fn quotes_and_escapes(block: &[u8; 64]) -> u64 {
    let mut marks = 0;
    for index in 0..BLOCK / LANES {
        let vector = load(block, index * LANES);
        let quotes = i8x16_eq(vector, u8x16_splat(b'"'));
        let found = v128_or(quotes, i8x16_eq(vector, u8x16_splat(b'\\')));
        marks |= u64::from(i8x16_bitmask(found)) << (index * LANES);
    }
    marks
}

/// The sixteen bytes from `at` on.
#[inline]
fn load<const SIZE: usize>(bytes: &[u8; SIZE], at: usize) -> v128 {
    assert!(at + LANES <= SIZE, "a vector within its array");
    // SAFETY: all of the vector is within the array, as was just seen.
    unsafe { v128_load(bytes.as_ptr().add(at).cast()) }
}
