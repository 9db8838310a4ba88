//! Values: where they come from, and which of them may be sent.

use std::borrow::Cow;

use filter_kit::header::is_line;
use filter_kit::host::{Authority, Room};
use filter_kit::reads::Reads;
use filter_kit::template::{Template, Unrendered};

/// The value that an operation puts somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// The same for every message.
    Literal(Box<[u8]>),
    /// Put together for each, and what stands in its place if a part of it is missing.
    Template(Template, Option<Box<[u8]>>),
}

/// What a value is for, and so which bytes it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The value of a header or trailer (RFC 9110, section 5.5).
    Line,
    /// `:path`: begins with a slash, or is the asterisk of OPTIONS; graphic ASCII without a fragment.
    Path,
    /// `:authority`: a host and perhaps a port.
    Authority,
    /// `:method`: a token, and not CONNECT, which has another kind of message.
    Method,
    /// `:status`: 200 to 599. Not 204, 205 or 304, whose messages end with their headers.
    Status,
    /// The value of a cookie (RFC 6265, section 4.1.1): whatever else could add an attribute or another cookie.
    Cookie,
    /// A parameter's value: any bytes, they are escaped.
    Parameter,
}

/// Why an operation is left undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Undone {
    /// A source is missing and has no default.
    Missing,
    /// There is a value, but it may not be sent.
    Invalid,
}

/// What becomes of values that may not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnInvalid {
    /// The operation is left undone.
    Skip,
    /// The bytes that may not be sent are dropped.
    Sanitize,
    /// A request is answered 400; in a response and in trailers the header is left out.
    Deny,
}

impl OnInvalid {
    /// The words for it in a configuration.
    pub(crate) const WORDS: [(&str, Self); 3] =
        [("skip", Self::Skip), ("sanitize", Self::Sanitize), ("deny", Self::Deny)];
}

/// How values are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Judge {
    /// What becomes of those that may not be sent.
    pub(crate) on_invalid: OnInvalid,
    /// The longest, in bytes.
    pub(crate) most: usize,
}

impl Value {
    /// The value for the message at hand, if it may be sent.
    pub(crate) fn get(&self, reads: &dyn Reads, kind: Kind, judge: Judge) -> Result<Cow<'_, [u8]>, Undone> {
        let (template, default) = match self {
            // Judged when the configuration was read.
            Self::Literal(text) => return Ok(Cow::Borrowed(text)),
            Self::Template(template, default) => (template, default),
        };
        // Most fit: growing copies.
        let mut value = Vec::with_capacity(64);
        match (template.render(reads, judge.most, &mut value), default) {
            (Ok(()), _) => judge.pass(kind, value).map(Cow::Owned),
            (Err(Unrendered::Missing), Some(default)) => Ok(Cow::Borrowed(default)),
            (Err(Unrendered::Missing), None) => Err(Undone::Missing),
            (Err(Unrendered::TooLong), _) => Err(Undone::Invalid),
        }
    }

    /// The template, if it is one.
    pub(crate) fn template(&self) -> Option<&Template> {
        match self {
            Self::Literal(_) => None,
            Self::Template(template, _) => Some(template),
        }
    }
}

impl Judge {
    /// Lets a value pass that may be sent, perhaps without some of its bytes.
    pub(crate) fn pass(self, kind: Kind, mut value: Vec<u8>) -> Result<Vec<u8>, Undone> {
        if value.len() > self.most {
            return Err(Undone::Invalid);
        }
        if kind.takes(&value) {
            return Ok(value);
        }
        if self.on_invalid != OnInvalid::Sanitize {
            return Err(Undone::Invalid);
        }
        value.retain(|byte| kind.takes_byte(*byte));
        let value = value.trim_ascii().to_vec();
        if kind.takes(&value) { Ok(value) } else { Err(Undone::Invalid) }
    }
}

impl Kind {
    /// Whether `value` may be sent.
    pub(crate) fn takes(self, value: &[u8]) -> bool {
        match self {
            Self::Line => is_line(value),
            Self::Path => {
                (value.first() == Some(&b'/') || value == b"*")
                    && value.iter().all(|byte| self.takes_byte(*byte))
            }
            Self::Authority => Authority::parse(value, &mut Room::new()).is_ok(),
            Self::Method => {
                !value.is_empty() && value != b"CONNECT" && value.iter().all(|byte| self.takes_byte(*byte))
            }
            Self::Status => {
                matches!(value, [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9'])
                    && !matches!(value, b"204" | b"205" | b"304")
            }
            Self::Cookie => value.iter().all(|byte| self.takes_byte(*byte)),
            Self::Parameter => true,
        }
    }

    fn takes_byte(self, byte: u8) -> bool {
        match self {
            Self::Line => byte == b'\t' || (byte >= b' ' && byte != 0x7f),
            Self::Path => byte.is_ascii_graphic() && byte != b'#',
            Self::Authority => byte.is_ascii_graphic(),
            Self::Method => byte.is_ascii_uppercase() || byte == b'-' || byte == b'_',
            Self::Status => byte.is_ascii_digit(),
            Self::Cookie => byte.is_ascii_graphic() && !b"\",;\\".contains(&byte),
            Self::Parameter => true,
        }
    }

    /// What a right value would be, to follow "expected".
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::Line => "a header value: no control bytes, no space at its ends, at most 8192 bytes",
            Self::Path => "a path: a slash, then no space, no control bytes, no `#`",
            Self::Authority => "a host, with or without a port",
            Self::Method => "a method in upper case, and not CONNECT",
            Self::Status => "a status from 200 to 599 that may have a body, so not 204, 205 or 304",
            Self::Cookie => "a cookie's value: no space, no control bytes, none of `\"`, `,`, `;` and `\\`",
            Self::Parameter => "a parameter's value",
        }
    }
}

#[cfg(test)]
mod tests {
    use filter_kit::testing::Given;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_may_be_sent_depends_on_what_it_is_for() {
        for (kind, right, wrong) in [
            (Kind::Line, &["", "a b", "a\tb", "caf\u{e9}"][..], &["a\r\nb", "a\0", " a", "a "][..]),
            (Kind::Path, &["/", "/a?b=c", "*"], &["", "a", "/a b", "/a#b", "/\u{e9}", "/\r\n"]),
            (Kind::Authority, &["a.test", "a.test:80", "[::1]:80"], &["", "a b", "a/b", "a@b", "a\r\n"]),
            (Kind::Method, &["GET", "M-SEARCH"], &["", "get", "CONNECT", "G T"]),
            (
                Kind::Status,
                &["200", "404", "599"],
                &["", "100", "101", "199", "600", "204", "304", "20x", "2000"],
            ),
            (Kind::Cookie, &["", "a=b", "!#$"], &["a;b", "a b", "\"a\"", "a,b", "\u{e9}", "a\n"]),
        ] {
            for value in right {
                assert!(kind.takes(value.as_bytes()), "{kind:?} {value:?}");
            }
            for value in wrong {
                assert!(!kind.takes(value.as_bytes()), "{kind:?} {value:?}");
            }
        }
    }

    #[test]
    fn a_value_that_may_not_be_sent_is_left_out_or_made_one_that_may() {
        let get = |on_invalid, value: &[u8]| {
            let value = Given::default().header("x", value);
            let template =
                Value::Template(Template::parse("${header:x}").unwrap(), Some(b"other"[..].into()));
            let judge = Judge { on_invalid, most: 8 };
            template.get(&value, Kind::Line, judge).map(Cow::into_owned)
        };
        for on_invalid in [OnInvalid::Skip, OnInvalid::Deny] {
            assert_eq!(get(on_invalid, b"a\r\nb"), Err(Undone::Invalid));
        }
        assert_eq!(get(OnInvalid::Sanitize, b"a\r\nb"), Ok(b"ab".to_vec()));
        assert_eq!(get(OnInvalid::Sanitize, b"a \n"), Ok(b"a".to_vec()));
        assert_eq!(get(OnInvalid::Sanitize, b"123456789"), Err(Undone::Invalid), "too long is not cut");
        assert_eq!(get(OnInvalid::Skip, b"caf\xe9"), Ok(b"caf\xe9".to_vec()));
    }

    #[test]
    fn a_default_stands_in_for_what_is_missing_and_for_nothing_else() {
        let judge = Judge { on_invalid: OnInvalid::Skip, most: 8192 };
        let template = Template::parse("${header:x}").unwrap();
        let (none, empty) = (Given::default(), Given::default().header("x", b""));
        let with = Value::Template(template.clone(), Some(b"d"[..].into()));
        assert_eq!(with.get(&none, Kind::Line, judge).as_deref(), Ok(&b"d"[..]));
        assert_eq!(with.get(&empty, Kind::Line, judge).as_deref(), Ok(&b""[..]));
        let without = Value::Template(template, None);
        assert_eq!(without.get(&none, Kind::Line, judge), Err(Undone::Missing));
    }

    proptest! {
        #[test]
        fn whatever_passes_may_be_sent(value in proptest::collection::vec(0_u8.., 0..20), sanitize: bool) {
            for kind in [Kind::Line, Kind::Path, Kind::Authority, Kind::Method, Kind::Status, Kind::Cookie] {
                let on_invalid = if sanitize { OnInvalid::Sanitize } else { OnInvalid::Skip };
                if let Ok(passed) = (Judge { on_invalid, most: 16 }).pass(kind, value.clone()) {
                    prop_assert!(kind.takes(&passed) && passed.len() <= 16);
                    prop_assert!(sanitize || passed == value);
                }
            }
        }
    }
}
