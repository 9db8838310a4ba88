//! A value in a configuration, and where it stands.

use std::fmt::{Display, Write};
use std::ops::RangeInclusive;

use super::json::Json;
use super::problem::Problems;
use super::unit;

/// One value of a configuration together with its path, so that it can say what is wrong with it.
///
/// Each reader answers `None` after noting a problem. Read every field before giving up on one.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    json: &'a Json,
    step: Step<'a>,
    problems: &'a Problems,
}

/// How a node is reached from the one that holds it. A chain on the stack: no path is built until it is shown.
#[derive(Clone, Copy)]
enum Step<'a> {
    Top,
    Member(&'a Node<'a>, &'a str),
    Item(&'a Node<'a>, usize),
}

impl<'a> Node<'a> {
    pub(super) fn top(json: &'a Json, problems: &'a Problems) -> Self {
        Self { json, step: Step::Top, problems }
    }

    /// Notes that the value is not what it should be; `expected` completes "found ..., expected ...".
    pub fn expected<T>(&self, expected: impl Display) -> Option<T> {
        self.problem(format!("found {}, expected {expected}", self.json))
    }

    /// Notes a problem in words of your own: a lowercase clause, no full stop.
    pub fn problem<T>(&self, message: impl Into<String>) -> Option<T> {
        self.problems.note(self.path(), message.into());
        None
    }

    /// Reads an object that may have the members `known` and no others.
    pub fn object(self, known: &'a [&'a str]) -> Option<Fields<'a>> {
        let Json::Object(members) = self.json else { return self.expected("an object") };
        for (index, (name, _)) in members.iter().enumerate() {
            let earlier = members.get(..index).unwrap_or_default();
            if !known.contains(&name.as_str()) {
                let names = Quoted(known);
                self.note_member(name, format!("unknown field, expected one of {names}"));
            } else if earlier.iter().any(|(other, _)| other == name) {
                self.note_member(name, "given more than once".to_owned());
            }
        }
        Some(Fields { node: self, members })
    }

    /// Reads the member `name` of an object as [`one_of`](Self::one_of) does and leaves the others to a later
    /// [`object`](Self::object): for objects whose members depend on one of them.
    pub fn tag<T: Clone>(&'a self, name: &'a str, words: &[(&str, T)]) -> Option<T> {
        let Json::Object(members) = self.json else { return self.expected("an object") };
        Fields { node: *self, members }.required(name)?.one_of(words)
    }

    /// Reads a list.
    pub fn list(&'a self) -> Option<impl ExactSizeIterator<Item = Node<'a>>> {
        let Json::List(items) = self.json else { return self.expected("a list") };
        let node = move |(index, json)| Node { json, step: Step::Item(self, index), problems: self.problems };
        Some(items.iter().enumerate().map(node))
    }

    /// Reads a list, each item by `read`; `None` if any item was refused, after all were looked at.
    pub fn list_of<T>(&'a self, mut read: impl FnMut(Node<'a>) -> Option<T>) -> Option<Vec<T>> {
        let items = self.list()?;
        let count = items.len();
        let read: Vec<T> = items.filter_map(&mut read).collect();
        (read.len() == count).then_some(read)
    }

    /// Reads a list as [`list_of`](Self::list_of) does, and refuses an empty one.
    pub fn some_of<T>(&'a self, read: impl FnMut(Node<'a>) -> Option<T>) -> Option<Vec<T>> {
        let list = self.list_of(read)?;
        if list.is_empty() { self.problem("list at least one") } else { Some(list) }
    }

    /// Reads a string.
    pub fn text(&self) -> Option<&'a str> {
        match self.json {
            Json::String(text) => Some(text),
            _ => self.expected("a string"),
        }
    }

    /// Reads a string that `parse` makes something of; its error completes "expected ...".
    pub fn parsed<T, E: Display>(&self, parse: impl FnOnce(&'a str) -> Result<T, E>) -> Option<T> {
        match parse(self.text()?) {
            Ok(parsed) => Some(parsed),
            Err(expected) => self.expected(expected),
        }
    }

    /// Reads `true` or `false`.
    pub fn boolean(&self) -> Option<bool> {
        match self.json {
            Json::Bool(value) => Some(*value),
            _ => self.expected("true or false"),
        }
    }

    /// Reads a whole number within `range`. `5.0` is one: a protobuf `Struct` has only doubles.
    pub fn integer(&self, range: RangeInclusive<u64>) -> Option<u64> {
        self.whole()
            .filter(|value| range.contains(value))
            .or_else(|| self.expected(format_args!("an integer from {} to {}", range.start(), range.end())))
    }

    /// Reads one of a fixed set of words, each standing for a value.
    pub fn one_of<T: Clone>(&self, words: &[(&str, T)]) -> Option<T> {
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

    /// Reads a time in milliseconds, given as an integer (milliseconds) or as text such as `"250ms"` or `"5s"`.
    pub fn milliseconds(&self, range: RangeInclusive<u64>) -> Option<u64> {
        self.unit(range, unit::milliseconds, |ms| format!("{ms}ms"), "a duration such as \"250ms\" or \"5s\"")
    }

    /// Reads a size in bytes, given as an integer (bytes) or as text such as `"64KiB"` or `"1MiB"`.
    pub fn bytes(&self, range: RangeInclusive<u64>) -> Option<u64> {
        self.unit(range, unit::bytes, unit::show_bytes, "a size such as \"64KiB\" or \"1MiB\"")
    }

    fn unit(
        &self,
        range: RangeInclusive<u64>,
        parse: fn(&str) -> Option<u64>,
        show: fn(u64) -> String,
        example: &str,
    ) -> Option<u64> {
        let value = match self.json {
            Json::String(text) => parse(text),
            _ => self.whole(),
        };
        value.filter(|value| range.contains(value)).or_else(|| {
            let (low, high) = (show(*range.start()), show(*range.end()));
            self.expected(format_args!("{example}, from {low} to {high}"))
        })
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be whole and in range"
    )]
    fn whole(&self) -> Option<u64> {
        /// Up to here every whole number has a double of its own.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match self.json {
            Json::Number(number) if (0.0..=EXACT).contains(number) && number.fract() == 0.0 => {
                Some(*number as u64)
            }
            _ => None,
        }
    }

    fn note_member(&self, name: &str, message: String) {
        let mut path = self.path();
        push_member(&mut path, name);
        self.problems.note(path, message);
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
    // Escaped: the name of an unknown field is whatever was typed, and the path goes into a log.
    path.extend(name.escape_debug().take(80));
}

/// The members of an object whose names are all known.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    node: Node<'a>,
    members: &'a [(String, Json)],
}

impl<'a> Fields<'a> {
    /// The member `name`, or a noted problem.
    pub fn required(&'a self, name: &'a str) -> Option<Node<'a>> {
        self.optional(name).or_else(|| {
            self.node.note_member(name, "missing".to_owned());
            None
        })
    }

    /// The member `name`, if it was given. `null` counts as not given, as in a protobuf `Struct`.
    pub fn optional(&'a self, name: &'a str) -> Option<Node<'a>> {
        let (_, json) = self.members.iter().find(|(member, _)| member == name)?;
        let node = Node { json, step: Step::Member(&self.node, name), problems: self.node.problems };
        (*json != Json::Null).then_some(node)
    }

    /// What `read` makes of the member `name`, or `default` if that was not given.
    pub fn or<T>(&'a self, name: &'a str, default: T, read: impl FnOnce(Node<'a>) -> Option<T>) -> Option<T> {
        self.optional(name).map_or(Some(default), read)
    }

    /// Reads the member `version`, which every configuration has.
    pub fn version(&'a self, supported: u64) -> Option<()> {
        match self.required("version")? {
            Node { json: Json::Number(number), .. } if *number == supported as f64 => Some(()),
            node => node.expected(format_args!("{supported}, the version that this module reads")),
        }
    }
}

/// Names in backquotes, with commas between.
struct Quoted<'a>(&'a [&'a str]);

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
mod tests {
    use crate::config::{Node, read};

    fn refusal<T>(json: &str, build: impl FnOnce(Node<'_>) -> Option<T>) -> String {
        read(json.as_bytes(), build).err().expect("a refusal").to_string()
    }

    #[test]
    fn every_problem_is_listed_with_its_path() {
        let refused =
            refusal(r#"{"version": 2, "list": [{"n": 1}, {"m": 2}, {"n": "x"}], "list": 0}"#, |root| {
                let fields = root.object(&["version", "list"])?;
                fields.version(1);
                let list = fields.required("list")?;
                list.list_of(|item| {
                    let fields = item.object(&["n"])?;
                    fields.required("n")?.integer(0..=5)
                })
            });
        assert_eq!(
            refused,
            "config field `list`: given more than once; \
             config field `version`: found 2, expected 1, the version that this module reads; \
             config field `list[1].m`: unknown field, expected one of `n`; \
             config field `list[1].n`: missing; \
             config field `list[2].n`: found \"x\", expected an integer from 0 to 5"
        );
    }

    #[test]
    fn integers_may_be_written_as_whole_doubles_and_nothing_else() {
        let integer = |json: &str| read(json.as_bytes(), |node| node.integer(0..=u64::MAX));
        assert_eq!(integer("5"), Ok(5));
        assert_eq!(integer("5.0"), Ok(5));
        assert_eq!(integer("5e2"), Ok(500));
        for wrong in ["5.5", "-1", "1e300", "true", "\"5\""] {
            assert!(integer(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_and_sizes_take_units_and_say_their_range() {
        let ms = |json: &str| read(json.as_bytes(), |node| node.milliseconds(1..=5000));
        assert_eq!(ms("\"250ms\""), Ok(250));
        assert_eq!(ms("\"5s\""), Ok(5000));
        assert_eq!(ms("70"), Ok(70));
        assert_eq!(
            ms("\"6s\"").unwrap_err().to_string(),
            "config: found \"6s\", expected a duration such as \"250ms\" or \"5s\", from 1ms to 5000ms"
        );
        let bytes = |json: &str| read(json.as_bytes(), |node| node.bytes(1..=1 << 20));
        assert_eq!(bytes("\"64KiB\""), Ok(65_536));
        assert_eq!(
            bytes("\"64KB\"").unwrap_err().to_string(),
            "config: found \"64KB\", expected a size such as \"64KiB\" or \"1MiB\", from 1B to 1MiB"
        );
    }

    #[test]
    fn null_is_the_same_as_absent() {
        let required = |root: Node<'_>| root.object(&["n"])?.required("n")?.integer(0..=1);
        assert_eq!(refusal(r#"{"n": null}"#, required), "config field `n`: missing");
    }

    #[test]
    fn a_hostile_field_name_is_escaped_and_cut() {
        let json = format!("{{\"a\\n{}\": 1}}", "b".repeat(500));
        let refused = refusal(&json, |root| root.object(&["n"]).map(|_| ()));
        assert!(refused.starts_with(r"config field `a\nbbb"), "{refused}");
        assert!(refused.len() < 200, "{refused}");
    }

    #[test]
    fn a_flood_of_problems_is_counted_and_not_all_listed() {
        let json = format!("[{}0]", "0,".repeat(999));
        let refused =
            read(json.as_bytes(), |root| root.list_of(|item| item.text().map(str::len))).unwrap_err();
        assert_eq!(refused.problems().len(), 51);
        assert!(refused.to_string().ends_with("config: and 950 more problems"));
    }

    #[test]
    fn absent_and_broken_configurations_are_told_apart() {
        let anything = |_: Node<'_>| Some(());
        assert_eq!(refusal(" \n", anything), "config: no configuration was given, expected a JSON object");
        assert_eq!(
            refusal("{", anything),
            "config: not valid JSON: EOF while parsing an object at line 1 column 1"
        );
    }
}
