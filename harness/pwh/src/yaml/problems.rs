//! Reads a tree so that every problem is found at once: where it is, what was found, what would be right.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{At, Key, Kind, Node};

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
