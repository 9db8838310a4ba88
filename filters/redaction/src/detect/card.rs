//! Payment card numbers: 13 to 19 digits of a known issuer (ISO/IEC 7812) with a right check digit.

use super::{Boundary, Verdict};
use crate::text::{More, Text};

/// The most digits that a card number has.
const MOST: usize = 19;

/// Looks for one whose first digit is at `start`.
pub(super) fn at(text: &Text<'_>, start: usize, boundary: Boundary) -> Verdict {
    let before = text.before(start);
    if before.is_some_and(|byte| byte.is_ascii_digit()) || !boundary.begins(text, start) {
        return Verdict::No;
    }
    // The decimals of a number.
    if before == Some(b'.') && text.backwards(start).nth(1).is_some_and(|byte| byte.is_ascii_digit()) {
        return Verdict::No;
    }
    Verdict::from(end(text, start, boundary))
}

fn end(text: &Text<'_>, start: usize, boundary: Boundary) -> Result<Option<usize>, More> {
    let mut digits = Digits { value: [0; MOST], count: 0 };
    let mut groups = Groups::default();
    let (mut place, mut separator, mut best) = (start, None, None);
    loop {
        let byte = text.at(place)?;
        match byte {
            Some(digit @ b'0'..=b'9') => {
                if !digits.push(digit - b'0') {
                    return Ok(best);
                }
                groups.lengthen();
                place += 1;
                continue;
            }
            Some(b' ' | b'-') if separator.is_none() || separator == byte => {
                if !text.at(place + 1)?.is_some_and(|next| next.is_ascii_digit()) {
                    return Ok(digits.right(groups).then_some(place).or(best));
                }
                if digits.right(groups) {
                    best = Some(place);
                }
                groups.next();
                separator = byte;
                place += 1;
            }
            _ => {
                let decimals =
                    byte == Some(b'.') && text.at(place + 1)?.is_some_and(|next| next.is_ascii_digit());
                let right = digits.right(groups) && !decimals && boundary.ends(text, place)?;
                return Ok(right.then_some(place).or(best));
            }
        }
    }
}

struct Digits {
    value: [u8; MOST],
    count: usize,
}

impl Digits {
    fn push(&mut self, digit: u8) -> bool {
        let place = self.value.get_mut(self.count).map(|place| *place = digit);
        self.count += 1;
        place.is_some()
    }

    fn right(&self, groups: Groups) -> bool {
        (13..=MOST).contains(&self.count) && groups.usual() && self.issued() && self.checks()
    }

    /// The number that the first `count` digits are.
    fn prefix(&self, count: usize) -> u32 {
        self.value.iter().take(count).fold(0, |number, digit| number * 10 + u32::from(*digit))
    }

    /// Whether an issuer has numbers of this length that begin like this.
    fn issued(&self) -> bool {
        match self.prefix(4) {
            4000..=4999 => matches!(self.count, 13 | 16 | 19), // Visa
            5100..=5599 | 2221..=2720 => self.count == 16,     // Mastercard
            3400..=3499 | 3700..=3799 => self.count == 15,     // American Express
            6011 | 6440..=6599 => self.count >= 16,            // Discover
            3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => self.count >= 14 && self.count != 15, // Diners Club
            3528..=3589 => self.count >= 16,                                                        // JCB
            6200..=6299 => self.count >= 16, // UnionPay
            5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763 => self.count >= 13, // Maestro
            _ => false,
        }
    }

    /// The check digit by Luhn's formula (ISO/IEC 7812-1, annex B).
    fn checks(&self) -> bool {
        let digits = self.value.get(..self.count).unwrap_or_default();
        let sum: u32 = digits
            .iter()
            .rev()
            .enumerate()
            .map(|(place, digit)| {
                let digit = u32::from(*digit);
                if place % 2 == 0 { digit } else { (digit * 2) % 10 + digit / 5 }
            })
            .sum();
        sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != 0)
    }
}

/// How many digits stand between separators.
#[derive(Clone, Copy, Default)]
struct Groups {
    lengths: [u8; 6],
    at: usize,
}

impl Groups {
    fn lengthen(&mut self) {
        if let Some(length) = self.lengths.get_mut(self.at) {
            *length += 1;
        }
    }

    fn next(&mut self) {
        self.at += 1;
    }

    /// Whether cards are written in such groups: fours, or 4-6-4 and 4-6-5; or there is but one.
    fn usual(self) -> bool {
        let lengths = self.lengths.get(..=self.at).unwrap_or_default();
        match lengths {
            [_] | [4, 6, 4 | 5] => true,
            [fours @ .., last] => fours.iter().all(|length| *length == 4) && (1..=4).contains(last),
            [] => false,
        }
    }
}
