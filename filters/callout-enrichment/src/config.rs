//! The configuration: whom to ask, and what becomes of the answer.

use std::time::Duration;

use filter_kit::config::{self, Fields, Node, Refusal, Text, Variant};
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
        config::read(bytes, Self::from_node)
    }

    /// Reads the configuration, and natively describes it for `schema.json`.
    pub fn from_node(root: Node<'_>) -> Option<Self> {
        root.object(|fields| {
            fields.version(1);
            let call = fields.required("call", "The question that is asked about each request", call);
            let map = fields.required("map", "The headers that are made of the answer", |node| {
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
    node.object(|fields| {
        let cluster = fields.required("cluster", "The Envoy cluster that is asked", |node| {
            text(node, Text::ANY.bytes(1, u32::MAX), "the name of an Envoy cluster", |text| !text.is_empty())
        });
        let authority = fields.required("authority", "The `:authority` of the question", |node| {
            text(node, Text::pattern("^[!-~]+$"), "a host, such as \"metadata.internal\"", |text| {
                !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
            })
        });
        let method = fields
            .or("method", "Its `:method`", "GET", |node| node.one_of(&[("GET", "GET"), ("HEAD", "HEAD")]));
        let path = fields.required("path", "Its `:path`", |node| {
            text(
                node,
                Text::pattern("^/[!-~]*$"),
                "a path that begins with \"/\" and has no spaces",
                |text| text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic()),
            )
        });
        let timeout =
            fields.or("timeout", "How long an answer may take", "200ms", |node| node.milliseconds(1..=5000));
        let max = fields.or("max_response_bytes", "The largest body that is read", "64KiB", |node| {
            node.bytes(1..=1 << 20)
        });
        Some(Call {
            cluster: cluster?,
            authority: authority?,
            method: method?.to_owned(),
            path: path?,
            timeout: Duration::from_millis(timeout?),
            max_response_bytes: max?,
        })
    })
}

fn mapping(node: Node<'_>) -> Option<Mapping> {
    node.tagged(
        "from",
        "The part of the answer",
        &[
            Variant::new("literal", "Always the same value: there was an answer", |fields| {
                let to = to(fields);
                let value = fields.required("value", "The value", |node| {
                    node.parsed(header::SETTABLE_VALUE, header::settable_value)
                        .map(|value| Source::Literal(value.to_vec()))
                });
                Some(Mapping { source: value?, to: to? })
            }),
            Variant::new("status", "The status code", |fields| {
                Some(Mapping { source: Source::Status, to: to(fields)? })
            }),
            Variant::new("header", "The first value of a response header", |fields| {
                let to = to(fields);
                let name = fields.required("name", "The response header", |node| {
                    text(node, header::NAME, "a header name", |text| {
                        header::is_name(text.to_ascii_lowercase().as_bytes())
                    })
                });
                Some(Mapping { source: Source::Header(name?.to_ascii_lowercase()), to: to? })
            }),
            Variant::new("json_pointer", "What a JSON pointer finds in the body", |fields| {
                let to = to(fields);
                let path = fields.required("path", "The pointer (RFC 6901)", |node| {
                    let expected = "a JSON pointer (RFC 6901), such as \"/plan/name\"";
                    text(node, Text::pattern("^(/.*)?$"), expected, |text| {
                        text.is_empty() || text.starts_with('/')
                    })
                });
                Some(Mapping { source: Source::JsonPointer(path?), to: to? })
            }),
        ],
    )
}

fn to(fields: &mut Fields<'_>) -> Option<String> {
    fields.required("to", "The request header that is made of it", |node| {
        node.parsed(header::SETTABLE_NAME, header::settable_name)
    })
}

#[inline(always)] // so that `like` is in no module
fn text(node: Node<'_>, like: Text, expected: &'static str, right: fn(&str) -> bool) -> Option<String> {
    node.parsed(like, |text| if right(text) { Ok(text.to_owned()) } else { Err(expected) })
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
