//! A second glance at a place that has the bytes of some groups: nearly all dates, decimals and words end here, without any
//! detector being asked. What has not come speaks for a place.

use super::classes::{ACCOUNTS, BEARER, Bytes, COLONS, DOTS, KEYS, LITERALS, NUMBERS, SIGNS};
use crate::detect::iban;
use crate::detect::{Keys, Kind};
use crate::text::Text;

/// What else than the bytes of a place is asked for.
#[derive(Clone, Debug)]
pub(super) struct Glance {
    /// Whether names of members are looked for.
    names: bool,
    /// What stands before the equals sign of an assignment.
    ends_key: Bytes,
    /// The beginnings of literals, as bits.
    literals: [u64; 16],
}

impl Glance {
    pub(super) fn new<'a>(kinds: impl Iterator<Item = &'a Kind>) -> Self {
        let mut glance = Self { names: false, ends_key: Bytes::NONE, literals: [0; 16] };
        for kind in kinds {
            match kind {
                Kind::Assignment(keys) => {
                    glance.names = true;
                    glance.ends_key.add(ends(keys));
                }
                // What an expression begins with is told by its bytes alone.
                Kind::Regex(_) => glance.add(None),
                Kind::Literal(literals) => literals.beginnings().for_each(|three| glance.add(three)),
                _ => {}
            }
        }
        glance
    }

    fn add(&mut self, beginning: Option<[u8; 3]>) {
        match beginning.map(bit) {
            Some((word, bit)) => self.literals.iter_mut().skip(word).take(1).for_each(|bits| *bits |= bit),
            // Shorter than what is looked at.
            None => self.literals = [u64::MAX; 16],
        }
    }

    /// Those of the groups that a place is still worth a look of.
    #[inline(always)]
    pub(super) fn at(&self, text: &Text<'_>, place: usize, groups: u8) -> u8 {
        // Most places are years and other short numbers.
        if groups == 1 << NUMBERS && is_short(text.bytes.get(place..).unwrap_or_default()) {
            return 0;
        }
        self.closer(text, place, groups)
    }

    #[inline(never)]
    fn closer(&self, text: &Text<'_>, place: usize, groups: u8) -> u8 {
        let rest = text.bytes.get(place..).unwrap_or_default();
        let (mut worth, mut left) = (groups, groups);
        while left != 0 {
            let group = left.trailing_zeros() as usize;
            let is_worth = match group {
                NUMBERS => number(rest, text.end),
                SIGNS => self.sign(text, place, rest),
                DOTS => dotted(rest, text.end),
                COLONS => address(rest, text.end) || self.names && self.sign(text, place, rest),
                ACCOUNTS => account(rest),
                KEYS => key(rest, text.end),
                BEARER => bearer(rest, text.end),
                LITERALS => self.literal(rest),
                _ => true,
            };
            if !is_worth {
                worth &= !(1 << group);
            }
            left &= left - 1;
        }
        worth
    }

    /// Most equals signs follow no key, most colons no name in quotation marks, and most plus signs are before no number.
    #[inline]
    fn sign(&self, text: &Text<'_>, place: usize, rest: &[u8]) -> bool {
        match rest {
            [b'=', ..] => text.before(place).is_some_and(|before| self.ends_key.has(before)),
            [b':', ..] => text.before(place).is_some_and(|before| NAMED.has(before)),
            [b'+', after, ..] => after.is_ascii_digit(),
            _ => true,
        }
    }

    #[inline]
    fn literal(&self, rest: &[u8]) -> bool {
        let Some(three) = rest.first_chunk() else { return true };
        let (word, bit) = bit(*three);
        self.literals.get(word).is_none_or(|bits| bits & bit != 0)
    }
}

/// What stands before the colon of a member.
const NAMED: Bytes = Bytes::of(b"\"' \t\r\n\x0c");

/// The last bytes of keys, and white space.
fn ends(keys: &Keys) -> Bytes {
    let last = |key: &[u8]| key.last().copied().unwrap_or_default();
    keys.iter().map(last).fold(Bytes::of(b" \t"), |mut bytes, last| {
        bytes.add(Bytes::of(&[last.to_ascii_lowercase(), last.to_ascii_uppercase()]));
        bytes
    })
}

/// Where three bytes have their bit; the same for letters of both cases.
fn bit(three: [u8; 3]) -> (usize, u64) {
    let [a, b, c] = three.map(|byte| usize::from(byte | 0x20));
    let hash = (a * 5 + b * 37 + c * 165) % 1024;
    (hash / 64, 1 << (hash % 64))
}

/// Whether these are too few digits for a card or a Social Security number: however those are grouped, the sixth and the
/// eighth byte are digits.
#[inline(always)]
fn is_short(rest: &[u8]) -> bool {
    match rest {
        [_, _, _, _, _, sixth, _, eighth, ..] => !(sixth.is_ascii_digit() && eighth.is_ascii_digit()),
        _ => false,
    }
}

/// Whether digits are grouped as those of a card or a Social Security number: years and most other numbers are not.
#[inline]
fn number(rest: &[u8], end: bool) -> bool {
    if is_short(rest) {
        return false;
    }
    let digits = rest.iter().take(13).take_while(|byte| byte.is_ascii_digit()).count();
    if digits + 6 > rest.len() && !end {
        return true;
    }
    let grouped = |digits: usize, next: usize| {
        rest.get(digits).is_some_and(|byte| matches!(byte, b' ' | b'-'))
            && rest
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

/// Whether this dot is followed by one to three digits and another dot: those of decimals are not.
#[inline]
fn dotted(rest: &[u8], end: bool) -> bool {
    let after = rest.get(2..).unwrap_or_default();
    let digits = after.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    match after.get(digits) {
        Some(byte) => (1..=3).contains(&digits) && *byte == b'.',
        None => !end,
    }
}

/// Whether this colon is of no time, port or other pair of numbers: nearly every colon is.
#[inline]
fn address(rest: &[u8], end: bool) -> bool {
    let after = rest.get(1..).unwrap_or_default();
    let group = after.iter().take(5).take_while(|byte| byte.is_ascii_hexdigit()).count();
    // An address goes on with another colon, be it the second of a pair.
    match after.get(group) {
        Some(b':') => {
            let rest = after.get(group + 1..).unwrap_or_default();
            let next = rest.iter().take(5).take_while(|byte| byte.is_ascii_hexdigit()).count();
            group == 0 || rest.get(next).map_or(!end, |byte| *byte == b':')
        }
        Some(_) => false,
        None => !end,
    }
}

/// Whether these are a country and two check digits.
#[inline]
fn account(rest: &[u8]) -> bool {
    match rest {
        [a, b, _, check, ..] => check.is_ascii_digit() && iban::is_country([*a, *b]),
        _ => true,
    }
}

/// Whether a token or a key begins so.
#[inline]
fn key(rest: &[u8], end: bool) -> bool {
    match rest {
        [b'e', b'y', b'J', ..]
        | [b'A', b'K' | b'S' | b'B', b'I', b'A', ..]
        | [b'A', b'C', b'C', b'A', ..] => true,
        [b'-', b'-', b'-', b'-', b'-', b'B', ..] => true,
        _ => rest.len() < 6 && !end,
    }
}

/// Whether the word `Bearer` begins so.
#[inline]
fn bearer(rest: &[u8], end: bool) -> bool {
    match rest.get(3..6) {
        Some(rest) => rest.eq_ignore_ascii_case(b"rer"),
        None => !end,
    }
}
