//! The characters of a JSON string that has escapes (RFC 8259, section 7), and where each came from.

use super::edit::Edit;

/// A string with its escapes resolved.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decoded {
    pub(crate) bytes: Vec<u8>,
    /// For each byte, where what it stands for begins in the string as it was written; and where all of it ends.
    places: Vec<u32>,
    /// How much of the string is decoded: an escape that has not come whole is not.
    pub(crate) length: usize,
}

impl Decoded {
    /// Decodes as much as can be; `whole`: nothing more comes.
    pub(crate) fn new(raw: &[u8], whole: bool) -> Self {
        let mut decoded = Self {
            bytes: Vec::with_capacity(raw.len()),
            places: Vec::with_capacity(raw.len() + 1),
            length: 0,
        };
        while let Some(byte) = raw.get(decoded.length) {
            let rest = raw.get(decoded.length..).unwrap_or_default();
            let taken = if *byte == b'\\' { decoded.escape(rest, whole) } else { decoded.push(&[*byte], 1) };
            match taken {
                Some(taken) => decoded.length += taken,
                None => break,
            }
        }
        decoded.places.push(u32::try_from(decoded.length).unwrap_or(u32::MAX));
        decoded
    }

    fn push(&mut self, bytes: &[u8], taken: usize) -> Option<usize> {
        let place = u32::try_from(self.length).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(bytes);
        self.places.extend(std::iter::repeat_n(place, bytes.len()));
        Some(taken)
    }

    /// Takes one escape; `None` if it has not come whole. What is no escape stands for its second byte.
    fn escape(&mut self, rest: &[u8], whole: bool) -> Option<usize> {
        let Some(&letter) = rest.get(1) else {
            return if whole { self.push(b"\\", 1) } else { None };
        };
        let plain = match letter {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'b' => 8,
            b'f' => 12,
            b'u' => return self.unicode(rest, whole),
            other => other,
        };
        self.push(&[plain], 2)
    }

    fn unicode(&mut self, rest: &[u8], whole: bool) -> Option<usize> {
        if rest.len() < 6 && !whole {
            return None;
        }
        let Some(unit) = unit(rest) else { return self.push(b"u", 2) };
        if (0xd800..0xdc00).contains(&unit) {
            // The second half of a surrogate pair.
            if rest.len() < 12 && !whole {
                return None;
            }
            let low = rest.get(6..).and_then(self::unit).filter(|low| (0xdc00..0xe000).contains(low));
            if let Some(low) = low {
                let code = 0x1_0000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
                return self.character(code, 12);
            }
        }
        self.character(unit, 6)
    }

    fn character(&mut self, code: u32, taken: usize) -> Option<usize> {
        let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        self.push(character.encode_utf8(&mut [0; 4]).as_bytes(), taken)
    }

    /// Where the byte at `place` is in the string as it was written.
    pub(crate) fn raw(&self, place: usize) -> usize {
        self.places.get(place).map_or(self.length, |place| *place as usize)
    }

    /// The same edit of the string as it was written, which is `raw`.
    pub(crate) fn written(&self, raw: &[u8], edit: &Edit) -> Edit {
        let range = self.raw(edit.range.start)..self.raw(edit.range.end);
        if !edit.masks {
            return Edit { range, put: escaped(&edit.put), masks: false };
        }
        // As many bytes for each character as it was written with.
        let mut put = Vec::with_capacity(range.len());
        for (place, byte) in edit.range.clone().zip(&edit.put) {
            let from = self.raw(place)..self.raw(place + 1);
            if self.bytes.get(place) == Some(byte) {
                put.extend_from_slice(raw.get(from).unwrap_or_default());
            } else {
                put.extend(std::iter::repeat_n(*byte, from.len()));
            }
        }
        Edit { range, put, masks: true }
    }
}

/// `\uXXXX`
fn unit(bytes: &[u8]) -> Option<u32> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    digits.iter().try_fold(0, |code, digit| Some(code * 16 + char::from(*digit).to_digit(16)?))
}

/// Bytes as they stand in a JSON string.
pub(crate) fn escaped(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'"' | b'\\' => text.extend([b'\\', *byte]),
            0..b' ' => {
                let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
                text.extend(*b"\\u00");
                text.extend([digit(byte >> 4), digit(byte & 15)]);
            }
            _ => text.push(*byte),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_character_knows_where_it_came_from() {
        let decoded = Decoded::new(br"a\u0034\n\ud83d\ude00z", true);
        assert_eq!(decoded.bytes, "a4\n\u{1f600}z".as_bytes());
        let raw: Vec<usize> = (0..=decoded.bytes.len()).map(|place| decoded.raw(place)).collect();
        assert_eq!(raw, [0, 1, 7, 9, 9, 9, 9, 21, 22]);
    }

    #[test]
    fn an_escape_that_is_cut_waits_for_its_rest() {
        for cut in [&br"ab\"[..], br"ab\u", br"ab\u003", br"ab\ud83d", br"ab\ud83d\ude0"] {
            assert_eq!(Decoded::new(cut, false).length, 2, "{cut:?}");
        }
        assert_eq!(Decoded::new(br"ab\u003", true).bytes, b"abu003");
        assert_eq!(Decoded::new(br"\ud83dx", true).bytes, "\u{fffd}x".as_bytes());
    }
}
