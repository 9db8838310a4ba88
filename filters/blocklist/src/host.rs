//! The host of a request, in the one form that entries are compared with.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The longest host name there is, in bytes (RFC 1035, section 2.3.4, without the root's dot).
pub(crate) const MAX_NAME: usize = 253;

/// A host name or address in lower case, without port, brackets and trailing dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host<'a>(Cow<'a, str>);

impl<'a> Host<'a> {
    /// Reads the value of `:authority`; `None` when that is no host with an optional port.
    pub fn parse(authority: &'a [u8]) -> Option<Self> {
        let authority = std::str::from_utf8(authority).ok()?;
        if let Some(rest) = authority.strip_prefix('[') {
            let (address, port) = rest.split_once(']')?;
            let address: Ipv6Addr = address.parse().ok()?;
            return is_port_suffix(port).then(|| Self(Cow::Owned(address.to_string())));
        }
        let (name, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
        if !is_port_suffix(port) {
            return None;
        }
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.len() > MAX_NAME || !name.split('.').all(is_label) {
            return None;
        }
        let name = if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(name.to_ascii_lowercase())
        } else {
            Cow::Borrowed(name)
        };
        Some(Self(name))
    }

    /// The host as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a literal address: those have no parent domains.
    pub fn is_address(&self) -> bool {
        self.0.contains(':') || self.0.parse::<Ipv4Addr>().is_ok()
    }
}

/// Whether `label` can stand between the dots of a host name. Underscores are no part of a host name by
/// RFC 1123, but DNS carries them and they are in use.
pub(crate) fn is_label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

fn is_port_suffix(suffix: &str) -> bool {
    match suffix.strip_prefix(':') {
        Some(digits) => {
            digits.bytes().all(|byte| byte.is_ascii_digit())
                && (digits.is_empty() || digits.parse::<u16>().is_ok())
        }
        None => suffix.is_empty(),
    }
}
