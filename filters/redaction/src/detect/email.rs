//! E-mail addresses: a local part as people have them (no quoted ones) and a host name with a dot (RFC 5321).

use super::Verdict;
use crate::text::{More, Text};

/// The longest local part, in bytes (RFC 5321, section 4.5.3.1.1).
pub(crate) const MAX_LOCAL: usize = 64;

/// The longest host name, in bytes.
const MAX_DOMAIN: usize = 253;

/// What a local part is made of here.
pub(crate) fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-')
}

/// How long the local part is that ends before `at`, if one of a length to be right does.
pub(crate) fn local(text: &Text<'_>, at: usize) -> Option<usize> {
    let length = text.backwards(at).take(MAX_LOCAL + 1).take_while(|byte| is_local(*byte)).count();
    (1..=MAX_LOCAL).contains(&length).then_some(length)
}

/// Looks for one whose `@` is at `at`; answers where it begins.
pub(super) fn at(text: &Text<'_>, at: usize) -> (usize, Verdict) {
    if text.bytes.get(at) != Some(&b'@') {
        return (at, Verdict::No);
    }
    let Some(length) = local(text, at) else { return (at, Verdict::No) };
    let part = text.backwards(at).take(length);
    // A dash or a dot before an address is not part of it.
    let plain =
        length - part.clone().fold(0, |extra, byte| if matches!(byte, b'.' | b'-') { extra + 1 } else { 0 });
    let Some(start) = at.checked_sub(plain) else { return (at, Verdict::No) };
    let mut last = b'.';
    for byte in part.take(plain) {
        if byte == b'.' && last == b'.' {
            return (start, Verdict::No);
        }
        last = byte;
    }
    if plain == 0 {
        return (start, Verdict::No);
    }
    let verdict = Verdict::from(domain(text, at + 1));
    (start, verdict)
}

/// Where the host name ends that begins at `start`.
fn domain(text: &Text<'_>, start: usize) -> Result<Option<usize>, More> {
    let mut place = start;
    // The end as it would be if nothing more came, and where its last label begins.
    let (mut end, mut label, mut last) = (start, start, start);
    loop {
        let byte = text.at(place)?;
        match byte {
            Some(byte) if byte.is_ascii_alphanumeric() => {
                place += 1;
                (end, last) = (place, label);
            }
            // A hyphen stands inside of a label.
            Some(b'-') if place > label => place += 1,
            Some(b'.') if place > label && end == place => {
                place += 1;
                label = place;
            }
            _ => break,
        }
        if place - start > MAX_DOMAIN {
            return Ok(None);
        }
    }
    // What goes on in a character of a word is no name that ends here.
    if end == place && text.at(place)? == Some(b'_') {
        return Ok(None);
    }
    let name = text.slice(start, end);
    let top = text.slice(last, end);
    let right = last > start
        && ((2..=24).contains(&top.len()) && top.iter().all(u8::is_ascii_alphabetic)
            || top.starts_with(b"xn--"))
        && !is_picture(name);
    Ok(right.then_some(end))
}

/// `icon@2x.png` names a picture of twice the resolution.
fn is_picture(name: &[u8]) -> bool {
    let mut labels = name.split(|byte| *byte == b'.');
    let scale = labels.next().and_then(|label| label.strip_suffix(b"x"));
    let kind = labels.next().unwrap_or_default();
    scale.is_some_and(|scale| scale.iter().all(u8::is_ascii_digit))
        && labels.next().is_none()
        && matches!(kind, b"png" | b"jpg" | b"jpeg" | b"gif" | b"webp" | b"svg" | b"avif")
}
