//! The names that secrets go by, and finding one just before a sign.

use crate::config::Detector;

/// How far before a sign its key may begin, in bytes; white space and escapes count.
pub(crate) const REACH: usize = 512;

/// The longest key, in bytes.
pub(crate) const MAX_KEY: usize = 64;

// A key written with an escape for each of its characters, and its two quotation marks.
const _: () = assert!(MAX_KEY * 6 + 2 < REACH);

/// What stands before a sign, last byte first, as far as it is remembered.
#[derive(Clone, Copy)]
pub(crate) struct Before<'a> {
    /// The end of the chunks before.
    pub(crate) tail: &'a [u8],
    /// This chunk up to the sign.
    pub(crate) chunk: &'a [u8],
}

impl Before<'_> {
    fn backwards(self) -> impl Iterator<Item = u8> + Clone {
        self.chunk.iter().rev().chain(self.tail.iter().rev()).copied().take(REACH)
    }

    /// For an equals sign: the detector that has the word before it as a key, and whether there was a space
    /// between.
    pub(crate) fn assigned(self, detectors: &[Detector]) -> Option<(usize, bool)> {
        let before = self.backwards();
        let blanks = before.clone().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let word = before.skip(blanks);
        // Most equals signs follow no word at all: they pad base64, or compare.
        if !word.clone().next().is_some_and(is_word) {
            return None;
        }
        find(detectors, |key| {
            let mut word = word.clone();
            let same = key
                .bytes()
                .rev()
                .all(|byte| word.next().is_some_and(|other| other.eq_ignore_ascii_case(&byte)));
            same && !word.next().is_some_and(is_word)
        })
        .map(|detector| (detector, blanks > 0))
    }

    /// For a colon: the detector that has the quoted name before it as a key, and how many backslashes its
    /// quotation marks have.
    pub(crate) fn member(self, detectors: &[Detector]) -> Option<(usize, u32)> {
        if let Some(name) = self.plain_name() {
            let detector = find(detectors, |key| name.eq_ignore_ascii_case(key.as_bytes()))?;
            return Some((detector, 0));
        }
        let mut before = self.backwards().skip_while(u8::is_ascii_whitespace);
        let quote = before.next().filter(|byte| matches!(byte, b'"' | b'\''))?;
        let level = before.clone().take_while(|byte| *byte == b'\\').count();
        let mut rest = before.skip(level);

        let mut name = Vec::with_capacity(MAX_KEY);
        // Where nothing more is remembered there is no opening mark: that name is longer than any key.
        loop {
            match rest.next()? {
                byte if byte == quote => break,
                byte => name.push(byte),
            }
        }
        // The opening quote has its backslashes before it, and as many as the closing one.
        if rest.take_while(|byte| *byte == b'\\').count() != level {
            return None;
        }
        name.reverse();
        if name.contains(&b'\\') {
            name = unescaped(&name)?;
        }
        let detector = find(detectors, |key| name.eq_ignore_ascii_case(key.as_bytes()))?;
        Some((detector, u32::try_from(level).ok()?))
    }
}

impl<'a> Before<'a> {
    /// The quoted name at the end, if all of it is in this chunk and nothing in or around it is escaped: nearly
    /// every member of JSON.
    fn plain_name(self) -> Option<&'a [u8]> {
        let (quote, before) = self.chunk.trim_ascii_end().split_last()?;
        if !matches!(quote, b'"' | b'\'') {
            return None;
        }
        let before = before.get(before.len().saturating_sub(MAX_KEY)..)?;
        let opening = memchr::memrchr(*quote, before)?;
        let name = before.get(opening + 1..)?;
        let escaped =
            name.contains(&b'\\') || before.get(..opening)?.last().is_none_or(|byte| *byte == b'\\');
        (!escaped).then_some(name)
    }
}

fn find(detectors: &[Detector], mut is_key: impl FnMut(&str) -> bool) -> Option<usize> {
    detectors.iter().position(|detector| detector.keys.iter().any(|key| is_key(key)))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// A JSON name with its `\uXXXX` escapes resolved, at any depth of nesting; `None` if it has other escapes, or
/// of other characters than keys are made of.
fn unescaped(name: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            plain.push(byte);
            continue;
        }
        while rest.next_if_eq(&b'\\').is_some() {}
        let mut code = 0;
        if rest.next()? != b'u' {
            return None;
        }
        for _ in 0..4 {
            code = code * 16 + char::from(rest.next()?).to_digit(16)?;
        }
        plain.push(u8::try_from(code).ok()?);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_any_depth_are_resolved() {
        assert_eq!(unescaped(br"pass\u0077or\\u0064"), Some(b"password".to_vec()));
        for odd in [&br"pass\u00"[..], br"pass\n", br"pass\", br"pass\u1234", br"pass\u00zz"] {
            assert_eq!(unescaped(odd), None, "{odd:?}");
        }
    }
}
