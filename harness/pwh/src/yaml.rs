//! YAML as a tree that remembers where each thing stands, read so that every problem is found at once.

use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

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

/// Something in a scenario file that is not right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}:{}: {message}", path.display(), at.line, at.column)]
pub(crate) struct Problem {
    pub(crate) path: PathBuf,
    pub(crate) at: At,
    pub(crate) message: String,
}

/// What is wrong with a file, as far as it is known.
#[derive(Debug)]
pub(crate) struct Problems {
    path: PathBuf,
    found: RefCell<Vec<Problem>>,
}

/// The fields of a map whose names have been checked.
pub(crate) struct Fields<'a> {
    pub(crate) at: At,
    fields: &'a [(Key, Node)],
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

impl Problems {
    pub(crate) fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), found: RefCell::default() }
    }

    /// Notes a problem. Nothing comes of what has one.
    pub(crate) fn add<T>(&self, at: At, message: impl Into<String>) -> Option<T> {
        let problem = Problem { path: self.path.clone(), at, message: message.into() };
        self.found.borrow_mut().push(problem);
        None
    }

    /// All of them, in the order of the file.
    pub(crate) fn into_all(self) -> Vec<Problem> {
        let mut all = self.found.into_inner();
        all.sort_by_key(|problem| problem.at);
        all
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// The folder that paths in the file are relative to.
    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// Something else was expected.
    pub(crate) fn expected<T>(&self, node: &Node, what: &str) -> Option<T> {
        self.add(node.at, format!("found {}, expected {what}", node.found()))
    }

    /// A map with none but these fields.
    pub(crate) fn fields<'a>(&self, node: &'a Node, what: &str, known: &[&str]) -> Option<Fields<'a>> {
        let Kind::Map(fields) = &node.kind else {
            return self.expected(node, &format!("{what}: a map with {}", list(known)));
        };
        for (key, _) in fields {
            if !known.contains(&key.name.as_str()) {
                let hint = nearest(&key.name, known).map_or(String::new(), |name| format!(" (`{name}`?)"));
                let name = &key.name;
                let known = list(known);
                self.add::<()>(key.at, format!("unknown field `{name}`{hint} in {what}, expected {known}"));
            }
        }
        Some(Fields { at: node.at, fields })
    }

    /// A map of names that the author chose.
    pub(crate) fn entries<'a>(&self, node: &'a Node, what: &str) -> &'a [(Key, Node)] {
        match &node.kind {
            Kind::Map(fields) => fields,
            _ => {
                self.expected::<()>(node, what);
                &[]
            }
        }
    }

    pub(crate) fn items<'a>(&self, node: &'a Node, what: &str) -> &'a [Node] {
        match &node.kind {
            Kind::List(items) => items,
            _ => {
                self.expected::<()>(node, what);
                &[]
            }
        }
    }

    pub(crate) fn text(&self, node: &Node, what: &str) -> Option<String> {
        node.scalar().or_else(|| self.expected(node, what))
    }

    pub(crate) fn bool(&self, node: &Node) -> Option<bool> {
        match node.kind {
            Kind::Bool(value) => Some(value),
            _ => self.expected(node, "true or false"),
        }
    }

    pub(crate) fn unsigned(&self, node: &Node, what: &str) -> Option<u64> {
        node.unsigned().or_else(|| self.expected(node, what))
    }

    /// `1`, `64KiB`, `1MiB`
    pub(crate) fn size(&self, node: &Node) -> Option<u64> {
        const WHAT: &str = "a number of bytes such as 512, 64KiB or 1MiB";
        let text = self.text(node, WHAT)?;
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor = match unit.trim() {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => return self.expected(node, WHAT),
        };
        let bytes = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
        bytes.or_else(|| self.expected(node, WHAT))
    }

    /// `250ms`, `1.5s`, `2m`, `1h`
    pub(crate) fn duration(&self, node: &Node) -> Option<Duration> {
        const WHAT: &str = "a time such as 250ms, 1.5s, 2m or 1h";
        let text = self.text(node, WHAT)?;
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let seconds = match unit.trim() {
            "us" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return self.expected(node, WHAT),
        };
        let number = number.parse::<f64>().ok().map(|number| number * seconds);
        let duration = number.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        duration.or_else(|| self.expected(node, WHAT))
    }

    /// One of some words.
    pub(crate) fn word<T: Copy>(&self, node: &Node, words: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let what = list(&names);
        let text = self.text(node, &what)?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        found.or_else(|| {
            let hint = nearest(&text, &names).map_or(String::new(), |name| format!(" (`{name}`?)"));
            self.add(node.at, format!("found {text:?}{hint}, expected {what}"))
        })
    }

    /// A file's bytes, by a path relative to the scenario file.
    pub(crate) fn file(&self, node: &Node) -> Option<Vec<u8>> {
        let path = self.folder().join(self.text(node, "the path of a file")?);
        match std::fs::read(&path) {
            Ok(bytes) => Some(bytes),
            Err(error) => self.add(node.at, format!("{}: {error}", path.display())),
        }
    }
}

impl<'a> Fields<'a> {
    /// The field of that name, unless it is not there or says nothing.
    pub(crate) fn get(&self, name: &str) -> Option<&'a Node> {
        self.entry(name).map(|(_, node)| node)
    }

    /// The same with its key, whose place is that of the name.
    pub(crate) fn entry(&self, name: &str) -> Option<(&'a Key, &'a Node)> {
        let found = self.fields.iter().find(|(key, _)| key.name == name);
        found.filter(|(_, node)| !node.is_null()).map(|(key, node)| (key, node))
    }

    /// The names of all fields.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> {
        self.fields.iter().map(|(key, _)| key.name.as_str())
    }

    /// Those of the fields that are there.
    pub(crate) fn present(&self, names: &[&'static str]) -> Vec<&'static str> {
        names.iter().copied().filter(|name| self.get(name).is_some()).collect()
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// `a`, `b` or `c`
pub(crate) fn list(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [one] => format!("`{one}`"),
        [all @ .., last] => {
            let all: Vec<String> = all.iter().map(|name| format!("`{name}`")).collect();
            format!("{} or `{last}`", all.join(", "))
        }
    }
}

/// The name that was probably meant.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let score = |other: &&str| strsim::damerau_levenshtein(name, other);
    let best = known.iter().copied().min_by_key(score)?;
    // A third of its letters wrong is another word.
    (score(&best) * 3 <= best.len().max(3)).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Node {
        Node::parse(Path::new("a.yaml"), text).unwrap()
    }

    fn problems() -> Problems {
        Problems::of(Path::new("a.yaml"))
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

    #[test]
    fn sizes_and_times_have_units() {
        let problems = problems();
        assert_eq!(problems.size(&node("64KiB")), Some(65536));
        assert_eq!(problems.size(&node("12")), Some(12));
        assert_eq!(problems.duration(&node("250ms")), Some(Duration::from_millis(250)));
        assert_eq!(problems.duration(&node("1.5s")), Some(Duration::from_millis(1500)));
        assert!(problems.is_empty());
        assert_eq!(problems.duration(&node("250")), None);
        assert_eq!(problems.size(&node("1kb")), None);
        assert_eq!(problems.into_all().len(), 2);
    }

    #[test]
    fn an_unknown_field_is_named_with_the_one_that_was_meant() {
        let (problems, node) = (problems(), node("a: 1\npth: /\n"));
        problems.fields(&node, "a request", &["a", "path"]);
        let all = problems.into_all();
        assert_eq!(
            all[0].to_string(),
            "a.yaml:2:1: unknown field `pth` (`path`?) in a request, expected `a` or `path`"
        );
    }
}
