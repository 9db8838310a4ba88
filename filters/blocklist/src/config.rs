//! The configuration: named lists, and the reply to a request that one of them covers.

use filter_kit::config::{self, Json, Node, Refusal, Text};
use filter_kit::header::{SETTABLE_VALUE, is_value};
use filter_kit::host::{ENTRY, Pattern};
use filter_kit::metric;

use crate::entry;
use crate::names::Names;

/// What is blocked, and how it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocklist {
    /// The lists in order: the first that covers a host gives the denial its name.
    pub lists: Vec<List>,
    /// The answer to a blocked request.
    pub reply: Reply,
}

/// Entries under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// Part of the name of the metric that counts its denials; no other list has it.
    pub name: String,
    /// What it covers.
    pub names: Names,
}

/// The answer to a blocked request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Status code, 400 to 599.
    pub status: u32,
    /// Value of `content-type`.
    pub content_type: String,
    /// The body.
    pub body: String,
}

/// The longest body of a reply, in bytes.
const MAX_BODY: usize = 64 * 1024;

impl Blocklist {
    /// Reads plugin configuration such as
    /// `{"version": 1, "lists": [{"name": "ads", "entries": [".ads.test"]}]}`.
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
            let lists =
                fields.required("lists", "At least one; a host is blocked if any list covers it", lists);
            let reply = fields.or("reply", "The answer to a blocked request", Json::EMPTY_OBJECT, reply);
            Some(Self { lists: lists?, reply: reply? })
        })
    }
}

fn lists(node: Node<'_>) -> Option<Vec<List>> {
    let lists = node.some_of(list)?;
    let mut names: Vec<&str> = lists.iter().map(|list| list.name.as_str()).collect();
    names.sort_unstable();
    if let Some([name, _]) = names.array_windows().find(|[name, next]| name == next) {
        return node.problem(format!("two lists have the name {name:?}, expected one"));
    }
    Some(lists)
}

fn list(node: Node<'_>) -> Option<List> {
    node.object(|fields| {
        let name = fields.required("name", "Unlike any other; part of a metric's name", metric::word);
        let entries = fields.required("entries", "At least one entry", |node| node.some_of(entry));
        Some(List { name: name?, names: entries?.into_iter().collect() })
    })
}

fn entry(node: Node<'_>) -> Option<Pattern<'static>> {
    node.parsed(ENTRY, |typed| entry::parse(typed).map(Pattern::into_owned))
}

fn reply(node: Node<'_>) -> Option<Reply> {
    node.object(|fields| {
        // 451, Unavailable For Legal Reasons: RFC 7725.
        let status =
            fields.or("status", "Its status code", 451, |node| u32::try_from(node.integer(400..=599)?).ok());
        let content_type = fields.or("content_type", "Its media type; not empty", "text/plain", |node| {
            node.parsed(SETTABLE_VALUE.bytes(1, 8192), |text| {
                let right = !text.is_empty() && is_value(text.as_bytes());
                if right { Ok(text.to_owned()) } else { Err("a media type such as \"text/plain\"") }
            })
        });
        let body = fields.or("body", "Its body; empty for none", "blocked by wasm\n", |node| {
            node.parsed(Text::ANY.bytes(0, 65_536), |text| {
                let right = text.len() <= MAX_BODY;
                if right { Ok(text.to_owned()) } else { Err(format!("at most {MAX_BODY} bytes")) }
            })
        });
        Some(Reply { status: status?, content_type: content_type?, body: body? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bad_entry_is_named_at_once() {
        let json = r#"{"version": 1, "reply": {"status": 200, "content_type": "a\nb"},
            "lists": [{"name": "", "entries": ["ok.test", "x/y"]}, {"name": "b", "entries": ["a:1", 7]}, {"name": "c"}]}"#;
        let refusal = Blocklist::from_json(json.as_bytes()).unwrap_err();
        let paths: Vec<&str> = refusal.problems().iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "lists[0].name",
                "lists[0].entries[1]",
                "lists[1].entries[0]",
                "lists[1].entries[1]",
                "lists[2].entries",
                "reply.status",
                "reply.content_type"
            ]
        );
    }

    #[test]
    fn lists_are_told_apart_by_their_names() {
        let json =
            r#"{"version": 1, "lists": [{"name": "a", "entries": ["b"]}, {"name": "a", "entries": ["c"]}]}"#;
        assert_eq!(
            Blocklist::from_json(json.as_bytes()).unwrap_err().to_string(),
            "config field `lists`: two lists have the name \"a\", expected one"
        );
    }

    #[test]
    fn a_list_that_blocks_nothing_is_a_mistake() {
        for json in [
            "",
            "{}",
            r#"{"version": 1, "lists": []}"#,
            r#"{"version": 1, "lists": [{"name": "a", "entries": []}]}"#,
        ] {
            assert!(Blocklist::from_json(json.as_bytes()).is_err(), "{json}");
        }
    }

    #[test]
    fn the_reply_has_a_default_for_each_of_its_parts() {
        let json =
            r#"{"version": 1, "lists": [{"name": "a", "entries": ["b"]}], "reply": {"status": 403.0}}"#;
        let reply = Blocklist::from_json(json.as_bytes()).unwrap().reply;
        let (content_type, body) = ("text/plain".to_owned(), "blocked by wasm\n".to_owned());
        assert_eq!(reply, Reply { status: 403, content_type, body });
    }
}
