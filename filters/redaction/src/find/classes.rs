//! Which bytes make a place worth a look: for each group of detectors a byte before, and three from the place on.

use crate::detect::{Boundary, Kind};
use crate::text::Text;

/// Bytes, as a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bytes([u64; 4]);

impl Bytes {
    pub(super) const NONE: Self = Self([0; 4]);
    pub(super) const ALL: Self = Self([u64::MAX; 4]);

    pub(super) const fn of(bytes: &[u8]) -> Self {
        let mut set = Self::NONE;
        let mut rest = bytes;
        while let [first, others @ ..] = rest {
            set = set.with(*first, *first);
            rest = others;
        }
        set
    }

    /// With the bytes from `first` to `last`.
    pub(super) const fn with(self, first: u8, last: u8) -> Self {
        let Self([mut a, mut b, mut c, mut d]) = self;
        let mut byte = first as u32;
        while byte <= last as u32 {
            let bit = 1 << (byte % 64);
            match byte / 64 {
                0 => a |= bit,
                1 => b |= bit,
                2 => c |= bit,
                _ => d |= bit,
            }
            byte += 1;
        }
        Self([a, b, c, d])
    }

    pub(super) const fn not(self) -> Self {
        let Self([a, b, c, d]) = self;
        Self([!a, !b, !c, !d])
    }

    pub(super) fn has(self, byte: u8) -> bool {
        let word = self.0.get(usize::from(byte / 64)).copied().unwrap_or_default();
        word & (1 << (byte % 64)) != 0
    }

    pub(super) fn add(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(word, other)| *word |= other);
    }
}

/// The byte before a place, and the three that begin there.
pub(super) type Around = [Bytes; 4];

const ANY: Bytes = Bytes::ALL;
const DIGIT: Bytes = Bytes::NONE.with(b'0', b'9');
const UPPER: Bytes = Bytes::NONE.with(b'A', b'Z');
const HEX: Bytes = DIGIT.with(b'a', b'f').with(b'A', b'F');

/// The groups: detectors in one are asked together. Eight of them, for each is a bit of a byte.
pub(super) const GROUPS: usize = 8;

/// The group of a detector, and the bytes that make a place worth asking it.
pub(super) fn of(kind: &Kind, boundary: Boundary) -> (usize, Around) {
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
        Kind::Bearer => {
            let before = if boundary == Boundary::Word { Bytes::ALL } else { ANY };
            (5, [before, Bytes::of(b"bB"), Bytes::of(b"eE"), Bytes::of(b"aA")])
        }
        Kind::Assignment(_) => (6, [ANY, Bytes::of(b"="), ANY, ANY]),
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
