//! Masks: as long as what they hide.

/// Characters give way to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mask {
    /// What stands in place of each byte that is hidden.
    pub(crate) byte: u8,
    /// How many bytes stay at the beginning.
    pub(crate) keep_first: usize,
    /// How many stay at the end.
    pub(crate) keep_last: usize,
    /// Whether spaces, dashes, dots, colons, `@` and such stay, and are not counted.
    pub(crate) keep_separators: bool,
}

impl Mask {
    /// Hides `matched`. What runs on has an end that is not here, so that nothing of it stays.
    ///
    /// At least half of what counts is always hidden: a mask that keeps all of a short match would be none.
    pub(crate) fn apply(&self, matched: &[u8], runs_on: bool) -> Vec<u8> {
        let counts = |byte: &u8| !(self.keep_separators && is_separator(*byte));
        let count = matched.iter().filter(|byte| counts(byte)).count();
        let mut first = self.keep_first;
        let mut last = if runs_on { 0 } else { self.keep_last };
        if first.saturating_add(last) > count / 2 {
            first = first.min(count / 4);
            last = last.min(count / 2 - first);
        }
        let shown_from = count - last;
        let mut place = 0;
        let mut masked: Vec<u8> = matched
            .iter()
            .map(|byte| {
                if !counts(byte) {
                    return *byte;
                }
                place += 1;
                if place <= first || place > shown_from { *byte } else { self.byte }
            })
            .collect();
        self.hide_parts_of_characters(matched, &mut masked);
        masked
    }

    /// A character of several bytes is hidden as a whole, or not at all.
    fn hide_parts_of_characters(&self, matched: &[u8], masked: &mut [u8]) {
        let is_tail = |byte: u8| byte & 0xc0 == 0x80;
        let mut hidden = false;
        for (original, byte) in matched.iter().zip(masked.iter_mut()) {
            let tail = is_tail(*original);
            if tail && hidden {
                *byte = self.byte;
            }
            hidden = *byte != *original || (tail && hidden);
        }
        let mut hidden = false;
        for (original, byte) in matched.iter().zip(masked.iter_mut()).rev() {
            if hidden && *original >= 0x80 {
                *byte = self.byte;
            }
            hidden = *original >= 0x80 && *byte != *original && is_tail(*original);
        }
    }
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'-' | b'.' | b':' | b'@' | b'/' | b'(' | b')' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(mask: &Mask, text: &str) -> String {
        String::from_utf8(mask.apply(text.as_bytes(), false)).unwrap()
    }

    #[test]
    fn ends_and_separators_stay_where_they_are_to() {
        let mask = Mask { byte: b'*', keep_first: 0, keep_last: 4, keep_separators: true };
        assert_eq!(masked(&mask, "4111-1111-1111-1234"), "****-****-****-1234");
        let mask = Mask { byte: b'X', keep_first: 2, keep_last: 0, keep_separators: false };
        assert_eq!(masked(&mask, "ada@example.com"), "adXXXXXXXXXXXXX");
    }

    #[test]
    fn at_least_half_is_hidden() {
        let mask = Mask { byte: b'*', keep_first: 4, keep_last: 4, keep_separators: false };
        assert_eq!(masked(&mask, "abcd"), "a**d");
        assert_eq!(masked(&mask, "a"), "*");
        assert_eq!(mask.apply(b"abcdefghijklmnop", true), b"abcd************");
    }

    #[test]
    fn a_character_of_several_bytes_is_never_cut() {
        let mask = Mask { byte: b'*', keep_first: 3, keep_last: 3, keep_separators: false };
        for text in [
            "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}",
            "\u{1f600}\u{1f600}\u{1f600}\u{1f600}",
            "aaa\u{4e2d}bbbb\u{4e2d}ccc",
        ] {
            let masked = mask.apply(text.as_bytes(), false);
            assert_eq!(masked.len(), text.len());
            assert!(String::from_utf8(masked).is_ok(), "{text}");
        }
    }
}
