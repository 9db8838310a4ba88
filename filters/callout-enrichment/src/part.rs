//! Text of a configuration with parts of a request in it, taken apart so that each part can be encoded by itself.
//!
//! The kit's templates put parts in as they are, which is right for a header's value. In a path or in JSON a part must
//! not be able to say where it ends.

use filter_kit::reads::Reads;
use filter_kit::template::{Source, Template, Unrendered};

/// The longest value of one part, in bytes, before it is encoded.
pub(crate) const MAX_PART: usize = 2048;

/// What such a text is made of, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// As it was typed; `$$` is a dollar sign here.
    Literal(Box<str>),
    /// A source, and its default if it has one.
    Part(Template),
}

/// Takes a text apart.
///
/// # Errors
///
/// What a right one would be, to follow "expected".
pub(crate) fn pieces(typed: &str) -> Result<Vec<Piece>, &'static str> {
    let whole = Template::parse(typed)?;
    if whole.needs_response() {
        return Err("parts of the request: there is no response yet");
    }
    let (mut pieces, mut literal, mut rest) = (Vec::new(), String::new(), typed);
    while let Some((before, after)) = rest.split_once('$') {
        literal.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            literal.push('$');
            rest = after;
            continue;
        }
        // A source ends at its brace, and its default is right behind it: that much the kit has seen to.
        let mut end = after.find('}').map_or(after.len(), |at| at + 1);
        let behind = after.get(end..).unwrap_or_default();
        if behind.starts_with("${default:") {
            end += behind.find('}').map_or(behind.len(), |at| at + 1);
        }
        let source = rest.get(before.len()..=before.len() + end).unwrap_or_default();
        if !literal.is_empty() {
            pieces.push(Piece::Literal(std::mem::take(&mut literal).into()));
        }
        pieces.push(Piece::Part(Template::parse(source)?));
        rest = after.get(end..).unwrap_or_default();
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal.into()));
    }
    Ok(pieces)
}

/// The sources of all parts.
pub(crate) fn sources(pieces: &[Piece]) -> impl Iterator<Item = &Source> {
    pieces.iter().flat_map(|piece| {
        match piece {
            Piece::Literal(_) => None,
            Piece::Part(template) => Some(template.sources()),
        }
        .into_iter()
        .flatten()
    })
}

/// Reads a part into `raw`.
///
/// # Errors
///
/// It is missing, or too long.
pub(crate) fn read<'a>(
    part: &Template,
    reads: &dyn Reads,
    raw: &'a mut Vec<u8>,
) -> Result<&'a [u8], Unrendered> {
    raw.clear();
    part.render(reads, MAX_PART, raw)?;
    Ok(raw)
}

#[cfg(test)]
mod tests {
    use filter_kit::testing::Given;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_default_stays_with_its_source() {
        let pieces = pieces("/a$$b/${header:x}${default:n/a}/${path}?c=${query:c}").unwrap();
        let shown: Vec<String> = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => text.to_string(),
                Piece::Part(template) => format!("{:?}", template.sources().collect::<Vec<_>>()),
            })
            .collect();
        assert_eq!(shown, ["/a$b/", "[Header(\"x\")]", "/", "[Path]", "?c=", "[Query(\"c\")]"]);
    }

    #[test]
    fn there_is_no_response_to_read_yet() {
        assert!(pieces("/${status}").is_err());
        assert!(pieces("/${response_header:x}").is_err());
        assert!(pieces("/${header").is_err());
    }

    proptest! {
        #[test]
        fn the_pieces_together_are_the_text(typed in "([a-z/?]|\\$\\$|\\$\\{method\\}|\\$\\{header:x\\}\\$\\{default:d\\}){0,12}") {
            let given = Given::request("GET", "/");
            let (mut whole, mut joined, mut raw) = (Vec::new(), Vec::<u8>::new(), Vec::new());
            Template::parse(&typed).unwrap().render(&given, 4096, &mut whole).unwrap();
            for piece in pieces(&typed).unwrap() {
                match piece {
                    Piece::Literal(text) => joined.extend(text.as_bytes()),
                    Piece::Part(part) => joined.extend(read(&part, &given, &mut raw).unwrap()),
                }
            }
            prop_assert_eq!(joined, whole);
        }
    }
}
