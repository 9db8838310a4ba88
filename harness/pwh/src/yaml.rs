//! YAML as a tree that remembers where each thing stands.

use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

mod problems;

pub(crate) use problems::{Fields, Problem, Problems, list, nearest};

/// A place in a file, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct At {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) at: At,
    pub(crate) kind: Kind,
    /// Where it is written, if an alias or a merge brought it here.
    defined: At,
    /// How a scalar without quotes is written: `1.10` is no number to whoever wants a text.
    written: Option<String>,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// The name of a field, and its place.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) at: At,
    pub(crate) name: String,
}

impl Node {
    /// Reads a whole document.
    ///
    /// # Errors
    ///
    /// Where the text is not YAML.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, Problem> {
        let mut node: Self = serde_saphyr::from_str(text).map_err(|error| Problem {
            path: path.to_owned(),
            at: error.location().map(At::from).unwrap_or(At { line: 1, column: 1 }),
            message: first_line(&error.without_snippet().to_string()),
        })?;
        node.remember(text);
        Ok(node)
    }

    /// Notes how scalars are written.
    fn remember(&mut self, text: &str) {
        match &mut self.kind {
            Kind::List(items) => items.iter_mut().for_each(|item| item.remember(text)),
            Kind::Map(fields) => fields.iter_mut().for_each(|(_, value)| value.remember(text)),
            Kind::Bool(_) | Kind::Int(_) | Kind::Uint(_) | Kind::Float(_) => {
                self.written = plain(text, self.defined);
            }
            Kind::Null | Kind::Text(_) => {}
        }
    }

    /// Whether it says nothing: the same as a field that is not there.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// A scalar as text, as it is written.
    pub(crate) fn scalar(&self) -> Option<String> {
        match &self.kind {
            Kind::Text(text) => Some(text.clone()),
            Kind::Bool(value) => Some(self.written.clone().unwrap_or_else(|| value.to_string())),
            Kind::Int(value) => Some(self.written.clone().unwrap_or_else(|| value.to_string())),
            Kind::Uint(value) => Some(self.written.clone().unwrap_or_else(|| value.to_string())),
            Kind::Float(value) => Some(self.written.clone().unwrap_or_else(|| value.to_string())),
            Kind::Null | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// A whole number that is not negative.
    pub(crate) fn unsigned(&self) -> Option<u64> {
        match self.kind {
            Kind::Uint(value) => Some(value),
            Kind::Int(value) => u64::try_from(value).ok(),
            _ => None,
        }
    }

    /// The same tree as JSON.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Int(value) => Value::from(*value),
            Kind::Uint(value) => Value::from(*value),
            Kind::Float(value) => Value::from(*value),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Kind::Map(fields) => {
                Value::Object(fields.iter().map(|(key, value)| (key.name.clone(), value.to_json())).collect())
            }
        }
    }

    /// What it is, for a message.
    pub(crate) fn found(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".to_owned(),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a map".to_owned(),
            Kind::Text(text) => format!("{text:?}"),
            _ => self.scalar().unwrap_or_default(),
        }
    }
}

/// A plain scalar's characters, from where it begins.
fn plain(text: &str, at: At) -> Option<String> {
    let line = text.lines().nth(usize::try_from(at.line).ok()?.checked_sub(1)?)?;
    let rest: String = line.chars().skip(usize::try_from(at.column).ok()?.checked_sub(1)?).collect();
    let end = rest.find([',', '}', ']', '#', ' ', '\t']).unwrap_or(rest.len());
    let written = rest.get(..end)?.trim_end();
    // An alias or a tag: what it stands for is elsewhere.
    let usual = !written.is_empty() && !written.starts_with(['*', '!', '&', '"', '\'', '<']);
    usual.then(|| written.to_owned())
}

impl From<Location> for At {
    fn from(location: Location) -> Self {
        Self { line: location.line(), column: location.column() }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, referenced, defined } = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Self { at: referenced.into(), kind: value, defined: defined.into(), written: None })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tree;

        impl<'de> Visitor<'de> for Tree {
            type Value = Kind;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("YAML")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
                Ok(Kind::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
                Ok(Kind::Int(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
                Ok(Kind::Uint(value))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Kind, E> {
                Ok(Kind::Float(value))
            }

            fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
                Ok(Kind::Text(value.to_owned()))
            }

            fn visit_bytes<E: Error>(self, value: &[u8]) -> Result<Kind, E> {
                std::str::from_utf8(value)
                    .map(|text| Kind::Text(text.to_owned()))
                    .map_err(|_| E::custom("bytes that are no text: give them as `hex`"))
            }

            fn visit_unit<E>(self) -> Result<Kind, E> {
                Ok(Kind::Null)
            }

            fn visit_none<E>(self) -> Result<Kind, E> {
                Ok(Kind::Null)
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
                Kind::deserialize(deserializer)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Kind, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Kind::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
                let mut fields = Vec::new();
                while let Some(name) = map.next_key::<Spanned<String>>()? {
                    let key = Key { at: name.referenced.into(), name: name.value };
                    fields.push((key, map.next_value()?));
                }
                Ok(Kind::Map(fields))
            }
        }

        deserializer.deserialize_any(Tree)
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Node {
        Node::parse(Path::new("a.yaml"), text).unwrap()
    }

    #[test]
    fn a_scalar_keeps_its_spelling_where_a_text_is_wanted() {
        let Kind::Map(fields) = node("{a: 1.10, b: 007, c: yes, d: true, e: '1.10', f: 1e3}\n").kind else {
            panic!("a map");
        };
        let texts: Vec<String> = fields.iter().map(|(_, value)| value.scalar().unwrap()).collect();
        assert_eq!(texts, ["1.10", "007", "yes", "true", "1.10", "1e3"]);
    }

    #[test]
    fn anchors_and_merges_are_followed() {
        let tree =
            node("base: &base\n  a: 1.50\n  b: 2\nother:\n  <<: *base\n  b: 3\nlast: *base\n").to_json();
        assert_eq!(tree["other"], serde_json::json!({ "a": 1.5, "b": 3 }));
        assert_eq!(tree["last"], serde_json::json!({ "a": 1.5, "b": 2 }));
        let Kind::List(items) = node("[&a 1.50, *a]\n").kind else { panic!("a list") };
        assert_eq!(items[1].scalar().unwrap(), "1.50");
    }

    #[test]
    fn what_is_not_yaml_is_refused_with_its_line() {
        let problem = Node::parse(Path::new("a.yaml"), "a: 1\nb: [1\n").unwrap_err();
        assert!(problem.at.line >= 2, "{problem}");
        let twice = Node::parse(Path::new("a.yaml"), "a: 1\na: 2\n").unwrap_err();
        assert!(twice.to_string().starts_with("a.yaml:2:1: "), "{twice}");
    }
}
