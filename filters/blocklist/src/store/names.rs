//! Names, many of them: a sorted array of fingerprints, and where in it each begins.

use filter_kit::host::Reach;

use super::fingerprint::{FINGERPRINT, Key};
use super::order::sort_by;
use super::{Suffix, bits, depth, reaches};

/// How sure it must be that a name is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Eight bytes for each name. Of a million names and a host of seven labels, the chance that a host is taken for
    /// listed that is not is 1 in 600,000,000,000: enough for a list that denies.
    Fingerprints,
    /// The names as well, so that a host is never taken for listed that is not: for a list that allows.
    Names,
}

/// About how many names have the same first bits: as many as share two lines of a cache.
const IN_BUCKET: usize = 8;

/// The names of a list. Looking one up reads the index in one place, and the array in another.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Fingerprints in order, each once, with the reach of the name in the two lowest bits.
    prints: Vec<u64>,
    /// Where those begin that have the first bits 0, 1 and so on; and the end of all.
    index: Vec<u32>,
    /// By how much a fingerprint is shifted to be a place of the index.
    shift: u32,
    depths: u128,
    /// Where in `text` the name of each fingerprint is, if names are kept.
    places: Option<Vec<u32>>,
    /// Names, each with its length before it.
    text: Vec<u8>,
}

impl Names {
    pub(super) fn depths(&self) -> u128 {
        self.depths
    }

    /// Whether the name is listed, and reaches the host.
    pub(super) fn covers(&self, suffix: &Suffix<'_>) -> bool {
        if self.depths & depth(suffix.labels) == 0 {
            return false;
        }
        let range = (|| {
            let bucket = usize::try_from(suffix.fingerprint >> self.shift).ok()?;
            let [from, to] = *self.index.get(bucket..)?.first_chunk()?;
            Some(usize::try_from(from).ok()?..usize::try_from(to).ok()?)
        })();
        let Some(range) = range else { return false };
        let first = range.start;
        let Some(bucket) = self.prints.get(range) else { return false };
        let place = bucket.partition_point(|print| *print < suffix.fingerprint);
        let same = bucket.iter().enumerate().skip(place);
        same.take_while(|(_, print)| *print & FINGERPRINT == suffix.fingerprint)
            .any(|(place, print)| reaches(*print, suffix) && self.is_name(first + place, suffix.text))
    }

    /// Whether the name of a fingerprint is this one, as far as names are kept.
    fn is_name(&self, place: usize, name: &str) -> bool {
        let Some(places) = &self.places else { return true };
        places.get(place).is_some_and(|place| name_at(&self.text, *place) == Some(name.as_bytes()))
    }
}

fn name_at(text: &[u8], place: u32) -> Option<&[u8]> {
    let (length, rest) = text.get(usize::try_from(place).ok()?..)?.split_first()?;
    rest.get(..usize::from(*length))
}

/// Collects names.
#[derive(Debug)]
pub(super) struct Builder {
    prints: Vec<u64>,
    depths: u128,
    /// Where each name is, if they are kept.
    places: Option<Vec<u32>>,
    text: Vec<u8>,
}

impl Builder {
    pub(super) fn new(precision: Precision, capacity: usize) -> Self {
        let places = (precision == Precision::Names).then(|| Vec::with_capacity(capacity));
        Self { prints: Vec::with_capacity(capacity), depths: 0, places, text: Vec::new() }
    }

    pub(super) fn precision(&self) -> Precision {
        if self.places.is_some() { Precision::Names } else { Precision::Fingerprints }
    }

    /// Adds a name in lower case.
    pub(super) fn add(&mut self, key: Key, name: &str, reach: Reach) {
        let Some(suffix) = super::suffixes(key, name).last() else { return };
        let shortest = depth(suffix.labels);
        self.depths |= shortest;
        if let Some(places) = &mut self.places {
            // A name has at most 253 bytes, and a list no more than so many entries that all fit.
            let (Ok(place), Ok(length)) = (u32::try_from(self.text.len()), u8::try_from(name.len())) else {
                return;
            };
            places.push(place);
            self.text.push(length);
            self.text.extend_from_slice(name.as_bytes());
        }
        self.prints.push(suffix.fingerprint | bits(reach));
    }

    pub(super) fn build(self) -> Names {
        let Self { mut prints, depths, places, mut text } = self;
        let places = match places {
            None => {
                prints.sort_unstable();
                prints.dedup_by(|next, kept| {
                    let same = *next & FINGERPRINT == *kept & FINGERPRINT;
                    if same {
                        *kept |= *next;
                    }
                    same
                });
                None
            }
            Some(places) => {
                let name = |place: u32| name_at(&text, place);
                let mut both: Vec<(u64, u32)> = prints.into_iter().zip(places).collect();
                sort_by(&mut both, |(a, at), (b, other)| {
                    (a & FINGERPRINT, name(*at)) < (b & FINGERPRINT, name(*other))
                });
                both.dedup_by(|(next, at), (kept, kept_at)| {
                    let same = *next & FINGERPRINT == *kept & FINGERPRINT && name(*at) == name(*kept_at);
                    if same {
                        *kept |= *next;
                    }
                    same
                });
                prints = both.iter().map(|(print, _)| *print).collect();
                Some(both.into_iter().map(|(_, place)| place).collect())
            }
        };
        // What was made ready for entries that were none, or the same again, is given back.
        if prints.capacity() - prints.len() > prints.len() / 8 {
            prints.shrink_to_fit();
        }
        text.shrink_to_fit();
        let index_bits = (prints.len() / IN_BUCKET).max(2).ilog2();
        let shift = 64 - index_bits;
        let mut index = Vec::with_capacity((1 << index_bits) + 1);
        let mut place = 0_u32;
        let mut left = prints.iter().peekable();
        for bucket in 0_u64..1 << index_bits {
            index.push(place);
            while left.next_if(|print| **print >> shift == bucket).is_some() {
                place += 1;
            }
        }
        index.push(place);
        Names { prints, index, shift, depths, places, text }
    }
}

#[cfg(test)]
mod tests {
    use super::super::suffixes;
    use super::*;

    const ITSELF: Reach = Reach { itself: true, below: false };
    const BELOW: Reach = Reach { itself: false, below: true };

    fn names(precision: Precision, listed: &[(&str, Reach)]) -> (Key, Names) {
        let key = Key::new([7; 16]);
        let mut builder = Builder::new(precision, listed.len());
        listed.iter().for_each(|(name, reach)| builder.add(key, name, *reach));
        (key, builder.build())
    }

    fn covers((key, names): &(Key, Names), host: &str) -> bool {
        suffixes(*key, host).any(|suffix| names.covers(&suffix))
    }

    #[test]
    fn two_entries_of_one_name_cover_what_either_covers() {
        for precision in [Precision::Fingerprints, Precision::Names] {
            let list = names(precision, &[("a.test", BELOW), ("a.test", ITSELF), ("a.test", ITSELF)]);
            assert_eq!(list.1.prints.len(), 1);
            assert!(covers(&list, "a.test") && covers(&list, "b.a.test") && !covers(&list, "test"));
        }
    }

    #[test]
    fn no_name_covers_nothing() {
        for precision in [Precision::Fingerprints, Precision::Names] {
            assert!(!covers(&names(precision, &[]), "a.test"));
        }
    }

    #[test]
    fn a_name_that_is_kept_is_never_taken_for_another() {
        let (key, mut names) = names(Precision::Names, &[("a.test", ITSELF), ("b.test", ITSELF)]);
        // As if both had the fingerprint of a third.
        let print = key.fingerprint("c.test");
        names.prints = vec![print | 1, print | 1];
        names.index = vec![0; names.index.len()];
        let bucket = usize::try_from(print >> names.shift).unwrap();
        names.index[bucket + 1..].fill(2);
        let list = (key, names);
        assert!(!covers(&list, "c.test"));
        let forged = Suffix { text: "b.test", labels: 2, fingerprint: print, whole: true };
        assert!(list.1.covers(&forged), "the second of one fingerprint");
    }

    #[test]
    fn every_one_of_many_is_found_and_no_other() {
        for precision in [Precision::Fingerprints, Precision::Names] {
            let hosts: Vec<String> =
                (0..5_000).map(|number| format!("h{number}.d{}.test", number % 7)).collect();
            let listed: Vec<(&str, Reach)> = hosts.iter().map(|host| (host.as_str(), ITSELF)).collect();
            let list = names(precision, &listed);
            for (number, host) in hosts.iter().enumerate() {
                assert!(covers(&list, host), "{host}");
                assert!(!covers(&list, &format!("x{number}.d{}.test", number % 7)), "{number}");
                assert!(!covers(&list, &format!("a.{host}")), "{host}");
            }
        }
    }
}
