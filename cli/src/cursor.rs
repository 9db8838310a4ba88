//! Reads the fields of a resource and notes everything that is wrong with them.

use std::ops::{Range, RangeInclusive};

use crate::problem::{By, Problem, Problems};
use crate::tree::{Dialect, Key, Node, Value};

/// Who reads, and where problems go.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    pub(crate) problems: &'a Problems,
    pub(crate) by: By,
    pub(crate) dialect: Dialect,
}

/// A value, its name, and the path to it.
#[derive(Clone)]
pub(crate) struct Cursor<'a> {
    pub(crate) node: &'a Node,
    pub(crate) key: Option<&'a Key>,
    pub(crate) path: String,
    pub(crate) reader: Reader<'a>,
}

impl<'a> Cursor<'a> {
    pub(crate) fn top(node: &'a Node, reader: Reader<'a>) -> Self {
        Self { node, key: None, path: String::new(), reader }
    }

    /// A member; one that is null is none. Envoy takes `camelCase` for `snake_case`.
    pub(crate) fn get(&self, name: &str) -> Option<Self> {
        let (key, node) = self.node.entries()?.iter().rev().find(|(key, _)| self.same(&key.name, name))?;
        (!node.is_null()).then(|| self.member(key, node))
    }

    /// Follows several names.
    pub(crate) fn follow(&self, names: &[&str]) -> Option<Self> {
        names.iter().try_fold(self.clone(), |cursor, name| cursor.get(name))
    }

    fn same(&self, found: &str, name: &str) -> bool {
        found == name || self.reader.by == By::Envoy && found == camel_case(name)
    }

    fn member(&self, key: &'a Key, node: &'a Node) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        let name = key.name.escape_debug();
        Self { node, key: Some(key), path: format!("{}{dot}{name}", self.path), reader: self.reader }
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a Key, Self)> + use<'a, '_> {
        self.node.entries().unwrap_or_default().iter().map(|(key, node)| (key, self.member(key, node)))
    }

    /// The items of a list, or a problem.
    pub(crate) fn items(&self) -> Vec<Self> {
        match self.node.items() {
            Some(items) => (0..).zip(items).map(|(index, node)| self.item(index, node)).collect(),
            None => {
                self.expected("a list");
                Vec::new()
            }
        }
    }

    pub(crate) fn item(&self, index: usize, node: &'a Node) -> Self {
        Self { node, key: None, path: format!("{}[{index}]", self.path), reader: self.reader }
    }

    /// What to point at: the name of a list or a map, a scalar itself.
    pub(crate) fn span(&self) -> Range<usize> {
        match self.key {
            Some(key) if self.node.text().is_none_or(str::is_empty) => key.span.clone(),
            _ => self.node.span.clone(),
        }
    }

    pub(crate) fn problem(&self, message: impl Into<String>) -> Problem {
        Problem::new(self.reader.by, self.span(), self.path.as_str(), message)
    }

    pub(crate) fn add(&self, message: impl Into<String>) {
        self.reader.problems.add(self.problem(message));
    }

    pub(crate) fn expected(&self, expected: &str) {
        self.add(format!("found {}, expected {expected}", self.node));
    }

    /// Notes that a member is missing.
    pub(crate) fn missing(&self, name: &str, expected: &str) {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) };
        let span = self.key.map_or(self.node.span.clone(), |key| key.span.clone());
        let problem =
            Problem::new(self.reader.by, span, path, format!("`{name}` is missing, expected {expected}"));
        self.reader.problems.add(problem);
    }

    /// Whether it is a map; if so, every name that is not known is a problem, and every one that is given twice.
    pub(crate) fn object(&self, known: &[&str]) -> bool {
        let Some(entries) = self.node.entries() else {
            self.expected("a map");
            return false;
        };
        for (index, (key, node)) in entries.iter().enumerate() {
            let problem = |message: String| {
                let member = self.member(key, node);
                Problem::new(self.reader.by, key.span.clone(), member.path, message)
            };
            if !known.iter().any(|name| self.same(&key.name, name)) {
                let message = format!("unknown field, expected one of {}", quoted(known));
                let near = nearest(&key.name, known);
                let hint = known_mistake(&key.name)
                    .map(str::to_owned)
                    .or_else(|| Some(format!("is `{}` meant?", near?)));
                self.reader.problems.add(Problem { hint, ..problem(message) });
            } else if entries.iter().take(index).any(|(other, _)| other.name == key.name) {
                let twice = problem("given more than once".to_owned());
                // Envoy takes the last; `kubectl` refuses.
                let is_taken = self.reader.by == By::Envoy && self.reader.dialect != Dialect::Kubernetes;
                self.reader.problems.add(if is_taken { twice.warning() } else { twice });
            }
        }
        true
    }

    pub(crate) fn value(&self) -> Option<Value> {
        self.node.value(self.reader.dialect)
    }

    /// A text of so many characters, or a problem.
    pub(crate) fn text(&self, length: RangeInclusive<usize>) -> Option<String> {
        let Some(Value::Text(text)) = self.value() else {
            // A number or a boolean in quotes would do.
            let quotes = if self.node.text().is_some() { "a text: put it in quotes" } else { "a text" };
            self.expected(quotes);
            return None;
        };
        let found = text.chars().count();
        if !length.contains(&found) {
            let expected = match (*length.start(), *length.end()) {
                (0, most) => format!("at most {most}"),
                (least, usize::MAX) => format!("at least {least}"),
                (least, most) => format!("{least} to {most}"),
            };
            self.add(format!("found {found} characters, expected {expected}"));
            return None;
        }
        Some(text)
    }

    /// One of a few words, or a problem.
    pub(crate) fn word(&self, words: &[&str]) -> Option<String> {
        let found = match self.value() {
            Some(Value::Text(text)) => text,
            _ => self.node.text().unwrap_or_default().to_owned(),
        };
        if words.contains(&found.as_str()) {
            return Some(found);
        }
        let problem = self.problem(format!("found {}, expected one of {}", self.node, quoted(words)));
        let near = nearest(&found, words).map(|near| format!("is `{near}` meant?"));
        self.reader.problems.add(Problem { hint: near, ..problem });
        None
    }

    /// A whole number, or a problem.
    pub(crate) fn integer(&self, range: RangeInclusive<i64>) {
        #[expect(clippy::cast_precision_loss, reason = "the bounds are of 32 bits")]
        let fits = |value: f64| {
            value.fract() == 0.0 && (*range.start() as f64..=*range.end() as f64).contains(&value)
        };
        if !matches!(self.value(), Some(Value::Number(value)) if fits(value)) {
            self.expected(&format!("an integer from {} to {}", range.start(), range.end()));
        }
    }
}

/// Fields that people write and no API has.
fn known_mistake(name: &str) -> Option<&'static str> {
    Some(match name {
        "failOpen" => {
            "write `failStrategy: FAIL_OPEN` (there is no field `failOpen`; the plugin would fail closed)"
        }
        "config" | "configuration" => "the filter's configuration is `pluginConfig`",
        "image" => "the module is named by `url`, such as oci://ghcr.io/org/name:tag",
        "rootId" | "rootID" | "root_id" => "the root ID is `pluginName`",
        "workloadSelector" => "the pods are chosen by `selector.matchLabels`",
        _ => return None,
    })
}

fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |other: &str| strsim::damerau_levenshtein(&name.to_lowercase(), &other.to_lowercase());
    if name.len() > 80 {
        return None;
    }
    known
        .iter()
        .copied()
        .filter(|other| distance(other) <= 1 + other.len() / 5)
        .min_by_key(|other| distance(other))
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// `failure_policy` as `failurePolicy`, as protobuf's JSON has it.
fn camel_case(name: &str) -> String {
    let mut pieces = name.split('_');
    let mut camel = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let mut chars = piece.chars();
        camel.extend(chars.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(chars.as_str());
    }
    camel
}
