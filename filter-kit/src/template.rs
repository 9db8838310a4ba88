//! Values that are put together from parts of a message: `Bearer ${cookie:session}`.
//!
//! | source                     | value                                                             | missing if         |
//! |----------------------------|-------------------------------------------------------------------|--------------------|
//! | `${header:x}`              | the first value of the request header                              | there is no such   |
//! | `${headers:x}`             | all its values, with `,` between                                  | there is no such   |
//! | `${response_header:x}`, `${response_headers:x}` | the same of the response                     | there is no such   |
//! | `${status}`                | the response's code                                               | no response        |
//! | `${query:x}`               | the first parameter of that name, its escapes as they came        | there is no such   |
//! | `${cookie:x}`              | the first cookie of that name                                     | there is no such   |
//! | `${method}`, `${path}`, `${authority}` | the pseudo-header                                     | there is none      |
//! | `${path_no_query}`         | the path without query and fragment                               | there is no path   |
//! | `${host}`                  | the host in the form in which hosts are compared                  | it is malformed    |
//! | `${prop:a.b}`              | an attribute; numbers in decimal. `\.` is a dot within a part      | there is no such   |
//! | `${uuid}`                  | a random UUID, version 4                                          | never              |
//! | `${now_ms}`                | milliseconds since 1970                                           | never              |
//! | `${default:text}`          | right behind a source: what stands in its place if that is missing | never              |
//!
//! `$$` is a dollar sign. A source that is missing is not empty: without a default there is no value at all then, so
//! that no header is empty by accident. An empty header is one with an empty value.
//!
//! ```
//! use filter_kit::template::Template;
//!
//! let template = Template::parse("${header:x-user}${default:nobody} costs $$5").unwrap();
//! assert!(!template.needs_response());
//! assert_eq!(Template::parse("plain").unwrap().literal(), Some(&b"plain"[..]));
//! assert!(Template::parse("${user}").is_err());
//! ```

mod parse;
mod source;

pub use source::Source;

use crate::config::{Node, Text};
use crate::reads::Reads;

/// A value with parts of a message in it; compiled once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(Box<[u8]>),
    Source(Source, Option<Box<[u8]>>),
}

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrendered {
    /// A source is missing and has no default.
    Missing,
    /// It would be longer than allowed.
    TooLong,
}

/// The longest template, in bytes.
pub const MAX_TEMPLATE: usize = 8192;

impl Template {
    /// Reads a template of a configuration.
    pub fn read(node: Node<'_>) -> Option<Self> {
        let like = Text::pattern(r"^([^$]|\$\$|\$\{[a-z_]+(:[^}]*)?\})*$").bytes(0, 8192);
        node.parsed(like, Self::parse)
    }

    /// The value, if it is the same for every message.
    pub fn literal(&self) -> Option<&[u8]> {
        match self.pieces.as_slice() {
            [] => Some(b""),
            [Piece::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether it reads the response, so that there is no value before its headers are there.
    pub fn needs_response(&self) -> bool {
        self.sources().any(Source::needs_response)
    }

    /// Its sources, in order.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Source(source, _) => Some(source),
            Piece::Literal(_) => None,
        })
    }

    /// Appends the value to `out`: bytes that need be no text, and that nobody has looked at. Before they are set as a
    /// header, [`crate::header::is_value`] has to.
    ///
    /// # Errors
    ///
    /// A source is missing, or the value would have more than `most` bytes; `out` is as it was then.
    pub fn render(&self, reads: &dyn Reads, most: usize, out: &mut Vec<u8>) -> Result<(), Unrendered> {
        let start = out.len();
        let mut room = Room { out, end: start.saturating_add(most), full: false };
        let missing = self.pieces.iter().any(|piece| match piece {
            Piece::Literal(text) => {
                room.push(text);
                false
            }
            Piece::Source(source, default) => {
                !source.write(reads, &mut room) && default.as_ref().map(|text| room.push(text)).is_none()
            }
        });
        let full = room.full;
        if !missing && !full {
            return Ok(());
        }
        out.truncate(start);
        Err(if missing { Unrendered::Missing } else { Unrendered::TooLong })
    }
}

/// What is left of the room that a value may take.
struct Room<'a> {
    out: &'a mut Vec<u8>,
    end: usize,
    full: bool,
}

impl Room<'_> {
    fn push(&mut self, bytes: &[u8]) {
        if self.full || self.end - self.out.len() < bytes.len() {
            self.full = true;
        } else {
            self.out.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests;
