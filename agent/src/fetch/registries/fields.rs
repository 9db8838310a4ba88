//! Reads a mapping field by field, so that all that is wrong is told at once.

use serde_json::{Map, Value};

/// The fields of one mapping that were not read yet.
pub(super) struct Fields<'a> {
    map: Map<String, Value>,
    place: String,
    known: Vec<&'static str>,
    pub(super) problems: &'a mut Vec<String>,
}

impl<'a> Fields<'a> {
    /// The fields of a value that has to be a mapping.
    pub(super) fn of(value: Value, place: &str, problems: &'a mut Vec<String>) -> Option<Self> {
        match value {
            Value::Object(map) => Some(Self { map, place: place.to_owned(), known: Vec::new(), problems }),
            // An empty file.
            Value::Null if place.is_empty() => {
                Some(Self { map: Map::new(), place: String::new(), known: Vec::new(), problems })
            }
            other => {
                let place = if place.is_empty() { "the file" } else { place };
                problems.push(format!("{place}: expected a mapping, found {}", kind(&other)));
                None
            }
        }
    }

    /// The place of a field.
    pub(super) fn place(&self, name: &str) -> String {
        match (self.place.as_str(), name) {
            ("", name) => name.to_owned(),
            (place, "") => place.to_owned(),
            (place, name) => format!("{place}.{name}"),
        }
    }

    /// Tells what is wrong with a field; with all of them, if its name is empty.
    pub(super) fn problem(&mut self, name: &str, problem: &str) {
        let place = self.place(name);
        self.problems.push(if place.is_empty() { problem.to_owned() } else { format!("{place}: {problem}") });
    }

    pub(super) fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.map.remove(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        match self.take(name)? {
            Value::String(text) if text.is_empty() => self.wrong(name, "must not be empty"),
            Value::String(text) => Some(text),
            other => self.wrong(name, &format!("expected text, found {}", kind(&other))),
        }
    }

    pub(super) fn flag(&mut self, name: &'static str) -> bool {
        match self.take(name) {
            None => false,
            Some(Value::Bool(flag)) => flag,
            Some(other) => {
                self.wrong(name, &format!("expected true or false, found {}", kind(&other))).unwrap_or(false)
            }
        }
    }

    pub(super) fn number(&mut self, name: &'static str) -> Option<f64> {
        let value = self.take(name)?;
        match value.as_f64().filter(|number| number.is_finite() && *number > 0.0) {
            Some(number) => Some(number),
            None => self.wrong(name, "expected a number above 0"),
        }
    }

    pub(super) fn count(&mut self, name: &'static str) -> Option<usize> {
        let value = self.take(name)?;
        let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
        match count.filter(|count| (1..=10_000).contains(count)) {
            Some(count) => Some(count),
            None => self.wrong(name, "expected a whole number from 1 to 10000"),
        }
    }

    pub(super) fn list(&mut self, name: &'static str) -> Vec<Value> {
        match self.take(name) {
            None => Vec::new(),
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.wrong(name, &format!("expected a list, found {}", kind(&other))).unwrap_or_default()
            }
        }
    }

    pub(super) fn texts(&mut self, name: &'static str) -> Vec<String> {
        let mut texts = Vec::new();
        for (index, item) in self.list(name).into_iter().enumerate() {
            match item {
                Value::String(text) if !text.is_empty() => texts.push(text),
                other => {
                    let problem = format!("expected text, found {}", kind(&other));
                    self.problem(&format!("{name}[{index}]"), &problem);
                }
            }
        }
        texts
    }

    /// Tells of every field that nobody has asked for.
    pub(super) fn finish(mut self) {
        for name in std::mem::take(&mut self.map).keys() {
            let known = self.known.join(", ");
            self.problem("", &format!("unknown field {name:?}, expected one of {known}"));
        }
    }

    fn wrong<T>(&mut self, name: &str, problem: &str) -> Option<T> {
        self.problem(name, problem);
        None
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) if text.is_empty() => "an empty text".to_owned(),
        // Not the text itself: it may be a password at the wrong place.
        Value::String(_) => "text".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    }
}
