//! Where a JSON string ends.

/// The first quotation mark or backslash at or after `at`; the length of `bytes` if there is none.
#[inline]
pub(crate) fn quote_or_escape(bytes: &[u8], at: usize) -> usize {
    #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
    let at = match crate::find::simd::quote_or_escape(bytes, at) {
        Ok(found) => return found,
        Err(rest) => rest,
    };
    let rest = bytes.get(at..).unwrap_or_default();
    let mut place = at;
    let mut chunks = rest.chunks_exact(8);
    for chunk in chunks.by_ref() {
        let Ok(chunk) = <[u8; 8]>::try_from(chunk) else { break };
        let word = u64::from_le_bytes(chunk);
        let found = zero_bytes(word ^ QUOTES) | zero_bytes(word ^ BACKSLASHES);
        if found != 0 {
            return place + (found.trailing_zeros() / 8) as usize;
        }
        place += 8;
    }
    let tail = chunks.remainder();
    place + tail.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(tail.len())
}

/// The quotation mark that closes the string at `at`, and whether anything in it is escaped. `None` if it has not come.
#[inline]
pub(crate) fn closing(bytes: &[u8], at: usize) -> Option<(usize, bool)> {
    let mut place = at;
    let mut escaped = false;
    loop {
        place = quote_or_escape(bytes, place);
        match bytes.get(place)? {
            b'"' => return Some((place, escaped)),
            _ => {
                escaped = true;
                place += 2;
            }
        }
    }
}

const LOW: u64 = 0x0101_0101_0101_0101;
const QUOTES: u64 = LOW * b'"' as u64;
const BACKSLASHES: u64 = LOW * b'\\' as u64;

/// The highest bit of the first byte that is zero, and maybe of later ones.
#[inline]
fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & (LOW << 7)
}
