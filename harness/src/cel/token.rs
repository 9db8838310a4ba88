//! Words, numbers, texts and signs.

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Name(String),
    /// Without its sign.
    Int(u64),
    Uint(u64),
    Double(f64),
    Text(Vec<u8>),
    Bytes(Vec<u8>),
    Sign(&'static str),
}

/// The longer before the shorter that they begin with.
const SIGNS: [&str; 26] = [
    "==", "!=", "<=", ">=", "&&", "||", "<", ">", "+", "-", "*", "/", "%", "!", "?", ":", "(", ")", "[", "]",
    "{", "}", ",", ".", "$", "@",
];

/// The tokens of a text; `None` if there is something else in it.
pub(super) fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r', '\x0c']);
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
            continue;
        }
        let Some(first) = rest.chars().next() else { return Some(tokens) };
        let (token, after) = if first.is_ascii_digit() || (first == '.' && digit_at(rest, 1)) {
            number(rest)?
        } else if let Some(found) = quoted(rest) {
            found?
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let (name, after) = rest.split_at_checked(end)?;
            (Token::Name(name.to_owned()), after)
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign))?;
            (Token::Sign(sign), rest.get(sign.len()..)?)
        };
        tokens.push(token);
        rest = after;
    }
}

fn digit_at(text: &str, index: usize) -> bool {
    text.as_bytes().get(index).is_some_and(u8::is_ascii_digit)
}

fn number(text: &str) -> Option<(Token, &str)> {
    let unsigned = |text: &str| text.strip_prefix(['u', 'U']).map(str::to_owned);
    if let Some(hex) = text.strip_prefix("0x") {
        let end = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
        let value = u64::from_str_radix(hex.get(..end)?, 16).ok()?;
        let after = hex.get(end..)?;
        return Some(match unsigned(after) {
            Some(_) => (Token::Uint(value), after.get(1..)?),
            None => (Token::Int(value), after),
        });
    }
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        from + rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())
    };
    let whole = digits(0);
    let mut end = whole;
    if text.as_bytes().get(end) == Some(&b'.') && digit_at(text, end + 1) {
        end = digits(end + 1);
    }
    if matches!(text.as_bytes().get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.as_bytes().get(end + 1), Some(b'+' | b'-')));
        if !digit_at(text, end + 1 + sign) {
            return None;
        }
        end = digits(end + 1 + sign);
    }
    let (number, after) = text.split_at_checked(end)?;
    if end > whole {
        return Some((Token::Double(number.parse().ok()?), after));
    }
    let value = number.parse().ok()?;
    Some(match unsigned(after) {
        Some(_) => (Token::Uint(value), after.get(1..)?),
        None => (Token::Int(value), after),
    })
}

/// `None` if it is no quoted text, `Some(None)` if it is one that does not end or has a wrong escape.
fn quoted(text: &str) -> Option<Option<(Token, &str)>> {
    let (mut raw, mut bytes) = (false, false);
    let mut rest = text;
    loop {
        match rest.as_bytes().first()? {
            b'r' | b'R' if !raw => raw = true,
            b'b' | b'B' if !bytes => bytes = true,
            b'"' | b'\'' => break,
            _ => return None,
        }
        rest = rest.get(1..)?;
    }
    Some(content(rest, raw, bytes))
}

fn content(text: &str, raw: bool, bytes: bool) -> Option<(Token, &str)> {
    let single = text.get(..1)?;
    let triple = single.repeat(3);
    let quote = if text.starts_with(&triple) { triple.as_str() } else { single };
    let mut rest = text.get(quote.len()..)?;
    let mut content = Vec::new();
    loop {
        if let Some(after) = rest.strip_prefix(quote) {
            return Some((if bytes { Token::Bytes(content) } else { Token::Text(content) }, after));
        }
        let next = rest.chars().next()?;
        rest = rest.get(next.len_utf8()..)?;
        match next {
            '\\' if !raw => rest = escape(rest, bytes, &mut content)?,
            '\n' | '\r' if quote.len() == 1 => return None,
            next => content.extend_from_slice(next.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

fn escape<'a>(text: &'a str, bytes: bool, content: &mut Vec<u8>) -> Option<&'a str> {
    let kind = text.chars().next()?;
    let mut rest = text.get(kind.len_utf8()..)?;
    let mut code = |digits: usize, radix: u32| {
        let (number, after) = rest.split_at_checked(digits)?;
        rest = after;
        number.chars().all(|c| c.is_digit(radix)).then(|| u32::from_str_radix(number, radix).ok()).flatten()
    };
    let code = match kind {
        'a' => 7,
        'b' => 8,
        't' => 9,
        'n' => 10,
        'v' => 11,
        'f' => 12,
        'r' => 13,
        '\\' | '"' | '\'' | '?' | '`' => kind.into(),
        'x' | 'X' => code(2, 16)?,
        'u' if !bytes => code(4, 16)?,
        'U' if !bytes => code(8, 16)?,
        '0'..='3' => {
            rest = text;
            let (number, after) = rest.split_at_checked(3)?;
            rest = after;
            number.chars().all(|c| c.is_digit(8)).then(|| u32::from_str_radix(number, 8).ok()).flatten()?
        }
        _ => return None,
    };
    if bytes && code < 256 {
        content.push(u8::try_from(code).ok()?);
    } else {
        content.extend_from_slice(char::from_u32(code)?.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Some(rest)
}
