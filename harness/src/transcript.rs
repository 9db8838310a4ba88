//! What went back and forth between proxy and filter, in order, as text that stays the same from run to run.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};

use crate::abi::Callback;
use crate::log::Role;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The host calls the guest.
    Enter { role: Role, callback: Callback, arguments: [u32; 5], count: usize },
    /// The guest calls the host and is answered.
    Hostcall { name: &'static str, arguments: String, answer: String, result: String },
    /// The guest returns.
    Return { value: Option<u32> },
    /// The guest ends instead.
    Trap { message: String },
    /// Something happens in the proxy.
    Proxy(String),
}

/// The events of a host, the last ones if there were very many.
#[derive(Debug)]
pub(crate) struct Transcript {
    events: VecDeque<(Option<usize>, Event)>,
    kept: usize,
    /// What the texts of the events take, in bytes.
    bytes: usize,
    /// How many were forgotten.
    forgotten: usize,
    /// The stream that what happens now belongs to.
    pub(crate) stream: Option<usize>,
}

/// A guest may send a mebibyte of headers in each call; the last of it is kept.
const MAX_BYTES: usize = 64 << 20;

impl Event {
    fn bytes(&self) -> usize {
        match self {
            Self::Hostcall { arguments, answer, result, .. } => arguments.len() + answer.len() + result.len(),
            Self::Trap { message } | Self::Proxy(message) => message.len(),
            Self::Enter { .. } | Self::Return { .. } => 0,
        }
    }
}

impl Transcript {
    pub(crate) fn keeping(kept: usize) -> Self {
        Self { events: VecDeque::new(), kept, bytes: 0, forgotten: 0, stream: None }
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.kept > 0
    }

    pub(crate) fn push(&mut self, event: Event) {
        if self.kept == 0 {
            return;
        }
        self.bytes += event.bytes();
        self.events.push_back((self.stream, event));
        while self.events.len() > self.kept || (self.bytes > MAX_BYTES && self.events.len() > 1) {
            if let Some((_, event)) = self.events.pop_front() {
                self.bytes -= event.bytes();
            }
            self.forgotten += 1;
        }
    }

    /// Notes something that happens in the proxy, if anybody will read it.
    pub(crate) fn proxy(&mut self, text: impl FnOnce() -> String) {
        if self.kept > 0 {
            self.push(Event::Proxy(text()));
        }
    }

    /// As text; of one stream, or of all.
    pub(crate) fn text(&self, stream: Option<usize>) -> String {
        let mut text = String::new();
        if self.forgotten > 0 {
            let _ = writeln!(text, "({} earlier events are not kept)", self.forgotten);
        }
        for (of, event) in &self.events {
            if stream.is_none() || *of == stream {
                let _ = writeln!(text, "{event}");
            }
        }
        text
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enter { role, callback, arguments, count } => {
                match role {
                    Role::Worker(0) => write!(f, "> ")?,
                    other => write!(f, "[{other}] > ")?,
                }
                write!(f, "{}(", callback.name())?;
                let named = callback.parameters().iter().zip(arguments).take(*count);
                for (index, (name, value)) in named.enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{name}={value}")?;
                }
                f.write_char(')')
            }
            Self::Hostcall { name, arguments, answer, result } => {
                write!(f, "    {name}({arguments}) -> {answer}")?;
                if result.is_empty() { Ok(()) } else { write!(f, " {result}") }
            }
            Self::Return { value: Some(value) } => write!(f, "< {value}"),
            Self::Return { value: None } => f.write_char('<'),
            Self::Trap { message } => write!(f, "< trap: {message}"),
            Self::Proxy(text) => write!(f, "  * {text}"),
        }
    }
}
