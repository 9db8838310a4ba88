//! Hosts: as a request names them, and as an operator lists them.
//!
//! A client may write one host in many ways; what is compared must be one. [`Authority::parse`] makes it so, and says
//! why if it cannot. [`Entry::parse`] reads what an operator lists, and refuses what could be misread. Entries are
//! compared in the same form, so that no spelling of a listed host gets past its entry.
//!
//! ```
//! use filter_kit::host::{Authority, Entry, Malformed, Room};
//!
//! let covers = |entry: &str, authority: &str| {
//!     Entry::parse(entry).unwrap().covers(&Authority::parse(authority.as_bytes(), &mut Room::new()).unwrap())
//! };
//! assert!(covers(".example.com", "WWW.Example.COM.:8443"));
//! assert!(!covers("*.example.com", "example.com"));
//! assert!(covers("example.com:8443", "example.com:8443"));
//! assert!(covers("127.0.0.0/8", "2130706433"));
//! assert!(covers("10.0.0.1", "[::ffff:10.0.0.1]:80"));
//!
//! assert_eq!(Authority::parse(b"user@example.com", &mut Room::new()), Err(Malformed::Userinfo));
//! assert_eq!(Entry::parse("api.*.test"), Err("a wildcard in front only, as in \"*.example.com\""));
//! ```

mod address;
mod authority;
mod entry;
mod line;
mod network;

pub use authority::{Authority, Host, Malformed, Room};
pub use entry::{ENTRY, Entry, Pattern, Reach};
pub use line::listed;
pub use network::Network;

/// The longest host name there is, in bytes (RFC 1035, section 2.3.4, without the root's dot).
pub const MAX_NAME: usize = 253;

/// The longest label of a name, in bytes.
const MAX_LABEL: usize = 63;

/// The domains that a name is in, the nearest first: `b.c` and `c` for `a.b.c`.
pub fn parents(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(parent(name), |name| parent(name))
}

fn parent(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, parent)| parent)
}

/// Whether a byte can stand in a label. Underscores are no part of a host name by RFC 1123, but DNS carries them and
/// they are in use.
fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}
