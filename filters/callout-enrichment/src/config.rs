//! The configuration: whom to ask, and what becomes of the answer.

use std::time::Duration;

use filter_kit::config::{self, Fields, Node, Refusal};
use filter_kit::header;

use crate::mapping::{Mapping, Source};

/// Whom to ask about a request, and what becomes of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrichment {
    /// The question.
    pub call: Call,
    /// The headers made of the answer; no two have the same name.
    pub map: Vec<Mapping>,
}

/// The question that is asked about each request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The Envoy cluster that is asked. Never taken from a request.
    pub cluster: String,
    /// The request's `:authority`.
    pub authority: String,
    /// The request's `:method`, `GET` unless told otherwise.
    pub method: String,
    /// The request's `:path`.
    pub path: String,
    /// How long an answer may take, 200 ms unless told otherwise, at most 5 s.
    pub timeout: Duration,
    /// The largest body that is read, in bytes; 64 KiB unless told otherwise. A larger one is no answer.
    pub max_response_bytes: u64,
}

impl Enrichment {
    /// Reads plugin configuration such as
    /// `{"version": 1, "call": {"cluster": "metadata", "authority": "metadata", "path": "/"},
    /// "map": [{"from": "literal", "value": "1", "to": "x-meta"}]}`.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Refusal> {
        config::read(bytes, |root| {
            let fields = root.object(&["version", "call", "map"])?;
            fields.version(1);
            let call = fields.required("call").and_then(call);
            let map = fields.required("map").and_then(|node| {
                let map = node.some_of(mapping)?;
                for (index, mapping) in map.iter().enumerate() {
                    if map.iter().take(index).any(|other| other.to == mapping.to) {
                        return node.problem(format!("two entries make {:?}, expected one", mapping.to));
                    }
                }
                Some(map)
            });
            Some(Self { call: call?, map: map? })
        })
    }
}

fn call(node: Node<'_>) -> Option<Call> {
    let fields = node.object(&["cluster", "authority", "method", "path", "timeout", "max_response_bytes"])?;
    let cluster = text(&fields, "cluster", "the name of an Envoy cluster", |text| !text.is_empty());
    let authority = text(&fields, "authority", "a host, such as \"metadata.internal\"", |text| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
    });
    let method = fields.or("method", "GET", |node| node.one_of(&[("GET", "GET"), ("HEAD", "HEAD")]));
    let path = text(&fields, "path", "a path that begins with \"/\" and has no spaces", |text| {
        text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic())
    });
    let timeout = fields.or("timeout", 200, |node| node.milliseconds(1..=5000));
    let max = fields.or("max_response_bytes", 64 << 10, |node| node.bytes(1..=1 << 20));
    Some(Call {
        cluster: cluster?,
        authority: authority?,
        method: method?.to_owned(),
        path: path?,
        timeout: Duration::from_millis(timeout?),
        max_response_bytes: max?,
    })
}

fn mapping(node: Node<'_>) -> Option<Mapping> {
    #[derive(Clone, Copy)]
    enum From {
        Literal,
        Status,
        Header,
        JsonPointer,
    }
    let from = node.tag(
        "from",
        &[
            ("literal", From::Literal),
            ("status", From::Status),
            ("header", From::Header),
            ("json_pointer", From::JsonPointer),
        ],
    )?;
    let fields = node.object(match from {
        From::Literal => &["from", "to", "value"],
        From::Status => &["from", "to"],
        From::Header => &["from", "to", "name"],
        From::JsonPointer => &["from", "to", "path"],
    })?;
    let to = fields.required("to").and_then(|node| node.parsed(header::settable_name));
    let source = match from {
        From::Literal => {
            let value = fields.required("value").and_then(|node| node.parsed(header::settable_value));
            value.map(|value| Source::Literal(value.to_vec()))
        }
        From::Status => Some(Source::Status),
        From::Header => {
            let name = text(&fields, "name", "a header name", |text| {
                header::is_name(text.to_ascii_lowercase().as_bytes())
            });
            name.map(|name| Source::Header(name.to_ascii_lowercase()))
        }
        From::JsonPointer => {
            let expected = "a JSON pointer (RFC 6901), such as \"/plan/name\"";
            text(&fields, "path", expected, |text| text.is_empty() || text.starts_with('/'))
                .map(Source::JsonPointer)
        }
    };
    Some(Mapping { source: source?, to: to? })
}

fn text(fields: &Fields<'_>, name: &'static str, expected: &str, right: fn(&str) -> bool) -> Option<String> {
    let node = fields.required(name)?;
    let text = node.text()?;
    if right(text) { Some(text.to_owned()) } else { node.expected(expected) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_named_at_once() {
        let json = r#"{"version": 1,
            "call": {"cluster": "", "authority": "a b", "method": "POST", "path": "x", "timeout": "1m", "retry": 1},
            "map": [
                {"from": "body", "to": "x-a"},
                {"from": "literal", "value": "a\nb", "to": "host"},
                {"from": "header", "name": "x y", "to": "x-b"},
                {"from": "json_pointer", "path": "plan", "to": "x-c", "name": "x"}]}"#;
        let refusal = Enrichment::from_json(json.as_bytes()).unwrap_err();
        let paths: Vec<&str> = refusal.problems().iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "call.retry",
                "call.cluster",
                "call.authority",
                "call.method",
                "call.path",
                "call.timeout",
                "map[0].from",
                "map[1].to",
                "map[1].value",
                "map[2].name",
                "map[3].name",
                "map[3].path",
            ]
        );
    }

    #[test]
    fn one_header_has_one_source() {
        let json = r#"{"version": 1, "call": {"cluster": "m", "authority": "m", "path": "/"},
            "map": [{"from": "status", "to": "X-A"}, {"from": "literal", "value": "1", "to": "x-a"}]}"#;
        assert_eq!(
            Enrichment::from_json(json.as_bytes()).unwrap_err().to_string(),
            "config field `map`: two entries make \"x-a\", expected one"
        );
    }

    #[test]
    fn a_call_has_short_bounds_unless_told_otherwise() {
        let json = r#"{"version": 1, "call": {"cluster": "m", "authority": "m", "path": "/"},
            "map": [{"from": "status", "to": "x-a"}]}"#;
        let call = Enrichment::from_json(json.as_bytes()).unwrap().call;
        assert_eq!(
            (call.method.as_str(), call.timeout.as_millis(), call.max_response_bytes),
            ("GET", 200, 65_536)
        );
    }
}
