//! Telephone numbers in international form (ITU-T E.164): a plus sign, and 8 to 15 digits, with separators or without.

use super::{Boundary, Verdict};
use crate::text::{More, Text};

/// Looks for one whose plus sign is at `start`.
pub(super) fn at(text: &Text<'_>, start: usize, boundary: Boundary) -> Verdict {
    if text.bytes.get(start) != Some(&b'+')
        || text.before(start) == Some(b'+')
        || !boundary.begins(text, start)
    {
        return Verdict::No;
    }
    Verdict::from(end(text, start + 1, boundary))
}

fn end(text: &Text<'_>, start: usize, boundary: Boundary) -> Result<Option<usize>, More> {
    let (mut place, mut digits) = (start, 0);
    // Where it ends if nothing more belongs to it.
    let mut end = start;
    if !matches!(text.at(place)?, Some(b'1'..=b'9')) {
        return Ok(None);
    }
    loop {
        match text.at(place)? {
            Some(b'0'..=b'9') => {
                digits += 1;
                place += 1;
                end = place;
                if digits > 15 {
                    return Ok(None);
                }
            }
            // One separator, or a bracket with a space around it.
            Some(b' ' | b'-' | b'.' | b'(' | b')') if place - end < 2 => place += 1,
            _ => break,
        }
    }
    let right = digits >= 8 && text.at(end)? != Some(b'@') && boundary.ends(text, end)?;
    Ok(right.then_some(end))
}
