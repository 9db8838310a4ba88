//! Lists.

use super::Node;
use crate::config::draft::Text;
use crate::config::json::Json;
use crate::config::taken::{self, Sink, Taken};

impl<'a> Node<'a> {
    /// Reads a list, each item by `read`; `None` if any item was refused, after all were looked at.
    pub fn list_of<T>(self, mut read: impl FnMut(Node<'_>) -> Option<T>) -> Option<Vec<T>> {
        if self.describe(|draft| {
            draft.set("type", "array");
            draft.set("items", self.schema_of(draft, &mut read));
        }) {
            return None;
        }
        let items = self.items()?;
        let mut list = Vec::with_capacity(items.len());
        for (index, json) in items.iter().enumerate() {
            list.extend(read(self.item(index, json)));
        }
        (list.len() == items.len()).then_some(list)
    }

    fn items(&self) -> Option<&'a [Json<'a>]> {
        match self.json {
            Json::List(items) => Some(items),
            _ => self.expected("a list"),
        }
    }

    /// Reads a list as [`list_of`](Self::list_of) does, and refuses an empty one.
    pub fn some_of<T>(self, read: impl FnMut(Node<'_>) -> Option<T>) -> Option<Vec<T>> {
        self.describe(|draft| draft.set("minItems", 1));
        let list = self.list_of(read)?;
        self.counts(list.len(), u32::MAX).then_some(list)
    }

    /// Reads a list as [`some_of`](Self::some_of) does, and refuses one of more than `most`.
    pub fn up_to<T>(self, most: u32, read: impl FnMut(Node<'_>) -> Option<T>) -> Option<Vec<T>> {
        self.describe(|draft| {
            draft.set("minItems", 1);
            draft.set("maxItems", most);
        });
        let list = self.list_of(read)?;
        self.counts(list.len(), most).then_some(list)
    }

    /// Reads a list as [`list_of`](Self::list_of) does, and refuses one of more than `most`; an empty one is right.
    pub fn list_up_to<T>(self, most: u32, read: impl FnMut(Node<'_>) -> Option<T>) -> Option<Vec<T>> {
        self.describe(|draft| draft.set("maxItems", most));
        let list = self.list_of(read)?;
        (list.is_empty() || self.counts(list.len(), most)).then_some(list)
    }

    #[inline(never)]
    fn counts(&self, count: usize, most: u32) -> bool {
        if count == 0 {
            self.note("list at least one".to_owned());
        } else if count > most as usize {
            self.note(format!("found {count} items, expected at most {most}"));
        } else {
            return true;
        }
        false
    }

    /// Reads a list of strings that `sink` takes, or has taken while the configuration was read; what it accepts is told
    /// to the schema by `like`. Answers the list's number and how many items it has.
    #[inline(always)]
    pub fn taken(self, like: Text, sink: &mut dyn Sink) -> Option<(usize, usize)> {
        if self.describe(|draft| {
            draft.set("type", "array");
            draft.set("items", self.schema_of(draft, |node| node.parsed(like, |_| Ok::<_, &str>(()))));
        }) {
            return None;
        }
        self.take(sink)
    }

    fn take(&self, sink: &mut dyn Sink) -> Option<(usize, usize)> {
        let mut here = Taken::default();
        let taken = match self.json {
            Json::Taken(taken) => taken,
            Json::List(items) => {
                here.number = sink.begin();
                items.iter().for_each(|item| here.item(item, sink));
                &here
            }
            _ => return self.expected("a list"),
        };
        if taken.problems.is_empty() {
            return Some((taken.number, taken.count));
        }
        taken::note(taken, &self.path(), self.problems);
        None
    }
}
