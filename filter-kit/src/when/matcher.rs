//! A test of a value, byte for byte.

/// What a path or a header's value is compared with.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// It is this.
    Exact(Box<[u8]>),
    /// It begins with this.
    Prefix(Box<[u8]>),
    /// It ends with this.
    Suffix(Box<[u8]>),
    /// This is in it.
    Contains(Box<[u8]>),
    /// This regular expression matches somewhere in it; what is not UTF-8 is matched by none.
    #[cfg(feature = "regex")]
    Regex(regex_lite::Regex),
}

impl Matcher {
    /// Whether `value` passes the test.
    pub fn matches(&self, value: &[u8]) -> bool {
        match self {
            Self::Exact(text) => value == &**text,
            Self::Prefix(text) => value.starts_with(text),
            Self::Suffix(text) => value.ends_with(text),
            Self::Contains(text) => text.is_empty() || value.windows(text.len()).any(|part| part == &**text),
            #[cfg(feature = "regex")]
            Self::Regex(regex) => std::str::from_utf8(value).is_ok_and(|text| regex.is_match(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_byte_for_byte() {
        let text = |text: &str| -> Box<[u8]> { text.as_bytes().into() };
        for (matcher, yes, no) in [
            (Matcher::Exact(text("/a")), &["/a"][..], &["/A", "/a/", ""][..]),
            (Matcher::Prefix(text("/a")), &["/a", "/ab"], &["a", "/", ""]),
            (Matcher::Suffix(text(".js")), &[".js", "a.js"], &["a.jsx", "js"]),
            (Matcher::Contains(text("b")), &["abc", "b"], &["", "ac"]),
            (Matcher::Contains(text("")), &["", "a"], &[]),
        ] {
            for value in yes {
                assert!(matcher.matches(value.as_bytes()), "{matcher:?} {value}");
            }
            for value in no {
                assert!(!matcher.matches(value.as_bytes()), "{matcher:?} {value}");
            }
        }
        assert!(Matcher::Contains(text("f")).matches(b"caf\xe9"));
    }
}
