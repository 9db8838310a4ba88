//! Timestamps and durations: how they are written, and their parts. All in UTC.

use super::Failed;
use crate::property::Value;

pub(super) const SECOND: i64 = 1_000_000_000;
const DAY: i64 = 86_400;

const PARTS: [&str; 10] = [
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
];

pub(super) fn is_part(name: &str) -> bool {
    PARTS.contains(&name)
}

pub(super) fn part(name: &str, value: &Value) -> Result<Value, Failed> {
    let part = match value {
        // The whole duration in that unit, but for what is less than a second.
        Value::Duration(time) => match name {
            "getHours" => time / (3600 * SECOND),
            "getMinutes" => time / (60 * SECOND),
            "getSeconds" => time / SECOND,
            "getMilliseconds" => time % SECOND / 1_000_000,
            _ => return Err(Failed),
        },
        Value::Timestamp(time) => {
            let seconds = time.div_euclid(SECOND);
            let day = seconds.div_euclid(DAY);
            let (year, month, date) = civil(day);
            match name {
                "getFullYear" => year,
                "getMonth" => month - 1,
                "getDate" => date,
                "getDayOfMonth" => date - 1,
                // The first day of 1970 was a Thursday.
                "getDayOfWeek" => (day + 4).rem_euclid(7),
                "getDayOfYear" => day - days(year, 1, 1),
                "getHours" => seconds.rem_euclid(DAY) / 3600,
                "getMinutes" => seconds.rem_euclid(3600) / 60,
                "getSeconds" => seconds.rem_euclid(60),
                _ => time.rem_euclid(SECOND) / 1_000_000,
            }
        }
        _ => return Err(Failed),
    };
    Ok(Value::Int(part))
}

/// Days since 1970 of a date of the Gregorian calendar. Years are counted from March.
fn days(year: i64, month: i64, date: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + date - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date that many days after the first of 1970.
fn civil(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = (from_march + 2) % 12 + 1;
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * from_march + 2) / 5 + 1)
}

/// Reads such as `1h30m` and `-1.5s`, in nanoseconds.
pub(super) fn duration(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total = 0_f64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at_checked(end)?;
        let number: f64 = number.parse().ok()?;
        let unit = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit)?;
        total += number
            * match unit {
                "h" => 3.6e12,
                "m" => 6e10,
                "s" => 1e9,
                "ms" => 1e6,
                "us" => 1e3,
                "ns" => 1.0,
                _ => return None,
            };
        rest = after;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it fits")]
    (total < 9.2e18).then_some(sign * total.round() as i64)
}

/// Reads RFC 3339, in nanoseconds since 1970.
pub(super) fn timestamp(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        let digits = text.get(range)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
    };
    let separated = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if !separated.iter().all(|(at, sign)| text.as_bytes().get(*at) == Some(sign)) {
        return None;
    }
    let day = days(number(0..4)?, number(5..7)?, number(8..10)?);
    let mut seconds = day * DAY + number(11..13)? * 3600 + number(14..16)? * 60 + number(17..19)?;
    let mut rest = text.get(19..)?;
    let mut fraction = 0;
    if let Some(after) = rest.strip_prefix('.') {
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (digits, after) = after.split_at_checked(end)?;
        fraction = format!("{digits:0<9}").get(..9)?.parse().ok()?;
        rest = after;
    }
    if rest != "Z" {
        let sign = match rest.as_bytes().first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let (hours, minutes) = rest.get(1..)?.split_once(':')?;
        seconds -= sign * (hours.parse::<i64>().ok()? * 3600 + minutes.parse::<i64>().ok()? * 60);
    }
    seconds.checked_mul(SECOND)?.checked_add(fraction)
}

/// As RFC 3339 has it.
pub(super) fn written(time: i64) -> String {
    let seconds = time.div_euclid(SECOND);
    let (year, month, date) = civil(seconds.div_euclid(DAY));
    let of_day = seconds.rem_euclid(DAY);
    let (hours, minutes, left) = (of_day / 3600, of_day % 3600 / 60, of_day % 60);
    let fraction = decimals(time.rem_euclid(SECOND));
    format!("{year:04}-{month:02}-{date:02}T{hours:02}:{minutes:02}:{left:02}{fraction}Z")
}

/// Such as `1.5s`.
pub(super) fn seconds(time: i64) -> String {
    let sign = if time < 0 { "-" } else { "" };
    let (whole, part) = (time.unsigned_abs() / 1_000_000_000, time.unsigned_abs() % 1_000_000_000);
    format!("{sign}{whole}{}s", decimals(i64::try_from(part).unwrap_or_default()))
}

fn decimals(nanoseconds: i64) -> String {
    if nanoseconds == 0 {
        return String::new();
    }
    format!(".{nanoseconds:09}").trim_end_matches('0').to_owned()
}
