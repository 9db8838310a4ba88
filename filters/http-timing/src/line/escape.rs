//! Strings in JSON, of any bytes.

use std::fmt::Write;

/// Pushes `bytes` as the inside of a JSON string; what is not UTF-8 becomes U+FFFD.
pub(crate) fn push_escaped(json: &mut String, bytes: &[u8]) {
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
    match std::str::from_utf8(bytes) {
        Ok(text) if bytes.iter().all(is_plain) => json.push_str(text),
        _ => String::from_utf8_lossy(bytes).chars().for_each(|character| push_character(json, character)),
    }
}

fn push_character(json: &mut String, character: char) {
    match character {
        '"' | '\\' => json.extend(['\\', character]),
        // Controls, and the two that some readers take for line ends.
        control if control.is_control() || matches!(control, '\u{2028}' | '\u{2029}') => {
            let _ = write!(json, "\\u{:04x}", u32::from(control)); // writing to a String cannot fail
        }
        other => json.push(other),
    }
}

/// At most `limit` bytes of `text`; a character that would be cut in two is left out whole.
pub(crate) fn cut(text: &[u8], limit: usize) -> &[u8] {
    let Some(head) = text.get(..limit).filter(|_| text.len() > limit) else { return text };
    match std::str::from_utf8(head) {
        // The end of the head is the beginning of a character.
        Err(error) if error.error_len().is_none() => head.get(..error.valid_up_to()).unwrap_or(head),
        _ => head,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_character_is_not_cut_in_two() {
        assert_eq!(cut("a\u{e9}b".as_bytes(), 2), b"a");
        assert_eq!(cut("a\u{e9}b".as_bytes(), 3), "a\u{e9}".as_bytes());
        assert_eq!(cut(b"a\xe9\xe9b", 2), b"a");
        assert_eq!(cut(b"ab", 2), b"ab");
        assert_eq!(cut(b"abc", 0), b"");
    }

    proptest! {
        #[test]
        fn any_bytes_make_a_json_string_on_one_line(bytes in proptest::collection::vec(0u8.., 0..64), limit in 0_usize..70) {
            let mut json = String::from("\"");
            push_escaped(&mut json, cut(&bytes, limit));
            json.push('"');
            prop_assert!(json.chars().all(|character| !character.is_control()));
            let value: String = serde_json::from_str(&json).unwrap();
            if let (Ok(text), true) = (std::str::from_utf8(&bytes), bytes.len() <= limit) {
                prop_assert_eq!(value, text);
            }
        }
    }
}
