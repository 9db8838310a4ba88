//! Regular expressions, in a filter that has the feature `regex`.

use regex_lite::{Regex, RegexBuilder};

use crate::config::{Node, Text};

/// Reads a regular expression of at most 1024 bytes that compiles to at most 64 KiB. It matches in time that is linear
/// in the value; what is not UTF-8 it cannot be asked about.
pub fn read(node: Node<'_>) -> Option<Regex> {
    node.parsed(Text::ANY.bytes(1, 1024), |text| {
        if !(1..=1024).contains(&text.len()) {
            return Err("a regular expression of 1 to 1024 bytes".to_owned());
        }
        RegexBuilder::new(text)
            .size_limit(64 << 10)
            .build()
            .map_err(|error| format!("a regular expression: {error}"))
    })
}
