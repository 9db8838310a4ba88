//! The names of one list, for looking up a host and the domains it is in.

use crate::entry::{Entry, Reach};
use crate::host::Host;

/// Names in order, each once: a host of n labels takes n binary searches, and no hashing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(Vec<(Box<str>, Reach)>);

impl FromIterator<Entry> for Names {
    fn from_iter<T: IntoIterator<Item = Entry>>(entries: T) -> Self {
        let mut names: Vec<(Box<str>, Reach)> =
            entries.into_iter().map(|entry| (entry.name.into_boxed_str(), entry.reach)).collect();
        names.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        names.dedup_by(|(name, reach), (kept, kept_reach)| {
            let same = name == kept;
            if same {
                kept_reach.itself |= reach.itself;
                kept_reach.below |= reach.below;
            }
            same
        });
        names.shrink_to_fit();
        Self(names)
    }
}

impl Names {
    /// Whether an entry covers `host`.
    pub fn covers(&self, host: &Host<'_>) -> bool {
        let name = host.as_str();
        if self.reach(name).is_some_and(|reach| reach.itself) {
            return true;
        }
        // The dots of an address divide no domains.
        !host.is_address() && parents(name).any(|parent| self.reach(parent).is_some_and(|reach| reach.below))
    }

    fn reach(&self, name: &str) -> Option<Reach> {
        let index = self.0.binary_search_by(|(other, _)| (**other).cmp(name)).ok()?;
        self.0.get(index).map(|(_, reach)| *reach)
    }
}

/// `b.c` and `c` for `a.b.c`.
fn parents(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, parent)| parent)).skip(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(entries: &[&str]) -> Names {
        entries.iter().map(|typed| Entry::parse(typed).unwrap()).collect()
    }

    #[test]
    fn two_entries_of_one_name_cover_what_either_covers() {
        let names = names(&["*.a.test", "a.test", "a.test"]);
        assert_eq!(names.0.len(), 1);
        for host in ["a.test", "b.a.test"] {
            assert!(names.covers(&Host::parse(host.as_bytes()).unwrap()), "{host}");
        }
    }

    #[test]
    fn an_address_is_below_no_domain() {
        let names = names(&[".1", "*.0.0.1"]);
        assert!(!names.covers(&Host::parse(b"127.0.0.1").unwrap()));
    }
}
