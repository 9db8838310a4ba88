//! Addresses in every spelling that resolvers take for one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a name that ends in a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numeric {
    /// Four decimal parts without leading zeros: the one spelling that all agree on.
    Dotted(Ipv4Addr),
    /// Another spelling of an address: fewer parts, octal, hexadecimal.
    Odd(Ipv4Addr),
    /// None at all, such as `1.2.3.4.5` or `256.1`.
    Invalid,
}

/// Reads a name as an IPv4 address; `None` if its last label is no number, so that it is a name.
///
/// The rules are those of URLs (WHATWG URL, "IPv4 parser") and of `inet_aton`: one to four parts, each decimal, octal
/// after a `0` or hexadecimal after `0x`, the last one filling what bytes are left.
pub(super) fn numeric(name: &[u8]) -> Option<Numeric> {
    let last = name.rsplit(|byte| *byte == b'.').next()?;
    if !last.first()?.is_ascii_digit() || !(last.iter().all(u8::is_ascii_digit) || part(last).is_some()) {
        return None;
    }
    Some(address(name).unwrap_or(Numeric::Invalid))
}

fn address(name: &[u8]) -> Option<Numeric> {
    let (mut value, mut before, mut plain) = (0_u64, 0_u32, true);
    let mut parts = name.split(|byte| *byte == b'.').peekable();
    while let Some(text) = parts.next() {
        let part = part(text)?;
        plain &= text.len() == 1 || text.first() != Some(&b'0');
        if parts.peek().is_none() {
            // The last part fills the bytes that are left.
            let bits = 32_u32.checked_sub(before * 8).filter(|bits| *bits > 0)?;
            if part >> bits != 0 {
                return None;
            }
            value = (value << bits) | part;
        } else {
            if part > 255 {
                return None;
            }
            value = (value << 8) | part;
            before += 1;
        }
    }
    let address = Ipv4Addr::from_bits(u32::try_from(value).ok()?);
    Some(if plain && before == 3 { Numeric::Dotted(address) } else { Numeric::Odd(address) })
}

/// A number in decimal, octal or hexadecimal; what is more than 32 bits is none.
fn part(text: &[u8]) -> Option<u64> {
    let (digits, radix) = match text {
        [b'0', b'x' | b'X', digits @ ..] => (digits, 16),
        [b'0', digits @ ..] if !digits.is_empty() => (digits, 8),
        digits => (digits, 10),
    };
    if digits.is_empty() {
        // `0x` alone is zero; nothing at all is no part.
        return (radix == 16).then_some(0);
    }
    let mut value = 0_u64;
    for byte in digits {
        value = value * radix + u64::from(char::from(*byte).to_digit(u32::try_from(radix).ok()?)?);
        if value > u64::from(u32::MAX) {
            return None;
        }
    }
    Some(value)
}

/// Reads what stands between brackets: an IPv6 address, with or without a zone, which is dropped.
pub(super) fn bracketed(text: &[u8]) -> Option<IpAddr> {
    let (address, zone) = match text.iter().position(|byte| *byte == b'%') {
        Some(place) => text.split_at_checked(place)?,
        None => (text, &b""[..]),
    };
    // In a URL the percent sign is itself escaped (RFC 6874).
    let zone = zone.strip_prefix(b"%25").or(zone.strip_prefix(b"%"));
    if zone.is_some_and(|zone| zone.is_empty() || !zone.iter().all(|byte| is_zone_byte(*byte))) {
        return None;
    }
    let address: Ipv6Addr = std::str::from_utf8(address).ok()?.parse().ok()?;
    Some(plain(address))
}

fn is_zone_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// The address that is meant: an IPv4 address may be written as an IPv6 one (`::ffff:10.0.0.1`).
pub(super) fn plain(address: Ipv6Addr) -> IpAddr {
    address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_plain_spelling_and_many_odd_ones() {
        let loopback = Ipv4Addr::new(127, 0, 0, 1);
        assert_eq!(numeric(b"127.0.0.1"), Some(Numeric::Dotted(loopback)));
        for odd in [
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "0x7F.1",
            "0177.0.0.1",
            "0177.0x0.0.01",
            "017700000001",
            "127.0.0.0x1",
        ] {
            assert_eq!(numeric(odd.as_bytes()), Some(Numeric::Odd(loopback)), "{odd}");
        }
        assert_eq!(numeric(b"0x"), Some(Numeric::Odd(Ipv4Addr::UNSPECIFIED)));
        assert_eq!(numeric(b"4294967295"), Some(Numeric::Odd(Ipv4Addr::BROADCAST)));
    }

    #[test]
    fn a_name_that_ends_in_a_number_and_is_no_address_is_nothing() {
        for invalid in
            ["256.0.0.1", "1.2.3.4.5", "4294967296", "08", "127.0.0.256", "1.2.3.09", "a.1", "1..1", "0x.a.1"]
        {
            assert_eq!(numeric(invalid.as_bytes()), Some(Numeric::Invalid), "{invalid}");
        }
        for name in ["example.com", "1.example", "1a", "127.0.0.1x", "0xg", "", "a.", "0x1.test"] {
            assert_eq!(numeric(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn zones_are_dropped_and_mapped_addresses_are_what_they_map() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        for (text, expected) in [
            ("::1", "::1"),
            ("fe80::1%eth0", "fe80::1"),
            ("fe80::1%25eth0", "fe80::1"),
            ("::ffff:10.0.0.1", "10.0.0.1"),
            ("::FFFF:a00:1", "10.0.0.1"),
        ] {
            assert_eq!(bracketed(text.as_bytes()), Some(address(expected)), "{text}");
        }
        for wrong in ["", "::1%", "::1%25", "::1% ", "10.0.0.1", "::g", ":::", "::1%a/b", "\u{e9}"] {
            assert_eq!(bracketed(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
