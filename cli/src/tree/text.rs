//! JSON that stands in a file as a text: from a byte of the text to a byte of the file.

use super::{Kind, Node, Style};

/// The byte of the file that byte `offset` of a scalar's text came from; `None` if the text was folded, so that
/// nobody can say.
pub(crate) fn offset_in_source(source: &str, node: &Node, offset: usize) -> Option<usize> {
    let Kind::Scalar(scalar) = &node.kind else { return None };
    let raw = source.get(node.span.clone())?;
    match scalar.style {
        Style::Literal => literal(source, node.span.start, &scalar.text, offset),
        // A scalar of several lines has its lines joined.
        _ if raw.contains('\n') => None,
        Style::Plain => Some((node.span.start + offset).min(node.span.end)),
        // Which quotes it has, if any, is not kept.
        Style::Tagged => None,
        Style::SingleQuoted => quoted(raw, offset, single).map(|at| node.span.start + at),
        Style::DoubleQuoted => quoted(raw, offset, double).map(|at| node.span.start + at),
        Style::Folded => None,
    }
}

/// Each line of the text is a line of the file, less the indentation.
fn literal(source: &str, start: usize, text: &str, offset: usize) -> Option<usize> {
    let before = text.get(..offset)?;
    let line = before.matches('\n').count();
    let column = before.len() - before.rfind('\n').map_or(0, |end| end + 1);
    // The span begins at the first line that is not empty.
    let empty = text.len() - text.trim_start_matches('\n').len();
    let mut at = line_start(source, start);
    for _ in 0..line.checked_sub(empty)? {
        at += source.get(at..)?.find('\n')? + 1;
    }
    let of_text = text.lines().nth(line).unwrap_or_default();
    let of_file = source.get(at..)?.lines().next().unwrap_or_default();
    let indentation = of_file.len().checked_sub(of_text.len())?;
    of_file.ends_with(of_text).then_some(at + indentation + column)
}

fn line_start(source: &str, at: usize) -> usize {
    source.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1)
}

/// Walks what is between quotes; `piece` says of its beginning how long it is in the file and in the text.
fn quoted(raw: &str, offset: usize, piece: fn(&str) -> Option<(usize, usize)>) -> Option<usize> {
    let mut at = 1;
    let mut decoded = 0;
    while decoded < offset {
        let (written, meant) = piece(raw.get(at..)?)?;
        at += written;
        decoded += meant;
    }
    Some(at)
}

fn plain(rest: &str) -> Option<(usize, usize)> {
    let length = rest.chars().next()?.len_utf8();
    Some((length, length))
}

fn single(rest: &str) -> Option<(usize, usize)> {
    if rest.starts_with("''") { Some((2, 1)) } else { plain(rest) }
}

fn double(rest: &str) -> Option<(usize, usize)> {
    let Some(escape) = rest.strip_prefix('\\') else { return plain(rest) };
    let digits = match escape.chars().next()? {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        // Those of more than one byte: next line, no-break space, line and paragraph separator.
        'N' | '_' => return Some((2, 2)),
        'L' | 'P' => return Some((2, 3)),
        other => return Some((1 + other.len_utf8(), 1)),
    };
    let code = u32::from_str_radix(escape.get(1..=digits)?, 16).ok()?;
    // Half of a pair: both halves are one character of four bytes.
    if (0xd800..0xdc00).contains(&code) {
        return Some((12, 4));
    }
    Some((2 + digits, char::from_u32(code)?.len_utf8()))
}

#[cfg(test)]
mod tests {
    use super::super::parse;
    use super::*;

    /// What stands in the file where the text has `wanted`.
    fn at<'a>(source: &'a str, wanted: &str) -> Option<&'a str> {
        let tree = parse(source, "x.yaml").unwrap().trees.remove(0);
        let node = tree.get("v").unwrap();
        let offset = node.text().unwrap().find(wanted).unwrap();
        offset_in_source(source, node, offset).map(|at| source.get(at..at + wanted.len()).unwrap_or_default())
    }

    #[test]
    fn a_byte_of_the_text_is_found_in_the_file() {
        for source in [
            "v: |\n  {\"a\": 1,\n\n   \"wanted\": 2}\nnext: 1\n",
            "v: |-\n      {\n        \"wanted\": 2}",
            "v: |\n\n\n  {\n  wanted\n",
            "v: |+ # why\r\n  {\r\n  wanted\r\n",
            "x:\n  1\nv: |2\n    {\n    \"wanted\": 2}\n",
            "v: '{\"it''s\": 1, \"wanted\": 2}'\n",
            "v: \"{\\\"a\\u00e9\\U0001f600\\ud83d\\ude00\\x41\\\": 1, wanted}\"\n",
            "v: {wanted: 1}\n".replace('{', "\"{").replace('}', "}\"").as_str(),
            "v: [1] wanted\n".replace('[', "a").replace(']', "b").as_str(),
        ] {
            assert_eq!(at(source, "wanted"), Some("wanted"), "{source}");
        }
    }

    #[test]
    fn nobody_says_where_a_byte_of_a_folded_text_stands() {
        assert_eq!(at("v: >\n  a\n  wanted\n", "wanted"), None);
        assert_eq!(at("v: \"a\n  wanted\"\n", "wanted"), None);
    }
}
