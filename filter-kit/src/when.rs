//! `when`: which messages a rule is for.
//!
//! Every field that is given must hold; of a list of alternatives, one must. Compiled once; asked of a message, it
//! reads nothing that an earlier condition has made irrelevant, and what is cheap to read comes first.
//!
//! ```
//! use filter_kit::config;
//! use filter_kit::when::When;
//!
//! let json = br#"{"paths": [{"prefix": "/api/"}], "methods": ["GET", "HEAD"], "not": {"hosts": ["*.test"]}}"#;
//! let when = config::read(json, When::read).unwrap();
//! assert!(!when.needs_response());
//! ```
//!
//! | field              | holds if                                                                      |
//! |--------------------|-------------------------------------------------------------------------------|
//! | `hosts`            | an entry covers the request's host; one that is malformed is covered by none   |
//! | `paths`            | one matches the path without query and fragment, byte for byte                 |
//! | `methods`          | it is one of these                                                            |
//! | `headers`          | each of these request headers matches; of a repeated one, any value            |
//! | `response_headers` | the same for the response                                                     |
//! | `status`           | the response has one of these codes                                           |
//! | `content_types`    | the response has one of these media types                                     |
//! | `direction`        | the listener's traffic goes that way                                          |
//! | `route_names`      | the route has one of these names                                              |
//! | `not`              | what is in it does not                                                        |

mod matcher;
mod media;
mod read;

pub use matcher::Matcher;
pub use media::{Media, is_grpc};
pub use read::status_or;

use std::ops::RangeInclusive;

use crate::attribute::{self, Direction};
use crate::host::{Authority, Entry, Room};
use crate::reads::{Map, Reads, first, without_query};

/// Which messages a rule is for.
#[derive(Clone, Debug)]
pub struct When {
    /// All of them must hold; in the order in which they are asked.
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
enum Condition {
    Direction(Direction),
    Methods(Vec<Box<str>>),
    Paths(Vec<Matcher>),
    Hosts(Vec<Entry<'static>>),
    Header(Map, Box<str>, Presence),
    RouteNames(Vec<Box<str>>),
    Status(Vec<RangeInclusive<u16>>),
    ContentTypes(Vec<Media>),
    Not(When),
}

/// What is asked of a header.
#[derive(Clone, Debug)]
enum Presence {
    Present,
    Absent,
    Matches(Matcher),
}

impl When {
    /// Whether it looks at the response, so that nothing can be said before its headers are there.
    pub fn needs_response(&self) -> bool {
        self.conditions.iter().any(|condition| match condition {
            Condition::Header(map, ..) => *map == Map::Response,
            Condition::Status(_) | Condition::ContentTypes(_) => true,
            Condition::Not(when) => when.needs_response(),
            _ => false,
        })
    }

    /// Whether it looks at headers of the request.
    pub fn needs_request(&self) -> bool {
        self.conditions.iter().any(|condition| match condition {
            Condition::Header(map, ..) => *map == Map::Request,
            Condition::Methods(_) | Condition::Paths(_) | Condition::Hosts(_) => true,
            Condition::Not(when) => when.needs_request(),
            _ => false,
        })
    }

    /// Whether it holds for the message at hand. What cannot be read holds for no condition.
    pub fn holds(&self, reads: &dyn Reads) -> bool {
        self.conditions.iter().all(|condition| condition.holds(reads))
    }
}

impl Condition {
    fn holds(&self, reads: &dyn Reads) -> bool {
        match self {
            Self::Direction(direction) => Direction::ask(reads) == Some(*direction),
            Self::Methods(methods) => first(reads, Map::Request, ":method", |method| {
                methods.iter().any(|other| other.as_bytes() == method)
            })
            .unwrap_or(false),
            Self::Paths(paths) => first(reads, Map::Request, ":path", |path| {
                let path = without_query(path);
                paths.iter().any(|matcher| matcher.matches(path))
            })
            .unwrap_or(false),
            Self::Hosts(entries) => first(reads, Map::Request, ":authority", |value| {
                Authority::parse(value, &mut Room::new())
                    .is_ok_and(|authority| entries.iter().any(|entry| entry.covers(&authority)))
            })
            .unwrap_or(false),
            Self::Header(map, name, presence) => match presence {
                Presence::Present => reads.header(*map, name, &mut |_| true),
                Presence::Absent => !reads.header(*map, name, &mut |_| true),
                Presence::Matches(matcher) => reads.header(*map, name, &mut |value| matcher.matches(value)),
            },
            Self::RouteNames(names) => attribute::any(reads, &attribute::ROUTE_NAME, |name| {
                Some(names.iter().any(|other| other.as_bytes() == name))
            })
            .unwrap_or(false),
            Self::Status(ranges) => first(reads, Map::Response, ":status", |value| {
                let status = std::str::from_utf8(value).ok().and_then(|text| text.parse::<u16>().ok());
                status.is_some_and(|status| ranges.iter().any(|range| range.contains(&status)))
            })
            .unwrap_or(false),
            Self::ContentTypes(types) => first(reads, Map::Response, "content-type", |value| {
                types.iter().any(|media| media.covers(value))
            })
            .unwrap_or(false),
            Self::Not(when) => !when.holds(reads),
        }
    }
}

#[cfg(test)]
mod tests;
