//! A YAML or JSON document as a tree that knows where each thing stands in the file.

use std::fmt;
use std::ops::Range;

mod json;
mod locate;
mod scalar;
mod text;
mod yaml;

pub(crate) use locate::locate;
pub(crate) use scalar::{Dialect, Value};
pub(crate) use text::offset_in_source;

/// What a tree may hold, so that aliases cannot make much of little.
const MOST_NODES: usize = 8_000_000;
/// How many of its nodes may come from aliases.
const MOST_ALIASED: usize = 100_000;
/// JSON may be nested so deep: as deep as `serde_json`, which most filters read it by, goes.
const MOST_NESTED: usize = 127;

/// A value.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Bytes of the file.
    pub(crate) span: Range<usize>,
    pub(crate) kind: Kind,
}

/// What a value is made of.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    /// In the order of the file, with names that are given twice.
    Map(Vec<(Key, Node)>),
}

/// A scalar, not yet a number or a boolean: who reads it decides that, and not all decide alike.
#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    /// Without quotes and escapes.
    pub(crate) text: String,
    pub(crate) style: Style,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
    /// Plain, and tagged as a text.
    Tagged,
}

/// A member's name.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) span: Range<usize>,
    pub(crate) name: String,
}

/// Why a text is no tree.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// Byte of the file.
    pub(crate) at: usize,
    pub(crate) message: String,
}

/// The documents of a file.
#[derive(Debug)]
pub(crate) struct Documents {
    pub(crate) trees: Vec<Node>,
    pub(crate) is_json: bool,
}

/// Reads a text: as JSON if it looks so and is, else as YAML, of which there may be several documents.
///
/// # Errors
///
/// Where the text is neither.
pub(crate) fn parse(text: &str, name: &str) -> Result<Documents, Broken> {
    let named_yaml = name.ends_with(".yaml") || name.ends_with(".yml");
    if text.trim_start().starts_with(['{', '[']) || name.ends_with(".json") {
        match json(text) {
            Ok(tree) => return Ok(Documents { trees: vec![tree], is_json: true }),
            Err(broken) if !named_yaml => return Err(broken),
            // A YAML file may begin with a brace, too.
            Err(_) => {}
        }
    }
    Ok(Documents { trees: yaml::parse(text)?, is_json: false })
}

/// Reads JSON alone.
///
/// # Errors
///
/// Where the text is none.
pub(crate) fn json(text: &str) -> Result<Node, Broken> {
    json::parse(text)
}

impl Node {
    pub(crate) fn entries(&self) -> Option<&[(Key, Self)]> {
        match &self.kind {
            Kind::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub(crate) fn items(&self) -> Option<&[Self]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    /// The last member of that name: the one that counts where two are let through.
    pub(crate) fn entry(&self, name: &str) -> Option<&(Key, Self)> {
        self.entries()?.iter().rev().find(|(key, _)| key.name == name)
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        Some(&self.entry(name)?.1)
    }

    /// A scalar's text, whatever it stands for.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value(Dialect::Json), Some(Value::Null))
    }

    /// What a scalar stands for.
    pub(crate) fn value(&self, dialect: Dialect) -> Option<Value> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar.value(dialect)),
            _ => None,
        }
    }

    /// Follows YAML 1.1's `<<`: members of another map, for those that are not there. `kubectl` does so.
    pub(crate) fn merge(&mut self) {
        match &mut self.kind {
            Kind::Scalar(_) => {}
            Kind::List(items) => items.iter_mut().for_each(Self::merge),
            Kind::Map(entries) => {
                let mut merged = Vec::new();
                entries.retain_mut(|(key, value)| {
                    value.merge();
                    if key.name != "<<" {
                        return true;
                    }
                    let bases = match &value.kind {
                        Kind::List(items) => items.as_slice(),
                        _ => std::slice::from_ref(value),
                    };
                    merged.extend(bases.iter().filter_map(|base| base.entries()).flatten().cloned());
                    false
                });
                for (key, value) in merged {
                    if !entries.iter().any(|(other, _)| other.name == key.name) {
                        entries.push((key, value));
                    }
                }
            }
        }
    }
}

/// What it is, for a message.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::List(_) => f.write_str("a list"),
            Kind::Map(_) => f.write_str("a map"),
            Kind::Scalar(scalar) if scalar.text.chars().count() > 60 => {
                let begin: String = scalar.text.chars().take(60).collect();
                write!(f, "{begin:?}... ({} bytes)", scalar.text.len())
            }
            Kind::Scalar(scalar) if scalar.style == Style::Plain && !scalar.text.is_empty() => {
                write!(f, "{}", scalar.text)
            }
            Kind::Scalar(scalar) if scalar.style == Style::Plain => f.write_str("nothing"),
            Kind::Scalar(scalar) => write!(f, "{:?}", scalar.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every value's and every name's bytes are a part of the text; every text's bytes lead to a place in it.
    fn check(text: &str, node: &Node) {
        assert!(text.get(node.span.clone()).is_some(), "{text:?}: {:?}", node.span);
        for (key, value) in node.entries().unwrap_or_default() {
            assert!(text.get(key.span.clone()).is_some(), "{text:?}: {:?}", key.span);
            check(text, value);
        }
        node.items().unwrap_or_default().iter().for_each(|item| check(text, item));
        for offset in 0..=node.text().map_or(0, str::len) {
            if let Some(at) = offset_in_source(text, node, offset) {
                assert!(at <= text.len(), "{text:?}: {offset} is at {at}");
            }
        }
        for path in ["a", "a.b", "a[0]", "[0]", "[0].a"] {
            let span = locate(node, path).span(false);
            assert!(text.get(span.clone()).is_some(), "{text:?}: {path} is at {span:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_a_place_that_is_not_in_it(
            text in "([ab:{}\\[\\],\"'|>&*!<~1é\u{85}\u{2028}\t\r\n \\\\-]|: |- |\n  |\\\\u00e9|<<: |&a |\\*a){0,60}",
        ) {
            for name in ["x.yaml", "x.json"] {
                let Ok(documents) = parse(&text, name) else { continue };
                for mut tree in documents.trees {
                    check(&text, &tree);
                    tree.merge();
                    check(&text, &tree);
                }
            }
        }
    }
}
