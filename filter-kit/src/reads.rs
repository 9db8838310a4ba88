//! What can be asked of the proxy about the message at hand: the one interface that conditions and templates read by.
//!
//! A shell implements it over its host: `filter_shell::Asked` for filters on the SDK, `filter_abi::Asked` for others. Nothing
//! is read before it is asked for, so a rule costs what it looks at and no more.

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

/// The lines of a header map as the ABI writes it down (proxy-wasm ABI 0.2.1, "Serialization"): their number, then the
/// sizes of each name and value, then each with a zero byte behind it. What is cut off has fewer lines.
pub fn pairs(map: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let cut = || {
        let (count, rest) = map.split_first_chunk::<4>()?;
        let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
        // A number that the map is too short for has no line.
        rest.split_at_checked(count.checked_mul(8)?)
    };
    let (sizes, mut text) = cut().unwrap_or_default();
    sizes.chunks_exact(8).map_while(move |sizes| {
        let (name, value) = sizes.split_first_chunk::<4>()?;
        let mut next = |size: [u8; 4]| {
            let size = usize::try_from(u32::from_le_bytes(size)).ok()?;
            let (bytes, rest) = text.split_at_checked(size)?;
            text = rest.get(1..).unwrap_or_default();
            Some(bytes)
        };
        Some((next(*name)?, next(*value.first_chunk()?)?))
    })
}

/// Lines as the ABI writes a map down, for [`pairs`] and for the host.
pub fn written<'a>(lines: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone) -> Vec<u8> {
    let size = |size: usize| u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes();
    let (mut count, mut bytes) = (0, 4);
    for (name, value) in lines.clone() {
        count += 1;
        bytes += name.len() + value.len() + 10;
    }
    let mut map = Vec::with_capacity(bytes);
    map.extend(size(count));
    for (name, value) in lines.clone() {
        map.extend(size(name.len()));
        map.extend(size(value.len()));
    }
    for part in lines.flat_map(|(name, value)| [name, value]) {
        map.extend_from_slice(part);
        map.push(0);
    }
    map
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_that_the_map_is_too_short_for_have_no_lines() {
        for map in [&b""[..], b"\x01", b"\xff\xff\xff\xff", b"\x01\0\0\0\xff\xff\xff\xff\0\0\0\0"] {
            assert_eq!(pairs(map).count(), 0, "{map:?}");
        }
    }

    proptest! {
        #[test]
        fn lines_are_read_as_they_were_written(
            lines in proptest::collection::vec((proptest::collection::vec(0u8.., 0..9), proptest::collection::vec(0u8.., 0..9)), 0..9),
            cut in 0_usize..100,
        ) {
            let map = written(lines.iter().map(|(name, value)| (name.as_slice(), value.as_slice())));
            let read: Vec<_> = pairs(&map).map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
            prop_assert_eq!(&read, &lines);
            let short = map.get(..map.len().saturating_sub(cut)).unwrap();
            prop_assert!(pairs(short).count() <= lines.len());
        }
    }
}
