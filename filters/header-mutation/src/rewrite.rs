//! Values that become others by a regular expression.

use regex_lite::Regex;

/// A regular expression, and what stands in place of each part of a value that it matches.
#[derive(Clone, Debug)]
pub(crate) struct Rewrite {
    regex: Regex,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// What a group matched; nothing if it matched nothing.
    Group(usize),
}

impl Rewrite {
    /// With `$1`, `${1}` or `${name}` in `replacement` standing for what a group matched, and `$$` for a dollar sign.
    ///
    /// # Errors
    ///
    /// What a right replacement would be, to follow "expected".
    pub(crate) fn new(regex: Regex, replacement: &str) -> Result<Self, &'static str> {
        let (mut pieces, mut text, mut rest) = (Vec::new(), String::new(), replacement);
        while let Some((before, after)) = rest.split_once('$') {
            text.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                text.push('$');
                rest = after;
                continue;
            }
            let (name, after) = match after.strip_prefix('{') {
                Some(after) => after.split_once('}').ok_or("a closing brace behind `${`")?,
                None => {
                    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
                    after.split_at_checked(digits).unwrap_or_default()
                }
            };
            let place = match name.parse::<usize>() {
                Ok(place) => Some(place).filter(|place| *place < regex.captures_len()),
                Err(_) => regex.capture_names().position(|other| other == Some(name) && !name.is_empty()),
            };
            let place = place
                .ok_or("a group that `regex` has, as in `$1`, `${1}` or `${name}`; `$$` for a dollar sign")?;
            if !text.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
            }
            pieces.push(Piece::Group(place));
            rest = after;
        }
        text.push_str(rest);
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        Ok(Self { regex, pieces })
    }

    /// What becomes of `value`; `None` if nothing in it matches, or it is no UTF-8.
    pub(crate) fn of(&self, value: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(value).ok()?;
        let (mut out, mut end, mut matched) = (Vec::new(), 0, false);
        for captures in self.regex.captures_iter(text) {
            let Some(whole) = captures.get(0) else { continue };
            matched = true;
            out.extend_from_slice(value.get(end..whole.start()).unwrap_or_default());
            for piece in &self.pieces {
                match piece {
                    Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                    Piece::Group(place) => {
                        out.extend_from_slice(
                            captures.get(*place).map_or("", |group| group.as_str()).as_bytes(),
                        );
                    }
                }
            }
            end = whole.end();
        }
        out.extend_from_slice(value.get(end..).unwrap_or_default());
        matched.then_some(out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rewritten(regex: &str, replacement: &str, value: &str) -> Option<String> {
        let rewrite = Rewrite::new(Regex::new(regex).unwrap(), replacement).unwrap();
        rewrite.of(value.as_bytes()).map(|value| String::from_utf8(value).unwrap())
    }

    #[test]
    fn every_match_is_replaced_and_groups_are_put_in() {
        for (regex, replacement, value, expected) in [
            ("^/v1/(.*)$", "/v2/$1", "/v1/a?b", Some("/v2/a?b")),
            ("^/v1/(.*)$", "/v2/$1", "/v3/", None),
            ("a", "b", "banana", Some("bbnbnb")),
            ("(?P<x>[a-z]+)-(\\d+)", "${2}0${x}$$", "ab-12 c-3", Some("120ab$ 30c$")),
            ("(a)|(b)", "<$2>", "ab", Some("<><b>")),
            ("x*", "-", "ab", Some("-a-b-")),
            ("a", "a", "a", Some("a")),
            ("b", "", "abc", Some("ac")),
        ] {
            assert_eq!(rewritten(regex, replacement, value).as_deref(), expected, "{regex} {value}");
        }
        let any = Rewrite::new(Regex::new(".").unwrap(), "").unwrap();
        assert_eq!(any.of(b"caf\xe9"), None);
    }

    #[test]
    fn a_group_that_is_not_there_is_refused() {
        for wrong in ["$2", "${2}", "${y}", "${}", "$", "$x", "${1", "$99999999999999999999"] {
            assert!(Rewrite::new(Regex::new("(a)").unwrap(), wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_rewrite_is_what_the_crate_itself_makes(value in "[ab-]{0,20}", replacement in "[xy]{0,2}") {
            let regex = Regex::new("(a+)(b?)").unwrap();
            let ours = Rewrite::new(regex.clone(), &format!("{replacement}${{2}}${{1}}")).unwrap();
            let theirs = regex.replace_all(&value, format!("{replacement}${{2}}${{1}}").as_str());
            prop_assert_eq!(ours.of(value.as_bytes()).unwrap_or_else(|| value.clone().into()), theirs.as_bytes());
        }
    }
}
