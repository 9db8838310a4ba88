//! What the host answers, for the conditions and templates of the kit.

use std::cell::OnceCell;

use filter_kit::reads::{self, Map, Reads};

use super::abi;

/// Asks the host about the request at hand. Made for each callback: it remembers what it has read.
#[derive(Default)]
pub(super) struct Asked {
    /// All lines of the request, once a header turned out to be repeated.
    lines: OnceCell<Vec<u8>>,
}

impl Reads for Asked {
    fn header(&self, map: Map, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        // There is no response while the request passes.
        if map == Map::Response {
            return false;
        }
        // The host answers the first value alone; most headers have no other.
        match abi::header(abi::Map::Request, name, &mut *each) {
            None => false,
            Some(true) => true,
            Some(false) if name.starts_with(':') => false,
            Some(false) => {
                let lines = self.lines.get_or_init(|| abi::pairs(abi::Map::Request));
                let same = reads::pairs(lines).filter(|(other, _)| *other == name.as_bytes());
                same.skip(1).any(|(_, value)| each(value))
            }
        }
    }

    fn attribute(&self, path: &str, read: &mut dyn FnMut(&[u8])) -> bool {
        abi::attribute(path, read).is_some()
    }

    fn now_ms(&self) -> u64 {
        abi::wall_ms()
    }

    fn random(&self) -> [u8; 16] {
        abi::random()
    }
}
