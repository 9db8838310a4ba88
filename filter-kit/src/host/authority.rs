//! The host of a request, in the one form that entries are compared with.

use std::net::IpAddr;

use super::address::{self, Numeric};
use super::{MAX_LABEL, MAX_NAME, is_label_byte};

/// A host and the port that stands behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority<'a> {
    /// The host.
    pub host: Host<'a>,
    /// The port, if there is one.
    pub port: Option<u16>,
}

/// A host in the form in which hosts are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host<'a> {
    /// A name in lower case without a dot at its end: labels of letters, digits, `-` and `_`. It does not end in a
    /// number.
    Name(&'a str),
    /// An address, however it was spelled. Never an IPv4 address in the form of an IPv6 one.
    Address(IpAddr),
}

/// Why a value is no host with an optional port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Nothing, or nothing but a port.
    Empty,
    /// A byte beyond ASCII: a name has to come in its A-labels.
    NotAscii,
    /// White space or a control byte.
    Space,
    /// A name and a password before the host.
    Userinfo,
    /// A scheme, a path or a query about the host.
    Path,
    /// An escape: nothing undoes it, so it cannot be told what is meant.
    Percent,
    /// A dot too many: two in a row, or one in front.
    Label,
    /// A byte that no name has.
    Byte,
    /// A label of more than 63 bytes, or a name of more than 253.
    Long,
    /// What stands behind the colon is no port.
    Port,
    /// Brackets around what is no IPv6 address, or a number at the end of what is no IPv4 address.
    Address,
}

impl Malformed {
    /// A word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotAscii => "not_ascii",
            Self::Space => "space",
            Self::Userinfo => "userinfo",
            Self::Path => "path",
            Self::Percent => "percent",
            Self::Label => "label",
            Self::Byte => "byte",
            Self::Long => "long",
            Self::Port => "port",
            Self::Address => "address",
        }
    }
}

/// Room for a name in lower case, so that none has to be allocated.
#[derive(Debug)]
pub struct Room([u8; MAX_NAME]);

impl Room {
    /// Room for one name at a time.
    pub const fn new() -> Self {
        Self([0; MAX_NAME])
    }
}

impl Default for Room {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> Authority<'a> {
    /// Reads the value of `:authority` or `host`. A name that has upper case in it is written into `room`; nothing is
    /// allocated.
    ///
    /// # Errors
    ///
    /// [`Malformed`]: what cannot be told should not be let through.
    pub fn parse(value: &'a [u8], room: &'a mut Room) -> Result<Self, Malformed> {
        if let Some(rest) = value.strip_prefix(b"[") {
            let end = rest.iter().position(|byte| *byte == b']').ok_or(Malformed::Address)?;
            let (address, rest) = rest.split_at_checked(end).ok_or(Malformed::Address)?;
            let address = address::bracketed(address).ok_or(Malformed::Address)?;
            let port = port(rest.get(1..).unwrap_or_default())?;
            return Ok(Self { host: Host::Address(address), port });
        }
        let end = value.iter().position(|byte| *byte == b':').unwrap_or(value.len());
        let (name, rest) = value.split_at_checked(end).ok_or(Malformed::Empty)?;
        // The whole name first: what is wrong with it tells more than its port.
        let host = host(name, room)?;
        // Two colons are neither a port nor, without brackets, an address.
        Ok(Self { host, port: port(rest)? })
    }
}

fn host<'a>(name: &'a [u8], room: &'a mut Room) -> Result<Host<'a>, Malformed> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    if name.is_empty() {
        return Err(Malformed::Empty);
    }
    if name.len() > MAX_NAME {
        return Err(Malformed::Long);
    }
    let (mut label, mut upper) = (0, false);
    for &byte in name {
        if byte == b'.' {
            if label == 0 {
                return Err(Malformed::Label);
            }
            label = 0;
            continue;
        }
        if !is_label_byte(byte) {
            return Err(odd(byte));
        }
        upper |= byte.is_ascii_uppercase();
        label += 1;
        if label > MAX_LABEL {
            return Err(Malformed::Long);
        }
    }
    if label == 0 {
        return Err(Malformed::Label);
    }
    match address::numeric(name) {
        Some(Numeric::Dotted(address) | Numeric::Odd(address)) => {
            return Ok(Host::Address(IpAddr::V4(address)));
        }
        Some(Numeric::Invalid) => return Err(Malformed::Address),
        None => {}
    }
    let name = if upper {
        let room = room.0.get_mut(..name.len()).ok_or(Malformed::Long)?;
        room.copy_from_slice(name);
        room.make_ascii_lowercase();
        &*room
    } else {
        name
    };
    // Each byte was looked at: this cannot fail.
    std::str::from_utf8(name).map(Host::Name).map_err(|_| Malformed::NotAscii)
}

fn odd(byte: u8) -> Malformed {
    match byte {
        0..=b' ' | 0x7f => Malformed::Space,
        b'@' => Malformed::Userinfo,
        b'/' | b'\\' | b'?' | b'#' => Malformed::Path,
        b'%' => Malformed::Percent,
        0x80.. => Malformed::NotAscii,
        _ => Malformed::Byte,
    }
}

/// Reads nothing, or a colon and a port; a colon alone is allowed (RFC 3986, section 3.2.3).
fn port(text: &[u8]) -> Result<Option<u16>, Malformed> {
    let digits = match text {
        [] => return Ok(None),
        [b':', digits @ ..] => digits,
        // A password before the host looks like a port.
        _ => return Err(Malformed::Port),
    };
    if digits.is_empty() {
        return Ok(None);
    }
    if digits.contains(&b'@') {
        return Err(Malformed::Userinfo);
    }
    digits
        .iter()
        .try_fold(0_u16, |port, byte| {
            let digit = byte.is_ascii_digit().then(|| u16::from(byte - b'0'))?;
            port.checked_mul(10)?.checked_add(digit)
        })
        .map(Some)
        .ok_or(Malformed::Port)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(value: &str) -> Result<(String, Option<u16>), Malformed> {
        Authority::parse(value.as_bytes(), &mut Room::new()).map(|Authority { host, port }| {
            let host = match host {
                Host::Name(name) => name.to_owned(),
                Host::Address(address) => format!("<{address}>"),
            };
            (host, port)
        })
    }

    #[test]
    fn one_host_in_every_spelling_is_one() {
        for (value, host, port) in [
            ("example.com", "example.com", None),
            ("EXAMPLE.com.", "example.com", None),
            ("example.com:80", "example.com", Some(80)),
            ("example.com:", "example.com", None),
            ("Example.com.:00443", "example.com", Some(443)),
            ("xn--bcher-kva.example", "xn--bcher-kva.example", None),
            ("_dmarc.example.com", "_dmarc.example.com", None),
            ("localhost", "localhost", None),
            ("[::1]", "<::1>", None),
            ("[0::0:1]:443", "<::1>", Some(443)),
            ("[fe80::1%25eth0]:80", "<fe80::1>", Some(80)),
            ("[::ffff:10.0.0.1]", "<10.0.0.1>", None),
            ("10.0.0.1.:8080", "<10.0.0.1>", Some(8080)),
            ("0x7f.1", "<127.0.0.1>", None),
            ("2130706433:80", "<127.0.0.1>", Some(80)),
        ] {
            assert_eq!(parsed(value), Ok((host.to_owned(), port)), "{value}");
        }
    }

    #[test]
    fn what_is_no_host_says_why() {
        use Malformed::{Address, Byte, Empty, Label, Long, NotAscii, Path, Percent, Port, Space, Userinfo};
        for (value, why) in [
            ("", Empty),
            (".", Empty),
            (":80", Empty),
            ("..", Label),
            ("a..b", Label),
            (".a", Label),
            ("a..", Label),
            (" a", Space),
            ("a\tb", Space),
            ("a\0", Space),
            ("user@a", Userinfo),
            ("user:pass@a", Userinfo),
            ("a/b", Path),
            ("http://a", Port),
            ("a\\b", Path),
            ("%65xample.com", Percent),
            ("b\u{fc}cher.example", NotAscii),
            ("a,b", Byte),
            ("a*b", Byte),
            ("a:b", Port),
            ("a:65536", Port),
            ("a:+1", Port),
            ("::1", Empty),
            ("fe80::1", Port),
            ("[::1", Address),
            ("[a]", Address),
            ("[127.0.0.1]", Address),
            ("[::1]a", Port),
            ("[::1]:a", Port),
            ("256.0.0.1", Address),
            ("1.2.3.4.5", Address),
        ] {
            assert_eq!(parsed(value), Err(why), "{value}");
        }
        let label = |length| "a".repeat(length);
        assert!(parsed(&label(63)).is_ok());
        assert_eq!(parsed(&label(64)), Err(Long));
        let name = [label(63), label(63), label(63), label(61)].join(".");
        assert_eq!(name.len(), MAX_NAME);
        assert!(parsed(&name).is_ok() && parsed(&format!("{name}.:80")).is_ok());
        assert_eq!(parsed(&format!("{name}a")), Err(Long));
    }

    #[test]
    fn a_name_in_lower_case_is_not_copied() {
        let (value, mut room) = (*b"example.com:80", Room::new());
        let Host::Name(name) = Authority::parse(&value, &mut room).unwrap().host else { panic!("a name") };
        assert!(std::ptr::eq(name.as_ptr(), value.as_ptr()));
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(value in proptest::collection::vec(0u8.., 0..300)) {
            let _ = Authority::parse(&value, &mut Room::new());
        }

        #[test]
        fn what_was_parsed_parses_to_itself(value in "[a-zA-Z0-9._:%@\\[\\]x-]{0,40}") {
            if let Ok((host, port)) = parsed(&value) {
                let bare = host.trim_matches(['<', '>']);
                let again = if bare.contains(':') { format!("[{bare}]") } else { bare.to_owned() };
                prop_assert_eq!(parsed(&again).unwrap().0, host.clone());
                if let Some(port) = port {
                    prop_assert_eq!(parsed(&format!("{again}:{port}")).unwrap(), (host, Some(port)));
                }
            }
        }

        #[test]
        fn every_spelling_of_an_ipv4_address_is_that_address(bits: u32, form in 0..7) {
            let [a, b, c, d] = bits.to_be_bytes();
            let text = match form {
                0 => format!("{a}.{b}.{c}.{d}"),
                1 => format!("{bits}"),
                2 => format!("0x{bits:X}"),
                3 => format!("0{bits:o}"),
                4 => format!("{a}.{}", bits & 0xff_ffff),
                5 => format!("0{a:o}.0x{b:x}.{}", bits & 0xffff),
                _ => format!("[::ffff:{a}.{b}.{c}.{d}]"),
            };
            let host = format!("<{}>", std::net::Ipv4Addr::from_bits(bits));
            prop_assert_eq!(parsed(&text), Ok((host, None)), "{}", text);
        }
    }
}
