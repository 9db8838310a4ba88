//! What is asked about: requests of one key share an answer.

use filter_kit::reads::Reads;
use filter_kit::template::{Source, Template, Unrendered};

use crate::sip;

/// What a request is kept under: a hash of its parts, so that no secret of a request is kept.
///
/// It stands for the parts themselves: two requests of one key share an answer. What is hashed tells any two lists of
/// parts apart, for each part has its length before it. The hash is a keyed one of 128 bits whose secret the VM draws
/// when it is configured and never shows, so nobody can look for two requests with one key; by chance there are two among
/// a million entries and a million million requests about once in 10^20 such proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key([u64; 2]);

/// What keys are made with.
#[derive(Clone, Copy)]
pub struct Secret([u64; 2]);

impl Secret {
    /// Of random bytes; none if there are none: the host answers zeros then.
    pub fn of(random: [u8; 16]) -> Option<Self> {
        let (halves, _) = random.as_chunks::<8>();
        let [first, second] = *halves else { return None };
        (random != [0; 16]).then_some(Self([u64::from_le_bytes(first), u64::from_le_bytes(second)]))
    }

    /// The key of parts that have been written down.
    fn key(self, parts: &[u8]) -> Key {
        Key(sip::hash(self.0, parts))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
impl Key {
    /// One that stands for a number.
    pub(crate) const fn numbered(number: u64) -> Self {
        Self([number, 0])
    }
}

/// The longest part of a key, in bytes. A request with a longer one has no key.
pub const MAX_PART: usize = 65_536;

/// The key of the parts that `templates` read. A part that is missing is told from an empty one. `None` if a part is
/// too long.
pub fn key(templates: &[Template], reads: &dyn Reads, secret: Secret, room: &mut Vec<u8>) -> Option<Key> {
    const SIZE: usize = size_of::<u32>();
    room.clear();
    for template in templates {
        let place = room.len();
        room.extend_from_slice(&u32::MAX.to_le_bytes());
        match template.render(reads, MAX_PART, room) {
            // The length stands first, so ("a", "bc") is not ("ab", "c").
            Ok(()) => {
                let length = u32::try_from(room.len() - place - SIZE).ok()?;
                room.get_mut(place..place + SIZE)?.copy_from_slice(&length.to_le_bytes());
            }
            // No part is as long as that says.
            Err(Unrendered::Missing) => {}
            Err(Unrendered::TooLong) => return None,
        }
    }
    Some(secret.key(room))
}

/// Whether requests that differ in `source` differ in a key of `templates`.
pub fn tells_apart(templates: &[Template], source: &Source) -> bool {
    let has =
        |wanted: &Source| templates.iter().any(|template| template.sources().any(|part| part == wanted));
    has(source)
        || match source {
            // Of no request: who asks twice has two answers, but nobody has another's.
            Source::Uuid | Source::NowMs => true,
            Source::Header(name) => has(&Source::Headers(name.clone())),
            Source::Cookie(_) => has(&Source::Headers("cookie".into())),
            Source::Query(_) | Source::PathNoQuery => has(&Source::Path),
            Source::Host => has(&Source::Authority),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use filter_kit::testing::Given;

    use super::*;

    const SECRET: Secret = Secret([1, 2]);

    #[test]
    fn without_random_bytes_there_is_no_secret() {
        assert!(Secret::of([0; 16]).is_none());
        assert_eq!(format!("{:?}", Secret::of([7; 16]).unwrap()), "Secret");
    }

    #[test]
    fn what_one_vm_keeps_says_nothing_to_another() {
        assert_ne!(Secret([1, 2]).key(b"a"), Secret([1, 3]).key(b"a"));
    }

    fn of(parts: &[&str], given: &Given) -> Option<Key> {
        let templates: Vec<Template> = parts.iter().map(|part| Template::parse(part).unwrap()).collect();
        key(&templates, given, SECRET, &mut Vec::new())
    }

    fn two(a: &[u8], b: &[u8]) -> Key {
        let given = Given::default().header("a", a).header("b", b);
        of(&["${header:a}", "${header:b}"], &given).unwrap()
    }

    #[test]
    fn parts_are_not_run_together() {
        assert_eq!(two(b"a", b"bc"), two(b"a", b"bc"));
        assert_ne!(two(b"a", b"bc"), two(b"ab", b"c"));
        assert_ne!(two(b"a", b"b"), two(b"b", b"a"));
        assert_ne!(two(b"", b"\0\0\0\0"), two(b"\0\0\0\0", b""));
    }

    #[test]
    fn a_part_that_is_missing_is_none_that_is_empty() {
        let empty = Given::default().header("a", b"");
        assert_ne!(of(&["${header:a}"], &empty), of(&["${header:a}"], &Given::default()));
        assert_ne!(of(&["${header:a}"], &Given::default()), of(&[], &Given::default()));
    }

    #[test]
    fn a_part_without_end_has_no_key() {
        let given = Given::default().header("a", &[b'a'; MAX_PART + 1]);
        assert_eq!(of(&["${header:a}"], &given), None);
    }

    #[test]
    fn a_key_tells_apart_what_is_in_it_and_parts_of_that() {
        let key =
            |parts: &[&str]| parts.iter().map(|part| Template::parse(part).unwrap()).collect::<Vec<_>>();
        let source = |typed: &str| Template::parse(typed).unwrap().sources().next().cloned().unwrap();
        for (parts, read) in [
            (&["${header:a}"][..], "${header:a}"),
            (&["${headers:a}"], "${header:a}"),
            (&["x", "${method}:${path}"], "${query:a}"),
            (&["${path}"], "${path_no_query}"),
            (&["${authority}"], "${host}"),
            (&["${headers:cookie}"], "${cookie:a}"),
            (&[], "${uuid}"),
        ] {
            assert!(tells_apart(&key(parts), &source(read)), "{parts:?} {read}");
        }
        for (parts, read) in [
            (&["${header:a}"][..], "${headers:a}"),
            (&["${header:b}"], "${header:a}"),
            (&["${path_no_query}"], "${query:a}"),
            (&["${host}"], "${authority}"),
            (&["${header:cookie}"], "${cookie:a}"),
            (&[], "${prop:source.address}"),
        ] {
            assert!(!tells_apart(&key(parts), &source(read)), "{parts:?} {read}");
        }
    }
}
