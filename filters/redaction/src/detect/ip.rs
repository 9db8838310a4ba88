//! IP addresses, version 4 in dotted decimal and version 6 in the forms of RFC 4291, section 2.2.

use std::net::Ipv6Addr;

use super::{Boundary, Verdict};
use crate::text::{More, Text};

/// The longest version 6 address as text, in bytes.
const MAX_V6: usize = 45;

/// Looks for a version 4 address whose first dot is behind the digit at `at`; answers where it begins.
pub(super) fn v4(text: &Text<'_>, at: usize, boundary: Boundary) -> (usize, Verdict) {
    if !text.bytes.get(at).is_some_and(u8::is_ascii_digit) {
        return (at, Verdict::No);
    }
    let digits = text.backwards(at + 1).take(4).take_while(u8::is_ascii_digit).count();
    let Some(start) = (at + 1).checked_sub(digits).filter(|_| digits <= 3) else { return (at, Verdict::No) };
    if text.before(start) == Some(b'.') || !boundary.begins(text, start) {
        return (start, Verdict::No);
    }
    let verdict = Verdict::from(end_of_v4(text, start, boundary));
    (start, verdict)
}

fn end_of_v4(text: &Text<'_>, start: usize, boundary: Boundary) -> Result<Option<usize>, More> {
    let mut place = start;
    for octet in 0..4 {
        if octet > 0 {
            if text.at(place)? != Some(b'.') {
                return Ok(None);
            }
            place += 1;
        }
        let (begin, mut value) = (place, 0_u16);
        while let Some(digit @ b'0'..=b'9') = text.at(place)? {
            value = value * 10 + u16::from(digit - b'0');
            place += 1;
            if place - begin > 3 || value > 255 {
                return Ok(None);
            }
        }
        // A leading zero is no decimal here, but a part of a version or a date.
        if place == begin || (place - begin > 1 && text.bytes.get(begin) == Some(&b'0')) {
            return Ok(None);
        }
    }
    let goes_on =
        text.at(place)? == Some(b'.') && text.at(place + 1)?.is_some_and(|byte| byte.is_ascii_digit());
    Ok((!goes_on && boundary.ends(text, place)?).then_some(place))
}

/// Looks for a version 6 address whose first colon is at `at`; answers where it begins.
pub(super) fn v6(text: &Text<'_>, at: usize, boundary: Boundary) -> (usize, Verdict) {
    if text.bytes.get(at) != Some(&b':') {
        return (at, Verdict::No);
    }
    let digits = text.backwards(at).take(5).take_while(u8::is_ascii_hexdigit).count();
    let Some(start) = at.checked_sub(digits).filter(|_| digits <= 4) else { return (at, Verdict::No) };
    if matches!(text.before(start), Some(b':' | b'.')) || !boundary.begins(text, start) {
        return (start, Verdict::No);
    }
    let verdict = Verdict::from(end_of_v6(text, start, boundary));
    (start, verdict)
}

fn end_of_v6(text: &Text<'_>, start: usize, boundary: Boundary) -> Result<Option<usize>, More> {
    let mut place = start;
    while let Some(byte) = text.at(place)? {
        if !(byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.')) {
            break;
        }
        place += 1;
        if place - start > MAX_V6 + 2 {
            return Ok(None);
        }
    }
    if !boundary.ends(text, place)? {
        return Ok(None);
    }
    let mut address = text.slice(start, place);
    // The full stop of a sentence, and the colon before what an address says.
    while address.last() == Some(&b'.') || (address.ends_with(b":") && !address.ends_with(b"::")) {
        address = address.get(..address.len() - 1).unwrap_or_default();
    }
    let parses = std::str::from_utf8(address).is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok());
    // `a::b` is a path in a program more often than an address, and `::` alone tells nothing.
    let groups = address.split(|byte| *byte == b':').filter(|group| !group.is_empty()).count();
    let telling = address.iter().any(u8::is_ascii_digit) || groups > 2;
    Ok((parses && telling).then_some(start + address.len()))
}
