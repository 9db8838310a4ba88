//! What the service answered.

use filter_kit::reads::pairs;

/// A response, as much of it as was read.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Its header lines, as the ABI writes a map down; empty if there was no response.
    pub headers: &'a [u8],
    /// Its body, if that is not larger than is read.
    pub body: &'a [u8],
    /// The size of the whole body, in bytes.
    pub body_size: u64,
}

impl<'a> Answer<'a> {
    /// The status code; `None` if there was no response.
    pub fn status(&self) -> Option<u16> {
        std::str::from_utf8(self.header(":status")?).ok()?.parse().ok()
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.lines(name).next()
    }

    /// All values of a header.
    pub fn lines(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        pairs(self.headers).filter(move |(other, _)| *other == name.as_bytes()).map(|(_, value)| value)
    }
}
