//! The path of the question, into which no request can put a path of its own.
//!
//! Each part is percent-encoded but for the unreserved characters (RFC 3986, section 2.3), so it has no `/`, `?`, `#`
//! or `&` in it. What cannot be encoded away is not asked at all: an empty part, and one that makes a segment `.` or
//! `..`, would be normalised to another path on the way.

use filter_kit::reads::Reads;
use filter_kit::template::Source;

use crate::part::{self, Piece};
use crate::question::Unaskable;

/// The longest path, in bytes.
pub const MAX_PATH: usize = 8192;

/// A path with parts of a request in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    pieces: Vec<Piece>,
}

const EXPECTED: &str =
    "a path that begins with \"/\", in visible ASCII and without \"#\", \"/./\" and \"/../\"";

impl Path {
    /// Reads a path as an operator typed it.
    ///
    /// # Errors
    ///
    /// What a right one would be, to follow "expected".
    pub fn parse(typed: &str) -> Result<Self, &'static str> {
        let pieces = part::pieces(typed)?;
        let right = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        let literals = || {
            pieces.iter().filter_map(|piece| match piece {
                Piece::Literal(text) => Some(&**text),
                Piece::Part(_) => None,
            })
        };
        // With a harmless character for each part only the operator's own dots are left.
        let shape: String = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => text,
                Piece::Part(_) => "x",
            })
            .collect();
        if !shape.starts_with('/') || !matches!(pieces.first(), Some(Piece::Literal(_))) {
            return Err(EXPECTED);
        }
        if literals().all(right) && !has_dot_segment(shape.as_bytes()) {
            Ok(Self { pieces })
        } else {
            Err(EXPECTED)
        }
    }

    /// What it reads of a request.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        part::sources(&self.pieces)
    }

    /// The path for the request at hand.
    ///
    /// # Errors
    ///
    /// A part is missing or too long, or would make another path of it.
    pub fn render(&self, reads: &dyn Reads) -> Result<Vec<u8>, Unaskable> {
        let (mut path, mut raw, mut in_query) = (Vec::new(), Vec::new(), false);
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => {
                    in_query |= text.contains('?');
                    path.extend_from_slice(text.as_bytes());
                }
                Piece::Part(template) => {
                    let value = part::read(template, reads, &mut raw)?;
                    if value.is_empty() && !in_query {
                        return Err(Unaskable);
                    }
                    // A parameter comes with its escapes: encoded once more it would be another value.
                    if matches!(template.sources().next(), Some(Source::Query(_))) {
                        encode(&decoded(value), &mut path);
                    } else {
                        encode(value, &mut path);
                    }
                }
            }
        }
        if path.len() > MAX_PATH || has_dot_segment(&path) { Err(Unaskable) } else { Ok(path) }
    }
}

/// Whether a segment is `.` or `..`, in whatever way its dots are written.
fn has_dot_segment(path: &[u8]) -> bool {
    let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
    path.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| {
        let (mut dots, mut rest) = (0, segment);
        loop {
            rest = match rest {
                [] => return dots == 1 || dots == 2,
                [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => rest,
                _ => return false,
            };
            dots += 1;
        }
    })
}

fn encode(value: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or(b'0');
    for &byte in value {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(byte);
        } else {
            out.extend([b'%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

/// A value without its percent escapes; what is none stays as it is.
fn decoded(value: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::with_capacity(value.len()), value);
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    while let [first, after @ ..] = rest {
        rest = after;
        if let (b'%', [high, low, behind @ ..]) = (*first, after)
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            out.push(high << 4 | low);
            rest = behind;
        } else {
            out.push(*first);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use filter_kit::testing::Given;
    use proptest::prelude::*;

    use super::*;

    fn path(typed: &str, value: &[u8]) -> Result<String, Unaskable> {
        let given = Given::request("GET", "/").header("x", value);
        Path::parse(typed).unwrap().render(&given).map(|path| String::from_utf8(path).unwrap())
    }

    #[test]
    fn a_part_stays_in_its_segment() {
        for (value, encoded) in [
            ("acme", "acme"),
            ("a/b", "a%2Fb"),
            ("../admin", "..%2Fadmin"),
            ("a?b=c#d", "a%3Fb%3Dc%23d"),
            ("%2f", "%252f"),
            ("a b;c\\", "a%20b%3Bc%5C"),
            ("...", "..."),
        ] {
            assert_eq!(
                path("/v1/${header:x}/profile", value.as_bytes()),
                Ok(format!("/v1/{encoded}/profile"))
            );
        }
        assert_eq!(path("/v1/${header:x}", b"\xff\r\n").as_deref(), Ok("/v1/%FF%0D%0A"));
    }

    #[test]
    fn what_would_be_another_path_is_not_asked() {
        for value in [&b""[..], b".", b".."] {
            assert_eq!(path("/v1/${header:x}/profile", value), Err(Unaskable), "{}", value.escape_ascii());
        }
        assert_eq!(path("/v1/.${header:x}/profile", b"."), Err(Unaskable));
        assert_eq!(path("/v1/%2e${header:x}?q", b"."), Err(Unaskable));
        assert_eq!(path("/v1/${header:absent}", b""), Err(Unaskable));
        assert_eq!(path("/v1/${header:x}", &[b'a'; part::MAX_PART + 1]), Err(Unaskable));
        assert_eq!(path("/v1/${header:x}${header:x}", &[0; part::MAX_PART]), Err(Unaskable));
    }

    #[test]
    fn in_a_query_a_part_may_be_empty_and_have_dots() {
        assert_eq!(path("/v1?a=${header:x}&b=c", b"").as_deref(), Ok("/v1?a=&b=c"));
        assert_eq!(path("/v1?a=${header:x}", b"../..&d=e").as_deref(), Ok("/v1?a=..%2F..%26d%3De"));
    }

    #[test]
    fn a_parameter_is_encoded_once() {
        let given = Given::request("GET", "/?t=a%20b%2f%zz%");
        let path = Path::parse("/t/${query:t}").unwrap().render(&given).unwrap();
        assert_eq!(path.escape_ascii().to_string(), "/t/a%20b%2F%25zz%25");
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for wrong in
            ["", "a", "${path}", "/a b", "/a#b", "/a/../b", "/.", "/%2E%2e/x", "/\u{e9}", "/${status}", "/$x"]
        {
            assert!(Path::parse(wrong).is_err(), "{wrong}");
        }
        for right in ["/", "/a?b=../c", "/a..b/.c", "/${path}", "/$$"] {
            assert!(Path::parse(right).is_ok(), "{right}");
        }
    }

    proptest! {
        /// A reader that splits and decodes the path gets the value back, in its place, or nothing was asked.
        #[test]
        fn a_value_comes_back_from_its_place(value in proptest::collection::vec(any::<u8>(), 0..40)) {
            let Ok(asked) = path("/v1/${header:x}/profile?q=${header:x}", &value) else {
                prop_assert!(value.is_empty() || value == b"." || value == b"..");
                return Ok(());
            };
            let (path, query) = asked.split_once('?').unwrap();
            let segments: Vec<&str> = path.split('/').collect();
            prop_assert_eq!(segments.len(), 4);
            prop_assert_eq!(decoded(segments[2].as_bytes()), value.clone());
            prop_assert_eq!(decoded(query.strip_prefix("q=").unwrap().as_bytes()), value);
            prop_assert!(asked.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'));
        }
    }
}
