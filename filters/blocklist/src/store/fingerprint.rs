//! Names as numbers that stand for them.

/// What fingerprints depend on: drawn anew in each VM, so that nobody outside can look for two names with one
/// fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    start: u64,
    end: u64,
}

impl Key {
    /// A key from random bytes.
    pub fn new(random: [u8; 16]) -> Self {
        let bits = u128::from_le_bytes(random);
        let low = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0);
        Self { start: low(bits), end: low(bits >> 64) }
    }

    /// The fingerprint of a name in lower case.
    pub fn fingerprint(self, name: &str) -> u64 {
        suffixes(self, name).last().map_or(0, |suffix| suffix.fingerprint)
    }
}

/// A name at the end of a host: the host itself, or a domain that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suffix<'a> {
    /// The name.
    pub text: &'a str,
    /// How many labels it has.
    pub labels: u32,
    /// Its fingerprint: the two lowest bits are 0.
    pub fingerprint: u64,
    /// Whether it is the host itself.
    pub whole: bool,
}

/// The bits of a fingerprint that belong to it; the others are for what a list says of the name.
pub(super) const FINGERPRINT: u64 = !3;

/// Odd numbers without a pattern: those of MurmurHash3's finaliser, of splitmix64.
const STEP: u64 = 0xff51_afd7_ed55_8ccd;
const LAST: u64 = 0xbf58_476d_1ce4_e5b9;

fn step(state: u64, word: u64) -> u64 {
    // One to one for each word: two names collide only where both their states and words do.
    let state = (state ^ word).wrapping_mul(STEP);
    state ^ (state >> 32)
}

/// The names that a host ends in, the shortest first: `c`, `b.c` and `a.b.c` for `a.b.c`.
///
/// The host is read once, backwards: what was computed for a name goes on to the next longer one.
pub fn suffixes(key: Key, host: &str) -> impl Iterator<Item = Suffix<'_>> {
    let (mut state, mut end, mut labels) = (key.start, Some(host.len()), 0);
    std::iter::from_fn(move || {
        let to = end?;
        let (mut word, mut length) = (0_u64, 0_u64);
        for byte in host.as_bytes().get(..to)?.iter().rev() {
            if *byte == b'.' {
                break;
            }
            word = word << 8 | u64::from(*byte);
            length += 1;
            if length % 8 == 0 {
                state = step(state, word);
                word = 0;
            }
        }
        // Up to seven bytes are left: the eighth is the label's length, so that `ab.c` is not `a.bc`.
        state = step(state, word | length << 56);
        let start = to.saturating_sub(usize::try_from(length).unwrap_or(to));
        labels += 1;
        // The dot before it is no part of the next.
        end = start.checked_sub(1);
        let mixed = ((state ^ key.end) ^ (state >> 29)).wrapping_mul(LAST);
        Some(Suffix {
            text: host.get(start..)?,
            labels,
            fingerprint: (mixed ^ (mixed >> 31)) & FINGERPRINT,
            whole: start == 0,
        })
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const KEY: Key = Key { start: 7, end: 11 };

    #[test]
    fn a_host_ends_in_itself_and_the_domains_that_it_is_in() {
        let found: Vec<(&str, u32, bool)> = suffixes(KEY, "a.long-label.b.c")
            .map(|suffix| (suffix.text, suffix.labels, suffix.whole))
            .collect();
        assert_eq!(
            found,
            [("c", 1, false), ("b.c", 2, false), ("long-label.b.c", 3, false), ("a.long-label.b.c", 4, true)]
        );
    }

    #[test]
    fn labels_are_told_apart_wherever_the_dots_are() {
        let names = [
            "abc",
            "a.bc",
            "ab.c",
            "a.b.c",
            "aaaaaaaa",
            "aaaaaaaa.a",
            "aaaaaaaaa",
            "a.aaaaaaaa",
            "aa.aaaaaaa",
        ];
        let prints: HashSet<u64> = names.iter().map(|name| KEY.fingerprint(name)).collect();
        assert_eq!(prints.len(), names.len());
    }

    #[test]
    fn names_that_differ_little_have_fingerprints_that_spread_evenly() {
        let mut buckets = [0_u32; 256];
        let mut prints = HashSet::new();
        for number in 0..100_000 {
            let print = KEY.fingerprint(&format!("host-{number}.ads.test"));
            assert!(prints.insert(print), "{number}");
            buckets[usize::try_from(print >> 56).unwrap()] += 1;
        }
        // 391 are expected in each, with a deviation of 20.
        assert!(buckets.iter().all(|count| (280..500).contains(count)), "{buckets:?}");
    }

    proptest! {
        #[test]
        fn a_name_has_one_fingerprint_whatever_host_it_ends(
            name in "[a-z0-9-]{1,20}(\\.[a-z0-9-]{1,20}){0,4}", below in "([a-z0-9-]{1,20}\\.){0,4}", random: [u8; 16],
        ) {
            let key = Key::new(random);
            let host = format!("{below}{name}");
            let found = suffixes(key, &host).find(|suffix| suffix.text == name).unwrap();
            prop_assert_eq!(found.fingerprint, key.fingerprint(&name));
            prop_assert_eq!(found.fingerprint & !FINGERPRINT, 0);
        }

        #[test]
        fn another_key_gives_another_fingerprint(name in "[a-z]{1,20}\\.[a-z]{1,9}", one: [u8; 16], other: [u8; 16]) {
            prop_assume!(one != other);
            prop_assert_ne!(Key::new(one).fingerprint(&name), Key::new(other).fingerprint(&name));
        }
    }
}
