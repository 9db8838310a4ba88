//! Header maps as bytes: `u32 count`, `count` times `u32 key length, u32 value length`, then each key and value
//! followed by a zero byte; all little endian (specification 0.2.1, "Serialization").

use crate::header::HeaderMap;

/// Envoy reads no map that is larger than this: what is, is read as an empty one (proxy-wasm-cpp-host,
/// `PROXY_WASM_HOST_PAIRS_MAX_BYTES`).
pub(crate) const MAX_BYTES: usize = 1024 * 1024;
/// The same for the number of pairs (`PROXY_WASM_HOST_PAIRS_MAX_COUNT`).
pub(crate) const MAX_PAIRS: usize = 1024;

/// What `proxy_get_header_map_pairs` gives for the map. An empty one is no bytes at all.
pub(crate) fn encode(map: &HeaderMap) -> Vec<u8> {
    encode_pairs(map.len(), map.iter())
}

pub(crate) fn encode_pairs<'a>(
    count: usize,
    pairs: impl Iterator<Item = (&'a [u8], &'a [u8])> + Clone,
) -> Vec<u8> {
    if count == 0 {
        return Vec::new();
    }
    let content: usize = pairs.clone().map(|(key, value)| key.len() + value.len() + 10).sum();
    let mut bytes = Vec::with_capacity(4 + content);
    bytes.extend(length(count));
    for (key, value) in pairs.clone() {
        bytes.extend(length(key.len()));
        bytes.extend(length(value.len()));
    }
    for (key, value) in pairs {
        for text in [key, value] {
            bytes.extend_from_slice(text);
            bytes.push(0);
        }
    }
    bytes
}

fn length(count: usize) -> [u8; 4] {
    u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes()
}

/// Reads a map that a guest made. What cannot be read whole is read as empty, without an error: so does Envoy.
pub(crate) fn decode(bytes: &[u8]) -> Vec<(&[u8], &[u8])> {
    try_decode(bytes).unwrap_or_default()
}

fn try_decode(bytes: &[u8]) -> Option<Vec<(&[u8], &[u8])>> {
    if bytes.len() > MAX_BYTES {
        return None;
    }
    let (count, mut sizes) = number(bytes)?;
    if count > MAX_PAIRS {
        return None;
    }
    let mut content = sizes.get(count.checked_mul(8)?..)?;
    let mut pairs = Vec::with_capacity(count);
    for _ in 0..count {
        let (key, rest) = number(sizes)?;
        let (value, rest) = number(rest)?;
        sizes = rest;
        let key = text(&mut content, key)?;
        pairs.push((key, text(&mut content, value)?));
    }
    Some(pairs)
}

fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*head)).ok()?, rest))
}

fn text<'a>(content: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (text, rest) = content.split_at_checked(length)?;
    *content = rest.strip_prefix(&[0])?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let map = HeaderMap::from([("a", "1"), ("b", ""), ("a", "2")]);
        let bytes = encode(&map);
        assert_eq!(bytes.len(), 4 + 3 * 8 + (2 + 2) + (2 + 1) + (2 + 2));
        assert_eq!(decode(&bytes), [(&b"a"[..], &b"1"[..]), (b"b", b""), (b"a", b"2")]);
    }

    #[test]
    fn what_cannot_be_read_whole_is_empty() {
        let whole = encode(&HeaderMap::from([("key", "value")]));
        for end in 0..whole.len() {
            assert!(decode(&whole[..end]).is_empty(), "{end} of {}", whole.len());
        }
        let huge_count = [0xff; 64];
        assert!(decode(&huge_count).is_empty());
        let mut no_zero = whole.clone();
        *no_zero.last_mut().unwrap() = b'x';
        assert!(decode(&no_zero).is_empty());
    }
}
