//! The JSON that istiod makes of `pluginConfig`: what a filter in a mesh reads, byte for byte.
//!
//! golang/protobuf's jsonpb on a `google.protobuf.Struct`, which is Go's `encoding/json` for texts and numbers: no
//! spaces, names sorted, `<`, `>` and `&` escaped, numbers as doubles.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::tree::{Dialect, Kind, Node, Value};

/// The JSON of a value. An object without members is no configuration at all.
pub(crate) fn configuration(node: &Node, dialect: Dialect) -> Vec<u8> {
    let is_empty = node.is_null() || node.entries().is_some_and(<[_]>::is_empty);
    let mut json = String::new();
    if !is_empty {
        write(&mut json, node, dialect);
    }
    json.into_bytes()
}

fn write(json: &mut String, node: &Node, dialect: Dialect) {
    match &node.kind {
        Kind::Scalar(scalar) => match scalar.value(dialect) {
            Value::Null => json.push_str("null"),
            Value::Bool(value) => json.push_str(if value { "true" } else { "false" }),
            Value::Number(value) => number(json, value),
            Value::Text(text) => string(json, &text),
        },
        Kind::List(items) => {
            json.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                write(json, item, dialect);
            }
            json.push(']');
        }
        Kind::Map(entries) => {
            let sorted: BTreeMap<&str, &Node> =
                entries.iter().map(|(key, value)| (key.name.as_str(), value)).collect();
            json.push('{');
            for (index, (name, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    json.push(',');
                }
                string(json, name);
                json.push(':');
                write(json, value, dialect);
            }
            json.push('}');
        }
    }
}

/// As `encoding/json` writes a float64.
fn number(json: &mut String, value: f64) {
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
        let written = format!("{value:e}");
        json.push_str(&if written.contains("e-") { written } else { written.replace('e', "e+") });
    } else {
        let _ = write!(json, "{value}"); // writing to a String cannot fail
    }
}

/// As `encoding/json` writes a string, with what HTML gives a meaning escaped.
fn string(json: &mut String, text: &str) {
    json.push('"');
    for char in text.chars() {
        match char {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\u{0}'..='\u{1f}' => {
                let _ = write!(json, "\\u{:04x}", u32::from(char)); // writing to a String cannot fail
            }
            char => json.push(char),
        }
    }
    json.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::parse;

    fn of(yaml: &str) -> String {
        let tree = parse(yaml, "x.yaml").unwrap().trees.remove(0);
        String::from_utf8(configuration(&tree, Dialect::Kubernetes)).unwrap()
    }

    #[test]
    fn names_are_sorted_and_what_html_means_something_by_is_escaped() {
        assert_eq!(
            of("version: 1\nb: ['<a>&', \"\\t\\0\\u2028é\"]\na: {y: yes, n: null}\n"),
            r#"{"a":{"n":null,"y":true},"b":["\u003ca\u003e\u0026","\t\u0000\u2028é"],"version":1}"#
        );
    }

    #[test]
    fn numbers_are_written_as_go_writes_doubles() {
        assert_eq!(
            of("[1.0, 1e20, 1e21, -2.5e-7, 0.000001, 9007199254740993, 1.10, -0.0]"),
            "[1,100000000000000000000,1e+21,-2.5e-7,0.000001,9007199254740992,1.1,-0]"
        );
    }

    #[test]
    fn an_empty_object_is_no_configuration() {
        assert_eq!(of("{}"), "");
        assert_eq!(of("{a: {}}"), "{\"a\":{}}");
    }
}
