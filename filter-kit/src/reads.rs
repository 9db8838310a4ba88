//! What can be asked of the proxy about the message at hand: the one interface that conditions and templates read by.
//!
//! A shell implements it over its host; `filter_shell::Asked` is that for filters on the SDK. Nothing is read before it
//! is asked for, so a rule costs what it looks at and no more.

/// The headers of a request or of its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Map {
    /// Of the request; there also while the response passes.
    Request,
    /// Of the response.
    Response,
}

/// Asks the proxy.
pub trait Reads {
    /// Hands the values of the header `name` (in lower case), from the first to the last, to `each`, until it answers
    /// true. Answers whether it did; false also if there is no such map yet.
    fn header(&self, map: Map, name: &str, each: &mut dyn FnMut(&[u8]) -> bool) -> bool;

    /// Hands the value of an attribute to `read`. Answers whether there is one. The parts of `path` are joined by zero
    /// bytes, as the ABI has them: `xds\0listener_direction`.
    fn attribute(&self, path: &str, read: &mut dyn FnMut(&[u8])) -> bool;

    /// The time in milliseconds since 1970, by the wall clock.
    fn now_ms(&self) -> u64;

    /// Sixteen random bytes.
    fn random(&self) -> [u8; 16];
}

/// Hands the first value of a header to `read`; `None` if there is no such header.
pub fn first<T>(reads: &dyn Reads, map: Map, name: &str, read: impl FnOnce(&[u8]) -> T) -> Option<T> {
    let (mut read, mut answer) = (Some(read), None);
    reads.header(map, name, &mut |value| {
        answer = read.take().map(|read| read(value));
        true
    });
    answer
}

/// A path without its query and fragment.
pub fn without_query(path: &[u8]) -> &[u8] {
    path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default()
}
