//! JSON values as text: what kind one is, a string without its escapes, a value without its white space.

use std::borrow::Cow;

/// What kind of value a JSON text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number.
    Number,
    /// A string.
    String,
    /// A list.
    List,
    /// An object.
    Object,
}

/// The kind of a value that the scanner has found, by its first byte.
pub fn kind(value: &str) -> Kind {
    match value.as_bytes().first() {
        Some(b'"') => Kind::String,
        Some(b'[') => Kind::List,
        Some(b'{') => Kind::Object,
        Some(b't' | b'f') => Kind::Bool,
        Some(b'-' | b'0'..=b'9') => Kind::Number,
        _ => Kind::Null,
    }
}

/// A string without its escapes, given what is between its quotes. `None` if an escape is no character: half of a
/// surrogate pair.
pub fn unescape(quoted: &str) -> Option<Cow<'_, str>> {
    let Some((plain, mut rest)) = quoted.split_once('\\') else { return Some(quoted.into()) };
    let mut text = plain.to_owned();
    loop {
        let mut escape = rest.chars();
        match escape.next()? {
            'b' => text.push('\u{8}'),
            'f' => text.push('\u{c}'),
            'n' => text.push('\n'),
            'r' => text.push('\r'),
            't' => text.push('\t'),
            'u' => {
                let unit = hex(escape.as_str())?;
                let mut after = escape.as_str().get(4..)?;
                let character = if (0xd800..0xdc00).contains(&unit) {
                    let low = after.strip_prefix("\\u")?;
                    let second = hex(low)?;
                    after = low.get(4..)?;
                    let second = second.checked_sub(0xdc00).filter(|offset| *offset < 0x400)?;
                    0x1_0000 + ((unit - 0xd800) << 10) + second
                } else {
                    unit
                };
                text.push(char::from_u32(character)?);
                escape = after.chars();
            }
            other => text.push(other),
        }
        let Some((plain, after)) = escape.as_str().split_once('\\') else {
            text.push_str(escape.as_str());
            return Some(text.into());
        };
        text.push_str(plain);
        rest = after;
    }
}

fn hex(digits: &str) -> Option<u32> {
    let digits = digits.get(..4)?;
    // `from_str_radix` alone would take a sign.
    if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        u32::from_str_radix(digits, 16).ok()
    } else {
        None
    }
}

/// A value without white space between its tokens.
pub fn compact(value: &str) -> String {
    let (mut inside, mut escaped) = (false, false);
    let keeps = |character: &char| {
        if inside {
            (inside, escaped) = (escaped || *character != '"', !escaped && *character == '\\');
            return true;
        }
        inside = *character == '"';
        !matches!(character, ' ' | '\t' | '\n' | '\r')
    };
    value.chars().filter(keeps).collect()
}
