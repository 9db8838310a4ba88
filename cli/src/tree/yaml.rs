//! YAML into a tree, by the events of a parser that says where each begins and ends.

use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;

use serde_saphyr::granit_parser::{self, Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::{Broken, Key, Kind, MOST_ALIASED, MOST_NODES, Node, Scalar, Style};

/// A collection that is not over yet.
struct Open {
    node: Node,
    anchor: usize,
    /// Of a map: the key whose value comes next.
    key: Option<Key>,
}

struct Builder {
    done: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    aliased: usize,
}

/// Reads every document.
///
/// # Errors
///
/// Where the text is no YAML, or what it asks for is too much.
pub(super) fn parse(text: &str) -> Result<Vec<Node>, Broken> {
    let options = granit_parser::options! { emit_comments: false };
    let mut builder =
        Builder { done: Vec::new(), open: Vec::new(), anchors: HashMap::new(), nodes: 0, aliased: 0 };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| broken(&error))?;
        builder.take(event, &bytes(&span))?;
    }
    Ok(builder.done)
}

fn broken(error: &ScanError) -> Broken {
    Broken {
        at: error.marker().byte_offset().unwrap_or_default(),
        message: format!("not valid YAML: {}", error.info()),
    }
}

fn bytes(span: &Span) -> Range<usize> {
    let start = span.start.byte_offset().unwrap_or_default();
    start..span.end.byte_offset().unwrap_or(start).max(start)
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: &Range<usize>) -> Result<(), Broken> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let style = if is_text(tag.as_ref()) { Style::Tagged } else { of(style) };
                // The parser writes a tilde for a value that is not there.
                let is_there = style != Style::Plain || !span.is_empty();
                let scalar = Scalar { text: if is_there { text.into_owned() } else { String::new() }, style };
                self.add(Node { span: span.clone(), kind: Kind::Scalar(scalar) }, anchor)
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor) else {
                    // A part of a collection that stands for the whole would have no end.
                    return Err(Broken {
                        at: span.start,
                        message: "the alias is inside of what it stands for".to_owned(),
                    });
                };
                self.aliased += size(node);
                if self.aliased > MOST_ALIASED {
                    let message = format!("aliases make more than {MOST_ALIASED} values of this file");
                    return Err(Broken { at: span.start, message });
                }
                let node = node.clone();
                self.add(node, 0)
            }
            Event::SequenceStart(_, anchor, _) => {
                self.begin(span, Kind::List(Vec::new()), anchor);
                Ok(())
            }
            Event::MappingStart(_, anchor, _) => {
                self.begin(span, Kind::Map(Vec::new()), anchor);
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(mut open) = self.open.pop() else { return Ok(()) };
                // A collection in block style ends where the parser has seen that it does: after its last value.
                let last = match &open.node.kind {
                    Kind::List(items) => items.last().map(|item| item.span.end),
                    Kind::Map(entries) => entries.last().map(|(key, value)| value.span.end.max(key.span.end)),
                    Kind::Scalar(_) => None,
                };
                let end = if span.is_empty() { last.unwrap_or(span.end) } else { span.end };
                open.node.span.end = end.max(open.node.span.start);
                self.add(open.node, open.anchor)
            }
            Event::DocumentEnd => {
                self.anchors.clear();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, span: &Range<usize>, kind: Kind, anchor: usize) {
        self.open.push(Open { node: Node { span: span.clone(), kind }, anchor, key: None });
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Broken> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            let message = format!("the file has more than {MOST_NODES} values");
            return Err(Broken { at: node.span.start, message });
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            None => self.done.push(node),
            Some(Open { node: Node { kind: Kind::Map(entries), .. }, key, .. }) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => {
                    let at = node.span.start;
                    let Kind::Scalar(scalar) = node.kind else {
                        return Err(Broken {
                            at,
                            message: "found a list or a map as the name of a field, expected a text"
                                .to_owned(),
                        });
                    };
                    *key = Some(Key { span: node.span, name: scalar.text });
                }
            },
            Some(Open { node: Node { kind: Kind::List(items), .. }, .. }) => items.push(node),
            Some(Open { node: Node { kind: Kind::Scalar(_), .. }, .. }) => {}
        }
        Ok(())
    }
}

fn is_text(tag: Option<&Cow<'_, Tag>>) -> bool {
    tag.is_some_and(|tag| tag.core_suffix() == Some("str"))
}

fn of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted => Style::SingleQuoted,
        ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
    }
}

fn size(node: &Node) -> usize {
    match &node.kind {
        Kind::Scalar(_) => 1,
        Kind::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Kind::Map(entries) => 1 + entries.iter().map(|(_, value)| size(value)).sum::<usize>(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Node {
        let mut trees = parse(text).unwrap();
        assert_eq!(trees.len(), 1);
        trees.remove(0)
    }

    #[test]
    fn each_value_and_each_name_knows_its_bytes() {
        let text = "a: 1\nlist:\n  - {b: 'x y'}\n  - \"é\"\n";
        let tree = one(text);
        let (key, list) = tree.entry("list").unwrap();
        assert_eq!(&text[key.span.clone()], "list");
        let items = list.items().unwrap();
        assert_eq!(&text[items[0].span.clone()], "{b: 'x y'}");
        assert_eq!(&text[items[0].get("b").unwrap().span.clone()], "'x y'");
        assert_eq!(&text[items[1].span.clone()], "\"é\"");
    }

    #[test]
    fn several_documents_are_several_trees() {
        assert_eq!(parse("a: 1\n---\nb: 2\n---\n").unwrap().len(), 3);
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn aliases_stand_for_what_they_name_until_they_are_too_many() {
        assert_eq!(one("a: &a {x: 1}\nb: *a\n").get("b").unwrap().get("x").unwrap().text(), Some("1"));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let below = format!("*a{}, ", level - 1).repeat(10);
            bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
        }
        let broken = parse(&bomb).unwrap_err();
        assert_eq!(broken.message, "aliases make more than 100000 values of this file");
    }

    #[test]
    fn an_alias_inside_of_what_it_names_is_refused() {
        assert!(parse("a: &a [*a]\n").is_err());
    }

    #[test]
    fn nesting_without_end_is_an_error_and_not_a_stack_overflow() {
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse(&"- ".repeat(100_000)).is_err());
        let steps: String = (0..2000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        assert!(parse(&steps).is_err());
    }
}
