//! One change to a header.

use crate::headers::Headers;

/// A header name that a filter may change: a lower-case token, and none that frames or routes the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderName(String);

/// A header value that is valid wherever it is put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderValue(Vec<u8>);

/// One change to the headers of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// One line with the value, in place of all that have the name.
    Set(HeaderName, HeaderValue),
    /// A line with the value, unless the name is there.
    Add(HeaderName, HeaderValue),
    /// A further line with the value.
    Append(HeaderName, HeaderValue),
    /// No line of that name.
    Remove(HeaderName),
    /// The lines of the first name under the second, in place of any that had it.
    Rename(HeaderName, HeaderName),
}

impl HeaderName {
    /// Reads a name as an operator typed it.
    ///
    /// # Errors
    ///
    /// What a right name would be, to follow "expected".
    pub fn parse(typed: &str) -> Result<Self, &'static str> {
        filter_kit::header::settable_name(typed).map(Self)
    }
}

impl HeaderValue {
    /// Reads a value as an operator typed it.
    ///
    /// # Errors
    ///
    /// What a right value would be, to follow "expected".
    pub fn parse(typed: &str) -> Result<Self, &'static str> {
        filter_kit::header::settable_value(typed).map(|value| Self(value.to_vec()))
    }
}

impl Operation {
    /// Makes this one change.
    pub fn apply(&self, headers: &mut impl Headers) {
        match self {
            Self::Set(name, value) => headers.set(&name.0, &value.0),
            Self::Add(name, value) => {
                if !headers.contains(&name.0) {
                    headers.append(&name.0, &value.0);
                }
            }
            Self::Append(name, value) => headers.append(&name.0, &value.0),
            Self::Remove(name) => {
                // Asked first: a removal clears the route cache even when nothing was there to remove
                // (Envoy 1.40, context.cc, for ABI 0.2.1).
                if headers.contains(&name.0) {
                    headers.remove(&name.0);
                }
            }
            Self::Rename(from, to) => {
                let values = headers.all(&from.0);
                if values.is_empty() {
                    return;
                }
                headers.remove(&from.0);
                if headers.contains(&to.0) {
                    headers.remove(&to.0);
                }
                for value in values {
                    headers.append(&to.0, &value);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    /// The lines of `before` after `operations`, one `name: value` each.
    fn after(before: &[(&str, &[u8])], operations: &str) -> Vec<String> {
        let config = format!(r#"{{"version": 1, "rules": [{{"request": {operations}}}]}}"#);
        let mutations = crate::Mutations::from_json(config.as_bytes()).unwrap();
        let mut lines: Vec<(String, Vec<u8>)> =
            before.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect();
        crate::apply(&mutations.request, &mut lines);
        lines.iter().map(|(name, value)| format!("{name}: {}", value.escape_ascii())).collect()
    }

    #[test]
    fn set_replaces_every_line() {
        let operations = r#"[{"op": "set", "name": "X-A", "value": "new"}]"#;
        assert_eq!(after(&[], operations), ["x-a: new"]);
        assert_eq!(after(&[("x-a", b"1"), ("x-b", b"2"), ("x-a", b"3")], operations), ["x-b: 2", "x-a: new"]);
    }

    #[test]
    fn add_leaves_a_header_that_is_there_even_when_it_is_empty() {
        let operations = r#"[{"op": "add", "name": "x-a", "value": "new"}]"#;
        assert_eq!(after(&[], operations), ["x-a: new"]);
        assert_eq!(after(&[("x-a", b"")], operations), ["x-a: "]);
    }

    #[test]
    fn append_adds_a_line_after_the_others() {
        let operations = r#"[{"op": "append", "name": "x-a", "value": "new"}]"#;
        assert_eq!(after(&[("x-a", b"old")], operations), ["x-a: old", "x-a: new"]);
    }

    #[test]
    fn remove_takes_every_line() {
        let operations = r#"[{"op": "remove", "name": "x-a"}]"#;
        assert_eq!(after(&[("x-a", b"1"), ("x-b", b"2"), ("x-a", b"3")], operations), ["x-b: 2"]);
    }

    #[test]
    fn rename_keeps_every_value_byte_for_byte_and_replaces_the_new_name() {
        let operations = r#"[{"op": "rename", "name": "x-a", "to": "x-b"}]"#;
        assert_eq!(
            after(&[("x-a", b"caf\xe9"), ("x-b", b"old"), ("x-a", b"")], operations),
            [r"x-b: caf\xe9", "x-b: "]
        );
        assert_eq!(after(&[("x-b", b"old")], operations), ["x-b: old"]);
    }

    #[test]
    fn each_operation_sees_what_the_earlier_ones_did() {
        let operations = r#"[
            {"op": "set", "name": "x-a", "value": "1"},
            {"op": "rename", "name": "x-a", "to": "x-b"},
            {"op": "add", "name": "x-b", "value": "2"},
            {"op": "append", "name": "x-b", "value": "3"}
        ]"#;
        assert_eq!(after(&[], operations), ["x-b: 1", "x-b: 3"]);
    }
}
