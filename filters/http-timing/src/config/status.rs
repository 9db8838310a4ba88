//! Status codes in a configuration: a class, a code, or that there is none.

use std::ops::RangeInclusive;

use filter_kit::config::Node;

/// Some of the outcomes of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// One of these codes.
    Code(RangeInclusive<u64>),
    /// No response: the stream ended before there was one.
    None,
}

impl Status {
    /// Reads `"5xx"`, `404` or `"none"`.
    pub fn read(node: Node<'_>) -> Option<Self> {
        node.text_or(
            |node| {
                node.one_of(&[
                    ("1xx", Self::Code(100..=199)),
                    ("2xx", Self::Code(200..=299)),
                    ("3xx", Self::Code(300..=399)),
                    ("4xx", Self::Code(400..=499)),
                    ("5xx", Self::Code(500..=599)),
                    ("none", Self::None),
                ])
            },
            |node| node.integer(100..=599).map(|code| Self::Code(code..=code)),
        )
    }

    /// Whether `code` is one of these; 0 if there was no response.
    pub fn covers(&self, code: u64) -> bool {
        match self {
            Self::Code(range) => range.contains(&code),
            Self::None => code == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_a_code_and_none_cover_what_they_say() {
        let covers =
            |json: &str, code| filter_kit::config::read(json.as_bytes(), Status::read).unwrap().covers(code);
        assert!(covers("\"5xx\"", 503) && !covers("\"5xx\"", 499) && !covers("\"5xx\"", 0));
        assert!(covers("404", 404) && !covers("404", 403));
        assert!(covers("\"none\"", 0) && !covers("\"none\"", 200));
    }
}
