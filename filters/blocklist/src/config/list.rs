//! A list.

use std::cell::RefCell;
use std::rc::Rc;

use filter_kit::config::{Json, Node};
use filter_kit::host::ENTRY;
use filter_kit::metric;
use filter_kit::mode::{Failure, Mode};
use filter_kit::reads::Reads;
use filter_kit::when::When;

use super::remote::{self, Remote};
use super::source::{self, Source};
use super::survey::Lists;
use crate::preset::Preset;
use crate::store::Entries;

/// What becomes of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Requests for it are answered here.
    Deny,
    /// Requests for it are forwarded.
    Allow,
}

impl Action {
    /// The words for it in a configuration.
    pub(super) const WORDS: [(&str, Self); 2] = [("deny", Self::Deny), ("allow", Self::Allow)];

    pub(super) fn after(failure: Failure) -> Self {
        if failure == Failure::Open { Self::Allow } else { Self::Deny }
    }
}

/// Entries under a name.
#[derive(Debug)]
pub struct List {
    /// Part of the names of its metrics; no other list has it.
    pub name: String,
    /// What becomes of a host that it covers.
    pub action: Action,
    /// Whether that has consequences.
    pub mode: Mode,
    /// Which requests it is for.
    pub when: Option<When>,
    /// Whose requests it is for, if it is not for everybody's: one of them must match.
    pub sources: Vec<Source>,
    /// The entries of the configuration, and those of presets.
    pub entries: Entries,
    /// Where more are fetched.
    pub remote: Option<Remote>,
    /// Those that were fetched last.
    fetched: RefCell<Option<Rc<Entries>>>,
}

impl List {
    /// Whether it is for this request.
    pub fn is_for(&self, reads: &dyn Reads) -> bool {
        (self.sources.is_empty() || self.sources.iter().any(|source| source.matches(reads)))
            && self.when.as_ref().is_none_or(|when| when.holds(reads))
    }

    /// Whether anything is looked up in it.
    pub fn is_looked_at(&self) -> bool {
        self.mode != Mode::Off
    }

    /// Puts entries that were fetched in the place of those that were before; requests see the one or the other.
    pub fn replace(&self, entries: Rc<Entries>) {
        *self.fetched.borrow_mut() = Some(entries);
    }

    /// The entries that were fetched last.
    pub fn fetched(&self) -> Option<Rc<Entries>> {
        self.fetched.borrow().clone()
    }

    /// Whether entries are to be fetched, and none were yet.
    pub fn is_awaited(&self) -> bool {
        self.remote.is_some() && self.fetched.borrow().is_none()
    }

    /// The larger of what `look` answers for the entries of the configuration and for those that were fetched.
    pub fn look<T: Ord>(&self, look: impl Fn(&Entries) -> T) -> T {
        let here = look(&self.entries);
        match &*self.fetched.borrow() {
            Some(fetched) => here.max(look(fetched)),
            None => here,
        }
    }

    /// How many entries it has.
    pub fn count(&self) -> usize {
        self.entries.count() + self.fetched.borrow().as_ref().map_or(0, |entries| entries.count())
    }
}

/// Reads `lists`.
pub(super) fn all(
    node: Node<'_>,
    most: u32,
    fail: Failure,
    max_entries: u64,
    lists: &RefCell<Lists>,
) -> Option<Vec<List>> {
    let read = node.up_to(most, |node| one(node, fail, max_entries, lists))?;
    let twice =
        |(place, list): &(usize, &List)| read.iter().skip(place + 1).any(|other| other.name == list.name);
    if let Some((_, List { name, .. })) = read.iter().enumerate().find(twice) {
        return node.problem(format!("two lists have the name {name:?}, expected one"));
    }
    Some(read)
}

fn one(node: Node<'_>, fail: Failure, max_entries: u64, lists: &RefCell<Lists>) -> Option<List> {
    node.object(|fields| {
        fields.schema(
            r#"{"anyOf": [{"required": ["entries"]}, {"required": ["presets"]}, {"required": ["remote"]}]}"#,
        );
        let name = fields.required("name", "Unlike any other; part of a metric's name", metric::word);
        let action = fields.or("action", "What becomes of a host that it covers", "deny", |node| {
            node.one_of(&Action::WORDS)
        });
        let mode = Mode::field(fields);
        let entries = fields.optional("entries", "Hosts, as the table above says", |node| {
            let (number, count) = node.taken(ENTRY, &mut *lists.borrow_mut())?;
            if count == 0 {
                return node.problem("list at least one");
            }
            if u64::try_from(count).unwrap_or(u64::MAX) > max_entries {
                return node.problem(format!(
                    "found {count} entries, expected at most {max_entries}, as `max_entries` says"
                ));
            }
            Some(number)
        });
        let presets = fields.or("presets", "Networks that have a name", Json::EMPTY_LIST, |node| {
            node.list_of(|node| node.one_of(&Preset::WORDS))
        });
        let remote = fields.optional("remote", "Where more entries are fetched, again and again", |node| {
            remote::read(node, fail)
        });
        let sources = fields.or(
            "sources",
            "Whose requests it is for: one of these attributes matches",
            Json::EMPTY_LIST,
            |node| node.list_of(source::read),
        );
        let when = fields.optional("when", "Which requests it is for", |node| {
            let when = When::read(node)?;
            if when.needs_response() {
                return node.problem("needs the response, expected conditions on the request alone");
            }
            Some(when)
        });
        let (entries, presets, remote) = (entries?, presets?, remote?);
        if entries.is_none() && presets.is_empty() && remote.is_none() {
            return fields.problem("covers nothing, expected `entries`, `presets` or `remote`");
        }
        let taken = entries.and_then(|number| lists.borrow_mut().take(number));
        let mut builder = taken.unwrap_or_else(|| lists.borrow().empty());
        builder.add_networks(presets.into_iter().flat_map(Preset::networks));
        let (action, mode) = (action?, mode?);
        if !builder.suits(action == Action::Allow, mode == Mode::Off) {
            // The first look took the list for another sort than it is. It does not; but if it did, a list must not
            // allow what it does not name, nor cover nothing.
            return fields.problem("cannot be made out, expected each field once and without escapes");
        }
        Some(List {
            name: name?,
            action,
            mode,
            when: when?,
            sources: sources?,
            entries: builder.build(),
            remote,
            fetched: RefCell::default(),
        })
    })
}
