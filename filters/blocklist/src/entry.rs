//! One line of a list.

use std::net::Ipv6Addr;

use crate::host::{MAX_NAME, is_label};

/// A host or a domain that is blocked.
///
/// | entry            | covers                                                    |
/// |------------------|-----------------------------------------------------------|
/// | `example.com`    | that host                                                 |
/// | `*.example.com`  | the hosts below it, at any depth, but not itself          |
/// | `.example.com`   | that host and all below it                                |
/// | `192.0.2.1`, `::1` | that address, where it stands in place of a name        |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name in lower case.
    pub name: String,
    /// Which hosts it covers.
    pub reach: Reach,
}

/// Which hosts an entry covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The host of exactly that name.
    pub itself: bool,
    /// The hosts below it.
    pub below: bool,
}

impl Entry {
    /// Reads an entry as an operator typed it.
    ///
    /// # Errors
    ///
    /// What a right entry would be, to follow "expected".
    pub fn parse(typed: &str) -> Result<Self, &'static str> {
        if let Ok(address) = typed.trim_start_matches('[').trim_end_matches(']').parse::<Ipv6Addr>() {
            return Ok(Self { name: address.to_string(), reach: Reach { itself: true, below: false } });
        }
        let (name, reach) = if let Some(name) = typed.strip_prefix("*.") {
            (name, Reach { itself: false, below: true })
        } else if let Some(name) = typed.strip_prefix('.') {
            (name, Reach { itself: true, below: true })
        } else {
            (typed, Reach { itself: true, below: false })
        };
        if typed.contains("//") || typed.contains('/') {
            return Err("a host without a scheme or a path, such as \"example.com\"");
        }
        if typed.contains(':') {
            return Err("a host without a port: an entry covers every port");
        }
        if !typed.is_ascii() {
            return Err("the A-label of the name, such as \"xn--bcher-kva.example\"");
        }
        if name.contains('*') {
            return Err("a wildcard in front only, as in \"*.example.com\"");
        }
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.len() > MAX_NAME || !name.split('.').all(is_label) {
            return Err(
                "a host, \"*.\" and a domain, or \".\" and a domain; labels of 1 to 63 letters, digits and hyphens",
            );
        }
        Ok(Self { name: name.to_ascii_lowercase(), reach })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_could_be_misread_is_refused_with_a_hint() {
        for (typed, hint) in [
            ("", "labels of 1 to 63"),
            (".", "labels of 1 to 63"),
            ("*.", "labels of 1 to 63"),
            ("a..b", "labels of 1 to 63"),
            ("a b.test", "labels of 1 to 63"),
            ("api.*.test", "wildcard in front only"),
            ("*ads.test", "wildcard in front only"),
            ("ads.*", "wildcard in front only"),
            ("https://ads.test", "without a scheme"),
            ("ads.test/path", "without a scheme or a path"),
            ("ads.test:443", "without a port"),
            ("bücher.example", "A-label"),
        ] {
            let expected = Entry::parse(typed).unwrap_err();
            assert!(expected.contains(hint), "{typed}: {expected}");
        }
    }

    #[test]
    fn names_are_lower_cased_and_lose_a_trailing_dot() {
        let entry = Entry::parse("*.Example.COM.").unwrap();
        assert_eq!(entry, Entry { name: "example.com".into(), reach: Reach { itself: false, below: true } });
        assert_eq!(Entry::parse("[0::1]").unwrap().name, "::1");
    }
}
