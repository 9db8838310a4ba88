//! What is noted beside a shipped module: from what it was made, and how.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// Lies in `dist/.stamp/`, one for each module.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Of the compiled module, the callbacks kept and the options.
    pub inputs: Digest,
    /// Of the shipped module.
    pub output: Digest,
    /// The size that cargo left.
    pub compiled_bytes: usize,
    /// The size that is shipped.
    pub module_bytes: usize,
    /// Whether wasm-opt had its turn.
    pub optimised: bool,
}

impl Stamp {
    /// The stamp in that file; `None` if there is none, or one of another time.
    #[must_use]
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// Whether it was made for this very module.
    #[must_use]
    pub fn describes(&self, module: &[u8]) -> bool {
        self.output == Digest::of(module)
    }

    pub(super) fn to_json(&self) -> String {
        // Nothing in a stamp can fail to become JSON; an empty one would merely not be fresh.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_it_was_written_and_knows_its_module() {
        let stamp = Stamp {
            inputs: Digest::of(b"in"),
            output: Digest::of(b"out"),
            compiled_bytes: 9,
            module_bytes: 4,
            optimised: true,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        fs::write(&path, stamp.to_json()).unwrap();
        assert_eq!(Stamp::read(&path).as_ref(), Some(&stamp));
        assert!(stamp.describes(b"out"));
        assert!(!stamp.describes(b"something else"));
    }

    #[test]
    fn a_stamp_that_cannot_be_read_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        assert_eq!(Stamp::read(&path), None);
        fs::write(&path, "{\"inputs\": 4").unwrap();
        assert_eq!(Stamp::read(&path), None);
    }
}
