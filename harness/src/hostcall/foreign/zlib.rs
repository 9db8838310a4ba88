//! `compress` and `uncompress`: the format of zlib, at its usual level.

use miniz_oxide::deflate::compress_to_vec_zlib;
use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;

use crate::abi::Status;

/// What zlib calls its default.
const LEVEL: u8 = 6;

pub(super) fn compress(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec_zlib(bytes, LEVEL)
}

/// # Errors
///
/// `SERIALIZATION_FAILURE` if the bytes are not compressed, are cut off, or stand for more than `limit`.
pub(super) fn uncompress(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Status> {
    decompress_to_vec_zlib_with_limit(bytes, limit).map_err(|_| Status::SerializationFailure)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Envoy 1.40's own bytes.
    #[test]
    fn short_texts_are_compressed_as_envoy_does() {
        for (text, expected) in [
            ("hello", &b"x\x9c\xcbH\xcd\xc9\xc9\x07\x00\x06,\x02\x15"[..]),
            ("hello hello hello", b"x\x9c\xcbH\xcd\xc9\xc9W\xc8@\x90\x00:.\x06}"),
            ("", b"x\x9c\x03\x00\x00\x00\x00\x01"),
        ] {
            let compressed = compress(text.as_bytes());
            assert_eq!(compressed, expected, "{text}: {}", compressed.escape_ascii());
            assert_eq!(uncompress(&compressed, 100).as_deref(), Ok(text.as_bytes()));
        }
    }

    #[test]
    fn what_is_not_whole_or_too_much_is_refused() {
        let whole = compress(&[b'a'; 1000]);
        for end in 0..whole.len() {
            assert_eq!(uncompress(&whole[..end], 1000), Err(Status::SerializationFailure), "{end}");
        }
        assert_eq!(uncompress(&whole, 999), Err(Status::SerializationFailure));
        assert_eq!(uncompress(b"not compressed", 1000), Err(Status::SerializationFailure));
        assert!(uncompress(&[&whole[..], b"more"].concat(), 1000).is_ok(), "zlib stops at the end");
    }
}
