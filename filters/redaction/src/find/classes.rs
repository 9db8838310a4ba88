//! Which bytes make a place worth a look: for each group of detectors a byte before, and three from the place on.

pub(super) use crate::bytes::Bytes;
use crate::detect::Kind;
use crate::text::Text;

/// The byte before a place, and the three that begin there.
pub(super) type Around = [Bytes; 4];

const ANY: Bytes = Bytes::ALL;
const DIGIT: Bytes = Bytes::NONE.with(b'0', b'9');
const UPPER: Bytes = Bytes::NONE.with(b'A', b'Z');
const HEX: Bytes = DIGIT.with(b'a', b'f').with(b'A', b'F');

/// The groups: detectors in one are asked together. Eight of them, for each is a bit of a byte.
pub(super) const GROUPS: usize = 8;

/// The group of a detector, and the bytes that make a place worth asking it.
pub(super) fn of(kind: &Kind) -> (usize, Around) {
    match kind {
        // The first of three digits: numbers are looked at once, however long they are.
        Kind::CreditCard | Kind::UsSsn { .. } => (0, [DIGIT.not(), DIGIT, DIGIT, DIGIT]),
        Kind::Email => (1, [ANY, Bytes::of(b"@"), ANY, ANY]),
        Kind::PhoneE164 => (6, [ANY, Bytes::of(b"+"), DIGIT, ANY]),
        Kind::Ipv4 => (2, [ANY, DIGIT, Bytes::of(b"."), DIGIT]),
        Kind::Iban => (2, [ANY, UPPER, UPPER, DIGIT]),
        Kind::Ipv6 => {
            let hex = HEX.with(b':', b':');
            (3, [ANY, Bytes::of(b":"), hex, ANY])
        }
        Kind::Jwt => (5, [ANY, Bytes::of(b"e"), Bytes::of(b"y"), Bytes::of(b"J")]),
        Kind::AwsAccessKey => (5, [ANY, Bytes::of(b"A"), Bytes::of(b"KSBC"), Bytes::of(b"IC")]),
        Kind::PrivateKeyPem => {
            (5, [Bytes::of(b"-").not(), Bytes::of(b"-"), Bytes::of(b"-"), Bytes::of(b"-")])
        }
        Kind::Bearer => (5, [ANY, Bytes::of(b"bB"), Bytes::of(b"eE"), Bytes::of(b"aA")]),
        Kind::Assignment(_) => (6, [ANY, Bytes::of(b"="), ANY, ANY]),
        Kind::Regex(expression) => {
            let [first, second, third] = expression.regex.begins().map(|bytes| bytes.unwrap_or(ANY));
            (7, [ANY, first, second, third])
        }
        Kind::Literal(literals) => {
            let at = |place| literals.bytes_at(place).map_or(ANY, |bytes| Bytes::of(&bytes));
            (7, [ANY, at(0), at(1), at(2)])
        }
    }
}

/// What else makes a place worth asking a detector: another group that has it too.
pub(super) fn also(kind: &Kind) -> Option<(usize, Around)> {
    // After the name of a member, and not in a time.
    let quote = Bytes::of(b"\"' \t\r\n");
    matches!(kind, Kind::Assignment(_)).then_some((4, [quote, Bytes::of(b":"), ANY, ANY]))
}

/// The same as [`of`], for JSON as it is written.
pub(super) fn in_json(kind: &Kind, own: (usize, Around)) -> Vec<(usize, Around)> {
    let quote = Bytes::of(b"\"");
    match (kind, own) {
        // In a string a quotation mark before a colon is escaped, and such strings are always looked into. An address
        // that begins a string begins with two colons.
        (Kind::Ipv6, (group, [_, colon, hex, any])) => {
            vec![(group, [quote.not(), colon, hex, any]), (4, [quote, colon, colon, any])]
        }
        _ => vec![own],
    }
}

/// The bit of the group of addresses of version 6.
pub(super) const COLONS: u8 = 1 << 3;

/// Whether this colon is of no time, port or other pair of numbers: nearly every colon is.
#[inline]
pub(super) fn may_be_address(text: &Text<'_>, place: usize) -> bool {
    let after = text.bytes.get(place + 1..).unwrap_or_default();
    let group = after.iter().take(5).take_while(|byte| byte.is_ascii_hexdigit()).count();
    // An address goes on with another colon, be it the second of a pair.
    match after.get(group) {
        Some(b':') => {
            let rest = after.get(group + 1..).unwrap_or_default();
            let next = rest.iter().take(5).take_while(|byte| byte.is_ascii_hexdigit()).count();
            group == 0 || rest.get(next).map_or(!text.end, |byte| *byte == b':')
        }
        Some(_) => false,
        None => !text.end,
    }
}

/// The bit of the group of numbers.
pub(super) const NUMBERS: u8 = 1;

/// Whether the digits at `place` are grouped as those of a card or a Social Security number: years and most other
/// numbers are not.
#[inline]
pub(super) fn may_be_number(text: &Text<'_>, place: usize) -> bool {
    let bytes = text.bytes.get(place..).unwrap_or_default();
    let digits = bytes.iter().take(13).take_while(|byte| byte.is_ascii_digit()).count();
    if digits + 6 > bytes.len() && !text.end {
        return true;
    }
    let grouped = |digits: usize, next: usize| {
        bytes.get(digits).is_some_and(|byte| matches!(byte, b' ' | b'-'))
            && bytes
                .get(digits + 1..digits + 1 + next)
                .is_some_and(|group| group.iter().all(u8::is_ascii_digit))
    };
    match digits {
        3 => grouped(3, 2),
        4 => grouped(4, 4),
        9 | 13 => true,
        _ => false,
    }
}

/// What an address of version 6 may begin with before its first colon has come.
pub(super) const BEFORE_COLON: Bytes = HEX;
