//! What guests logged.

use std::fmt;

use crate::abi::Level;

/// Which VM a line came from. One configuration starts several, as in Envoy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The VM that others are cloned from; no plugin runs in it.
    Base,
    /// The VM that tries a configuration first and is thrown away.
    Canary,
    /// The main thread's VM, which serves no streams.
    Main,
    /// The VM of a worker thread, from 0.
    Worker(usize),
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => f.pad("base"),
            Self::Canary => f.pad("canary"),
            Self::Main => f.pad("main"),
            Self::Worker(index) => f.pad(&format!("worker {index}")),
        }
    }
}

/// One line that a guest logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How important it is.
    pub level: Level,
    /// What it says; bytes that are not UTF-8 are replaced.
    pub message: String,
    /// The name of the plugin that said it.
    pub plugin: String,
    /// The VM that it ran in.
    pub role: Role,
}

/// `info wasm log my-plugin: message`, much as Envoy prints it.
impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} wasm log", self.level)?;
        if !self.plugin.is_empty() {
            write!(f, " {}", self.plugin)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Every line of a host. Bounded, so that a guest that logs without end does not take the machine's memory.
#[derive(Debug, Default)]
pub(crate) struct Log {
    lines: Vec<LogLine>,
    bytes: usize,
    /// Lines that were not kept.
    pub(crate) lost: usize,
}

const MAX_BYTES: usize = 64 << 20;

impl Log {
    pub(crate) fn push(&mut self, line: LogLine) {
        if self.bytes + line.message.len() > MAX_BYTES {
            self.lost += 1;
            return;
        }
        self.bytes += line.message.len() + std::mem::size_of::<LogLine>();
        self.lines.push(line);
    }

    pub(crate) fn lines(&self) -> &[LogLine] {
        &self.lines
    }
}
