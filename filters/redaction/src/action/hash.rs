//! Keyed hashes: without the key nobody can try all telephone numbers.

use sha2::{Digest, Sha256};

/// The key of HMAC-SHA-256 (RFC 2104), with what it begins both hashes with.
#[derive(Clone)]
pub(crate) struct Key {
    inner: Sha256,
    outer: Sha256,
}

/// A key is at least as long as half of the hash (RFC 2104, section 3), in bytes.
pub(crate) const SHORTEST: usize = 16;

/// The size of a block of SHA-256, in bytes.
const BLOCK: usize = 64;

/// How many bytes of the hash are shown, as twice as many hexadecimal digits.
const SHOWN: usize = 8;

impl Key {
    pub(crate) fn new(key: &[u8]) -> Self {
        let hashed;
        let key = if key.len() > BLOCK {
            hashed = Sha256::digest(key);
            hashed.as_slice()
        } else {
            key
        };
        let padded = |pad: u8| {
            let mut block = [pad; BLOCK];
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            Sha256::new().chain_update(block)
        };
        Self { inner: padded(0x36), outer: padded(0x5c) }
    }

    /// The first half of the hash's first half, in hexadecimal.
    pub(crate) fn hash(&self, text: &[u8]) -> String {
        let inner = self.inner.clone().chain_update(text).finalize();
        let hash = self.outer.clone().chain_update(inner).finalize();
        let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
        hash.iter().take(SHOWN).flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_rfc_4231() {
        for (key, text, hash) in [
            (vec![0x0b; 20], b"Hi There".to_vec(), "b0344c61d8db3853"),
            (b"Jefe".to_vec(), b"what do ya want for nothing?".to_vec(), "5bdcc146bf60754e"),
            (
                vec![0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First".to_vec(),
                "60e431591ee0b67f",
            ),
        ] {
            assert_eq!(Key::new(&key).hash(&text), hash);
        }
    }
}
