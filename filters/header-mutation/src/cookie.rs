//! Cookies, in the lines that a request and a response have of them (RFC 6265).

use crate::lines::{Change, Lines, Value};

/// Where a request has its cookies.
const COOKIE: &[u8] = b"cookie";
/// Where a response sets one, a line each.
const SET_COOKIE: &[u8] = b"set-cookie";

/// The attributes that a cookie of a response is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// `Path`, `Domain` and `Max-Age` as they are sent, each behind its semicolon.
    pub(crate) scope: Box<[u8]>,
    /// `Secure`: by TLS alone.
    pub(crate) secure: bool,
    /// `HttpOnly`: out of the reach of scripts.
    pub(crate) http_only: bool,
    /// `Partitioned`: kept apart for each site that embeds this one.
    pub(crate) partitioned: bool,
    /// `SameSite`: its word.
    pub(crate) same_site: Option<&'static str>,
}

impl Attributes {
    /// Writes them behind a cookie.
    fn write(&self, cookie: &mut Vec<u8>) {
        cookie.extend_from_slice(&self.scope);
        for (name, wanted) in self.flags() {
            if wanted {
                cookie.extend_from_slice(b"; ");
                cookie.extend_from_slice(name);
            }
        }
        if let Some(word) = self.same_site {
            cookie.extend_from_slice(b"; SameSite=");
            cookie.extend_from_slice(word.as_bytes());
        }
    }

    fn flags(&self) -> [(&'static [u8], bool); 3] {
        [(b"Secure", self.secure), (b"HttpOnly", self.http_only), (b"Partitioned", self.partitioned)]
    }

    /// The line with these as well; another `SameSite` goes.
    fn added(&self, line: &[u8]) -> Change {
        let mut parts: Vec<&[u8]> = line.split(|byte| *byte == b';').collect();
        let is = |part: &[u8], name: &[u8]| {
            part.split(|byte| *byte == b'=')
                .next()
                .unwrap_or_default()
                .trim_ascii()
                .eq_ignore_ascii_case(name)
        };
        if self.same_site.is_some() {
            let mut place = 0;
            // The first part is the cookie itself, whatever its name.
            parts.retain(|part| {
                place += 1;
                place == 1 || !is(part, b"SameSite")
            });
        }
        let missing = |name: &[u8]| !parts.iter().skip(1).any(|part| is(part, name));
        let wanted = Self {
            scope: Box::default(),
            secure: self.secure && missing(b"Secure"),
            http_only: self.http_only && missing(b"HttpOnly"),
            partitioned: self.partitioned && missing(b"Partitioned"),
            same_site: self.same_site,
        };
        let mut cookie = parts.join(&b';');
        wanted.write(&mut cookie);
        // Behind the others it means the same: a line that has it already stays as it is.
        let same_site = self.same_site.map(|word| [b" SameSite=", word.as_bytes()].concat());
        let has_it = same_site.is_none_or(|wanted| {
            let found: Vec<&[u8]> =
                line.split(|byte| *byte == b';').skip(1).filter(|part| is(part, b"SameSite")).collect();
            matches!(found.as_slice(), [one] if one.trim_ascii().eq_ignore_ascii_case(wanted.trim_ascii()))
        });
        if has_it && !wanted.flags().iter().any(|(_, wanted)| *wanted) {
            return Change::Keep;
        }
        Change::Become(cookie)
    }
}

/// Sets a cookie of a request: its value in place of the first, the others go. Whether that is a change.
pub(crate) fn set_of_request(lines: &mut Lines<'_>, name: &[u8], value: &[u8]) -> bool {
    let mut found = false;
    let changed = lines.edit(COOKIE, &mut |line| {
        rewritten(
            line,
            name,
            &mut |old| {
                if std::mem::replace(&mut found, true) {
                    Part::Remove
                } else if old == value {
                    Part::Keep
                } else {
                    Part::Become
                }
            },
            value,
        )
    });
    if found {
        return changed;
    }
    let pair = [name, b"=", value].concat();
    let mut joined = false;
    lines.edit(COOKIE, &mut |line| {
        if std::mem::replace(&mut joined, true) || line.is_empty() {
            return Change::Keep;
        }
        Change::Become([line, b"; ", &pair].concat())
    });
    if !joined {
        lines.push(COOKIE, Value::Owned(pair));
    }
    true
}

/// Removes a cookie of a request, every one of that name. Whether there was one.
pub(crate) fn remove_of_request(lines: &mut Lines<'_>, name: &[u8]) -> bool {
    lines.edit(COOKIE, &mut |line| rewritten(line, name, &mut |_| Part::Remove, b""))
}

/// Sets a cookie of a response, in place of every line that sets one of that name. Whether that is a change.
pub(crate) fn set_of_response(
    lines: &mut Lines<'_>,
    name: &[u8],
    value: &[u8],
    attributes: &Attributes,
) -> bool {
    let mut line = [name, b"=", value].concat();
    attributes.write(&mut line);
    let mut same = lines.values(SET_COOKIE).filter(|other| is_of(other, name));
    if same.next() == Some(&line) && same.next().is_none() {
        return false;
    }
    drop(same);
    lines.retain(SET_COOKIE, &mut |other| !is_of(other, name));
    lines.push(SET_COOKIE, Value::Owned(line));
    true
}

/// Removes every line of a response that sets a cookie of that name. Whether there was one.
pub(crate) fn remove_of_response(lines: &mut Lines<'_>, name: &[u8]) -> bool {
    lines.retain(SET_COOKIE, &mut |line| !is_of(line, name))
}

/// Gives attributes to the cookies that a response sets, to all or to those of that name. Whether one lacked any.
pub(crate) fn give_attributes(lines: &mut Lines<'_>, name: Option<&[u8]>, attributes: &Attributes) -> bool {
    lines.edit(SET_COOKIE, &mut |line| {
        if name.is_none_or(|name| is_of(line, name)) { attributes.added(line) } else { Change::Keep }
    })
}

fn is_of(line: &[u8], name: &[u8]) -> bool {
    line.split(|byte| matches!(byte, b'=' | b';')).next().unwrap_or_default().trim_ascii() == name
}

enum Part {
    Keep,
    Remove,
    Become,
}

/// What becomes of a line of cookies, with `decide` asked about each cookie of that name.
fn rewritten(line: &[u8], name: &[u8], decide: &mut dyn FnMut(&[u8]) -> Part, value: &[u8]) -> Change {
    let (mut kept, mut changed): (Vec<Vec<u8>>, bool) = (Vec::new(), false);
    for pair in line.split(|byte| *byte == b';').map(<[u8]>::trim_ascii) {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let is_it = halves.next().map(<[u8]>::trim_ascii) == Some(name);
        let part = if is_it { decide(halves.next().unwrap_or_default()) } else { Part::Keep };
        match part {
            Part::Keep => kept.push(pair.to_vec()),
            Part::Remove => changed = true,
            Part::Become => {
                changed = true;
                kept.push([name, b"=", value].concat());
            }
        }
    }
    if !changed {
        Change::Keep
    } else if kept.iter().all(Vec::is_empty) {
        Change::Remove
    } else {
        Change::Become(kept.join(&b"; "[..]))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn after(
        name: &'static str,
        before: &[&str],
        change: impl Fn(&mut Lines<'_>) -> bool,
    ) -> (bool, Vec<String>) {
        let mut map = Lines::default();
        before.iter().for_each(|value| map.push(name.as_bytes(), Value::Borrowed(value.as_bytes())));
        let map = map.to_map();
        let mut lines = Lines::of(&map);
        let changed = change(&mut lines);
        let mut edits = 0;
        lines.edits(&mut |_| edits += 1);
        assert_eq!(changed, edits > 0);
        (
            changed,
            lines.values(name.as_bytes()).map(|value| String::from_utf8_lossy(value).into_owned()).collect(),
        )
    }

    #[test]
    fn a_cookie_of_a_request_is_set_and_removed_among_others() {
        let set = |before: &[&str]| after("cookie", before, |lines| set_of_request(lines, b"a", b"new")).1;
        assert_eq!(set(&[]), ["a=new"]);
        assert_eq!(set(&["b=1"]), ["b=1; a=new"]);
        assert_eq!(set(&["aa=0; a=1;b=2; a=3", "a=4"]), ["aa=0; a=new; b=2"]);
        assert!(!after("cookie", &["b=1;a=new"], |lines| set_of_request(lines, b"a", b"new")).0);
        let remove = |before: &[&str]| after("cookie", before, |lines| remove_of_request(lines, b"a"));
        assert_eq!(remove(&["a=1"]), (true, vec![]));
        assert_eq!(remove(&["a", "b=a=1; a =2; A=3"]), (true, vec!["b=a=1; A=3".to_owned()]));
        assert_eq!(remove(&["aa=1;b=2"]), (false, vec!["aa=1;b=2".to_owned()]));
    }

    #[test]
    fn a_cookie_of_a_response_is_a_line_of_its_own() {
        let attributes = Attributes {
            scope: b"; Path=/"[..].into(),
            secure: true,
            same_site: Some("Lax"),
            ..Attributes::default()
        };
        let set = |before: &[&str]| {
            after("set-cookie", before, |lines| set_of_response(lines, b"a", b"1", &attributes))
        };
        let line = "a=1; Path=/; Secure; SameSite=Lax";
        assert_eq!(set(&["b=1", "a=0; Path=/x", "a=0"]), (true, vec!["b=1".to_owned(), line.to_owned()]));
        assert!(!set(&[line, "b=1"]).0);
        let remove = after("set-cookie", &["a=1", "ab=1; a=2", "a"], |lines| remove_of_response(lines, b"a"));
        assert_eq!(remove, (true, vec!["ab=1; a=2".to_owned()]));
    }

    #[test]
    fn attributes_are_given_to_cookies_that_lack_them() {
        let attributes =
            Attributes { secure: true, http_only: true, same_site: Some("Strict"), ..Attributes::default() };
        let give =
            |before: &[&str]| after("set-cookie", before, |lines| give_attributes(lines, None, &attributes));
        assert_eq!(give(&["a=1"]).1, ["a=1; Secure; HttpOnly; SameSite=Strict"]);
        assert_eq!(
            give(&["secure=1; samesite=none; Path=/; secure"]).1,
            ["secure=1; Path=/; secure; HttpOnly; SameSite=Strict"]
        );
        assert!(!give(&["a=1; HttpOnly; samesite=strict;Secure"]).0);
        let one =
            after("set-cookie", &["a=1", "b=1"], |lines| give_attributes(lines, Some(b"b"), &attributes));
        assert_eq!(one.1, ["a=1", "b=1; Secure; HttpOnly; SameSite=Strict"]);
    }

    proptest! {
        #[test]
        fn a_removed_cookie_is_in_no_line(lines in proptest::collection::vec("[ab=; ]{0,12}", 0..4)) {
            let before: Vec<&str> = lines.iter().map(String::as_str).collect();
            let (_, left) = after("cookie", &before, |lines| remove_of_request(lines, b"a"));
            for line in left {
                for pair in line.split(';') {
                    prop_assert_ne!(pair.split('=').next().unwrap().trim(), "a");
                }
            }
        }
    }
}
