//! The subcommands: what they are given, what they print.

use std::io::Write as _;

use anyhow::{Context as _, Result};

pub(crate) mod schema;
pub(crate) mod validate;

/// Prints; a reader that has gone away, such as `head`, is no error.
fn print(text: &str) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        done => done.context("writing to standard output"),
    }
}
