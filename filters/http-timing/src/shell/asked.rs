//! What the host answers of the stream at hand, and where it keeps metrics.

use filter_kit::reads::{Map, Reads, pairs};

use super::abi;
use crate::Meter;

/// Asks the host about the stream at hand.
pub(super) struct Asked {
    /// Whether there is a response to ask about.
    answered: bool,
}

impl Asked {
    /// When a request comes: what is asked of the response is missing.
    pub(super) fn of_request() -> Self {
        Self { answered: false }
    }

    /// When the stream is over.
    pub(super) fn of_response() -> Self {
        Self { answered: true }
    }
}

impl Reads for Asked {
    #[inline(always)]
    fn header(&self, map: Map, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let map = match map {
            Map::Request => abi::Map::Request,
            // The host takes it for a mistake to ask before there is one.
            Map::Response if !self.answered => return false,
            Map::Response => abi::Map::Response,
        };
        // The host answers the first value alone; most headers have no other, and none whose name begins so.
        match abi::header(map, name, &mut *each) {
            None => false,
            Some(true) => true,
            Some(false) => !name.starts_with(':') && others(map, name, each),
        }
    }

    #[inline(always)]
    fn attribute(&self, path: &str, read: &mut dyn FnMut(&[u8])) -> bool {
        abi::attribute(path, read).is_some()
    }

    fn now_ms(&self) -> u64 {
        abi::now_ms()
    }

    fn random(&self) -> [u8; 16] {
        u128::from(abi::random()).to_le_bytes()
    }
}

/// Hands the values of a header but the first to `each`, until it answers true. Answers whether it did.
#[cold]
fn others(map: abi::Map, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
    let lines = abi::pairs(map);
    let values = pairs(&lines).filter(|(other, _)| *other == name.as_bytes());
    values.skip(1).any(|(_, value)| each(value))
}

/// The host's metrics.
pub(super) struct Metrics;

impl Meter for Metrics {
    #[inline]
    fn add(&self, id: u32, by: i64) {
        abi::add(id, by);
    }

    #[inline]
    fn record(&self, id: u32, value: u64) {
        abi::record(id, value);
    }
}
