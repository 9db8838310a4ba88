//! Status codes in a configuration: a class, a code, or that there is none.

use std::ops::RangeInclusive;

use filter_kit::config::Node;
use filter_kit::when::status_or;

/// Some of the outcomes of a stream: its codes, of which 0 is that there was no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status(RangeInclusive<u16>);

impl Status {
    /// Reads `"5xx"`, `404` or `"none"`.
    pub fn read(node: Node<'_>) -> Option<Self> {
        status_or(node, &[("none", 0..=0)]).map(Self)
    }

    /// The codes of class 5xx.
    pub(super) fn server_errors() -> Self {
        Self(500..=599)
    }

    /// Whether `code` is one of these; 0 if there was no response.
    pub fn covers(&self, code: u64) -> bool {
        u16::try_from(code).is_ok_and(|code| self.0.contains(&code))
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
        assert!(covers("404", 404) && !covers("404", 403) && !covers("404", 65_536 + 404));
        assert!(covers("\"none\"", 0) && !covers("\"none\"", 200));
    }
}
