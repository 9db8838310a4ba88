//! From the path that a filter names to the place in the file.

use std::ops::Range;

use super::{Key, Kind, Node};

/// How far a path led.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    /// Under which name the value stands, if it is a member.
    pub(crate) key: Option<&'a Key>,
    pub(crate) node: &'a Node,
    /// Whether the whole path was there: a field that is missing is not.
    pub(crate) whole: bool,
}

impl Found<'_> {
    /// What to point at: a field's value, or its name where the name is what is wrong or a value cannot be shown.
    pub(crate) fn span(&self, at_name: bool) -> Range<usize> {
        match self.key {
            Some(key)
                if at_name || !self.whole || self.node.items().is_some() || self.node.entries().is_some() =>
            {
                key.span.clone()
            }
            _ => self.node.span.clone(),
        }
    }
}

/// How much of a name filter-kit shows, in characters.
const SHOWN: usize = 80;

/// Follows a path such as `rules[0].request[2].name`. Names may hold dots and brackets, so each that fits is tried.
pub(crate) fn locate<'a>(root: &'a Node, path: &str) -> Found<'a> {
    let start = Found { key: None, node: root, whole: path.is_empty() };
    if path.is_empty() { start } else { best(start, path, true) }
}

fn best<'a>(from: Found<'a>, path: &str, first: bool) -> Found<'a> {
    if path.is_empty() {
        return Found { whole: true, ..from };
    }
    match &from.node.kind {
        Kind::List(items) => {
            let Some((index, rest)) = path.strip_prefix('[').and_then(|path| path.split_once(']')) else {
                return from;
            };
            match index.parse::<usize>().ok().and_then(|index| items.get(index)) {
                Some(node) => best(Found { key: None, node, whole: false }, rest, false),
                None => from,
            }
        }
        Kind::Map(entries) => {
            let Some(path) = (if first { Some(path) } else { path.strip_prefix('.') }) else { return from };
            let mut reached: Option<Found<'a>> = None;
            // The last of two equal names is the one that is too much.
            for (key, node) in entries.iter().rev() {
                let shown: String = key.name.escape_debug().take(SHOWN).collect();
                let Some(rest) = path.strip_prefix(shown.as_str()) else { continue };
                if !rest.is_empty() && !rest.starts_with(['.', '[']) {
                    continue;
                }
                let found = best(Found { key: Some(key), node, whole: false }, rest, false);
                if found.whole {
                    return found;
                }
                reached.get_or_insert(found);
            }
            reached.unwrap_or(from)
        }
        Kind::Scalar(_) => from,
    }
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;

    #[test]
    fn a_path_leads_to_the_value_or_as_far_as_there_is_one() {
        let text = r#"{"rules": [{"a.b": {"c": 1}, "a": {"d": 2}, "x": 1, "x": 3}]}"#;
        let tree = json(text).unwrap();
        for (path, shown, whole) in [
            ("rules[0].a.b.c", "1", true),
            ("rules[0].a.d", "2", true),
            ("rules[0].x", "3", true),
            ("rules[0].a.d.e", "\"d\"", false),
            ("rules[0].gone", "{\"a.b\"", false),
            ("rules[7]", "\"rules\"", false),
            ("rules", "\"rules\"", true),
            ("gone", "{\"rules\"", false),
        ] {
            let found = locate(&tree, path);
            assert_eq!(found.whole, whole, "{path}");
            let span = found.span(false);
            assert!(text[span.clone()].starts_with(shown), "{path}: {}", &text[span]);
        }
    }
}
