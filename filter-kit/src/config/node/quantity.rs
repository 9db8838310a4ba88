//! Numbers with a unit.

use std::ops::RangeInclusive;

use super::{Json, Node};
use crate::config::unit;

impl Node<'_> {
    /// Reads a time in milliseconds, given as an integer (milliseconds) or as text such as `"250ms"` or `"5s"`.
    pub fn milliseconds(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let like = "^[0-9]+(ms|s|m)$";
        if self.describe(|draft| draft.quantity("duration in ms", *range.start(), *range.end(), like)) {
            return None;
        }
        self.unit(range, unit::milliseconds, |ms| format!("{ms}ms"), "a duration such as \"250ms\" or \"5s\"")
    }

    /// Reads a size in bytes, given as an integer (bytes) or as text such as `"64KiB"` or `"1MiB"`.
    pub fn bytes(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let like = "^[0-9]+(B|KiB|MiB|GiB)$";
        if self.describe(|draft| draft.quantity("size in bytes", *range.start(), *range.end(), like)) {
            return None;
        }
        self.unit(range, unit::bytes, unit::show_bytes, "a size such as \"64KiB\" or \"1MiB\"")
    }

    /// Reads a share in percent: a number from 0 to 100 with up to two decimals. The answer is in hundredths of a
    /// percent, 0 to 10,000.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
    pub fn percent(&self) -> Option<u32> {
        if self.describe(|draft| {
            draft.set("type", "number");
            draft.set("minimum", 0);
            draft.set("maximum", 100);
        }) {
            return None;
        }
        match self.json {
            Json::Number(number) if (0.0..=100.0).contains(number) => {
                let hundredths = (number * 100.0).round();
                // Doubles have no 0.07, but what is nearest to it.
                if (hundredths - number * 100.0).abs() < 1e-6 { Some(hundredths as u32) } else { None }
            }
            _ => None,
        }
        .or_else(|| self.expected("a percentage from 0 to 100, with up to two decimals"))
    }

    fn unit(
        &self,
        range: RangeInclusive<u64>,
        parse: fn(&str) -> Option<u64>,
        show: fn(u64) -> String,
        example: &str,
    ) -> Option<u64> {
        let value = match self.json {
            Json::String(text) => parse(text),
            _ => self.whole(),
        };
        value.filter(|value| range.contains(value)).or_else(|| {
            let (low, high) = (show(*range.start()), show(*range.end()));
            self.expected(format_args!("{example}, from {low} to {high}"))
        })
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked to be whole and in range"
    )]
    pub(super) fn whole(&self) -> Option<u64> {
        /// Up to here every whole number has a double of its own.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match self.json {
            Json::Number(number) if (0.0..=EXACT).contains(number) && number.fract() == 0.0 => {
                Some(*number as u64)
            }
            _ => None,
        }
    }
}
