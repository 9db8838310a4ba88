//! A host or hosts, as an operator lists them.

use std::borrow::Cow;
use std::net::IpAddr;

use super::address::{self, Numeric};
use super::network::Network;
use super::{Authority, Host, MAX_LABEL, MAX_NAME, is_label_byte};
use crate::config::Text;

/// Hosts that are listed.
///
/// | entry                               | covers                                                |
/// |-------------------------------------|-------------------------------------------------------|
/// | `example.com`                       | that host                                             |
/// | `*.example.com`                     | the hosts below it, at any depth, but not itself      |
/// | `.example.com`, `\|\|example.com^`    | that host and all below it                            |
/// | `192.0.2.1`, `::1`, `[::1]`         | that address, where it stands in place of a name      |
/// | `10.0.0.0/8`, `fd00::/8`            | the addresses that begin with so many bits            |
/// | any but a network, and `:8443`      | the same, on that port only; IPv6 in brackets         |
///
/// Names are compared without case and without a dot at their end; addresses by their value, whatever the spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The hosts.
    pub pattern: Pattern<'a>,
    /// The only port on which they are covered, if there is one.
    pub port: Option<u16>,
}

/// Which hosts an entry covers, on whatever port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern<'a> {
    /// Those of or below a name, in lower case and without a dot at its end.
    Name(Cow<'a, str>, Reach),
    /// The addresses of a network, often of a single one.
    Network(Network),
}

/// Which hosts a name covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The host of exactly that name.
    pub itself: bool,
    /// The hosts below it.
    pub below: bool,
}

/// What a schema says of an entry. The reader is stricter: it looks at the numbers of addresses and ports.
pub const ENTRY: Text = Text::pattern(
    r"^(\*\.|\.)?[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?(:[0-9]{1,5})?$|^\|\|[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\^$|^[0-9]{1,3}(\.[0-9]{1,3}){3}/[0-9]{1,2}$|^[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(/[0-9]{1,3})?$|^\[[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*\](:[0-9]{1,5})?$",
)
.bytes(1, 270)
.examples(&["example.com", "*.example.com", ".example.com:8443", "10.0.0.0/8", "::1"]);

const FORMS: &str =
    "a host, \"*.\" and a domain, or \".\" and a domain; labels of 1 to 63 letters, digits and hyphens";
const PORT: &str = "a port from 1 to 65535 after the colon, as in \"example.com:8443\"";
const NETWORK: &str = "a network such as \"10.0.0.0/8\" or \"fd00::/8\": its first address, without a port, and its number of bits";

impl<'a> Entry<'a> {
    /// Reads an entry as an operator typed it.
    ///
    /// # Errors
    ///
    /// What a right entry would be, to follow "expected".
    pub fn parse(typed: &'a str) -> Result<Self, &'static str> {
        // Lists have a million of these; what is wrong with another is found out at leisure.
        if let Some(pattern) = plain(typed) {
            return Ok(Self { pattern, port: None });
        }
        if typed.starts_with('~') {
            return Err(
                "a host, or \".\" and a domain: there are no regular expressions, each of which would be tried on every request",
            );
        }
        if !typed.is_ascii() {
            return Err("the A-label of the name, such as \"xn--bcher-kva.example\"");
        }
        if typed.as_bytes().windows(2).any(|pair| pair == b"//") {
            return Err("a host without a scheme or a path, such as \"example.com\"");
        }
        if typed.bytes().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control()) {
            return Err("one host without white space; labels of 1 to 63 letters, digits and hyphens");
        }
        if let Some((first, bits)) = typed.split_once('/') {
            return Ok(Self { pattern: Pattern::Network(network(first, bits)?), port: None });
        }
        if let Some(rest) = typed.strip_prefix('[') {
            let (address, port) = rest.split_once(']').ok_or("a closing bracket behind the address")?;
            return Ok(Self { pattern: v6(address)?, port: port_after(port)? });
        }
        if typed.bytes().filter(|byte| *byte == b':').count() > 1 {
            return Ok(Self { pattern: v6(typed)?, port: None });
        }
        let (host, port) = typed.split_at_checked(typed.find(':').unwrap_or(typed.len())).ok_or(FORMS)?;
        Ok(Self { pattern: name(host)?, port: port_after(port)? })
    }

    /// Whether it covers a request's host.
    pub fn covers(&self, authority: &Authority<'_>) -> bool {
        self.port.is_none_or(|port| authority.port == Some(port)) && self.pattern.covers(authority.host)
    }

    /// A copy that borrows nothing.
    pub fn into_owned(self) -> Entry<'static> {
        Entry { pattern: self.pattern.into_owned(), port: self.port }
    }
}

impl Pattern<'_> {
    /// A copy that borrows nothing.
    pub fn into_owned(self) -> Pattern<'static> {
        match self {
            Self::Name(name, reach) => Pattern::Name(Cow::Owned(name.into_owned()), reach),
            Self::Network(network) => Pattern::Network(network),
        }
    }

    /// Whether it covers a host.
    pub fn covers(&self, host: Host<'_>) -> bool {
        match (self, host) {
            (Self::Name(name, reach), Host::Name(host)) => match host.strip_suffix(&**name) {
                Some("") => reach.itself,
                Some(below) => reach.below && below.ends_with('.'),
                None => false,
            },
            (Self::Network(network), Host::Address(address)) => network.contains(address),
            _ => false,
        }
    }
}

/// A name in lower case, with or without `*.` or a dot before it: most entries, and read in one go. `None` for any
/// other entry, right or wrong.
fn plain(typed: &str) -> Option<Pattern<'_>> {
    let (name, reach) = match typed.as_bytes() {
        [b'*', b'.', ..] => (typed.get(2..)?, Reach { itself: false, below: true }),
        [b'.', ..] => (typed.get(1..)?, Reach { itself: true, below: true }),
        _ => (typed, Reach { itself: true, below: false }),
    };
    let (mut label, mut first) = (0, b'0');
    for &byte in name.as_bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => {
                if label == 0 {
                    first = byte;
                }
                label += 1;
            }
            b'.' if (1..=MAX_LABEL).contains(&label) => label = 0,
            _ => return None,
        }
    }
    // A last label that begins with a digit may be a part of an address.
    let is_name = (1..=MAX_LABEL).contains(&label) && !first.is_ascii_digit() && name.len() <= MAX_NAME;
    is_name.then_some(Pattern::Name(Cow::Borrowed(name), reach))
}

fn network(first: &str, bits: &str) -> Result<Network, &'static str> {
    let first = first.strip_prefix('[').and_then(|first| first.strip_suffix(']')).unwrap_or(first);
    let Ok(address) = first.parse::<IpAddr>() else {
        // `example.com/path`, or an address in an odd spelling.
        return Err(if address::numeric(first.as_bytes()).is_some() || first.contains(':') {
            NETWORK
        } else {
            "a host without a scheme or a path, such as \"example.com\""
        });
    };
    if bits.is_empty() || bits.len() > 3 || !bits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NETWORK);
    }
    let bits: u8 = bits.parse().map_err(|_| NETWORK)?;
    Network::new(address, bits).ok_or(NETWORK)
}

fn v6(text: &str) -> Result<Pattern<'static>, &'static str> {
    let address: std::net::Ipv6Addr = text.parse().map_err(
        |_| "an IPv6 address without a zone, in brackets if a port follows, such as \"[::1]:443\"",
    )?;
    Ok(Pattern::Network(Network::of(address::plain(address))))
}

fn port_after(text: &str) -> Result<Option<u16>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    let digits = text.strip_prefix(':').ok_or(PORT)?;
    if digits.len() > 5 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PORT);
    }
    match digits.parse() {
        Ok(0) | Err(_) => Err(PORT),
        Ok(port) => Ok(Some(port)),
    }
}

fn name(typed: &str) -> Result<Pattern<'_>, &'static str> {
    let both = Reach { itself: true, below: true };
    let (name, reach) = if let Some(name) = typed.strip_prefix("||") {
        (name.strip_suffix('^').ok_or("\"||example.com^\", with \"^\" at its end")?, both)
    } else if let Some(name) = typed.strip_prefix("*.") {
        (name, Reach { itself: false, below: true })
    } else if let Some(name) = typed.strip_prefix('.') {
        (name, both)
    } else {
        (typed, Reach { itself: true, below: false })
    };
    if name.contains('*') {
        return Err("a wildcard in front only, as in \"*.example.com\"");
    }
    if name.contains('@') {
        return Err("a host without a user before it, such as \"example.com\"");
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| (1..=MAX_LABEL).contains(&label.len()) && label.bytes().all(is_label_byte);
    if name.len() > MAX_NAME || !name.split('.').all(is_label) {
        return Err(FORMS);
    }
    match address::numeric(name.as_bytes()) {
        None => {}
        Some(Numeric::Dotted(address)) if !reach.below => {
            return Ok(Pattern::Network(Network::of(IpAddr::V4(address))));
        }
        Some(_) if reach.below => return Err("a domain that does not end in a number: those are addresses"),
        Some(_) => return Err("an IPv4 address in four decimal parts, such as \"192.0.2.1\""),
    }
    let name = if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(name.to_ascii_lowercase())
    } else {
        Cow::Borrowed(name)
    };
    Ok(Pattern::Name(name, reach))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Room;
    use super::*;

    fn covers(entry: &str, authority: &str) -> bool {
        Entry::parse(entry)
            .unwrap_or_else(|expected| panic!("{entry}: {expected}"))
            .covers(&Authority::parse(authority.as_bytes(), &mut Room::new()).unwrap())
    }

    #[test]
    fn each_form_covers_what_it_says() {
        let hosts = [
            "example.com",
            "EXAMPLE.com.",
            "example.com:80",
            "a.b.example.com",
            "notexample.com",
            "example.com.evil.test",
            "com",
            "10.0.0.1",
        ];
        for (entries, covered) in [
            (&["example.com", "Example.COM."][..], [1, 1, 1, 0, 0, 0, 0, 0]),
            (&["*.example.com", "*.EXAMPLE.com."], [0, 0, 0, 1, 0, 0, 0, 0]),
            (&[".example.com", "||example.com^"], [1, 1, 1, 1, 0, 0, 0, 0]),
            (&["example.com:80", ".Example.com.:80"], [0, 0, 1, 0, 0, 0, 0, 0]),
            (&["10.0.0.1", "10.0.0.0/8", "::ffff:10.0.0.1", "0.0.0.0/0"], [0, 0, 0, 0, 0, 0, 0, 1]),
            (&["::/0", "fd00::/8"], [0; 8]),
        ] {
            for entry in entries {
                assert_eq!(hosts.map(|host| u8::from(covers(entry, host))), covered, "{entry}");
            }
        }
    }

    #[test]
    fn an_address_is_covered_in_every_spelling_and_a_port_on_its_own() {
        for (entry, authority) in [
            ("127.0.0.1", "0x7f.1"),
            ("127.0.0.0/8", "2130706433:80"),
            ("::1", "[0:0::1]:443"),
            ("[::1]", "[::1]"),
            ("[::1]:443", "[::1]:443"),
            ("fe80::/10", "[fe80::1%25eth0]"),
            ("192.0.2.1:8080", "192.0.2.1:8080"),
            ("::ffff:0:0/96", "192.0.2.1"),
        ] {
            assert!(covers(entry, authority), "{entry} {authority}");
        }
        assert!(!covers("[::1]:443", "[::1]"));
        assert!(!covers("192.0.2.1:8080", "192.0.2.1"));
    }

    #[test]
    fn an_entry_that_could_be_misread_is_refused_with_a_hint() {
        for (typed, hint) in [
            ("", "labels of 1 to 63"),
            (".", "labels of 1 to 63"),
            ("*.", "labels of 1 to 63"),
            ("a..b", "labels of 1 to 63"),
            ("~^ads[0-9]+\\.", "there are no regular expressions"),
            ("~a.test", "there are no regular expressions"),
            ("a b.test", "without white space"),
            (" a.test", "without white space"),
            ("api.*.test", "wildcard in front only"),
            ("*ads.test", "wildcard in front only"),
            ("ads.*", "wildcard in front only"),
            ("*", "wildcard in front only"),
            ("https://ads.test", "without a scheme"),
            ("ads.test/path", "without a scheme or a path"),
            ("||ads.test", "\"^\" at its end"),
            ("ads.test^", "labels of 1 to 63"),
            ("user@ads.test", "without a user"),
            ("b\u{fc}cher.example", "A-label"),
            ("ads.test:", "port from 1"),
            ("ads.test:0", "port from 1"),
            ("ads.test:65536", "port from 1"),
            ("ads.test:http", "port from 1"),
            ("10.0.0.1/8", "first address"),
            ("10.0.0.0/33", "first address"),
            ("10.0.0.0/", "first address"),
            ("10.0.0.0/+8", "first address"),
            ("10.0.0.0/8:80", "number of bits"),
            ("10/8", "first address"),
            ("fd00::1/8", "first address"),
            ("127.1", "four decimal parts"),
            ("0x7f.0.0.1", "four decimal parts"),
            ("010.0.0.1", "four decimal parts"),
            ("256.0.0.1", "four decimal parts"),
            (".10.0.0.1", "does not end in a number"),
            ("*.1", "does not end in a number"),
            ("fe80::1%eth0", "without a zone"),
            ("[::1", "closing bracket"),
            ("[ads.test]", "IPv6 address"),
            ("[::1]x", "port from 1"),
            (&"a".repeat(64), "labels of 1 to 63"),
            (&["a".repeat(63).as_str(); 4].join("."), "labels of 1 to 63"),
        ] {
            let expected = Entry::parse(typed).expect_err(typed);
            assert!(expected.contains(hint), "{typed}: {expected}");
        }
    }

    #[test]
    fn a_name_in_lower_case_is_not_copied() {
        let borrows = |typed: &str| {
            matches!(Entry::parse(typed).unwrap().pattern, Pattern::Name(Cow::Borrowed("ads.test"), _))
        };
        assert!(borrows("*.ads.test.") && borrows("||ads.test^") && !borrows("Ads.test"));
    }

    proptest! {
        #[test]
        fn what_is_read_in_one_go_is_what_is_read_at_leisure(typed in "(\\*\\.|\\.)?([a-z0-9_-]{1,5}\\.){0,3}[a-z0-9_-]{0,3}\\.?") {
            if let Some(pattern) = plain(&typed) {
                prop_assert_eq!(name(&typed), Ok(pattern));
            }
        }

        #[test]
        fn no_text_is_too_odd(typed in "\\PC{0,40}|[*.|^a-f0-9:/\\[\\]%]{0,24}") {
            let _ = Entry::parse(&typed);
        }

        #[test]
        fn no_spelling_of_a_listed_host_gets_through(
            below in "([a-zA-Z0-9_]{1,10}\\.){0,5}", dot in "\\.?", port in "(:[0-9]{0,4})?", upper: bool,
        ) {
            let name = if upper { "EXAMPLE.COM" } else { "example.com" };
            let (host, entry) = (format!("{below}{name}{dot}{port}"), ".Example.com");
            prop_assert!(covers(entry, &host), "{}", host);
        }

        #[test]
        fn an_entry_covers_the_host_that_it_names(typed in "[a-zA-Z0-9._:-]{1,20}") {
            let Ok(entry) = Entry::parse(&typed) else { return Ok(()) };
            // What an entry may be without brackets, a host may not.
            let authority = if typed.matches(':').count() > 1 { format!("[{typed}]") } else { typed.clone() };
            let authority = authority.strip_prefix('.').unwrap_or(&authority);
            let mut room = Room::new();
            let parsed = Authority::parse(authority.as_bytes(), &mut room);
            prop_assert!(parsed.is_ok_and(|parsed| entry.covers(&parsed)), "{}", typed);
        }
    }
}
