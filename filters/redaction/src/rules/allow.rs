//! Matches that stay.

/// Texts that are no secret although they look like one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allow {
    /// In lower case; without separators where they are but digits.
    exact: Vec<Box<[u8]>>,
    /// What a match may end with, in lower case.
    suffixes: Vec<Box<[u8]>>,
}

impl Allow {
    pub(crate) fn new(entries: &[String]) -> Self {
        let mut allow = Self::default();
        for entry in entries {
            let text = normal(entry.as_bytes()).into_boxed_slice();
            if entry.starts_with('@') { allow.suffixes.push(text) } else { allow.exact.push(text) }
        }
        allow
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.suffixes.is_empty()
    }

    /// Whether a match stays.
    pub(crate) fn covers(&self, matched: &[u8]) -> bool {
        if self.is_empty() {
            return false;
        }
        let matched = normal(matched);
        self.exact.iter().any(|entry| **entry == *matched)
            || self.suffixes.iter().any(|suffix| matched.ends_with(suffix))
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
        let allow =
            Allow::new(&["4111111111111111".to_owned(), "@example.com".to_owned(), "Bob@x.test".to_owned()]);
        for yes in ["4111 1111 1111 1111", "4111-1111-1111-1111", "ada@Example.com", "bob@X.test"] {
            assert!(allow.covers(yes.as_bytes()), "{yes}");
        }
        for no in ["4111111111111112", "ada@example.com.test", "bob@x", ""] {
            assert!(!allow.covers(no.as_bytes()), "{no}");
        }
    }
}
