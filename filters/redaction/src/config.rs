//! The configuration: detectors, each a set of keys and what their values become.

use filter_kit::config::{self, Json, Node, Refusal, Text};

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
        config::read(bytes, Self::from_node)
    }

    /// Reads the configuration, and natively describes it for `schema.json`.
    pub fn from_node(root: Node<'_>) -> Option<Self> {
        root.object(|fields| {
            fields.version(1);
            let detectors =
                fields.required("detectors", "At least one; the first with a key takes its value", |node| {
                    node.some_of(detector)
                });
            let request_identity =
                fields.or("encoding", "How requests are changed", Json::EMPTY_OBJECT, |node| {
                    node.object(|fields| {
                        fields.or(
                            "request_identity",
                            "Whether requests ask for responses that are not compressed",
                            true,
                            |node| node.boolean(),
                        )
                    })
                });
            Some(Self { detectors: detectors?, request_identity: request_identity? })
        })
    }
}

fn detector(node: Node<'_>) -> Option<Detector> {
    node.object(|fields| {
        let name = fields.required("name", "For people", |node| node.text().map(str::to_owned));
        let kind = fields.required("kind", "What it finds", |node| node.one_of(&[("assignment", ())]));
        let keys =
            fields.required("keys", "The keys whose values are secrets; compared without case", |node| {
                node.some_of(key)
            });
        let replacement = fields.optional("action", "What becomes of a value", action);
        kind?;
        let replacement = replacement?.unwrap_or_else(|| "[REDACTED]".to_owned());
        Some(Detector { name: name?, keys: keys?, replacement })
    })
}

fn key(node: Node<'_>) -> Option<String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let expected =
        format_args!("a key: 1 to {MAX_KEY} letters, digits, `_`, `-` or `.`, without the `=`").to_string();
    node.parsed(Text::pattern("^[A-Za-z0-9_.-]+$").bytes(1, 64), |text| {
        let right = (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(allowed);
        if right { Ok(text.to_owned()) } else { Err(expected) }
    })
}

fn action(node: Node<'_>) -> Option<String> {
    node.object(|fields| {
        let kind = fields.required("type", "What to do", |node| node.one_of(&[("replace", ())]));
        let with = fields.required("with", "What stands in place of a value", |node| {
            // It must be able to stand in JSON, in HTML and in a URL, and not to end what it stands for.
            let allowed = |byte: u8| byte.is_ascii_graphic() && !b"\"'\\&<>=:".contains(&byte);
            node.parsed(REPLACEMENT, |text| {
                let right = (1..=MAX_REPLACEMENT).contains(&text.len()) && text.bytes().all(allowed);
                if right { Ok(text.to_owned()) } else { Err(EXPECTED_REPLACEMENT) }
            })
        });
        kind?;
        with
    })
}

const REPLACEMENT: Text = Text::pattern(r#"^[!#-%(-9;?-\[\]-~]{1,256}$"#);
const EXPECTED_REPLACEMENT: &str =
    "1 to 256 visible ASCII characters without quotes, `\\`, `&`, `<`, `>`, `=` and `:`";

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
