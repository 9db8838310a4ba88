//! The JSON Schema of a configuration, as its readers describe themselves.

use std::borrow::Cow;
use std::cell::RefCell;

use super::json::Json;

type Members = Vec<(Cow<'static, str>, Json<'static>)>;

/// What a schema says of a string, and its reader checks in its own way. Nothing of it gets into a module.
#[derive(Clone, Copy, Debug, Default)]
pub struct Text {
    pattern: Option<&'static str>,
    refused: &'static [&'static str],
    bytes: Option<(u32, u32)>,
    examples: &'static [&'static str],
}

impl Text {
    /// Any string.
    pub const ANY: Self = Self { pattern: None, refused: &[], bytes: None, examples: &[] };

    /// A string that matches `pattern`, a regular expression as ECMA-262 has them. Anchor it.
    pub const fn pattern(pattern: &'static str) -> Self {
        Self { pattern: Some(pattern), ..Self::ANY }
    }

    /// And that is none of `words`, in whatever case.
    #[must_use]
    pub const fn but_not(self, words: &'static [&'static str]) -> Self {
        Self { refused: words, ..self }
    }

    /// And that has `least` to `most` bytes. A schema counts characters: beyond ASCII the reader is stricter.
    #[must_use]
    pub const fn bytes(self, least: u32, most: u32) -> Self {
        Self { bytes: Some((least, most)), ..self }
    }

    /// Such as these.
    #[must_use]
    pub const fn examples(self, examples: &'static [&'static str]) -> Self {
        Self { examples, ..self }
    }
}

/// Schemas that several places refer to, by name.
#[derive(Default)]
pub(super) struct Definitions(RefCell<Vec<(&'static str, Json<'static>)>>);

/// The schema of one value, as far as its reader has described it.
pub(super) struct Draft<'a> {
    members: RefCell<Members>,
    definitions: &'a Definitions,
}

impl<'a> Draft<'a> {
    pub(super) fn new(definitions: &'a Definitions) -> Self {
        Self { members: RefCell::default(), definitions }
    }

    /// A draft for a value inside of this one.
    pub(super) fn inner(&self) -> Draft<'a> {
        Draft::new(self.definitions)
    }

    pub(super) fn into_schema(self) -> Json<'static> {
        Json::Object(self.members.into_inner())
    }

    /// Sets the keyword `key`, in place of what it was set to.
    pub(super) fn set(&self, key: &'static str, value: impl Into<Json<'static>>) {
        let mut members = self.members.borrow_mut();
        match members.iter_mut().find(|(name, _)| name == key) {
            Some((_, old)) => *old = value.into(),
            None => members.push((Cow::Borrowed(key), value.into())),
        }
    }

    /// Adds an item to the list that the keyword `key` has.
    pub(super) fn push(&self, key: &'static str, item: Json<'static>) {
        let mut members = self.members.borrow_mut();
        match members.iter_mut().find(|(name, _)| name == key) {
            Some((_, Json::List(items))) => items.push(item),
            _ => members.push((Cow::Borrowed(key), Json::List(vec![item]))),
        }
    }

    /// Adds the property `name` of an object.
    pub(super) fn property(&self, name: &'static str, schema: Json<'static>) {
        let mut members = self.members.borrow_mut();
        match members.iter_mut().find(|(name, _)| name == "properties") {
            Some((_, Json::Object(properties))) => properties.push((Cow::Borrowed(name), schema)),
            _ => {
                members.push((Cow::Borrowed("properties"), Json::Object(vec![(Cow::Borrowed(name), schema)])))
            }
        }
    }

    /// What the keywords of `json`, an object, say.
    pub(super) fn extend(&self, json: &'static str) {
        if let Ok(Json::Object(members)) = serde_json::from_str(json) {
            self.members.borrow_mut().extend(members);
        } else {
            self.set("$comment", "what was to stand here is no JSON object");
        }
    }

    pub(super) fn integer(&self, least: u64, most: u64) {
        self.set("type", "integer");
        self.set("minimum", number(least));
        self.set("maximum", number(most));
    }

    pub(super) fn text(&self, text: Text) {
        self.set("type", "string");
        if let Some(pattern) = text.pattern {
            self.set("pattern", pattern);
        }
        if let Some((least, most)) = text.bytes {
            if least > 0 {
                self.set("minLength", least);
            }
            self.set("maxLength", most);
        }
        if !text.refused.is_empty() {
            self.set("not", object("pattern", Json::String(Cow::Owned(any_case(text.refused)))));
        }
        if !text.examples.is_empty() {
            self.set("examples", list(text.examples.iter().map(|example| Json::from(*example))));
        }
    }

    /// An integer, or the same as text with a unit.
    pub(super) fn quantity(&self, title: &'static str, least: u64, most: u64, pattern: &'static str) {
        self.set("title", title);
        let [integer, text] = [self.inner(), self.inner()];
        integer.integer(least, most);
        text.text(Text::pattern(pattern));
        self.set("anyOf", list([integer.into_schema(), text.into_schema()]));
    }

    /// Refers to the definition `name`, and says whether it must be made.
    pub(super) fn refer(&self, name: &'static str) -> bool {
        self.set("$ref", Json::String(Cow::Owned(format!("#/$defs/{name}"))));
        let mut known = self.definitions.0.borrow_mut();
        let new = known.iter().all(|(other, _)| *other != name);
        if new {
            // It is there from now on: a definition may refer to itself.
            known.push((name, Json::Null));
        }
        new
    }

    pub(super) fn define(&self, name: &'static str, schema: Json<'static>) {
        let mut known = self.definitions.0.borrow_mut();
        if let Some((_, old)) = known.iter_mut().find(|(other, _)| *other == name) {
            *old = schema;
        }
    }
}

impl Definitions {
    pub(super) fn into_json(self) -> Option<Json<'static>> {
        let members: Members =
            self.0.into_inner().into_iter().map(|(name, schema)| (Cow::Borrowed(name), schema)).collect();
        (!members.is_empty()).then_some(Json::Object(members))
    }
}

/// An object with one member.
pub(super) fn object(key: &'static str, value: Json<'static>) -> Json<'static> {
    Json::Object(vec![(Cow::Borrowed(key), value)])
}

pub(super) fn list(items: impl IntoIterator<Item = Json<'static>>) -> Json<'static> {
    Json::List(items.into_iter().collect())
}

#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 a bound is none that a configuration could meet")]
pub(super) fn number(value: u64) -> Json<'static> {
    Json::Number(value as f64)
}

/// A pattern of `words` in any case: ECMA-262 has no flag for a part of a pattern.
fn any_case(words: &[&str]) -> String {
    let word = |word: &&str| {
        word.chars()
            .map(|letter| match letter.is_ascii_alphabetic() {
                true => format!("[{}{}]", letter.to_ascii_uppercase(), letter.to_ascii_lowercase()),
                false => letter.to_string(),
            })
            .collect::<String>()
    };
    format!("^({})$", words.iter().map(word).collect::<Vec<_>>().join("|"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::config::{Choice, Node, Text, schema};

    fn described<T>(read: impl FnOnce(Node<'_>) -> Option<T>) -> Value {
        let mut value = serde_json::to_value(schema("t", "d", read)).unwrap();
        for key in ["$schema", "title", "description"] {
            value.as_object_mut().unwrap().remove(key).unwrap();
        }
        value
    }

    #[test]
    fn each_reader_says_what_it_accepts() {
        assert_eq!(described(|node| node.boolean()), json!({"type": "boolean"}));
        assert_eq!(
            described(|node| node.integer(1..=5)),
            json!({"type": "integer", "minimum": 1, "maximum": 5})
        );
        assert_eq!(described(|node| node.one_of(&[("a", 1), ("b", 2)])), json!({"enum": ["a", "b"]}));
        assert_eq!(
            described(|node| node.milliseconds(1..=5)),
            json!({"anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 5},
                {"type": "string", "pattern": "^[0-9]+(ms|s|m)$"}]})
        );
        assert_eq!(
            described(|node| node.up_to(3, |item| item.text().map(|_| ()))),
            json!({"type": "array", "minItems": 1, "maxItems": 3, "items": {"type": "string"}})
        );
        let like = Text::pattern("^[a-z]+$").bytes(1, 9).but_not(&["te"]).examples(&["x"]);
        assert_eq!(
            described(|node| node.parsed(like, |_| Ok::<_, &str>(()))),
            json!({"type": "string", "pattern": "^[a-z]+$", "minLength": 1, "maxLength": 9,
                "not": {"pattern": "^([Tt][Ee])$"}, "examples": ["x"]})
        );
    }

    #[test]
    fn an_object_lists_its_members_and_has_no_others() {
        let read = |node: Node<'_>| {
            node.object(|fields| {
                let a = fields.required("a", "An a", |node| node.boolean());
                let b = fields.or("b", "A b", 2, |node| node.integer(0..=9));
                let c = fields.optional("c", "A c", |node| node.boolean());
                Some((a?, b?, c?))
            })
        };
        assert_eq!(
            described(read),
            json!({"type": "object", "additionalProperties": false, "required": ["a"], "properties": {
                "a": {"description": "An a", "type": "boolean"},
                "b": {"description": "A b", "default": 2, "type": "integer", "minimum": 0, "maximum": 9},
                "c": {"description": "A c", "type": "boolean"}}})
        );
    }

    #[test]
    fn a_reader_that_leads_to_itself_is_described_once() {
        fn tree(node: Node<'_>) -> Option<()> {
            node.defined("tree", "A tree", |node| {
                node.object(|fields| fields.optional("not", "Another", tree).map(|_| ()))
            })
        }
        assert_eq!(
            described(tree),
            json!({"$ref": "#/$defs/tree", "$defs": {"tree": {
                "title": "tree", "description": "A tree", "type": "object", "additionalProperties": false,
                "properties": {"not": {"description": "Another", "$ref": "#/$defs/tree"}}}}})
        );
    }

    #[test]
    fn variants_are_told_apart_by_their_word() {
        let read = |node: Node<'_>| {
            node.tagged(
                "op",
                "What to do",
                &[
                    Choice::new("go", "Goes", |fields| fields.required("to", "Where", |node| node.boolean())),
                    Choice::new("stay", "Stays", |_| Some(true)),
                ],
            )
        };
        let op = |word: &str| json!({"description": "What to do", "const": word});
        assert_eq!(
            described(read),
            json!({"type": "object", "oneOf": [
                {"title": "go", "description": "Goes", "type": "object", "additionalProperties": false,
                    "required": ["op", "to"],
                    "properties": {"op": op("go"), "to": {"description": "Where", "type": "boolean"}}},
                {"title": "stay", "description": "Stays", "type": "object", "additionalProperties": false,
                    "required": ["op"], "properties": {"op": op("stay")}}]})
        );
    }
}
