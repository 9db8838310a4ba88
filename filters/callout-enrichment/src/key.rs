//! What is asked about: requests of one key share an answer.

use filter_kit::reads::Reads;
use filter_kit::template::{Source, Template, Unrendered};
use sha2::{Digest, Sha256};

/// SHA-256 of a request's parts: no secret of a request is kept in memory, and no two lists of parts have one key.
pub type Key = [u8; 32];

/// The longest part of a key, in bytes. A request with a longer one has no key.
pub const MAX_PART: usize = 65_536;

/// The key of the parts that `templates` read. A part that is missing is told from an empty one. `None` if a part is
/// too long.
pub fn key(templates: &[Template], reads: &dyn Reads, room: &mut Vec<u8>) -> Option<Key> {
    let mut hash = Sha256::new();
    for template in templates {
        room.clear();
        match template.render(reads, MAX_PART, room) {
            Ok(()) => {
                // The length stands first, so ("a", "bc") is not ("ab", "c").
                hash.update(u32::try_from(room.len()).ok()?.to_le_bytes());
                hash.update(&room);
            }
            Err(Unrendered::Missing) => hash.update(u32::MAX.to_le_bytes()),
            Err(Unrendered::TooLong) => return None,
        }
    }
    Some(hash.finalize().into())
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

    fn of(parts: &[&str], given: &Given) -> Option<Key> {
        let templates: Vec<Template> = parts.iter().map(|part| Template::parse(part).unwrap()).collect();
        key(&templates, given, &mut Vec::new())
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
