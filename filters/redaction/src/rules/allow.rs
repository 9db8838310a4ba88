//! Matches that stay.

use crate::regex::Regex;

/// Texts that are no secret although they look like one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allow {
    /// In lower case; without separators where they are but digits.
    exact: Vec<Box<[u8]>>,
    /// What an address may end with, in lower case.
    suffixes: Vec<Box<[u8]>>,
    /// What all of a match may be.
    expressions: Vec<Regex>,
}

/// A match that stays.
pub(crate) enum Allowed {
    /// This, or for `@` an address that ends so.
    Text(String),
    /// One that all of this expression is.
    Like(Regex),
}

impl Allow {
    pub(crate) fn new(entries: Vec<Allowed>) -> Self {
        let mut allow = Self::default();
        for entry in entries {
            match entry {
                Allowed::Like(regex) => allow.expressions.push(regex),
                Allowed::Text(entry) => {
                    let text = normal(entry.as_bytes()).into_boxed_slice();
                    if entry.starts_with('@') { allow.suffixes.push(text) } else { allow.exact.push(text) }
                }
            }
        }
        allow
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.suffixes.is_empty() && self.expressions.is_empty()
    }

    /// Whether a match stays. `address`: it is an e-mail address, and may so be of a domain that is listed. A password
    /// that ends like one is none.
    pub(crate) fn covers(&self, matched: &[u8], address: bool) -> bool {
        if self.is_empty() {
            return false;
        }
        if self.expressions.iter().any(|regex| regex.covers(matched)) {
            return true;
        }
        let matched = normal(matched);
        self.exact.iter().any(|entry| **entry == *matched)
            || (address && self.suffixes.iter().any(|suffix| matched.ends_with(suffix)))
    }
}

/// Without case; and digits that are in groups without what is between them.
fn normal(text: &[u8]) -> Vec<u8> {
    let grouped = text.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b' ' | b'-'));
    text.iter().filter(|byte| !(grouped && matches!(byte, b' ' | b'-'))).map(u8::to_ascii_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_stays_however_it_is_written() {
        let allow = Allow::new(
            ["4111111111111111", "@example.com", "Bob@x.test"]
                .map(|text| Allowed::Text(text.to_owned()))
                .into(),
        );
        for yes in ["4111 1111 1111 1111", "4111-1111-1111-1111", "ada@Example.com", "bob@X.test"] {
            assert!(allow.covers(yes.as_bytes(), true), "{yes}");
        }
        for no in ["4111111111111112", "ada@example.com.test", "bob@x", ""] {
            assert!(!allow.covers(no.as_bytes(), true), "{no}");
        }
        let like = Allow::new(vec![Allowed::Like(Regex::new("4111[0-9 ]+", false).unwrap())]);
        assert!(
            like.covers(b"4111 1111", false)
                && !like.covers(b"4111 1111x", false)
                && !like.covers(b"14111", false)
        );
        assert!(!allow.covers(b"hunter2@example.com", false), "a password is no address");
    }
}
