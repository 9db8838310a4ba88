//! How long an answer may be kept, by what it says of itself (RFC 9111).

use crate::answer::Answer;

/// What an answer says of how it may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// Whether it may be kept for another request at all.
    pub may_store: bool,
    /// For how long it is fresh, in milliseconds, if it says so.
    pub max_age_ms: Option<u64>,
    /// Whether it may be used once it is no longer fresh.
    pub may_be_stale: bool,
}

impl Freshness {
    /// Reads `cache-control`, `age` and `vary`. `s-maxage` counts before `max-age`: many requests share what is kept
    /// here. What is no number of seconds counts as 0.
    pub fn of(answer: &Answer<'_>) -> Self {
        let mut freshness = Self { may_store: true, max_age_ms: None, may_be_stale: true };
        let (mut shared, mut any) = (None, None);
        for line in answer.lines("cache-control") {
            for directive in line.split(|byte| *byte == b',') {
                let mut parts = directive.splitn(2, |byte| *byte == b'=');
                let name = parts.next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
                let argument = parts.next();
                match name.as_slice() {
                    b"no-store" | b"private" | b"no-cache" => freshness.may_store = false,
                    b"must-revalidate" | b"proxy-revalidate" => freshness.may_be_stale = false,
                    // Of two the stricter.
                    b"s-maxage" => shared = Some(shared.unwrap_or(u64::MAX).min(seconds(argument))),
                    b"max-age" => any = Some(any.unwrap_or(u64::MAX).min(seconds(argument))),
                    _ => {}
                }
            }
        }
        let varies = |line: &[u8]| line.split(|byte| *byte == b',').any(|name| name.trim_ascii() == b"*");
        if answer.lines("vary").any(varies) {
            freshness.may_store = false;
        }
        let age = answer.header("age").map_or(0, |age| seconds(Some(age)));
        freshness.max_age_ms = shared.or(any).map(|most| most.saturating_sub(age).saturating_mul(1000));
        freshness
    }
}

fn seconds(argument: Option<&[u8]>) -> u64 {
    let Some(argument) = argument else { return 0 };
    let argument = argument.trim_ascii();
    let digits = argument.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).unwrap_or(argument);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return 0;
    }
    // More than fits is as long as can be (RFC 9111, section 1.2.2).
    digits
        .iter()
        .fold(0_u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')))
        .min(1 << 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::question::map;

    fn of(lines: &[(&'static str, &str)]) -> Freshness {
        let lines: Vec<_> = lines.iter().map(|(name, value)| (*name, value.as_bytes().to_vec())).collect();
        Freshness::of(&Answer { headers: &map(&lines), body: b"", body_size: 0 })
    }

    #[test]
    fn an_answer_that_says_nothing_may_be_kept() {
        assert_eq!(of(&[]), Freshness { may_store: true, max_age_ms: None, may_be_stale: true });
    }

    #[test]
    fn an_answer_that_is_not_for_others_is_not_kept() {
        for value in
            ["no-store", "max-age=60, PRIVATE", "private=\"set-cookie\"", "no-cache", "a,no-store ,b"]
        {
            assert!(!of(&[("cache-control", value)]).may_store, "{value}");
        }
        assert!(!of(&[("cache-control", "max-age=1"), ("cache-control", "no-store")]).may_store);
        assert!(!of(&[("vary", "accept, *")]).may_store);
        assert!(of(&[("vary", "authorization")]).may_store);
        assert!(of(&[("cache-control", "public, x-no-store")]).may_store);
    }

    #[test]
    fn an_age_is_in_seconds_and_never_longer_than_it_says() {
        for (value, ms) in [
            ("max-age=60", 60_000),
            ("max-age=0", 0),
            ("max-age=\"5\"", 5_000),
            ("max-age=60, s-maxage=7", 7_000),
            ("s-maxage=7, max-age=1", 7_000),
            ("max-age=60, max-age=5", 5_000),
            ("max-age", 0),
            ("max-age=soon", 0),
            ("max-age=-1", 0),
            ("max-age=99999999999999999999999", (1 << 31) * 1000),
        ] {
            assert_eq!(of(&[("cache-control", value)]).max_age_ms, Some(ms), "{value}");
        }
        assert_eq!(of(&[("cache-control", "max-age=60"), ("age", "50")]).max_age_ms, Some(10_000));
        assert_eq!(of(&[("cache-control", "max-age=60"), ("age", "90")]).max_age_ms, Some(0));
        assert_eq!(of(&[("age", "90")]).max_age_ms, None);
    }

    #[test]
    fn an_answer_that_must_be_asked_for_again_is_never_stale() {
        assert!(!of(&[("cache-control", "max-age=1, must-revalidate")]).may_be_stale);
        assert!(!of(&[("cache-control", "proxy-revalidate")]).may_be_stale);
    }
}
