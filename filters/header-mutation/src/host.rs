//! What an exchange asks of the proxy, and what it has it do.

use filter_kit::reads::{Map, Reads, pairs};

use crate::lines::Lines;

/// Which headers of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The request's.
    Request,
    /// Those behind its body.
    RequestTrailers,
    /// The response's.
    Response,
    /// Those behind its body.
    ResponseTrailers,
}

impl Side {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Request, Self::RequestTrailers, Self::Response, Self::ResponseTrailers];

    /// Whether it is one of the response's.
    pub fn is_of_response(self) -> bool {
        matches!(self, Self::Response | Self::ResponseTrailers)
    }

    /// The map that conditions and templates know it as.
    pub(crate) fn map(self) -> Option<Map> {
        match self {
            Self::Request => Some(Map::Request),
            Self::Response => Some(Map::Response),
            Self::RequestTrailers | Self::ResponseTrailers => None,
        }
    }
}

/// What there is of a header, beside one line with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// No line.
    Nothing,
    /// That line and no other.
    Same,
    /// Another line, or several.
    Other,
}

/// The proxy, in one of its callbacks. Names are in lower case.
pub trait Host: Reads {
    /// What there is of a header now, beside one line with that value.
    fn held(&self, side: Side, name: &[u8], value: &[u8]) -> Held;
    /// All lines, as the ABI writes a map down.
    fn lines(&self, side: Side) -> Vec<u8>;
    /// Takes back what it answered as lines, once that is read: the memory may be of use again.
    fn give_back(&self, _lines: Vec<u8>) {}
    /// Puts one line in place of all that have the name. Whether the proxy did so.
    fn replace(&self, side: Side, name: &[u8], value: &[u8]) -> bool;
    /// Adds a line. Whether the proxy did so.
    fn add(&self, side: Side, name: &[u8], value: &[u8]) -> bool;
    /// Removes all lines of the name. Whether the proxy did so.
    fn remove(&self, side: Side, name: &[u8]) -> bool;
    /// Keeps a value with the stream, for the access log. Whether the proxy did so.
    fn keep(&self, name: &str, value: &[u8]) -> bool;
}

/// What conditions and templates see: the message at hand as the operations before left it, and of a response the
/// request as it was sent on.
pub(crate) struct View<'v, 'a> {
    pub(crate) side: Side,
    /// The message at hand, if it was read.
    pub(crate) lines: Option<&'v Lines<'a>>,
    /// The request as it was sent on, written as a map, if that was kept: the proxy no longer has it.
    pub(crate) request: Option<&'v [u8]>,
    pub(crate) host: &'v dyn Host,
}

impl Reads for View<'_, '_> {
    fn header(&self, map: Map, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        // Envoy has the host as `:authority`.
        let name = if name == "host" && map == Map::Request { ":authority" } else { name };
        if self.side.map() == Some(map) {
            return match self.lines {
                Some(lines) => lines.values(name.as_bytes()).any(each),
                None => self.host.header(map, name, each),
            };
        }
        match (map, self.request) {
            (Map::Request, Some(request)) => {
                pairs(request).filter(|(other, _)| *other == name.as_bytes()).any(|(_, value)| each(value))
            }
            _ => false,
        }
    }

    fn attribute(&self, path: &str, read: &mut dyn FnMut(&[u8])) -> bool {
        self.host.attribute(path, read)
    }

    fn now_ms(&self) -> u64 {
        self.host.now_ms()
    }

    fn random(&self) -> [u8; 16] {
        self.host.random()
    }
}
