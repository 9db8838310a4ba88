//! What the host answers, for the conditions and templates of the kit.

use std::cell::OnceCell;

use filter_kit::reads::{Map, Reads, pairs};

use crate::{header, property, system};

/// Asks the host about the stream at hand. Make one for each callback: it remembers what it has read.
#[derive(Debug)]
pub struct Asked {
    /// Whether there is a response to ask about.
    answered: bool,
    /// All lines of the first map of which a header turned out to be repeated.
    lines: OnceCell<(header::Map, Vec<u8>)>,
}

impl Asked {
    /// While the request passes: whatever is asked of the response is missing.
    #[inline(always)]
    pub fn of_request() -> Self {
        Self { answered: false, lines: OnceCell::new() }
    }

    /// While the response passes, and when the stream is over.
    #[inline(always)]
    pub fn of_response() -> Self {
        Self { answered: true, lines: OnceCell::new() }
    }

    /// Hands the values of a header but the first to `each`, until it answers true. Answers whether it did.
    #[cold]
    fn others(&self, map: header::Map, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let (known, lines) = self.lines.get_or_init(|| (map, header::pairs(map)));
        let other;
        let lines = if *known == map {
            lines
        } else {
            other = header::pairs(map);
            &other
        };
        let values = pairs(lines).filter(|(other, _)| *other == name.as_bytes());
        values.skip(1).any(|(_, value)| each(value))
    }
}

impl Reads for Asked {
    #[inline(always)]
    fn header(&self, map: Map, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let map = match map {
            Map::Request => header::Map::Request,
            // The host takes it for a mistake to ask before there is one.
            Map::Response if !self.answered => return false,
            Map::Response => header::Map::Response,
        };
        // The host answers the first value alone; most headers have no other, and none whose name begins so.
        match header::first(map, name.as_bytes(), &mut *each) {
            None => false,
            Some(true) => true,
            Some(false) => !name.starts_with(':') && self.others(map, name, each),
        }
    }

    #[inline(always)]
    fn attribute(&self, path: &str, read: &mut dyn FnMut(&[u8])) -> bool {
        property::attribute(path, read).is_some()
    }

    fn now_ms(&self) -> u64 {
        system::wall_ms()
    }

    fn random(&self) -> [u8; 16] {
        system::random()
    }
}
