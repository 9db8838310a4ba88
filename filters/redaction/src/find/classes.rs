//! Which bytes make a place worth a look: for each group of detectors a byte before, and three from the place on.

pub(super) use crate::bytes::Bytes;
use crate::detect::Kind;

/// The byte before a place, and the three that begin there.
pub(super) type Around = [Bytes; 4];

const ANY: Bytes = Bytes::ALL;
const DIGIT: Bytes = Bytes::NONE.with(b'0', b'9');
const UPPER: Bytes = Bytes::NONE.with(b'A', b'Z');
const HEX: Bytes = DIGIT.with(b'a', b'f').with(b'A', b'F');

/// The groups: detectors in one are asked together. Eight of them, for each is a bit of a byte.
pub(super) const GROUPS: usize = 8;

/// The groups, see [`super::glance`].
pub(super) const NUMBERS: usize = 0;
pub(super) const SIGNS: usize = 1;
pub(super) const DOTS: usize = 2;
pub(super) const COLONS: usize = 3;
pub(super) const BEARER: usize = 4;
pub(super) const ACCOUNTS: usize = 5;
pub(super) const KEYS: usize = 6;
pub(super) const LITERALS: usize = 7;

/// The group of a detector, and the bytes that make a place worth asking it.
pub(super) fn of(kind: &Kind) -> (usize, Around) {
    match kind {
        // The first of three digits: numbers are looked at once, however long they are.
        Kind::CreditCard | Kind::UsSsn { .. } => (NUMBERS, [DIGIT.not(), DIGIT, DIGIT, DIGIT]),
        Kind::Email => (SIGNS, [ANY, Bytes::of(b"@"), ANY, ANY]),
        Kind::PhoneE164 => (SIGNS, [ANY, Bytes::of(b"+"), ANY, ANY]),
        Kind::Assignment(_) => (SIGNS, [ANY, Bytes::of(b"=:"), ANY, ANY]),
        Kind::Ipv4 => (DOTS, [ANY, DIGIT, Bytes::of(b"."), DIGIT]),
        Kind::Ipv6 => (COLONS, [ANY, Bytes::of(b":"), HEX.with(b':', b':'), ANY]),
        Kind::Iban => (ACCOUNTS, [ANY, UPPER, UPPER, DIGIT]),
        Kind::Jwt => (KEYS, [ANY, Bytes::of(b"e"), Bytes::of(b"y"), Bytes::of(b"J")]),
        Kind::AwsAccessKey => (KEYS, [ANY, Bytes::of(b"A"), Bytes::of(b"KSBC"), Bytes::of(b"IC")]),
        Kind::PrivateKeyPem => {
            (KEYS, [Bytes::of(b"-").not(), Bytes::of(b"-"), Bytes::of(b"-"), Bytes::of(b"-")])
        }
        Kind::Bearer => (BEARER, [ANY, Bytes::of(b"bB"), Bytes::of(b"eE"), Bytes::of(b"aA")]),
        Kind::Regex(expression) => {
            let [first, second, third] = expression.regex.begins().map(|bytes| bytes.unwrap_or(ANY));
            (LITERALS, [ANY, first, second, third])
        }
        Kind::Literal(literals) => {
            let at = |place| literals.bytes_at(place).map_or(ANY, |bytes| Bytes::of(&bytes));
            (LITERALS, [ANY, at(0), at(1), at(2)])
        }
    }
}

/// The same as [`of`], for JSON as it is written: a colon behind a quotation mark is none of a string there, unless it begins
/// one, for a mark in a string is escaped.
pub(super) fn in_json(kind: &Kind) -> Vec<(usize, Around)> {
    let no_quote = Bytes::of(b"\"").not();
    match (kind, of(kind)) {
        (Kind::Assignment(_), (group, [before, _, second, third])) => vec![
            (group, [before, Bytes::of(b"="), second, third]),
            (COLONS, [no_quote, Bytes::of(b":"), ANY, ANY]),
        ],
        (Kind::Ipv6, (group, [_, first, second, third])) => vec![(group, [no_quote, first, second, third])],
        (_, own) => vec![own],
    }
}

/// What an address of version 6 may begin with before its first colon has come.
pub(super) const BEFORE_COLON: Bytes = HEX;
