//! United States Social Security numbers: area, group and serial, none of them of zeros only.

use super::{Boundary, Verdict};
use crate::text::{More, Text};

/// Numbers that were printed in advertisements, and belong to nobody.
const ADVERTISED: [[u8; 9]; 2] = [*b"078051120", *b"219099999"];

/// Looks for one whose first digit is at `start`. `plain`: nine digits without separators are one too.
pub(super) fn at(text: &Text<'_>, start: usize, boundary: Boundary, plain: bool) -> Verdict {
    let joined = text.before(start).is_some_and(|byte| byte.is_ascii_digit() || byte == b'-');
    if joined || !boundary.begins(text, start) {
        return Verdict::No;
    }
    Verdict::from(end(text, start, boundary, plain))
}

fn end(text: &Text<'_>, start: usize, boundary: Boundary, plain: bool) -> Result<Option<usize>, More> {
    let (mut digits, mut count, mut place, mut separator) = ([0_u8; 9], 0, start, None);
    for slot in &mut digits {
        if (count == 3 || count == 5)
            && let Some(byte @ (b'-' | b' ')) = text.at(place)?
        {
            if count == 5 && separator != Some(byte) {
                return Ok(None);
            }
            separator = Some(byte);
            place += 1;
        } else if count == 5 && separator.is_some() {
            return Ok(None);
        }
        let Some(digit @ b'0'..=b'9') = text.at(place)? else { return Ok(None) };
        *slot = digit;
        count += 1;
        place += 1;
    }
    let goes_on = match text.at(place)? {
        Some(b'0'..=b'9') => true,
        Some(b'-') => text.at(place + 1)?.is_some_and(|byte| byte.is_ascii_alphanumeric()),
        _ => false,
    };
    let right =
        (separator.is_some() || plain) && !goes_on && boundary.ends(text, place)? && is_issued(digits);
    Ok(right.then_some(place))
}

fn is_issued(digits: [u8; 9]) -> bool {
    let [a, b, c, d, e, serial @ ..] = digits;
    let area = [a, b, c];
    area != *b"000"
        && area != *b"666"
        && a != b'9'
        && [d, e] != *b"00"
        && serial != *b"0000"
        && !ADVERTISED.contains(&digits)
}
