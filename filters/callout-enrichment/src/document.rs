//! The body of the question: JSON with parts of a request in its strings.

use filter_kit::reads::Reads;
use filter_kit::template::Source;

use crate::json;
use crate::part::{self, Piece};
use crate::question::Unaskable;

/// JSON text with parts of a request in it, each inside of a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pieces: Vec<Piece>,
}

impl Document {
    /// Reads such a text as an operator typed it.
    ///
    /// # Errors
    ///
    /// What a right one would be, to follow "expected".
    pub fn parse(typed: &str) -> Result<Self, &'static str> {
        let pieces = part::pieces(typed)?;
        let (mut shape, mut inside, mut escaped) = (String::new(), false, false);
        for piece in &pieces {
            match piece {
                Piece::Literal(text) => {
                    for character in text.chars() {
                        inside ^= character == '"' && !escaped;
                        escaped = inside && character == '\\' && !escaped;
                    }
                    shape.push_str(text);
                }
                Piece::Part(_) if inside && !escaped => shape.push('x'),
                Piece::Part(_) => {
                    return Err("JSON with parts of a request only inside of strings: \"${path}\" in quotes");
                }
            }
        }
        json::find(&shape, &[]).map(|_| Self { pieces }).ok_or("JSON text")
    }

    /// What it reads of a request.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        part::sources(&self.pieces)
    }

    /// The text for the request at hand. Bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    ///
    /// A part is missing or too long.
    pub fn render(&self, reads: &dyn Reads) -> Result<Vec<u8>, Unaskable> {
        let (mut text, mut raw) = (String::new(), Vec::new());
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Part(template) => {
                    escape(&String::from_utf8_lossy(part::read(template, reads, &mut raw)?), &mut text);
                }
            }
        }
        Ok(text.into_bytes())
    }
}

fn escape(value: &str, out: &mut String) {
    for character in value.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{0}'..='\u{1f}' => {
                out.push_str("\\u00");
                for digit in [u32::from(character) >> 4, u32::from(character) & 15] {
                    out.extend(char::from_digit(digit, 16));
                }
            }
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use filter_kit::testing::Given;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_stand_only_inside_of_strings() {
        for right in ["{}", "[\"${path}\", 1]", r#"{"a\"${method}": "\\${path}"}"#, "\"$$\""] {
            assert!(Document::parse(right).is_ok(), "{right}");
        }
        for wrong in ["", "{\"a\": ${path}}", "\"\\${path}\"", "{", "\"a\"${path}\"b\"", "{\"a\": \"${path}}"]
        {
            assert!(Document::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_part_that_is_missing_leaves_nothing_to_ask() {
        let document = Document::parse(r#"{"a": "${header:x}"}"#).unwrap();
        assert_eq!(document.render(&Given::request("GET", "/")), Err(Unaskable));
    }

    proptest! {
        #[test]
        fn a_value_comes_back_as_one_string(value in proptest::collection::vec(any::<u8>(), 0..40)) {
            let document = Document::parse(r#"{"a": ["${header:x}", 1]}"#).unwrap();
            let text = document.render(&Given::request("GET", "/").header("x", &value)).unwrap();
            let read: serde_json::Value = serde_json::from_slice(&text).unwrap();
            prop_assert_eq!(read, serde_json::json!({ "a": [String::from_utf8_lossy(&value), 1] }));
        }
    }
}
