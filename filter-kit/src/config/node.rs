//! A value in a configuration, and where it stands.

use std::borrow::Cow;
use std::fmt::{Display, Write};
use std::ops::RangeInclusive;

use super::draft::{Draft, Text, list};
use super::fields::Fields;
use super::json::Json;
use super::problem::Problems;

mod lists;
mod quantity;
mod variants;

/// One value of a configuration together with its path, so that it can say what is wrong with it.
///
/// Each reader answers `None` after noting a problem. Read every field before giving up on one.
///
/// Natively a node may also stand for a value that is only described: then each reader adds what it would accept to
/// the schema, and answers `None`.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    json: &'a Json<'a>,
    step: Step<'a>,
    problems: &'a Problems,
    #[cfg(not(target_family = "wasm"))]
    pub(super) draft: Option<&'a Draft<'a>>,
}

/// How a node is reached from the one that holds it. A chain on the stack: no path is built until it is shown.
#[derive(Clone, Copy)]
enum Step<'a> {
    Top,
    Member(&'a Node<'a>, &'a str),
    Item(&'a Node<'a>, usize),
}

// The readers that have documentation or keywords of a schema as arguments are always inlined, so that a module, which
// has no schema, has none of them either.
impl<'a> Node<'a> {
    pub(super) fn top(json: &'a Json<'a>, problems: &'a Problems) -> Self {
        Self {
            json,
            step: Step::Top,
            problems,
            #[cfg(not(target_family = "wasm"))]
            draft: None,
        }
    }

    pub(super) fn member(&'a self, name: &'a str, json: &'a Json<'a>) -> Self {
        Self { json, step: Step::Member(self, name), ..*self }
    }

    fn item(&'a self, index: usize, json: &'a Json<'a>) -> Self {
        Self { json, step: Step::Item(self, index), ..*self }
    }

    /// The same value, described in `draft`.
    #[cfg(not(target_family = "wasm"))]
    pub(super) fn drafted(self, draft: &'a Draft<'a>) -> Self {
        Self { draft: Some(draft), ..self }
    }

    /// Natively, has `say` describe what is accepted here, if that is asked for; the value is not read then.
    #[cfg(not(target_family = "wasm"))]
    pub(super) fn describe(&self, say: impl FnOnce(&Draft<'_>)) -> bool {
        self.draft.map(say).is_some()
    }

    #[cfg(target_family = "wasm")]
    #[inline(always)]
    pub(super) fn describe(&self, _: impl FnOnce(&Draft<'_>)) -> bool {
        false
    }

    /// Has `read` describe a value inside of this one.
    #[cfg(not(target_family = "wasm"))]
    fn schema_of<T>(&self, draft: &Draft<'_>, read: impl FnOnce(Node<'_>) -> Option<T>) -> Json<'static> {
        let inner = draft.inner();
        read(Node { json: &Json::Null, step: Step::Top, problems: self.problems, draft: Some(&inner) });
        inner.into_schema()
    }

    #[cfg(target_family = "wasm")]
    #[inline(always)]
    fn schema_of<T>(&self, _: &Draft<'_>, _: impl FnOnce(Node<'_>) -> Option<T>) -> Json<'static> {
        Json::Null
    }

    /// Notes that the value is not what it should be; `expected` completes "found ..., expected ...".
    pub fn expected<T>(&self, expected: impl Display) -> Option<T> {
        self.note_expected(&expected);
        None
    }

    /// Noting is not generic and never inlined: it is far from any hot path, and each copy is bytes of a module.
    #[inline(never)]
    fn note_expected(&self, expected: &dyn Display) {
        self.note(format!("found {}, expected {expected}", self.json));
    }

    #[inline(never)]
    fn note(&self, message: String) {
        self.problems.note(self.path(), message);
    }

    /// Notes a problem in words of your own: a lowercase clause, no full stop.
    pub fn problem<T>(&self, message: impl Into<String>) -> Option<T> {
        self.note(message.into());
        None
    }

    /// Reads an object. `read` asks for its members; one that it does not ask for is refused.
    pub fn object<T>(self, read: impl FnOnce(&mut Fields<'_>) -> Option<T>) -> Option<T> {
        self.object_after(self.problems.count(), read)
    }

    /// As [`object`](Self::object), with what is found wrong with the names standing after the first `before` problems.
    fn object_after<T>(self, before: usize, read: impl FnOnce(&mut Fields<'_>) -> Option<T>) -> Option<T> {
        self.describe(|draft| draft.set("type", "object"));
        let mut fields = Fields::new(&self, self.members()?);
        let built = read(&mut fields);
        fields.refuse_others(before);
        self.describe(|draft| draft.set("additionalProperties", false));
        built
    }

    fn members(&self) -> Option<&'a [(Cow<'a, str>, Json<'a>)]> {
        match self.json {
            Json::Object(members) => Some(members),
            _ if self.describe(|_| {}) => Some(&[]),
            _ => self.expected("an object"),
        }
    }

    /// Reads a string.
    pub fn text(&self) -> Option<&'a str> {
        if self.describe(|draft| draft.text(Text::ANY)) {
            return None;
        }
        match self.json {
            Json::String(text) => Some(text),
            _ => self.expected("a string"),
        }
    }

    /// Reads a string that `parse` makes something of; its error completes "expected ...". What `parse` accepts is
    /// told to the schema by `like`.
    #[inline(always)]
    pub fn parsed<T, E: Display>(
        &self,
        like: Text,
        parse: impl FnOnce(&'a str) -> Result<T, E>,
    ) -> Option<T> {
        if self.describe(|draft| draft.text(like)) {
            return None;
        }
        self.parse(parse)
    }

    fn parse<T, E: Display>(&self, parse: impl FnOnce(&'a str) -> Result<T, E>) -> Option<T> {
        match parse(self.text()?) {
            Ok(parsed) => Some(parsed),
            Err(expected) => self.expected(expected),
        }
    }

    /// Reads `true` or `false`.
    pub fn boolean(self) -> Option<bool> {
        if self.describe(|draft| draft.set("type", "boolean")) {
            return None;
        }
        match self.json {
            Json::Bool(value) => Some(*value),
            _ => self.expected("true or false"),
        }
    }

    /// Reads a whole number within `range`. `5.0` is one: a protobuf `Struct` has only doubles.
    pub fn integer(&self, range: RangeInclusive<u64>) -> Option<u64> {
        if self.describe(|draft| draft.integer(*range.start(), *range.end())) {
            return None;
        }
        self.whole()
            .filter(|value| range.contains(value))
            .or_else(|| self.expected(format_args!("an integer from {} to {}", range.start(), range.end())))
    }

    pub(super) fn version(self, supported: u32) -> Option<()> {
        if self.describe(|draft| {
            draft.set("type", "integer");
            draft.set("const", supported);
        }) {
            return None;
        }
        match self.json {
            Json::Number(number) if *number == f64::from(supported) => Some(()),
            _ => self.expected(format_args!("{supported}, the version that this module reads")),
        }
    }

    /// Reads one of a fixed set of words, each standing for a value.
    pub fn one_of<T: Clone>(&self, words: &[(&'static str, T)]) -> Option<T> {
        if self.describe(|draft| draft.set("enum", list(words.iter().map(|(word, _)| Json::from(*word))))) {
            return None;
        }
        let found = match self.json {
            Json::String(text) => words.iter().find(|(word, _)| word == text),
            _ => None,
        };
        if let Some((_, value)) = found {
            return Some(value.clone());
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        match names.as_slice() {
            [only] => self.expected(format_args!("`{only}`")),
            names => self.expected(format_args!("one of {}", Quoted(names))),
        }
    }

    /// Reads a string by `text`, and anything else by `other`.
    pub fn text_or<T>(
        self,
        text: impl FnOnce(Node<'_>) -> Option<T>,
        other: impl FnOnce(Node<'_>) -> Option<T>,
    ) -> Option<T> {
        let mut readers = Some((text, other));
        if self.describe(|draft| {
            if let Some((text, other)) = readers.take() {
                draft.set("anyOf", list([self.schema_of(draft, text), self.schema_of(draft, other)]));
            }
        }) {
            return None;
        }
        let (text, other) = readers?;
        if matches!(self.json, Json::String(_)) { text(self) } else { other(self) }
    }

    /// Notes a problem of the member `name`, after the first `place` problems.
    pub(super) fn note_member(&self, place: usize, name: &str, message: String) {
        let mut path = self.path();
        push_member(&mut path, name);
        self.problems.note_after(place, path, message);
    }

    fn path(&self) -> String {
        let mut path = String::new();
        self.push_path(&mut path);
        path
    }

    fn push_path(&self, path: &mut String) {
        match self.step {
            Step::Top => {}
            Step::Member(parent, name) => {
                parent.push_path(path);
                push_member(path, name);
            }
            Step::Item(parent, index) => {
                parent.push_path(path);
                let _ = write!(path, "[{index}]"); // writing to a String cannot fail
            }
        }
    }
}

fn push_member(path: &mut String, name: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    // Escaped: the name of an unknown field is whatever was typed, and the path goes into a log. By what shows values as
    // well: another way to escape is 3 KB of a module.
    let end = name.char_indices().nth(80).map_or(name.len(), |(place, _)| place);
    let shown = format!("{:?}", name.get(..end).unwrap_or_default());
    path.push_str(shown.strip_prefix('"').and_then(|shown| shown.strip_suffix('"')).unwrap_or_default());
}

/// Names in backquotes, with commas between.
pub(super) struct Quoted<'a>(pub(super) &'a [&'a str]);

impl Display for Quoted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            write!(f, "{separator}`{name}`")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
