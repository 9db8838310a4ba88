//! What tests of the kit and of filters share: a message for conditions and templates, and what fuzzers found.

use std::io;
use std::path::Path;

use crate::reads::{Map, Reads};

/// Hands each file of a fuzz target's corpus to `run`, which panics if it fails.
///
/// # Errors
///
/// The folder or a file of it cannot be read, or there is none.
pub fn replay(folder: impl AsRef<Path>, run: fn(&[u8])) -> io::Result<()> {
    let mut any = false;
    for file in std::fs::read_dir(folder)? {
        run(&std::fs::read(file?.path())?);
        any = true;
    }
    if any { Ok(()) } else { Err(io::Error::new(io::ErrorKind::NotFound, "there is no file in it")) }
}

/// A message that has what it is given, and counts what it is asked for.
#[derive(Clone, Debug, Default)]
pub struct Given {
    request: Vec<(String, Vec<u8>)>,
    response: Vec<(String, Vec<u8>)>,
    attributes: Vec<(String, Vec<u8>)>,
    asked: std::cell::RefCell<Vec<String>>,
}

impl Given {
    /// A request.
    pub fn request(method: &str, path: &str) -> Self {
        Self::default().header(":method", method.as_bytes()).header(":path", path.as_bytes())
    }

    /// With one more request header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &[u8]) -> Self {
        self.request.push((name.to_owned(), value.to_vec()));
        self
    }

    /// With one more response header.
    #[must_use]
    pub fn response_header(mut self, name: &str, value: &[u8]) -> Self {
        self.response.push((name.to_owned(), value.to_vec()));
        self
    }

    /// With an attribute, the parts of its path joined by zero bytes.
    #[must_use]
    pub fn attribute(mut self, path: &str, value: &[u8]) -> Self {
        self.attributes.push((path.to_owned(), value.to_vec()));
        self
    }

    /// What was asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.borrow().clone()
    }
}

impl Reads for Given {
    fn header(&self, map: Map, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        self.asked.borrow_mut().push(name.to_owned());
        let lines = match map {
            Map::Request => &self.request,
            Map::Response => &self.response,
        };
        lines.iter().filter(|(other, _)| other == name).any(|(_, value)| each(value))
    }

    fn attribute(&self, path: &str, read: &mut dyn FnMut(&[u8])) -> bool {
        self.asked.borrow_mut().push(path.replace('\0', "."));
        let found = self.attributes.iter().find(|(other, _)| other == path);
        found.map(|(_, value)| read(value)).is_some()
    }

    fn now_ms(&self) -> u64 {
        1_700_000_000_000
    }

    fn random(&self) -> [u8; 16] {
        std::array::from_fn(|index| u8::try_from(index).unwrap_or(0))
    }
}
