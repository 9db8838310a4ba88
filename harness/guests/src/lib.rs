//! Finds the guests: one small filter, written in every language that a Proxy-Wasm host has to run.
//!
//! What each does is in `README.md` beside this crate. It is the same for all, so one table of expectations holds for
//! all. Each names itself, in headers and bodies, by the name it has in [`GUESTS`].

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The guests' names.
pub const GUESTS: [&str; 9] = [
    "abi-0-1-0",
    "assemblyscript",
    "cpp",
    "cpp-emscripten",
    "cpp-wasi",
    "go",
    "rust",
    "rust-wasip1",
    "tinygo",
];

/// What `scripts/guests.sh` answers when a toolchain is not on this machine.
const TOOLCHAIN_MISSING: i32 = 3;

/// The module of a guest, built if need be; `None` when its toolchain is missing, which stands on standard error then.
///
/// # Panics
///
/// When it does not build: what tests would say of it is not worth having.
#[track_caller]
pub fn module(guest: &str) -> Option<PathBuf> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/guests.sh");
    let output = Command::new(script).arg(guest).stderr(Stdio::inherit()).output();
    #[expect(clippy::panic, reason = "only tests build guests")]
    match output {
        Ok(output) if output.status.success() => {
            Some(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end()))
        }
        Ok(output) if output.status.code() == Some(TOOLCHAIN_MISSING) => None,
        Ok(output) => panic!("{guest} does not build: scripts/guests.sh ended with {}", output.status),
        Err(error) => panic!("scripts/guests.sh cannot be run: {error}"),
    }
}
