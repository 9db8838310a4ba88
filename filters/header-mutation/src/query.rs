//! Parameters in the query of a path.
//!
//! Names are compared as an upstream reads them, with their escapes undone and `+` as a space: else `%75ser=x` would pass
//! by a rule about `user`. What no rule is about stays byte for byte.

/// Sets a parameter: one, in place of the first of that name; the others go. `None` if the path is that already.
pub(crate) fn set(path: &[u8], name: &[u8], value: &[u8]) -> Option<Vec<u8>> {
    let pair = [escaped(name), escaped(value)].join(&b'=');
    let mut found = false;
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for part in Path::of(path).parameters() {
        if !is(part, name) {
            parts.push(part.to_vec());
        } else if !std::mem::replace(&mut found, true) {
            parts.push(pair.clone());
        }
    }
    if !found {
        parts.push(pair);
    }
    changed(path, &parts)
}

/// Removes every parameter of that name. `None` if there is none.
pub(crate) fn remove(path: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let kept: Vec<Vec<u8>> =
        Path::of(path).parameters().filter(|part| !is(part, name)).map(<[u8]>::to_vec).collect();
    changed(path, &kept)
}

/// Gives every parameter of that name another one, in place of those that had it. `None` if there is none.
pub(crate) fn rename(path: &[u8], name: &[u8], to: &[u8]) -> Option<Vec<u8>> {
    if !Path::of(path).parameters().any(|part| is(part, name)) {
        return None;
    }
    let to_escaped = escaped(to);
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for part in Path::of(path).parameters() {
        if is(part, name) {
            // The value stays as it came, escapes and all; a bare name stays bare.
            let value = part.iter().position(|byte| *byte == b'=').and_then(|at| part.get(at..));
            parts.push([&to_escaped, value.unwrap_or_default()].concat());
        } else if !is(part, to) {
            parts.push(part.to_vec());
        }
    }
    changed(path, &parts)
}

/// A path in three: before the question mark, the query, and the fragment that a client should not have sent.
struct Path<'a> {
    path: &'a [u8],
    query: Option<&'a [u8]>,
    fragment: &'a [u8],
}

impl<'a> Path<'a> {
    fn of(whole: &'a [u8]) -> Self {
        let cut = |bytes: &'a [u8], at| bytes.split_at_checked(at).unwrap_or((bytes, b""));
        let end = whole.iter().position(|byte| *byte == b'#').unwrap_or(whole.len());
        let (whole, fragment) = cut(whole, end);
        match whole.iter().position(|byte| *byte == b'?') {
            None => Self { path: whole, query: None, fragment },
            Some(at) => {
                let (path, query) = cut(whole, at);
                Self { path, query: query.get(1..), fragment }
            }
        }
    }

    fn parameters(&self) -> impl Iterator<Item = &'a [u8]> {
        self.query.into_iter().flat_map(|query| query.split(|byte| *byte == b'&'))
    }
}

fn changed(path: &[u8], parts: &[Vec<u8>]) -> Option<Vec<u8>> {
    let parsed = Path::of(path);
    let mut new = parsed.path.to_vec();
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    if parts.iter().any(|part| !part.is_empty()) || parts.len() > 1 {
        new.push(b'?');
        // An empty query that a parameter joins leaves no empty parameter behind.
        let skipped = usize::from(parts.len() > 1 && parsed.query == Some(b""));
        new.extend(parts.get(skipped..).unwrap_or_default().join(&b'&'));
    } else if parts.len() == 1 {
        new.push(b'?');
    }
    new.extend_from_slice(parsed.fragment);
    (new != path).then_some(new)
}

/// Whether a parameter has that name, its escapes undone.
fn is(part: &[u8], name: &[u8]) -> bool {
    let mut typed = part.split(|byte| *byte == b'=').next().unwrap_or_default();
    let mut wanted = name;
    while let Some((byte, rest)) = next(typed) {
        match wanted.split_first() {
            Some((first, others)) if *first == byte => (typed, wanted) = (rest, others),
            _ => return false,
        }
    }
    wanted.is_empty()
}

/// The next byte that is meant, and what follows it.
fn next(typed: &[u8]) -> Option<(u8, &[u8])> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    match typed {
        [b'%', high, low, rest @ ..] => match (digit(*high), digit(*low)) {
            (Some(high), Some(low)) => Some((high << 4 | low, rest)),
            _ => Some((b'%', typed.get(1..)?)),
        },
        [b'+', rest @ ..] => Some((b' ', rest)),
        [byte, rest @ ..] => Some((*byte, rest)),
        [] => None,
    }
}

/// Escaped but for what never needs it (RFC 3986, section 2.3).
fn escaped(text: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let mut out = Vec::with_capacity(text.len());
    for byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            out.push(*byte);
        } else {
            out.push(b'%');
            out.extend([byte >> 4, byte & 0xf].iter().filter_map(|digit| DIGITS.get(usize::from(*digit))));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(path: Option<Vec<u8>>) -> Option<String> {
        path.map(|path| String::from_utf8(path).unwrap())
    }

    #[test]
    fn a_parameter_is_set_in_place_of_all_that_have_its_name() {
        let set = |path: &str, name: &str, value: &str| {
            text(set(path.as_bytes(), name.as_bytes(), value.as_bytes()))
        };
        for (path, expected) in [
            ("/", Some("/?a=1")),
            ("/?", Some("/?a=1")),
            ("/?b=2", Some("/?b=2&a=1")),
            ("/?a=0&b=2&a&%61=9", Some("/?a=1&b=2")),
            ("/?a=1&b=%20", None),
            ("/#a=2", Some("/?a=1#a=2")),
            ("*", Some("*?a=1")),
        ] {
            assert_eq!(set(path, "a", "1").as_deref(), expected, "{path}");
        }
        assert_eq!(set("/", "a b", "&=#\u{e9}").as_deref(), Some("/?a%20b=%26%3D%23%C3%A9"));
    }

    #[test]
    fn a_parameter_is_removed_however_it_is_spelled() {
        let remove = |path: &str| text(remove(path.as_bytes(), b"a b"));
        for (path, expected) in [
            ("/?a+b=1&c&a%20b&%61%20%62=2", Some("/?c")),
            ("/?a+b", Some("/")),
            ("/?a=1&b", None),
            ("/", None),
            ("/?a%2", None),
            ("/?", None),
            ("/?A+b=1", None),
        ] {
            assert_eq!(remove(path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn a_renamed_parameter_keeps_its_value_as_it_came() {
        let rename = |path: &str| text(rename(path.as_bytes(), b"a", b"b"));
        for (path, expected) in
            [("/?a=%20+&b=1&a", Some("/?b=%20+&b")), ("/?c&b=1", None), ("/?a==", Some("/?b=="))]
        {
            assert_eq!(rename(path).as_deref(), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn what_was_set_is_there_once_and_what_was_removed_is_not(
            query in "[ab=&%61+#?]{0,20}", name in "[ab ]{1,3}", value in "[ -~]{0,6}",
        ) {
            let path = format!("/p?{query}").into_bytes();
            let named = |path: &[u8]| Path::of(path).parameters().filter(|part| is(part, name.as_bytes())).count();
            let with = set(&path, name.as_bytes(), value.as_bytes()).unwrap_or_else(|| path.clone());
            prop_assert_eq!(named(&with), 1);
            prop_assert_eq!(set(&with, name.as_bytes(), value.as_bytes()), None);
            let without = remove(&with, name.as_bytes()).unwrap();
            prop_assert_eq!(named(&without), 0);
            prop_assert_eq!(remove(&without, name.as_bytes()), None);
        }
    }
}
