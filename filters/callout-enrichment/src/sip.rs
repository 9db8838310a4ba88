//! SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, 2012): a keyed hash that is cheap for short texts.

/// The hash of `text` under a secret.
pub(crate) fn hash(secret: [u64; 2], text: &[u8]) -> [u64; 2] {
    let [k0, k1] = secret;
    let mut state = [
        k0 ^ 0x736f_6d65_7073_6575,
        k1 ^ 0x646f_7261_6e64_6f6d ^ 0xee,
        k0 ^ 0x6c79_6765_6e65_7261,
        k1 ^ 0x7465_6462_7974_6573,
    ];
    let (blocks, rest) = text.as_chunks::<8>();
    for block in blocks {
        absorb(&mut state, u64::from_le_bytes(*block));
    }
    // The last block has what is left, and the length in its highest byte.
    let last = rest.iter().rev().fold(0, |last, byte| (last << 8) | u64::from(*byte));
    absorb(&mut state, last | ((text.len() as u64) << 56));
    state[2] ^= 0xee;
    let first = squeeze(&mut state);
    state[1] ^= 0xdd;
    [first, squeeze(&mut state)]
}

fn absorb(state: &mut [u64; 4], block: u64) {
    state[3] ^= block;
    round(state);
    round(state);
    state[0] ^= block;
}

fn squeeze(state: &mut [u64; 4]) -> u64 {
    (0..4).for_each(|_| round(state));
    let [a, b, c, d] = *state;
    a ^ b ^ c ^ d
}

#[inline]
fn round(state: &mut [u64; 4]) {
    let [mut a, mut b, mut c, mut d] = *state;
    a = a.wrapping_add(b);
    c = c.wrapping_add(d);
    b = b.rotate_left(13) ^ a;
    d = d.rotate_left(16) ^ c;
    a = a.rotate_left(32).wrapping_add(d);
    c = c.wrapping_add(b);
    d = d.rotate_left(21) ^ a;
    b = b.rotate_left(17) ^ c;
    c = c.rotate_left(32);
    *state = [a, b, c, d];
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the reference implementation: the secret is 0, 1, 2 and so on, and so are the texts.
    #[test]
    fn the_reference_agrees() {
        let secret = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
        let text: Vec<u8> = (0..64).collect();
        for (length, expected) in [
            (0, "a3817f04ba25a8e66df67214c7550293"),
            (1, "da87c1d86b99af44347659119b22fc45"),
            (2, "8177228da4a45dc7fca38bdef60affe4"),
            (3, "9c70b60c5267a94e5f33b6b02985ed51"),
        ] {
            let [first, second] = hash(secret, &text[..length]);
            let shown: String = [first, second]
                .iter()
                .flat_map(|half| half.to_le_bytes())
                .map(|byte| format!("{byte:02x}"))
                .collect();
            assert_eq!(shown, expected, "{length} bytes");
        }
    }

    #[test]
    fn every_length_has_a_hash_of_its_own() {
        let mut all: Vec<[u64; 2]> = (0..200).map(|length| hash([1, 2], &vec![0; length])).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 200);
        assert_ne!(hash([1, 2], b"a"), hash([1, 3], b"a"));
    }
}
