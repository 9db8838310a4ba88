//! Reads `when` from a configuration.

use std::ops::RangeInclusive;

use super::{Condition, Matcher, Media, Presence, When};
use crate::attribute::Direction;
use crate::config::{Alternative, Fields, Node, Text};
use crate::header;
use crate::host::{ENTRY, Entry};
use crate::reads::Map;

/// How many alternatives a list has, and how deep `not` goes within `not`: bounds of what a request may cost.
const MOST: u32 = 64;

impl When {
    /// Reads a condition, and natively describes it as the definition `when`.
    pub fn read(node: Node<'_>) -> Option<Self> {
        defined::<false>(node)
    }

    /// The same, with regular expressions. A reader of its own, or a filter's configuration would depend on what other
    /// filters are built beside it: cargo gives all of them the features of each.
    #[cfg(feature = "regex")]
    pub fn read_with_regex(node: Node<'_>) -> Option<Self> {
        defined::<true>(node)
    }
}

fn defined<const REGEX: bool>(node: Node<'_>) -> Option<When> {
    node.defined("when", "Which messages: every field that is given must hold", read::<REGEX>)
}

fn read<const REGEX: bool>(node: Node<'_>) -> Option<When> {
    let when = node.object(|fields| {
        fields.schema(r#"{"minProperties": 1}"#);
        // In the order in which they are asked: first what is cheap to read, last what makes others be read.
        let direction = fields.optional("direction", "Which way the listener's traffic goes", |node| {
            node.one_of(&Direction::WORDS)
        });
        let methods = fields.optional("methods", "One of these methods", |node| node.up_to(MOST, method));
        let paths =
            fields.optional("paths", "One of these is the path, without query and fragment", |node| {
                node.up_to(MOST, path::<REGEX>)
            });
        let hosts =
            fields.optional("hosts", "One of these entries covers the host, as in a blocklist", |node| {
                node.up_to(MOST, host)
            });
        let headers = fields.optional("headers", "Each of these request headers; any value of it", |node| {
            node.up_to(MOST, header::<REGEX>)
        });
        let routes =
            fields.optional("route_names", "One of these is the route's name", |node| node.up_to(MOST, word));
        let status = fields.optional("status", "One of these response codes: `404`, or `\"5xx\"`", |node| {
            node.up_to(MOST, status)
        });
        let types = fields.optional("content_types", "One of these media types has the response", |node| {
            node.up_to(MOST, Media::read)
        });
        let answered =
            fields.optional("response_headers", "Each of these response headers; any value of it", |node| {
                node.up_to(MOST, header::<REGEX>)
            });
        let not = fields.optional("not", "And this does not hold", defined::<REGEX>);
        let mut conditions = Vec::new();
        conditions.extend(direction?.map(Condition::Direction));
        conditions.extend(methods?.map(Condition::Methods));
        conditions.extend(paths?.map(Condition::Paths));
        conditions.extend(hosts?.map(Condition::Hosts));
        let of = |map| move |(name, presence)| Condition::Header(map, name, presence);
        conditions.extend(headers?.into_iter().flatten().map(of(Map::Request)));
        conditions.extend(routes?.map(Condition::RouteNames));
        conditions.extend(status?.map(Condition::Status));
        conditions.extend(types?.map(Condition::ContentTypes));
        conditions.extend(answered?.into_iter().flatten().map(of(Map::Response)));
        conditions.extend(not?.map(Condition::Not));
        Some(When { conditions })
    })?;
    if when.conditions.is_empty() {
        node.problem("holds for everything, expected a condition")
    } else {
        Some(when)
    }
}

fn method(node: Node<'_>) -> Option<Box<str>> {
    node.parsed(Text::pattern("^[A-Z][A-Z_-]*$").bytes(1, 32), |text| {
        let right = |byte: u8| byte.is_ascii_uppercase() || byte == b'-' || byte == b'_';
        let is_method = text.len() <= 32
            && text.bytes().all(right)
            && text.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase());
        if is_method { Ok(text.into()) } else { Err("a method, in upper case as it is sent: \"GET\"") }
    })
}

fn host(node: Node<'_>) -> Option<Entry<'static>> {
    node.parsed(ENTRY, |text| Entry::parse(text).map(Entry::into_owned))
}

fn word(node: Node<'_>) -> Option<Box<str>> {
    node.parsed(Text::ANY.bytes(1, 256), |text| {
        if (1..=256).contains(&text.len()) { Ok(text.into()) } else { Err("1 to 256 bytes") }
    })
}

fn path<const REGEX: bool>(node: Node<'_>) -> Option<Matcher> {
    node.object(|fields| fields.exactly_one(comparisons::<REGEX>()))
}

fn header<const REGEX: bool>(node: Node<'_>) -> Option<(Box<str>, Presence)> {
    node.object(|fields| {
        let name =
            fields.required("name", "The header; pseudo-headers have fields of their own", header::name);
        let presence = presence::<REGEX>(fields);
        Some((name?.into(), presence?))
    })
}

fn presence<const REGEX: bool>(fields: &mut Fields<'_>) -> Option<Presence> {
    fields.schema(r#"{"not": {"anyOf": [
        {"required": ["present", "exact"]}, {"required": ["present", "prefix"]}, {"required": ["present", "suffix"]},
        {"required": ["present", "contains"]}, {"required": ["present", "regex"]}]}}"#);
    let present =
        fields.optional("present", "Whether it is there; true if nothing is said of its value", |node| {
            node.boolean()
        });
    let matcher = fields.at_most_one(comparisons::<REGEX>());
    match (present?, matcher?) {
        (Some(_), Some(_)) => fields.problem("expected `present` or a comparison, not both"),
        (None, Some(matcher)) => Some(Presence::Matches(matcher)),
        (Some(false), None) => Some(Presence::Absent),
        (_, None) => Some(Presence::Present),
    }
}

fn comparisons<const REGEX: bool>() -> &'static [Alternative<Matcher>] {
    #[cfg(feature = "regex")]
    if REGEX {
        return &[EXACT, PREFIX, SUFFIX, CONTAINS, WITH_REGEX];
    }
    &[EXACT, PREFIX, SUFFIX, CONTAINS]
}

const EXACT: Alternative<Matcher> =
    Alternative::new("exact", "It is this", |node| text(node).map(Matcher::Exact));
const PREFIX: Alternative<Matcher> =
    Alternative::new("prefix", "It begins with this", |node| text(node).map(Matcher::Prefix));
const SUFFIX: Alternative<Matcher> =
    Alternative::new("suffix", "It ends with this", |node| text(node).map(Matcher::Suffix));
const CONTAINS: Alternative<Matcher> =
    Alternative::new("contains", "This is in it", |node| text(node).map(Matcher::Contains));
#[cfg(feature = "regex")]
const WITH_REGEX: Alternative<Matcher> = Alternative::new("regex", "This matches somewhere in it", |node| {
    crate::regex::read(node).map(Matcher::Regex)
});

impl Matcher {
    /// Reads the one comparison that is given among the fields of an object; no regular expression.
    pub fn field(fields: &mut Fields<'_>) -> Option<Self> {
        fields.exactly_one(comparisons::<false>())
    }
}

fn text(node: Node<'_>) -> Option<Box<[u8]>> {
    node.parsed(Text::ANY.bytes(1, 4096), |text| {
        if (1..=4096).contains(&text.len()) { Ok(text.as_bytes().into()) } else { Err("1 to 4096 bytes") }
    })
}

fn status(node: Node<'_>) -> Option<RangeInclusive<u16>> {
    status_or(node, &[])
}

/// Reads a class of response codes (`"5xx"`), a single one (`404`), or one of `words`, which stand for codes of their own.
pub fn status_or(
    node: Node<'_>,
    words: &[(&'static str, RangeInclusive<u16>)],
) -> Option<RangeInclusive<u16>> {
    node.text_or(
        |node| {
            let classes = [
                ("1xx", 100..=199),
                ("2xx", 200..=299),
                ("3xx", 300..=399),
                ("4xx", 400..=499),
                ("5xx", 500..=599),
            ];
            node.one_of(&[&classes, words].concat())
        },
        |node| {
            let code = u16::try_from(node.integer(100..=599)?).ok()?;
            Some(code..=code)
        },
    )
}
