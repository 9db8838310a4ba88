//! Keys and tokens that are known by how they begin.

use super::{Boundary, Verdict};
use crate::detect::rest::{Rest, is_jwt, is_token68};
use crate::text::{More, Text};

/// An access key ID of Amazon Web Services: a prefix that says what it is of, and 16 of its base 32.
pub(super) fn aws(text: &Text<'_>, start: usize, boundary: Boundary) -> Verdict {
    if !boundary.begins(text, start) {
        return Verdict::No;
    }
    let end = || -> Result<Option<usize>, More> {
        let mut prefix = [0; 4];
        for (place, byte) in (start..).zip(&mut prefix) {
            let Some(found) = text.at(place)? else { return Ok(None) };
            *byte = found;
        }
        if !matches!(&prefix, b"AKIA" | b"ASIA" | b"ABIA" | b"ACCA") {
            return Ok(None);
        }
        for place in start + 4..start + 20 {
            if !matches!(text.at(place)?, Some(b'A'..=b'Z' | b'2'..=b'7')) {
                return Ok(None);
            }
        }
        Ok(boundary.ends(text, start + 20)?.then_some(start + 20))
    };
    verdict(end())
}

/// A JSON Web Token in compact form (RFC 7515, section 3.1): base64url of `{"`, and at least two dots.
pub(super) fn jwt(text: &Text<'_>, start: usize, cap: usize) -> Verdict {
    if text.before(start).is_some_and(is_jwt) {
        return Verdict::No;
    }
    let walk = || -> Result<Verdict, More> {
        for (place, byte) in (start..).zip(*b"eyJ") {
            if text.at(place)? != Some(byte) {
                return Ok(Verdict::No);
            }
        }
        let (mut place, mut dots, mut since) = (start + 3, 0, start);
        loop {
            match text.at(place)? {
                Some(b'.') => {
                    if (dots == 0 && place - since < 10) || (dots == 1 && place - since < 5) || dots > 4 {
                        return Ok(Verdict::No);
                    }
                    dots += 1;
                    since = place;
                }
                Some(byte) if is_jwt(byte) => {}
                _ => break,
            }
            place += 1;
            if place - start >= cap {
                return Ok(Verdict::Runs(place, Rest::Jwt));
            }
        }
        // The full stop of a sentence.
        let end = if dots > 2 && since + 1 == place { since } else { place };
        Ok(if dots >= 2 { Verdict::Match(end) } else { Verdict::No })
    };
    walk().unwrap_or(Verdict::Need)
}

/// The credentials after `Bearer` (RFC 6750, section 2.1); answers where they begin. A word of prose is none.
pub(super) fn bearer(text: &Text<'_>, at: usize, cap: usize) -> (usize, Verdict) {
    if !text.begins(at) {
        return (at, Verdict::No);
    }
    let mut start = at;
    let mut walk = || -> Result<Verdict, More> {
        let mut place = at;
        for letter in b"bearer" {
            if !text.at(place)?.is_some_and(|byte| byte.eq_ignore_ascii_case(letter)) {
                return Ok(Verdict::No);
            }
            place += 1;
        }
        let blanks = place;
        while text.at(place)? == Some(b' ') {
            place += 1;
            if place - blanks > 8 {
                return Ok(Verdict::No);
            }
        }
        if place == blanks {
            return Ok(Verdict::No);
        }
        start = place;
        let mut digits = 0;
        while let Some(byte) = text.at(place)? {
            if !is_token68(byte) {
                break;
            }
            digits += usize::from(byte.is_ascii_digit());
            place += 1;
            if place - start >= cap.max(20) {
                return Ok(Verdict::Runs(place, Rest::Token68));
            }
        }
        let telling = place - start >= 20 || (place - start >= 8 && digits > 0);
        Ok(if telling { Verdict::Match(place) } else { Verdict::No })
    };
    let verdict = walk().unwrap_or(Verdict::Need);
    (start, verdict)
}

/// A private key in the textual encoding of RFC 7468, with all of its lines.
pub(super) fn pem(text: &Text<'_>, start: usize, cap: usize) -> Verdict {
    /// The longest label that is looked at, in bytes.
    const LABEL: usize = 48;
    if text.before(start) == Some(b'-') {
        return Verdict::No;
    }
    let walk = || -> Result<Verdict, More> {
        let mut place = start;
        for byte in b"-----BEGIN " {
            if text.at(place)? != Some(*byte) {
                return Ok(Verdict::No);
            }
            place += 1;
        }
        let label = place;
        while let Some(b'A'..=b'Z' | b'0'..=b'9' | b' ') = text.at(place)? {
            place += 1;
            if place - label > LABEL {
                return Ok(Verdict::No);
            }
        }
        let name = text.slice(label, place);
        if !name.ends_with(b"PRIVATE KEY") && !name.ends_with(b"PRIVATE KEY BLOCK") {
            return Ok(Verdict::No);
        }
        for _ in 0..5 {
            if text.at(place)? != Some(b'-') {
                return Ok(Verdict::No);
            }
            place += 1;
        }
        let mut rest = Rest::pem();
        loop {
            let Some(byte) = text.at(place)? else { return Ok(Verdict::Match(place)) };
            place += 1;
            if rest.ends_with(byte) {
                return Ok(Verdict::Match(place));
            }
            if place - start >= cap.max(LABEL + 32) {
                return Ok(Verdict::Runs(place, rest));
            }
        }
    };
    walk().unwrap_or(Verdict::Need)
}

fn verdict(end: Result<Option<usize>, More>) -> Verdict {
    Verdict::from(end)
}
