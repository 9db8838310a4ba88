//! The names of one list, for looking up a host and the domains it is in.

use std::cmp::Ordering;
use std::net::IpAddr;

use filter_kit::host::{Host, Pattern, Reach, parents};

/// Names and addresses in order, each once: a host of n labels takes n binary searches, and no hashing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(Vec<(Key, Reach)>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Name(Box<str>),
    Address(IpAddr),
}

impl FromIterator<Pattern<'static>> for Names {
    fn from_iter<T: IntoIterator<Item = Pattern<'static>>>(patterns: T) -> Self {
        let entry = |pattern| match pattern {
            Pattern::Name(name, reach) => (Key::Name(name.into()), reach),
            Pattern::Network(network) => {
                (Key::Address(network.first()), Reach { itself: true, below: false })
            }
        };
        let mut entries: Vec<(Key, Reach)> = patterns.into_iter().map(entry).collect();
        entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        entries.dedup_by(|(key, reach), (kept, kept_reach)| {
            let same = key == kept;
            if same {
                kept_reach.itself |= reach.itself;
                kept_reach.below |= reach.below;
            }
            same
        });
        entries.shrink_to_fit();
        Self(entries)
    }
}

impl Names {
    /// Whether an entry covers `host`.
    pub fn covers(&self, host: &Host<'_>) -> bool {
        match host {
            Host::Address(address) => self
                .find(|key| match key {
                    Key::Name(_) => Ordering::Less,
                    Key::Address(other) => other.cmp(address),
                })
                .is_some(),
            Host::Name(name) => {
                self.reach(name).is_some_and(|reach| reach.itself)
                    || parents(name).any(|parent| self.reach(parent).is_some_and(|reach| reach.below))
            }
        }
    }

    fn reach(&self, name: &str) -> Option<Reach> {
        self.find(|key| match key {
            Key::Name(other) => (**other).cmp(name),
            Key::Address(_) => Ordering::Greater,
        })
    }

    fn find(&self, compare: impl Fn(&Key) -> Ordering) -> Option<Reach> {
        let index = self.0.binary_search_by(|(key, _)| compare(key)).ok()?;
        self.0.get(index).map(|(_, reach)| *reach)
    }
}

#[cfg(test)]
mod tests {
    use filter_kit::host::{Authority, Room};

    use super::*;
    use crate::entry::parse;

    #[test]
    fn two_entries_of_one_name_cover_what_either_covers() {
        let names: Names =
            ["*.a.test", "a.test", "a.test"].into_iter().map(|typed| parse(typed).unwrap()).collect();
        assert_eq!(names.0.len(), 1);
        for host in ["a.test", "b.a.test"] {
            let mut room = Room::new();
            assert!(names.covers(&Authority::parse(host.as_bytes(), &mut room).unwrap().host), "{host}");
        }
    }
}
