//! The members of an object.

use std::borrow::Cow;

use super::draft::{Draft, list, object};
use super::json::Json;
use super::node::{Node, Quoted};

/// The members of an object. Asking for one says that it may be there: any other is refused in the end.
pub struct Fields<'a> {
    node: &'a Node<'a>,
    members: &'a [(Cow<'a, str>, Json<'a>)],
    known: Vec<&'static str>,
}

/// A word or a field that may be chosen, and what reads the rest.
pub struct Choice<R> {
    pub(super) word: &'static str,
    #[cfg(not(target_family = "wasm"))]
    pub(super) doc: &'static str,
    pub(super) read: R,
}

impl<R> Choice<R> {
    /// The choice `word`; `doc` says for people what it means, in a sentence without its full stop.
    #[inline(always)]
    #[cfg_attr(target_family = "wasm", expect(unused_variables, reason = "a module has no schema"))]
    pub const fn new(word: &'static str, doc: &'static str, read: R) -> Self {
        Self {
            word,
            #[cfg(not(target_family = "wasm"))]
            doc,
            read,
        }
    }
}

/// A choice of variants of an object.
pub type Variant<T> = Choice<fn(&mut Fields<'_>) -> Option<T>>;

/// The same, read by a closure.
pub type VariantWith<'a, T> = Choice<&'a dyn Fn(&mut Fields<'_>) -> Option<T>>;

/// A choice of fields.
pub type Alternative<T> = Choice<fn(Node<'_>) -> Option<T>>;

// The public methods are always inlined: they have the documentation as arguments, which must not be in a module.
impl<'a> Fields<'a> {
    pub(super) fn new(node: &'a Node<'a>, members: &'a [(Cow<'a, str>, Json<'a>)]) -> Self {
        Self { node, members, known: Vec::new() }
    }

    /// Reads the member `name`; that it is missing is a problem.
    #[inline(always)]
    pub fn required<T>(
        &mut self,
        name: &'static str,
        doc: &'static str,
        read: impl FnOnce(Node<'_>) -> Option<T>,
    ) -> Option<T> {
        let read = match self.describe(name, read, |draft, parent| {
            draft.set("description", doc);
            parent.push("required", name.into());
        }) {
            Ok(()) => return None,
            Err(read) => read,
        };
        read(self.node.member(name, self.must_find(name)?))
    }

    /// Reads the member `name`, if it was given; `Some(None)` if not. `null` counts as not given, as in a protobuf
    /// `Struct`.
    #[inline(always)]
    pub fn optional<T>(
        &mut self,
        name: &'static str,
        doc: &'static str,
        read: impl FnOnce(Node<'_>) -> Option<T>,
    ) -> Option<Option<T>> {
        let read = match self.describe(name, read, |draft, _| draft.set("description", doc)) {
            Ok(()) => return None,
            Err(read) => read,
        };
        match self.find(name) {
            Some(json) => read(self.node.member(name, json)).map(Some),
            None => Some(None),
        }
    }

    /// Reads the member `name`, or `default` in its place if it was not given.
    #[inline(always)]
    pub fn or<T>(
        &mut self,
        name: &'static str,
        doc: &'static str,
        default: impl Into<Json<'static>>,
        read: impl FnOnce(Node<'_>) -> Option<T>,
    ) -> Option<T> {
        let default = default.into();
        let read = match self.describe(name, read, |draft, _| {
            draft.set("description", doc);
            draft.set("default", default.clone());
        }) {
            Ok(()) => return None,
            Err(read) => read,
        };
        let json = self.find(name).unwrap_or(&default);
        read(self.node.member(name, json))
    }

    /// Reads the member `version`, which every configuration has.
    pub fn version(&mut self, supported: u32) -> Option<()> {
        self.required("version", "The version of the configuration", |node| node.version(supported))
    }

    /// Reads the one of these members that was given. None is a problem, and so are two.
    pub fn exactly_one<T>(&mut self, choices: &[Alternative<T>]) -> Option<T> {
        self.node.describe(|draft| {
            let only = |choice: &Alternative<T>| object("required", [choice.word].into());
            draft.push("allOf", object("oneOf", list(choices.iter().map(only))));
        });
        self.chosen(choices)?.or_else(|| {
            let words: Vec<&str> = choices.iter().map(|choice| choice.word).collect();
            self.node.problem(format!("one of {} is missing", Quoted(&words)))
        })
    }

    /// Reads the one of these members that was given, if any was. Two are a problem.
    pub fn at_most_one<T>(&mut self, choices: &[Alternative<T>]) -> Option<Option<T>> {
        self.node.describe(|draft| {
            let others = |index: usize| choices.iter().skip(index + 1);
            let both = |(index, one): (usize, &Alternative<T>)| {
                let one = one.word;
                others(index)
                    .map(move |other| object("required", [one, other.word].into()))
                    .collect::<Vec<_>>()
            };
            let pairs = list(choices.iter().enumerate().flat_map(both));
            draft.push("allOf", object("not", object("anyOf", pairs)));
        });
        self.chosen(choices)
    }

    fn chosen<T>(&mut self, choices: &[Alternative<T>]) -> Option<Option<T>> {
        let (mut chosen, mut given, mut refused) = (None, 0, false);
        for choice in choices {
            match self.optional(choice.word, choice.doc(), choice.read) {
                Some(None) => {}
                Some(read) => (chosen, given) = (read, given + 1),
                None => (refused, given) = (true, given + 1),
            }
        }
        if given > 1 {
            let words: Vec<&str> = choices.iter().map(|choice| choice.word).collect();
            return self.node.problem(format!("expected only one of {}", Quoted(&words)));
        }
        (!refused).then_some(chosen)
    }

    /// Notes a problem of the object as a whole; see [`Node::problem`].
    pub fn problem<T>(&self, message: impl Into<String>) -> Option<T> {
        self.node.problem(message)
    }

    /// Adds to the schema of the object what these keywords say, such as `{"minProperties": 1}`: for rules between
    /// fields, that the reader checks by itself.
    #[inline(always)]
    pub fn schema(&mut self, keywords: &'static str) {
        self.node.describe(|draft| draft.extend(keywords));
    }

    /// Natively, when a schema is asked for, has `read` describe the member; else hands it back.
    #[cfg(not(target_family = "wasm"))]
    fn describe<T, R: FnOnce(Node<'_>) -> Option<T>>(
        &mut self,
        name: &'static str,
        read: R,
        say: impl FnOnce(&Draft<'_>, &Draft<'_>),
    ) -> Result<(), R> {
        self.asked(name);
        let Some(parent) = self.node.draft else { return Err(read) };
        let draft = parent.inner();
        say(&draft, parent);
        read(self.node.member(name, &Json::Null).drafted(&draft));
        parent.property(name, draft.into_schema());
        Ok(())
    }

    #[cfg(target_family = "wasm")]
    #[inline(always)]
    fn describe<R>(
        &mut self,
        name: &'static str,
        read: R,
        _: impl FnOnce(&Draft<'_>, &Draft<'_>),
    ) -> Result<(), R> {
        self.asked(name);
        Err(read)
    }

    /// Says that the member `name` may be there.
    #[inline(never)]
    pub(super) fn asked(&mut self, name: &'static str) {
        self.known.push(name);
    }

    /// The member's value, if it was given.
    #[inline(never)]
    fn find(&self, name: &str) -> Option<&'a Json<'a>> {
        let (_, json) = self.members.iter().find(|(member, _)| member == name)?;
        (*json != Json::Null).then_some(json)
    }

    #[inline(never)]
    fn must_find(&self, name: &str) -> Option<&'a Json<'a>> {
        let found = self.find(name);
        if found.is_none() {
            self.node.note_member(usize::MAX, name, "missing".to_owned());
        }
        found
    }

    /// Notes the members that nobody asked for, or that are there twice, before the problems that were noted after
    /// the first `before`.
    pub(super) fn refuse_others(&self, before: usize) {
        let mut place = before;
        for (index, (name, _)) in self.members.iter().enumerate() {
            let earlier = self.members.get(..index).unwrap_or_default();
            let message = if !self.known.contains(&name.as_ref()) {
                format!("unknown field, expected one of {}", Quoted(&self.known))
            } else if earlier.iter().any(|(other, _)| other == name) {
                "given more than once".to_owned()
            } else {
                continue;
            };
            self.node.note_member(place, name, message);
            place += 1;
        }
    }
}

impl<R> Choice<R> {
    #[cfg(not(target_family = "wasm"))]
    pub(super) fn doc(&self) -> &'static str {
        self.doc
    }

    #[cfg(target_family = "wasm")]
    #[inline(always)]
    pub(super) fn doc(&self) -> &'static str {
        ""
    }
}
