//! Where an artifact goes: registry, organisation and tag, checked before anything is sent.
//!
//! Registries answer a malformed name with a bare 404 or 400, and Istio reads `team/x` as a name on Docker Hub.
//! So what was typed is refused here, by the name of the variable that it was typed into.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// What was typed is not what it should be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{variable} is {typed:?}, expected {expected}")]
pub struct Invalid {
    variable: &'static str,
    typed: String,
    expected: &'static str,
}

fn invalid<T>(variable: &'static str, typed: &str, expected: &'static str) -> Result<T, Invalid> {
    Err(Invalid { variable, typed: typed.to_owned(), expected })
}

/// A registry's host, with a port if it has its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registry {
    text: String,
    is_loopback: bool,
}

impl Registry {
    /// Whether it is on this machine: only such a one is spoken to without TLS unasked.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.is_loopback
    }
}

impl FromStr for Registry {
    type Err = Invalid;

    fn from_str(typed: &str) -> Result<Self, Invalid> {
        const NAME: &str = "REGISTRY";
        if typed.contains("://") {
            return invalid(NAME, typed, "a host without a scheme, such as ghcr.io or localhost:5000");
        }
        if typed.contains('/') {
            return invalid(NAME, typed, "a host without a path (the path is ORG's)");
        }
        let (host, port) = split_port(typed);
        if port.is_some_and(|port| !is_port(port)) {
            return invalid(NAME, typed, "a port from 1 to 65535 after the colon");
        }
        let ip = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            None => host.parse::<IpAddr>().ok().filter(IpAddr::is_ipv4),
        };
        if ip.is_none() && !is_host_name(host) {
            return invalid(NAME, typed, "a host with an optional port, such as ghcr.io or localhost:5000");
        }
        let is_localhost = host == "localhost" || host.ends_with(".localhost");
        if !host.contains('.') && port.is_none() && ip.is_none() && !is_localhost {
            return invalid(
                NAME,
                typed,
                "a host with a dot or a port (Istio would look for it on Docker Hub)",
            );
        }
        let is_loopback = ip.map_or(is_localhost, |ip| ip.is_loopback());
        Ok(Self { text: typed.to_owned(), is_loopback })
    }
}

/// An IPv6 address has colons of its own, but then also brackets.
fn split_port(typed: &str) -> (&str, Option<&str>) {
    match typed.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (typed, None),
    }
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port > 0)
}

fn is_host_name(host: &str) -> bool {
    host.split('.').all(|label| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    })
}

/// An organisation, or a longer path such as `team/filters`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Org(String);

impl FromStr for Org {
    type Err = Invalid;

    fn from_str(typed: &str) -> Result<Self, Invalid> {
        if typed.split('/').all(is_path_component) {
            return Ok(Self(typed.to_owned()));
        }
        let expected = if typed.bytes().any(|byte| byte.is_ascii_uppercase()) {
            "lower-case letters (registries know no others in a path)"
        } else {
            "lower-case letters and digits, separated by single `.`, `_`, `/` or by `-`, such as meshloom or team/filters"
        };
        invalid("ORG", typed, expected)
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, from the OCI distribution specification.
fn is_path_component(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let mut separators = text.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    text.bytes().next().is_some_and(is_word)
        && text.bytes().last().is_some_and(is_word)
        && separators.all(|run| matches!(run, "" | "." | "_" | "__") || run.bytes().all(|byte| byte == b'-'))
}

/// A tag, such as `v0.1.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(String);

impl FromStr for Tag {
    type Err = Invalid;

    fn from_str(typed: &str) -> Result<Self, Invalid> {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let fits = (1..=128).contains(&typed.len())
            && typed.bytes().next().is_some_and(word)
            && typed.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'));
        if fits {
            return Ok(Self(typed.to_owned()));
        }
        invalid(
            "TAG",
            typed,
            "1 to 128 letters, digits, `_`, `.` and `-`, such as v0.1.0 (the first no `.` or `-`)",
        )
    }
}

/// Where one filter's artifact goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository(String);

impl Repository {
    /// `HOST/ORG/FILTER`.
    ///
    /// # Errors
    ///
    /// [`Invalid`], when a registry would not take the filter's name.
    pub fn new(registry: &Registry, org: &Org, filter: &str) -> Result<Self, Invalid> {
        if !is_path_component(filter) {
            return invalid("the filter's name", filter, "lower-case words joined by `-`");
        }
        Ok(Self(format!("{registry}/{org}/{filter}")))
    }

    /// `HOST/ORG/FILTER:TAG`, which may mean something else tomorrow.
    #[must_use]
    pub fn tagged(&self, tag: &Tag) -> String {
        format!("{}:{tag}", self.0)
    }

    /// `oci://HOST/ORG/FILTER@sha256:…`, which means the same forever: the `url` of a WasmPlugin.
    #[must_use]
    pub fn pinned(&self, digest: &crate::digest::Digest) -> String {
        format!("oci://{}@{digest}", self.0)
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for Org {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_a_host_with_an_optional_port() {
        for (typed, loopback) in [
            ("ghcr.io", false),
            ("docker.io", false),
            ("registry.example.com:5000", false),
            ("registry:5000", false),
            ("10.0.0.7:5000", false),
            ("localhost", true),
            ("localhost:5000", true),
            ("127.0.0.1:34567", true),
            ("[::1]:5000", true),
            ("[fd00::1]", false),
        ] {
            let registry: Registry = typed.parse().unwrap();
            assert_eq!((registry.to_string().as_str(), registry.is_loopback()), (typed, loopback));
        }
    }

    #[test]
    fn what_is_no_registry_is_refused_by_the_name_of_its_variable() {
        for (typed, hint) in [
            ("", "a host with an optional port"),
            ("https://ghcr.io", "without a scheme"),
            ("ghcr.io/meshloom", "without a path"),
            ("ghcr.io:", "a port from 1 to 65535"),
            ("ghcr.io:0", "a port from 1 to 65535"),
            ("ghcr.io:65536", "a port from 1 to 65535"),
            ("ghcr.io:+80", "a port from 1 to 65535"),
            ("ghcr..io", "a host with"),
            ("-ghcr.io", "a host with"),
            ("gh cr.io", "a host with"),
            ("::1", "a host with"),
            ("[::1", "a host with"),
            ("meshloom", "a dot or a port"),
        ] {
            let error = typed.parse::<Registry>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("REGISTRY is {typed:?}, expected ")), "{error}");
            assert!(error.contains(hint), "{typed}: {error}");
        }
    }

    #[test]
    fn an_organisation_is_a_path_of_lower_case_words() {
        for right in ["meshloom", "team/filters", "a-b/c_d/e.f/g__h", "a---b", "7"] {
            assert!(right.parse::<Org>().is_ok(), "{right}");
        }
        for wrong in
            ["", "/", "a/", "/a", "a//b", "Team", "a..b", "a._b", "a___b", "-a", "a-", "a b", "a:b", "é"]
        {
            let error = wrong.parse::<Org>().unwrap_err().to_string();
            assert!(error.starts_with("ORG is "), "{error}");
        }
        assert!("Team".parse::<Org>().unwrap_err().to_string().contains("lower-case letters (registries"));
    }

    #[test]
    fn a_tag_has_at_most_128_characters_and_begins_with_a_word() {
        for right in ["v0.1.0", "_", "latest", "2026-11-21"] {
            assert!(right.parse::<Tag>().is_ok(), "{right}");
        }
        assert!("x".repeat(128).parse::<Tag>().is_ok());
        for wrong in ["", ".1", "-1", "v1+build", "v 1", "a/b", "sha256:abc", &"x".repeat(129)] {
            let error = wrong.parse::<Tag>().unwrap_err().to_string();
            assert!(error.starts_with("TAG is "), "{error}");
        }
    }

    #[test]
    fn a_repository_is_shown_by_tag_and_by_digest() {
        let (registry, org) = ("ghcr.io".parse().unwrap(), "meshloom".parse().unwrap());
        let repository = Repository::new(&registry, &org, "blocklist").unwrap();
        assert_eq!(repository.tagged(&"v1".parse().unwrap()), "ghcr.io/meshloom/blocklist:v1");
        let pinned = repository.pinned(&crate::digest::Digest::of(b""));
        assert!(pinned.starts_with("oci://ghcr.io/meshloom/blocklist@sha256:e3b0c442"), "{pinned}");
        assert!(Repository::new(&registry, &org, "Block list").is_err());
    }
}
