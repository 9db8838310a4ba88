//! Where the parts of a value come from.

use super::Room;
use crate::attribute::Kind;
use crate::host::{self, Authority, Host};
use crate::reads::{Map, Reads, first, without_query};

/// A part of a message, or something else that changes from one to the next. Header names are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table of the module says what each is")]
pub enum Source {
    Header(Box<str>),
    Headers(Box<str>),
    ResponseHeader(Box<str>),
    ResponseHeaders(Box<str>),
    Query(Box<str>),
    Cookie(Box<str>),
    Method,
    Path,
    PathNoQuery,
    Authority,
    Host,
    Status,
    /// How it is to be read, and its path with zero bytes between the parts.
    Attribute(Kind, Box<str>),
    Uuid,
    NowMs,
}

impl Source {
    /// Whether it is a part of the response.
    pub fn needs_response(&self) -> bool {
        matches!(self, Self::ResponseHeader(_) | Self::ResponseHeaders(_) | Self::Status)
    }

    /// Whether it is a header or a pseudo-header of the request, or a part of one.
    pub fn needs_request(&self) -> bool {
        !self.needs_response() && !matches!(self, Self::Attribute(..) | Self::Uuid | Self::NowMs)
    }

    /// Writes the value; false if it is missing.
    pub(super) fn write(&self, reads: &dyn Reads, room: &mut Room<'_>) -> bool {
        let mut one = |map, name| first(reads, map, name, |value| room.push(value)).is_some();
        match self {
            Self::Header(name) => one(Map::Request, name),
            Self::ResponseHeader(name) => one(Map::Response, name),
            Self::Method => one(Map::Request, ":method"),
            Self::Path => one(Map::Request, ":path"),
            Self::Authority => one(Map::Request, ":authority"),
            Self::Status => one(Map::Response, ":status"),
            Self::Headers(name) => all(reads, Map::Request, name, room),
            Self::ResponseHeaders(name) => all(reads, Map::Response, name, room),
            Self::PathNoQuery => {
                first(reads, Map::Request, ":path", |path| room.push(without_query(path))).is_some()
            }
            Self::Query(name) => {
                let find = |path: &[u8]| query(path, name).map(|value| room.push(value)).is_some();
                first(reads, Map::Request, ":path", find).unwrap_or(false)
            }
            Self::Cookie(name) => reads.header(Map::Request, "cookie", &mut |cookies| {
                cookie(cookies, name).map(|value| room.push(value)).is_some()
            }),
            Self::Host => first(reads, Map::Request, ":authority", |value| {
                let mut lower = host::Room::new();
                match Authority::parse(value, &mut lower).map(|authority| authority.host) {
                    Ok(Host::Name(name)) => room.push(name.as_bytes()),
                    Ok(Host::Address(address)) => room.push(address.to_string().as_bytes()),
                    Err(_) => return false,
                }
                true
            })
            .unwrap_or(false),
            Self::Attribute(kind, path) => {
                let mut read = false;
                reads.attribute(path, &mut |value| read = kind.typed(value, |value| room.push(value)));
                read
            }
            Self::Uuid => {
                room.push(&uuid(reads.random()));
                true
            }
            Self::NowMs => {
                room.push(reads.now_ms().to_string().as_bytes());
                true
            }
        }
    }
}

fn all(reads: &dyn Reads, map: Map, name: &str, room: &mut Room<'_>) -> bool {
    let mut found = false;
    reads.header(map, name, &mut |value| {
        if found {
            room.push(b",");
        }
        found = true;
        room.push(value);
        false
    });
    found
}

/// The value of the first parameter `name` in a path's query; empty if it has no `=`.
pub(super) fn query<'a>(path: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let start = path.iter().position(|byte| *byte == b'?')? + 1;
    let query = path.get(start..)?.split(|byte| *byte == b'#').next()?;
    query.split(|byte| *byte == b'&').find_map(|pair| named(pair, name, true))
}

/// The value of the first cookie `name` in a `cookie` header (RFC 6265, section 5.4).
pub(super) fn cookie<'a>(cookies: &'a [u8], name: &str) -> Option<&'a [u8]> {
    cookies.split(|byte| *byte == b';').find_map(|pair| named(pair.trim_ascii(), name, false))
}

fn named<'a>(pair: &'a [u8], name: &str, may_be_bare: bool) -> Option<&'a [u8]> {
    match pair.strip_prefix(name.as_bytes())? {
        [] if may_be_bare => Some(b""),
        [b'=', value @ ..] => Some(value),
        _ => None,
    }
}

/// Random bytes as a UUID of version 4 (RFC 9562, section 5.4).
fn uuid(random: [u8; 16]) -> [u8; 36] {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let bits = (u128::from_be_bytes(random) & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
    let mut text = [b'-'; 36];
    let places = (0..36).filter(|place| ![8, 13, 18, 23].contains(place));
    for (index, place) in places.enumerate() {
        let digit = usize::try_from((bits >> (124 - 4 * index)) & 0xf).unwrap_or(0);
        if let (Some(to), Some(digit)) = (text.get_mut(place), DIGITS.get(digit)) {
            *to = *digit;
        }
    }
    text
}
