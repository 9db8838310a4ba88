//! Objects that are read in one of several ways, and values that are described once.

use super::Node;
use crate::config::draft::list;
use crate::config::fields::{Choice, Fields, Variant, VariantWith};

impl Node<'_> {
    /// Reads an object whose members depend on a word in one of them, `tag`.
    #[inline(always)]
    pub fn tagged<T>(self, tag: &'static str, doc: &'static str, variants: &[Variant<T>]) -> Option<T> {
        self.tagged_any(tag, doc, variants)
    }

    /// As [`tagged`](Self::tagged), by closures: for readers that need something from outside of the object.
    #[inline(always)]
    pub fn tagged_with<T>(
        self,
        tag: &'static str,
        doc: &'static str,
        variants: &[VariantWith<'_, T>],
    ) -> Option<T> {
        self.tagged_any(tag, doc, variants)
    }

    #[inline(always)]
    fn tagged_any<T, R>(self, tag: &'static str, doc: &'static str, variants: &[Choice<R>]) -> Option<T>
    where
        R: Fn(&mut Fields<'_>) -> Option<T> + Copy,
    {
        if self.describe(|draft| {
            let variant = |variant: &Choice<R>| {
                self.schema_of(draft, |node| {
                    node.describe(|draft| {
                        draft.set("title", variant.word);
                        draft.set("description", variant.doc());
                    });
                    node.object(|fields| {
                        fields.required(tag, doc, |node| node.constant(variant.word));
                        (variant.read)(fields)
                    })
                })
            };
            draft.set("type", "object");
            draft.set("oneOf", list(variants.iter().map(variant)));
        }) {
            return None;
        }
        self.variant(tag, variants)
    }

    fn variant<T, R>(self, tag: &'static str, variants: &[Choice<R>]) -> Option<T>
    where
        R: Fn(&mut Fields<'_>) -> Option<T> + Copy,
    {
        let members = self.members()?;
        let before = self.problems.count();
        let mut word = Fields::new(&self, members);
        let words: Vec<(&str, _)> = variants.iter().map(|variant| (variant.word, variant.read)).collect();
        let read = word.required(tag, "", |node| node.one_of(&words))?;
        self.object_after(before, |fields| {
            fields.asked(tag);
            read(fields)
        })
    }

    fn constant(&self, word: &'static str) -> Option<()> {
        self.describe(|draft| draft.set("const", word));
        None
    }

    /// Reads a value as `read` does. Its schema is described once, under the name `name`, and referred to: for readers
    /// that are used in several places, or that lead to themselves.
    #[inline(always)]
    pub fn defined<T>(
        self,
        name: &'static str,
        doc: &'static str,
        read: impl FnOnce(Node<'_>) -> Option<T>,
    ) -> Option<T> {
        let mut read = Some(read);
        if self.describe(|draft| {
            if let (true, Some(read)) = (draft.refer(name), read.take()) {
                let schema = self.schema_of(draft, |node| {
                    node.describe(|draft| {
                        draft.set("title", name);
                        draft.set("description", doc);
                    });
                    read(node)
                });
                draft.define(name, schema);
            }
        }) {
            return None;
        }
        read.and_then(|read| read(self))
    }
}
