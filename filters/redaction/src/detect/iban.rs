//! International bank account numbers (ISO 13616): of a country's length, with right check digits.

use super::{Boundary, Verdict};
use crate::text::{More, Text};

/// Countries and the length of their numbers, by the IBAN registry.
const LENGTHS: &[(&[u8; 2], u8)] = &[
    (b"AD", 24),
    (b"AE", 23),
    (b"AL", 28),
    (b"AT", 20),
    (b"AZ", 28),
    (b"BA", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"BH", 22),
    (b"BI", 27),
    (b"BR", 29),
    (b"BY", 28),
    (b"CH", 21),
    (b"CR", 22),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DJ", 27),
    (b"DK", 18),
    (b"DO", 28),
    (b"EE", 20),
    (b"EG", 29),
    (b"ES", 24),
    (b"FI", 18),
    (b"FK", 18),
    (b"FO", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GE", 22),
    (b"GI", 23),
    (b"GL", 18),
    (b"GR", 27),
    (b"GT", 28),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IL", 23),
    (b"IQ", 23),
    (b"IS", 26),
    (b"IT", 27),
    (b"JO", 30),
    (b"KW", 30),
    (b"KZ", 20),
    (b"LB", 28),
    (b"LC", 32),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"LY", 25),
    (b"MC", 27),
    (b"MD", 24),
    (b"ME", 22),
    (b"MK", 19),
    (b"MN", 20),
    (b"MR", 27),
    (b"MT", 31),
    (b"MU", 30),
    (b"NI", 28),
    (b"NL", 18),
    (b"NO", 15),
    (b"OM", 23),
    (b"PK", 24),
    (b"PL", 28),
    (b"PS", 29),
    (b"PT", 25),
    (b"QA", 29),
    (b"RO", 24),
    (b"RS", 22),
    (b"RU", 33),
    (b"SA", 24),
    (b"SC", 31),
    (b"SD", 18),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"SO", 23),
    (b"ST", 25),
    (b"SV", 28),
    (b"TL", 23),
    (b"TN", 24),
    (b"TR", 26),
    (b"UA", 29),
    (b"VA", 22),
    (b"VG", 24),
    (b"XK", 20),
    (b"YE", 30),
];

/// Whether a country with such numbers has that code.
pub(crate) fn is_country(code: [u8; 2]) -> bool {
    LENGTHS.binary_search_by_key(&code, |(country, _)| **country).is_ok()
}

/// Looks for one that begins at `start`.
pub(super) fn at(text: &Text<'_>, start: usize, boundary: Boundary) -> Verdict {
    if !boundary.begins(text, start) {
        return Verdict::No;
    }
    Verdict::from(end(text, start, boundary))
}

fn end(text: &Text<'_>, start: usize, boundary: Boundary) -> Result<Option<usize>, More> {
    let (Some(a @ b'A'..=b'Z'), Some(b @ b'A'..=b'Z')) = (text.at(start)?, text.at(start + 1)?) else {
        return Ok(None);
    };
    let Ok(country) = LENGTHS.binary_search_by_key(&[a, b], |(country, _)| **country) else {
        return Ok(None);
    };
    let length = LENGTHS.get(country).map_or(0, |(_, length)| usize::from(*length));
    let (mut place, mut count, mut spaced) = (start, 0, false);
    // The number modulo 97 with its first four characters moved to its end: what they add is counted apart.
    let (mut head, mut rest) = (Mod97(0), Mod97(0));
    while count < length {
        let byte = text.at(place)?;
        match byte {
            Some(b' ') if count % 4 == 0 && count > 0 && (spaced || count == 4) => {
                spaced = true;
                place += 1;
                let after = text.at(place)?;
                if after == Some(b' ') {
                    return Ok(None);
                }
                continue;
            }
            Some(byte) if byte.is_ascii_digit() || (byte.is_ascii_uppercase() && !matches!(count, 2 | 3)) => {
                if count < 4 {
                    head.push(byte)
                } else {
                    rest.push(byte)
                }
            }
            _ => return Ok(None),
        }
        count += 1;
        place += 1;
    }
    // Two letters are two digits each, and the check digits are two more.
    let checks = (rest.0 * 1_000_000 + head.0) % 97 == 1;
    Ok((checks && boundary.ends(text, place)?).then_some(place))
}

/// A number of digits and letters (`A` is 10), modulo 97; before the remainder of a head it keeps six digits.
struct Mod97(u64);

impl Mod97 {
    fn push(&mut self, byte: u8) {
        self.0 = match byte {
            b'0'..=b'9' => self.0 * 10 + u64::from(byte - b'0'),
            _ => self.0 * 100 + u64::from(byte.wrapping_sub(b'A')) + 10,
        } % 97;
    }
}
