//! What a header, a body or a log line is held against.

use std::fmt;

use regex::bytes::Regex;
use serde_json::Value;

use crate::yaml::{Kind, Node, Problems};

/// Conditions that must all hold.
///
/// | written | holds for the values of a header, or the one value of a body |
/// |---|---|
/// | `text` | that value and no other |
/// | `[a, b]` | those values in that order |
/// | `{exact: text}` | the same as `text` |
/// | `{contains: text}` | one of the values has it in it |
/// | `{regex: ^a+$}` | the expression is found in one of the values; anchors are the author's |
/// | `{json: {..}}` | the value is JSON that is equal, whatever its white space and the order of its keys |
/// | `{file: path}` | the value is that file's content |
/// | `{absent: true}` | there is no value |
/// | `{not: ..}` | what is in it does not hold |
#[derive(Clone, Debug)]
pub(crate) struct Matcher {
    pub(crate) conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
pub(crate) enum Condition {
    Values(Vec<Vec<u8>>),
    Contains(String),
    Regex(Regex),
    Json(Value),
    File { path: String, content: Vec<u8> },
    Absent,
    Not(Matcher),
}

pub(crate) const FIELDS: [&str; 7] = ["exact", "contains", "regex", "json", "file", "absent", "not"];

impl Matcher {
    /// That value and no other.
    pub(crate) fn exact(text: &str) -> Self {
        Self { conditions: vec![Condition::Values(vec![text.as_bytes().to_vec()])] }
    }

    pub(crate) fn read(node: &Node, problems: &Problems) -> Option<Self> {
        if let Kind::List(items) = &node.kind {
            let values = items.iter().map(|item| Some(problems.text(item, "a text")?.into_bytes()));
            return Some(Self { conditions: vec![Condition::Values(values.collect::<Option<_>>()?)] });
        }
        if let Some(text) = node.scalar() {
            return Some(Self::exact(&text));
        }
        let fields = problems.fields(node, "a matcher", &FIELDS)?;
        let mut conditions = Vec::new();
        if let Some(node) = fields.get("exact") {
            conditions.extend(Self::read(node, problems)?.conditions);
        }
        if let Some(node) = fields.get("contains") {
            conditions.push(Condition::Contains(problems.text(node, "a text")?));
        }
        if let Some(node) = fields.get("regex") {
            let text = problems.text(node, "a regular expression")?;
            match Regex::new(&text) {
                Ok(regex) => conditions.push(Condition::Regex(regex)),
                Err(error) => {
                    let error = error.to_string();
                    let why = error.lines().last().unwrap_or_default();
                    return problems.add(node.at, format!("no regular expression: {text:?}: {why}"));
                }
            }
        }
        if let Some(node) = fields.get("json") {
            conditions.push(Condition::Json(node.to_json()));
        }
        if let Some(node) = fields.get("file") {
            let path = problems.text(node, "the path of a file")?;
            conditions.push(Condition::File { path, content: problems.file(node)? });
        }
        if let Some(node) = fields.get("absent") {
            if !problems.bool(node)? {
                return problems
                    .add(node.at, "found false, expected true: without `absent` it must be there");
            }
            conditions.push(Condition::Absent);
        }
        if let Some(node) = fields.get("not") {
            conditions.push(Condition::Not(Self::read(node, problems)?));
        }
        if conditions.is_empty() {
            return problems.expected(node, &crate::yaml::list(&FIELDS));
        }
        Some(Self { conditions })
    }

    /// Whether all of it holds for these values.
    pub(crate) fn holds(&self, values: &[&[u8]]) -> bool {
        self.conditions.iter().all(|condition| condition.holds(values))
    }

    /// Whether a line is there that it holds for; with `not` and `absent`, whether none is.
    pub(crate) fn holds_for_lines(&self, lines: &[&str]) -> bool {
        let (none, some): (Vec<&Condition>, Vec<&Condition>) = self
            .conditions
            .iter()
            .partition(|condition| matches!(condition, Condition::Not(_) | Condition::Absent));
        let one = |line: &&str| some.iter().all(|condition| condition.holds(&[line.as_bytes()]));
        let no_other = none.iter().all(|condition| match condition {
            Condition::Not(inner) => !lines.iter().any(|line| inner.holds(&[line.as_bytes()])),
            _ => lines.is_empty(),
        });
        no_other && (some.is_empty() || lines.iter().any(one))
    }
}

impl Condition {
    fn holds(&self, values: &[&[u8]]) -> bool {
        match self {
            Self::Values(expected) => values.iter().copied().eq(expected.iter().map(|value| &value[..])),
            Self::Contains(text) => {
                text.is_empty() && !values.is_empty()
                    || values
                        .iter()
                        .any(|value| value.windows(text.len().max(1)).any(|part| part == text.as_bytes()))
            }
            Self::Regex(regex) => values.iter().any(|value| regex.is_match(value)),
            Self::Json(expected) => {
                let same = |value: &&[u8]| {
                    serde_json::from_slice::<Value>(value).is_ok_and(|value| value == *expected)
                };
                values.iter().any(same)
            }
            Self::File { content, .. } => values.contains(&&content[..]),
            Self::Absent => values.is_empty(),
            Self::Not(matcher) => !matcher.holds(values),
        }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, condition) in self.conditions.iter().enumerate() {
            let and = if index == 0 { "" } else { " and " };
            write!(f, "{and}{condition}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Values(values) => {
                let values: Vec<&[u8]> = values.iter().map(|value| &value[..]).collect();
                f.write_str(&quoted(&values))
            }
            Self::Contains(text) => write!(f, "something with {text:?} in it"),
            Self::Regex(regex) => write!(f, "something that /{regex}/ matches"),
            Self::Json(value) => write!(f, "the JSON {value}"),
            Self::File { path, content } => write!(f, "the {} bytes of {path}", content.len()),
            Self::Absent => f.write_str("nothing"),
            Self::Not(matcher) => write!(f, "anything but {matcher}"),
        }
    }
}

/// Values as they are printed: escaped, since whoever sent them chose the bytes.
pub(crate) fn quoted(values: &[&[u8]]) -> String {
    /// More of a body than anybody reads.
    const LONG: usize = 2000;
    let one = |value: &&[u8]| match value.get(..LONG) {
        Some(start) => format!("\"{}...\" ({} bytes)", start.escape_ascii(), value.len()),
        None => match std::str::from_utf8(value) {
            Ok(text) => format!("{text:?}"),
            Err(_) => format!("\"{}\"", value.escape_ascii()),
        },
    };
    match values {
        [] => "nothing".to_owned(),
        [value] => one(value),
        values => format!("[{}]", values.iter().map(one).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn matcher(text: &str) -> Matcher {
        let node = Node::parse(Path::new("a.yaml"), text).unwrap();
        Matcher::read(&node, &Problems::of(Path::new("a.yaml"))).unwrap()
    }

    fn holds(text: &str, values: &[&str]) -> bool {
        let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
        matcher(text).holds(&values)
    }

    #[test]
    fn each_condition_means_what_the_table_says() {
        for (text, values, expected) in [
            ("a", &["a"][..], true),
            ("a", &["a", "a"], false),
            ("a", &[], false),
            ("1.10", &["1.10"], true),
            ("[a, b]", &["a", "b"], true),
            ("[a, b]", &["b", "a"], false),
            ("[]", &[], true),
            ("{exact: a}", &["a"], true),
            ("{contains: ell}", &["x", "hello"], true),
            ("{contains: ''}", &["x"], true),
            ("{contains: ''}", &[], false),
            ("{contains: hello}", &["ell"], false),
            ("{regex: l+}", &["hello"], true),
            ("{regex: ^l+$}", &["hello"], false),
            ("{json: {a: [1, true]}}", &["{ \"a\": [1,true] }"], true),
            ("{json: {a: 1}}", &["{"], false),
            ("{absent: true}", &[], true),
            ("{absent: true}", &[""], false),
            ("{not: a}", &["b"], true),
            ("{not: {regex: b}}", &["abc"], false),
            ("{not: {regex: b}}", &[], true),
            ("{contains: a, not: {contains: b}}", &["a"], true),
            ("{contains: a, not: {contains: b}}", &["ab"], false),
        ] {
            assert_eq!(holds(text, values), expected, "{text} of {values:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_can_be_matched() {
        assert!(matcher(r"{regex: '(?-u)caf\xe9'}").holds(&[b"caf\xe9"]));
    }

    #[test]
    fn of_log_lines_one_is_enough_and_not_means_none() {
        let lines = ["hello", "world"];
        assert!(matcher("world").holds_for_lines(&lines));
        assert!(!matcher("{not: {contains: wor}}").holds_for_lines(&lines));
        assert!(matcher("{not: {contains: moon}}").holds_for_lines(&lines));
        assert!(!matcher("{absent: true}").holds_for_lines(&lines));
        assert!(matcher("{absent: true}").holds_for_lines(&[]));
    }

    #[test]
    fn what_is_no_matcher_is_refused() {
        for text in ["{regex: '('}", "{absent: false}", "{}", "{file: no/such/file}", "{exct: a}"] {
            let node = Node::parse(Path::new("a.yaml"), text).unwrap();
            let problems = Problems::of(Path::new("a.yaml"));
            Matcher::read(&node, &problems);
            assert!(!problems.is_empty(), "{text}");
        }
    }
}
