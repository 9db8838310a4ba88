//! What the host answers, for the conditions and templates of the kit.

use std::cell::OnceCell;
use std::time::{Duration, UNIX_EPOCH};

use filter_kit::reads::{Map, Reads};

use crate::abi;

/// Asks the host about the stream at hand. Make one for each callback: it remembers what it has read.
///
/// Nothing here panics, whatever the callback and whatever the host answers: what it does not give is missing.
#[derive(Debug)]
pub struct Asked {
    /// Whether there is a response to ask about.
    answered: bool,
    /// All lines of a map, once a header turned out to be repeated.
    lines: [OnceCell<Vec<u8>>; 2],
}

impl Asked {
    /// While the request passes: whatever is asked of the response is missing.
    pub fn of_request() -> Self {
        Self { answered: false, lines: [const { OnceCell::new() }; 2] }
    }

    /// While the response passes, and when the stream is over.
    pub fn of_response() -> Self {
        Self { answered: true, ..Self::of_request() }
    }
}

impl Reads for Asked {
    fn header(&self, map: Map, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        let (number, lines) = match map {
            Map::Request => (0, &self.lines[0]),
            // The host takes it for a mistake to ask before there is one.
            Map::Response if !self.answered => return false,
            Map::Response => (2, &self.lines[1]),
        };
        // The host answers the first value alone; most headers have no other.
        let Some(first) = abi::header(number, name) else { return false };
        if each(&first) {
            return true;
        }
        if name.starts_with(':') {
            return false;
        }
        let lines = lines.get_or_init(|| abi::pairs(number).unwrap_or_default());
        filter_kit::reads::pairs(lines)
            .filter(|(other, _)| *other == name.as_bytes())
            .skip(1)
            .any(|(_, value)| each(value))
    }

    fn attribute(&self, path: &str, read: &mut dyn FnMut(&[u8])) -> bool {
        abi::attribute(path).map(|value| read(&value)).is_some()
    }

    fn now_ms(&self) -> u64 {
        let now = proxy_wasm::hostcalls::get_current_time().unwrap_or(UNIX_EPOCH);
        let since = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn random(&self) -> [u8; 16] {
        abi::random()
    }
}
