//! The answer to a blocked request.

use filter_kit::config::{Json, Node, Text};
use filter_kit::header::{SETTABLE_NAME, SETTABLE_VALUE, is_value, settable_name, settable_value};

use crate::body::Body;

/// The answer to a blocked request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Status code, 400 to 599.
    pub status: u32,
    /// The headers, with `content-type`, `cache-control` and, where it is known who blocks, `link`.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
    /// Whether it says who blocks.
    has_uri: bool,
}

/// The longest body of a reply, in bytes.
const MAX_BODY: usize = 64 * 1024;
/// The most headers of a reply.
const MAX_HEADERS: u32 = 32;
/// Unavailable For Legal Reasons (RFC 7725).
const LEGAL: u32 = 451;

impl Reply {
    /// Whether it is to say who blocks and does not (RFC 7725, section 4).
    pub(super) fn lacks_uri(&self) -> bool {
        self.status == LEGAL && !self.has_uri
    }
}

pub(super) fn read(node: Node<'_>) -> Option<Reply> {
    node.object(|fields| {
        let status = fields
            .or("status", "Its status code", LEGAL, |node| u32::try_from(node.integer(400..=599)?).ok());
        let content_type = fields.or("content_type", "Its media type; not empty", "text/plain", |node| {
            node.parsed(SETTABLE_VALUE.bytes(1, 8192), |text| {
                let right = !text.is_empty() && is_value(text.as_bytes());
                if right { Ok(text.to_owned()) } else { Err("a media type such as \"text/plain\"") }
            })
        });
        let body = fields.or(
            "body",
            "Its body, with `${host}`, `${rule}`, `${reason}` and `${request_id}`; empty for none",
            "blocked by wasm\n",
            |node| {
                node.parsed(Text::ANY.bytes(0, 65_536), |text| {
                    if text.len() > MAX_BODY {
                        return Err("at most 65536 bytes");
                    }
                    Body::parse(text)
                })
            },
        );
        let headers = fields.or("headers", "More of its headers", Json::EMPTY_LIST, |node| {
            let headers = node.list_of(header)?;
            if headers.len() > MAX_HEADERS as usize {
                return node
                    .problem(format!("found {} headers, expected at most {MAX_HEADERS}", headers.len()));
            }
            Some(headers)
        });
        let uri = fields.optional("blocked_by_uri", "Who blocks, and why: sent as a link", |node| {
            node.parsed(Text::pattern(r#"^[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>"\x7f-\uffff]+$"#), uri)
        });
        let (content_type, body, uri) = (content_type?, body?, uri?);
        if is_json(&content_type) && !body.is_json() {
            return fields.problem("`content_type` says JSON, and `body` is none");
        }
        let mut all = vec![
            ("content-type".to_owned(), content_type),
            // A 451 may be cached unless it says otherwise (RFC 7725, section 3); a list changes.
            ("cache-control".to_owned(), "no-store".to_owned()),
        ];
        if let Some(uri) = &uri {
            all.push(("link".to_owned(), format!("<{uri}>; rel=\"blocked-by\"")));
        }
        for (name, value) in headers? {
            // What an operator gives stands in place of what is given to all; links are added.
            all.retain(|(other, _)| *other != name || name == "link" || !OURS.contains(&name.as_str()));
            all.push((name, value));
        }
        Some(Reply { status: status?, headers: all, body, has_uri: uri.is_some() })
    })
}

/// Headers that a reply has of itself and once.
const OURS: [&str; 2] = ["content-type", "cache-control"];

fn header(node: Node<'_>) -> Option<(String, String)> {
    node.object(|fields| {
        let name = fields.required("name", "Its name", |node| node.parsed(SETTABLE_NAME, settable_name));
        let value = fields.required("value", "Its value", |node| {
            node.parsed(SETTABLE_VALUE, |text| settable_value(text).map(|_| text.to_owned()))
        });
        Some((name?, value?))
    })
}

fn uri(text: &str) -> Result<String, &'static str> {
    const EXPECTED: &str = "an absolute URI such as \"https://egress.example.org/policy\"";
    let (scheme, rest) = text.split_once(':').ok_or(EXPECTED)?;
    let in_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let is_scheme =
        scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(in_scheme);
    let in_uri = |byte: u8| byte.is_ascii_graphic() && !b"<>\"".contains(&byte);
    if is_scheme && !rest.is_empty() && text.len() <= 4096 && text.bytes().all(in_uri) {
        Ok(text.to_owned())
    } else {
        Err(EXPECTED)
    }
}

fn is_json(content_type: &str) -> bool {
    let media = content_type.split(';').next().unwrap_or_default().trim_ascii();
    media.eq_ignore_ascii_case("application/json") || media.to_ascii_lowercase().ends_with("+json")
}
