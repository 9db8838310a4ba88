//! Values that stand after a key: `SECRET=hunter2`, `password => 'hunter2'`, `{"password": "hunter2"}`.

use super::rest::{MOST_BACKSLASHES, Rest, count};
use super::value::{Quote, Step, Value, ends_bare, ends_scalar};
use super::{Keys, Verdict};
use crate::text::{More, REACH, Text, is_word};

/// The longest key, in bytes.
pub(crate) const MAX_KEY: usize = 64;

// A key written with an escape for each of its characters, and its two quotation marks.
const _: () = assert!(MAX_KEY * 6 + 2 < REACH);

/// What is found after a sign.
pub(super) struct Assigned {
    /// Where the value begins.
    pub(super) start: usize,
    pub(super) verdict: Verdict,
    /// The backslashes that quotation marks need where the value has none, and has to become a string.
    pub(super) quotes: Option<u32>,
}

#[derive(Clone, Copy)]
enum Sign {
    /// `=`; white space may follow if some went before.
    Equals { spaced: bool },
    /// `:` after a name whose quotation marks have that many backslashes.
    Colon { level: u32 },
}

/// What the byte after a sign begins.
enum Opening {
    /// Nothing yet.
    Wait(Sign),
    /// No value: there is none.
    Nothing,
    /// A value after this quotation mark.
    Quoted(Quote),
    /// A value with this byte.
    Unquoted(Value),
}

/// Looks for the value after the sign at `at`. `cap` is after how many bytes it is enough to know that there is one.
pub(super) fn at(text: &Text<'_>, at: usize, keys: &Keys, cap: usize) -> Assigned {
    let none = Assigned { start: at, verdict: Verdict::No, quotes: None };
    let sign = match text.bytes.get(at) {
        Some(b'=') => assigned(text, at, keys).map(|spaced| Sign::Equals { spaced }),
        Some(b':') => member(text, at, keys).map(|level| Sign::Colon { level }),
        _ => None,
    };
    let Some(mut sign) = sign else { return none };
    let (mut place, mut run) = (at + 1, 0_u32);
    let (start, value, quotes) = loop {
        let byte = match text.at(place) {
            Err(More) => return Assigned { verdict: Verdict::Need, ..none },
            Ok(None) => return none,
            Ok(Some(byte)) => byte,
        };
        if place - at > REACH {
            return none;
        }
        if byte == b'\\' {
            (place, run) = (place + 1, run + 1);
            continue;
        }
        match opening(sign, byte, run) {
            Opening::Wait(next) => (sign, place, run) = (next, place + 1, 0),
            Opening::Nothing => return none,
            Opening::Quoted(quote) => break (place + 1, Value::Quoted(quote), None),
            Opening::Unquoted(value) => {
                let start = place - usize::try_from(run).unwrap_or(0);
                let quotes = if let Sign::Colon { level } = sign { Some(level) } else { None };
                break (start, value, quotes);
            }
        }
    };
    let verdict = end(text, start, value, cap).unwrap_or(Verdict::Need);
    Assigned { start, verdict, quotes }
}

fn end(text: &Text<'_>, start: usize, mut value: Value, cap: usize) -> Result<Verdict, More> {
    let (mut place, mut run) = (start, 0_u32);
    while let Some(byte) = text.at(place)? {
        if byte == b'\\' {
            (place, run) = (place + 1, run + 1);
        } else {
            match value.step(byte, run) {
                Step::Within(next) => value = next,
                Step::EndsBefore(stay) => {
                    place -= count(stay);
                    break;
                }
                Step::EndsWith => {
                    place += 1;
                    break;
                }
            }
            (place, run) = (place + 1, 0);
            // Not within a run of backslashes: it may belong to what ends the value.
            if place - start >= cap {
                return Ok(Verdict::Runs(place, Rest::Value(value, 0)));
            }
        }
        if place - start >= cap.max(REACH) {
            let waiting = run.min(MOST_BACKSLASHES);
            return Ok(Verdict::Runs(place - count(waiting), Rest::Value(value, run - waiting)));
        }
    }
    Ok(if place > start { Verdict::Match(place) } else { Verdict::No })
}

/// For an equals sign: whether the word before it is a key; and if, whether there is a space between.
fn assigned(text: &Text<'_>, at: usize, keys: &Keys) -> Option<bool> {
    let before = text.backwards(at);
    let blanks = before.clone().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let word = before.skip(blanks);
    // Most equals signs follow no word at all: they pad base64, or compare.
    if !word.clone().next().is_some_and(is_word) {
        return None;
    }
    keys.iter()
        .any(|key| {
            let mut word = word.clone();
            let same = key
                .iter()
                .rev()
                .all(|byte| word.next().is_some_and(|other| other.eq_ignore_ascii_case(byte)));
            same && !word.next().is_some_and(is_word)
        })
        .then_some(blanks > 0)
}

/// For a colon: how many backslashes the quotation marks of the name before it have, if that is a key.
fn member(text: &Text<'_>, at: usize, keys: &Keys) -> Option<u32> {
    // Most colons stand in times and after words.
    if text.before(at).is_some_and(|byte| !matches!(byte, b'"' | b'\'') && !byte.is_ascii_whitespace()) {
        return None;
    }
    if let Some(name) = plain_name(text.slice(0, at)) {
        return keys.contains(name).then_some(0);
    }
    let mut before = text.backwards(at).skip_while(u8::is_ascii_whitespace);
    let quote = before.next().filter(|byte| matches!(byte, b'"' | b'\''))?;
    let level = before.clone().take_while(|byte| *byte == b'\\').count();
    let mut rest = before.skip(level);

    let mut name = Vec::with_capacity(MAX_KEY);
    // Where nothing more is remembered there is no opening mark: that name is longer than any key.
    loop {
        match rest.next()? {
            byte if byte == quote => break,
            byte => name.push(byte),
        }
    }
    // The opening quote has its backslashes before it, and as many as the closing one.
    if rest.take_while(|byte| *byte == b'\\').count() != level {
        return None;
    }
    name.reverse();
    if name.contains(&b'\\') {
        name = unescaped(&name)?;
    }
    if keys.contains(&name) { u32::try_from(level).ok() } else { None }
}

/// The quoted name at the end, if nothing in or around it is escaped: nearly every member of JSON.
fn plain_name(before: &[u8]) -> Option<&[u8]> {
    let (quote, before) = before.trim_ascii_end().split_last()?;
    if !matches!(quote, b'"' | b'\'') {
        return None;
    }
    let before = before.get(before.len().saturating_sub(MAX_KEY + 2)..)?;
    let opening = before.iter().rposition(|byte| byte == quote)?;
    let name = before.get(opening + 1..)?;
    let escaped = name.contains(&b'\\') || before.get(..opening)?.last().is_none_or(|byte| *byte == b'\\');
    (!escaped).then_some(name)
}

/// A JSON name with its `\uXXXX` escapes resolved, at any depth of nesting; `None` if it has other escapes, or
/// of other characters than keys are made of.
fn unescaped(name: &[u8]) -> Option<Vec<u8>> {
    let mut plain = Vec::with_capacity(name.len());
    let mut rest = name.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            plain.push(byte);
            continue;
        }
        while rest.next_if_eq(&b'\\').is_some() {}
        let mut code = 0;
        if rest.next()? != b'u' {
            return None;
        }
        for _ in 0..4 {
            code = code * 16 + char::from(rest.next()?).to_digit(16)?;
        }
        plain.push(u8::try_from(code).ok()?);
    }
    Some(plain)
}

/// What `byte` begins after a sign and `run` backslashes.
fn opening(sign: Sign, byte: u8, run: u32) -> Opening {
    let quote = Quote { mark: byte, level: run };
    match (sign, byte) {
        // Fewer backslashes than the name had: a string around it ends here.
        (Sign::Colon { level }, b'"' | b'\'') if run < level => Opening::Nothing,
        (_, b'"' | b'\'') => Opening::Quoted(quote),

        (Sign::Colon { .. }, byte) if byte.is_ascii_whitespace() => Opening::Wait(sign),
        // JSON in a JSON string has its line ends and tabs as escapes.
        (Sign::Colon { level }, b'n' | b'r' | b't') if level > 0 && run > 0 => Opening::Wait(sign),
        (Sign::Colon { level }, b'{' | b'[') => {
            Opening::Unquoted(Value::Nested { level, depth: 0, within: None })
        }
        (Sign::Colon { .. }, byte) if ends_scalar(byte) => Opening::Nothing,
        (Sign::Colon { .. }, _) => Opening::Unquoted(Value::Scalar),

        (Sign::Equals { spaced: true }, b' ' | b'\t') => Opening::Wait(sign),
        // `key => value`
        (Sign::Equals { .. }, b'>') if run == 0 => Opening::Wait(Sign::Equals { spaced: true }),
        // `key == value` compares.
        (Sign::Equals { .. }, b'=') if run == 0 => Opening::Nothing,
        (Sign::Equals { .. }, byte) if ends_bare(byte) => Opening::Nothing,
        (Sign::Equals { .. }, _) => Opening::Unquoted(Value::Bare),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_of_any_depth_are_resolved() {
        assert_eq!(unescaped(br"pass\u0077or\\u0064"), Some(b"password".to_vec()));
        for odd in [&br"pass\u00"[..], br"pass\n", br"pass\", br"pass\u1234", br"pass\u00zz"] {
            assert_eq!(unescaped(odd), None, "{odd:?}");
        }
    }
}
