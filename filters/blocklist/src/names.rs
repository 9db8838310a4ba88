//! The names of one list, for looking up a host and the domains it is in.

use std::net::IpAddr;

use filter_kit::host::{Host, Pattern, Reach, parents};

/// Names in order, each once: a host of n labels takes n binary searches, and no hashing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    names: Vec<(Box<str>, Reach)>,
    addresses: Vec<IpAddr>,
}

impl FromIterator<Pattern<'static>> for Names {
    fn from_iter<T: IntoIterator<Item = Pattern<'static>>>(patterns: T) -> Self {
        let (mut names, mut addresses) = (Vec::new(), Vec::new());
        for pattern in patterns {
            match pattern {
                Pattern::Name(name, reach) => names.push((Box::<str>::from(name), reach)),
                Pattern::Network(network) => addresses.push(network.first()),
            }
        }
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
        addresses.sort_unstable();
        addresses.dedup();
        Self { names, addresses }
    }
}

impl Names {
    /// Whether an entry covers `host`.
    pub fn covers(&self, host: &Host<'_>) -> bool {
        match host {
            Host::Address(address) => self.addresses.binary_search(address).is_ok(),
            Host::Name(name) => {
                self.reach(name).is_some_and(|reach| reach.itself)
                    || parents(name).any(|parent| self.reach(parent).is_some_and(|reach| reach.below))
            }
        }
    }

    fn reach(&self, name: &str) -> Option<Reach> {
        let index = self.names.binary_search_by(|(other, _)| (**other).cmp(name)).ok()?;
        self.names.get(index).map(|(_, reach)| *reach)
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
        assert_eq!(names.names.len(), 1);
        for host in ["a.test", "b.a.test"] {
            let mut room = Room::new();
            assert!(names.covers(&Authority::parse(host.as_bytes(), &mut room).unwrap().host), "{host}");
        }
    }
}
