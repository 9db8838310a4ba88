//! Configuration that is read piece by piece.
//!
//! A list of a million names would be a tree of a million nodes before anybody looked at it, beside the text of all of
//! them. Here the configuration comes piece by piece, each string of such a list goes to a [`Sink`] as it is read, and
//! the tree has a mark in the list's place.

use std::io::{BufReader, Read};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::json::{Json, Key, Tree};
use super::problem::{Problem, Refusal};
use super::taken::{Sink, Taken};

/// Reads JSON from `reader` (one type of reader for all: each would be a reader of JSON of its own), but has the strings of the lists at `path` go to `sink`. [`build`](super::build) makes
/// something of it, where [`Node::taken`](super::Node::taken) reads the mark that is left of a list.
///
/// A part of `path` is a member's name, or `*` for every item of a list.
///
/// # Errors
///
/// That it is no JSON, or is missing.
pub fn tree_taking(
    reader: &mut dyn Read,
    path: &[&str],
    sink: &mut dyn Sink,
) -> Result<Json<'static>, Refusal> {
    let mut reader = Noticing { reader, anything: false };
    // Bytes are taken one by one: from a buffer that is cheap.
    let mut deserializer =
        serde_json::Deserializer::from_reader(BufReader::with_capacity(PIECE, &mut reader));
    let read =
        At { path, sink }.deserialize(&mut deserializer).and_then(|json| deserializer.end().map(|()| json));
    drop(deserializer);
    read.map_err(|error| match reader.anything {
        true => Refusal::of(Problem::at_top(format!("not valid JSON: {error}"))),
        false => Refusal::missing(),
    })
}

/// How much is read at once, in bytes.
const PIECE: usize = 16 * 1024;

/// Notices whether there is anything but white space.
struct Noticing<'a> {
    reader: &'a mut dyn Read,
    anything: bool,
}

impl Read for Noticing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let size = self.reader.read(buffer)?;
        self.anything |= !buffer.get(..size).unwrap_or_default().trim_ascii().is_empty();
        Ok(size)
    }
}

/// A value at a path at whose end lists are taken.
struct At<'a> {
    path: &'a [&'a str],
    sink: &'a mut dyn Sink,
}

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = Json<'static>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for At<'_> {
    type Value = Json<'static>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Tree.visit_i64(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Tree.visit_u64(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Json::Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Json::String(value.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        match self.path {
            [] => {
                let mut taken = Taken { number: self.sink.begin(), ..Taken::default() };
                while access.next_element_seed(Item { taken: &mut taken, sink: self.sink })?.is_some() {}
                Ok(Json::Taken(taken))
            }
            [first, rest @ ..] => {
                let path = if *first == "*" { rest } else { NOWHERE };
                let mut list = Vec::new();
                while let Some(item) = access.next_element_seed(At { path, sink: self.sink })? {
                    list.push(item);
                }
                Ok(Json::List(list))
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(Key(name)) = access.next_key()? {
            let path = match self.path {
                [first, rest @ ..] if *first == name => rest,
                _ => NOWHERE,
            };
            let value = access.next_value_seed(At { path, sink: self.sink })?;
            members.push((name.into_owned().into(), value));
        }
        Ok(Json::Object(members))
    }
}

/// A path that no member's name leads along: no name that a reader asks for has a zero byte.
const NOWHERE: &[&str] = &["\0"];

/// An item of a list that is taken: a string is never copied.
struct Item<'a> {
    taken: &'a mut Taken,
    sink: &'a mut dyn Sink,
}

impl<'de> DeserializeSeed<'de> for Item<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Item<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.taken.item(&Json::from(value), self.sink);
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.other(&Json::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.other(&Json::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        let number = Tree.visit_i64(value)?;
        self.other(&number)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        let number = Tree.visit_u64(value)?;
        self.other(&number)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.other(&Json::Number(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        while access.next_element::<serde::de::IgnoredAny>()?.is_some() {}
        self.other(&Json::EMPTY_LIST)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        while access.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {}
        self.other(&Json::EMPTY_OBJECT)
    }
}

impl Item<'_> {
    fn other<E>(self, item: &Json<'_>) -> Result<(), E> {
        self.taken.item(item, self.sink);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Node, Text};

    #[derive(Default)]
    struct Words(Vec<Vec<String>>);

    impl Sink for Words {
        fn begin(&mut self) -> usize {
            self.0.push(Vec::new());
            self.0.len() - 1
        }

        fn item(&mut self, text: &str) -> Result<(), &'static str> {
            self.0.last_mut().unwrap().push(text.to_owned());
            if text == "bad" { Err("a good word") } else { Ok(()) }
        }
    }

    fn counts(node: Node<'_>, sink: &mut dyn Sink) -> Option<Vec<(usize, usize)>> {
        node.object(|fields| {
            fields.required("lists", "Lists", |node| {
                node.list_of(|node| {
                    node.object(|fields| {
                        fields.required("words", "Words", |node| node.taken(Text::ANY, sink))
                    })
                })
            })
        })
    }

    /// What was read, and the words.
    type Outcome = (Result<Vec<(usize, usize)>, Refusal>, Vec<Vec<String>>);

    /// By both ways.
    fn both(json: &str) -> [Outcome; 2] {
        let (mut taken, mut there) = (Words::default(), Words::default());
        let tree = tree_taking(&mut json.as_bytes(), &["lists", "*", "words"], &mut taken);
        let first = tree.and_then(|tree| config::build(&tree, |node| counts(node, &mut Words::default())));
        let second = config::read(json.as_bytes(), |node| counts(node, &mut there));
        [(first, taken.0), (second, there.0)]
    }

    #[test]
    fn lists_are_taken_where_the_path_leads_and_nowhere_else() {
        let json = r#"{"lists": [{"words": ["a", "b\u0062"]}, {"words": []}, {"w\u006frds": ["c"]}]}"#;
        for (read, words) in both(json) {
            assert_eq!(read.unwrap(), [(0, 2), (1, 0), (2, 1)]);
            assert_eq!(words, [vec!["a", "bb"], vec![], vec!["c"]]);
        }
    }

    #[test]
    fn both_ways_refuse_the_same_in_the_same_words() {
        for json in [
            r#"{"lists": [{"words": ["a", "bad", 7, null, -1.5, [1, [2]], {"a": {}}, true]}, {"words": ["bad"]}]}"#,
            r#"{"lists": [{"words": "a"}, {"words": 3}, {}, {"words": null}]}"#,
            r#"{"lists": {"words": ["bad"]}, "words": ["bad"]}"#,
            r#"{"lists": [["bad"], "bad"], "lists": []}"#,
            r#"["lists"]"#,
            "{\"lists\": [{\"words\": [\"a\", ]}]}",
            "{\"lists\": [{\"words\": [\"a\"",
            "{} {}",
            "",
            "  \n",
        ] {
            let [(first, _), (second, _)] = both(json);
            assert_eq!(first, second, "{json}");
            assert!(first.is_err(), "{json}");
        }
    }

    #[test]
    fn of_many_problems_the_first_are_told_and_the_others_counted() {
        let bad = vec!["bad"; 120];
        let [(first, _), (second, _)] = both(&serde_json::json!({"lists": [{"words": bad}]}).to_string());
        assert_eq!(first, second);
        let refusal = first.unwrap_err();
        assert_eq!(refusal.problems().len(), 51);
        assert_eq!(refusal.problems()[50].message, "and 70 more problems");
    }
}
