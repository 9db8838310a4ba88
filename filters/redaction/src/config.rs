//! The configuration: detectors, each a set of keys and what their values become.

use filter_kit::config::{self, Node, Refusal};

use crate::key::MAX_KEY;

/// What is taken out of bodies, and how requests are changed so that their responses can be looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    /// Tried in order: the first with a key takes its value.
    pub detectors: Vec<Detector>,
    /// Whether requests ask for responses that are not compressed.
    pub request_identity: bool,
}

/// Keys whose values are secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detector {
    /// For people.
    pub name: String,
    /// Compared without case.
    pub keys: Vec<String>,
    /// What stands in place of a value.
    pub replacement: String,
}

/// The longest replacement, in bytes.
const MAX_REPLACEMENT: usize = 256;

impl Redaction {
    /// Reads plugin configuration such as
    /// `{"version": 1, "detectors": [{"name": "secrets", "kind": "assignment", "keys": ["SECRET"]}]}`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Refusal> {
        config::read(bytes, |root| {
            let fields = root.object(&["version", "detectors", "encoding"])?;
            fields.version(1);
            let detectors = fields.required("detectors").and_then(|node| node.some_of(detector));
            let request_identity = fields.or("encoding", true, |node| {
                let fields = node.object(&["request_identity"])?;
                fields.or("request_identity", true, |node| node.boolean())
            });
            Some(Self { detectors: detectors?, request_identity: request_identity? })
        })
    }
}

fn detector(node: Node<'_>) -> Option<Detector> {
    let fields = node.object(&["name", "kind", "keys", "action"])?;
    let name = fields.required("name").and_then(|node| node.text());
    let kind = fields.required("kind").and_then(|node| node.one_of(&[("assignment", ())]));
    let keys = fields.required("keys").and_then(|node| node.some_of(key));
    let replacement = fields.or("action", "[REDACTED]".to_owned(), action);
    kind?;
    Some(Detector { name: name?.to_owned(), keys: keys?, replacement: replacement? })
}

fn key(node: Node<'_>) -> Option<String> {
    let text = node.text()?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(allowed) {
        Some(text.to_owned())
    } else {
        node.expected(format_args!("a key: 1 to {MAX_KEY} letters, digits, `_`, `-` or `.`, without the `=`"))
    }
}

fn action(node: Node<'_>) -> Option<String> {
    let fields = node.object(&["type", "with"])?;
    let kind = fields.required("type").and_then(|node| node.one_of(&[("replace", ())]));
    let with = fields.required("with").and_then(|node| {
        let text = node.text()?;
        // It must be able to stand in JSON, in HTML and in a URL, and not to end what it stands for.
        let allowed = |byte: u8| byte.is_ascii_graphic() && !b"\"'\\&<>=:".contains(&byte);
        if (1..=MAX_REPLACEMENT).contains(&text.len()) && text.bytes().all(allowed) {
            Some(text.to_owned())
        } else {
            node.expected(format_args!(
                "1 to {MAX_REPLACEMENT} visible ASCII characters without quotes, `\\`, `&`, `<`, `>`, `=` and `:`"
            ))
        }
    });
    kind?;
    with
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_named_at_once() {
        let json = r#"{"version": 1, "encoding": {"request_identity": "yes"}, "detectors": [
            {"name": "a", "kind": "regex", "keys": ["SECRET=", ""], "action": {"type": "mask", "with": "\""}},
            {"name": "b", "kind": "assignment", "keys": []}]}"#;
        let refusal = Redaction::from_json(json.as_bytes()).unwrap_err();
        let paths: Vec<&str> = refusal.problems().iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "detectors[0].kind",
                "detectors[0].keys[0]",
                "detectors[0].keys[1]",
                "detectors[0].action.type",
                "detectors[0].action.with",
                "detectors[1].keys",
                "encoding.request_identity",
            ]
        );
    }

    #[test]
    fn a_configuration_that_finds_nothing_is_a_mistake() {
        for json in ["", "{}", r#"{"version": 1, "detectors": []}"#] {
            assert!(Redaction::from_json(json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn the_marker_and_plain_bodies_are_the_default() {
        let json = r#"{"version": 1, "detectors": [{"name": "a", "kind": "assignment", "keys": ["k"]}]}"#;
        let redaction = Redaction::from_json(json.as_bytes()).unwrap();
        assert_eq!(redaction.detectors[0].replacement, "[REDACTED]");
        assert!(redaction.request_identity);
    }
}
