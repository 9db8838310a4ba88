//! The subcommands: what they are given, what they print.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, Result};

pub(crate) mod bench;
pub(crate) mod inspect;
pub(crate) mod run;
pub(crate) mod schema;

/// Writes a file, or standard output if the path is `-`.
fn write(path: &Path, text: &str) -> Result<()> {
    if path == Path::new("-") {
        return print(text);
    }
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// Prints; a reader that has gone away, such as `head`, is no error.
fn print(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        done => done.context("writing to standard output"),
    }
}
