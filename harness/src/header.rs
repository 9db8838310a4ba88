//! Header maps with Envoy's manners.
//!
//! Names are lower case. `get` gives the first of several values; `add` of a header that Envoy keeps inline appends
//! to the one that is there, after a comma; `replace` removes all and adds one. Pseudo headers are ordinary entries
//! but stand first.

use std::fmt;

use bytes::Bytes;

mod inline;

use inline::is_inline;

/// Headers or trailers in the order in which they are sent. Equal if they hold the same lines in the same order.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct HeaderMap {
    lines: Vec<(Bytes, Bytes)>,
}

impl HeaderMap {
    /// An empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many lines there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is no line.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines: name and value.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> + Clone {
        self.lines.iter().map(|(name, value)| (&name[..], &value[..]))
    }

    /// The first value of a header, if it is there; the name in any case.
    #[must_use]
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&[u8]> {
        let name = self.own_name(name.as_ref());
        let same = |line: &&(Bytes, Bytes)| line.0.eq_ignore_ascii_case(name);
        self.lines.iter().find(same).map(|(_, value)| &value[..])
    }

    /// The first value without a copy of its bytes.
    pub(crate) fn get_shared(&self, name: &[u8]) -> Option<Bytes> {
        let name = self.own_name(name);
        let same = |line: &&(Bytes, Bytes)| line.0.eq_ignore_ascii_case(name);
        self.lines.iter().find(same).map(|(_, value)| value.clone())
    }

    /// Every value of a header.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.lines
            .iter()
            .filter(move |line| line.0.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| &value[..])
    }

    /// Adds a line, or to the line of an inline header after a comma (Envoy's `HeaderMapImpl::addCopy`).
    pub fn add(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.add_bytes(lower(self.own_name(name.as_ref())), Bytes::copy_from_slice(value.as_ref()));
    }

    pub(crate) fn add_bytes(&mut self, name: Bytes, value: Bytes) {
        if is_inline(&name)
            && let Some(line) = self.lines.iter_mut().find(|line| line.0 == name)
        {
            let mut joined = line.1.to_vec();
            if !joined.is_empty() && !value.is_empty() {
                joined.push(b',');
            }
            joined.extend_from_slice(&value);
            line.1 = joined.into();
            return;
        }
        if name.first() == Some(&b':') {
            let after = self.lines.iter().take_while(|line| line.0.first() == Some(&b':')).count();
            self.lines.insert(after, (name, value));
        } else {
            self.lines.push((name, value));
        }
    }

    /// Makes the header have this value and no other (`HeaderMapImpl::setCopy`).
    pub fn replace(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.remove(name.as_ref());
        self.add(name, value);
    }

    /// Makes the header have this value, where its first line stands, or at the end (`setContentLength` and the
    /// like).
    pub(crate) fn set(&mut self, name: &str, value: impl AsRef<[u8]>) {
        match self.lines.iter_mut().find(|line| line.0 == name) {
            Some(line) => line.1 = Bytes::copy_from_slice(value.as_ref()),
            None => self.add(name, value),
        }
    }

    /// In requests, Envoy keeps `host` as `:authority`.
    fn own_name<'a>(&self, name: &'a [u8]) -> &'a [u8] {
        if name.eq_ignore_ascii_case(b"host") && self.lines.iter().any(|line| line.0 == ":method") {
            b":authority"
        } else {
            name
        }
    }

    /// Takes every line of the header away; whether there was one.
    pub fn remove(&mut self, name: impl AsRef<[u8]>) -> bool {
        let name = self.own_name(name.as_ref());
        let before = self.lines.len();
        self.lines.retain(|line| !line.0.eq_ignore_ascii_case(name));
        self.lines.len() < before
    }

    /// Removes every key, then adds each pair.
    pub(crate) fn set_pairs(&mut self, pairs: &[(&[u8], &[u8])]) {
        self.lines.clear();
        pairs.iter().for_each(|(name, value)| self.add(name, value));
    }

    /// The bytes of all names and values (`HeaderMap::byteSize`).
    #[must_use]
    pub fn byte_size(&self) -> usize {
        self.lines.iter().map(|(name, value)| name.len() + value.len()).sum()
    }
}

fn lower(name: &[u8]) -> Bytes {
    if name.iter().any(u8::is_ascii_uppercase) {
        name.to_ascii_lowercase().into()
    } else {
        Bytes::copy_from_slice(name)
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for HeaderMap {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut map = Self::new();
        map.extend(pairs);
        map
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> Extend<(N, V)> for HeaderMap {
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, pairs: I) {
        pairs.into_iter().for_each(|(name, value)| self.add(name, value));
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>, const COUNT: usize> From<[(N, V); COUNT]> for HeaderMap {
    fn from(pairs: [(N, V); COUNT]) -> Self {
        pairs.into_iter().collect()
    }
}

/// One `name: value` a line, bytes that are not printable escaped.
impl fmt::Display for HeaderMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter()
            .try_for_each(|(name, value)| writeln!(f, "{}: {}", name.escape_ascii(), value.escape_ascii()))
    }
}

impl fmt::Debug for HeaderMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        f.debug_list().entries(self.iter().map(|(name, value)| (text(name), text(value)))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(map: &HeaderMap) -> Vec<String> {
        map.to_string().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_name_is_found_in_any_case_and_kept_in_lower() {
        let map = HeaderMap::from([("X-Two", "1"), ("x-two", "2")]);
        assert_eq!(map.get("X-TWO"), Some(&b"1"[..]));
        assert_eq!(map.get_all("x-Two").count(), 2);
        assert_eq!(lines(&map), ["x-two: 1", "x-two: 2"]);
    }

    #[test]
    fn an_inline_header_grows_by_commas_and_another_by_lines() {
        let map = HeaderMap::from([("user-agent", "a"), ("user-agent", "b"), ("x", "a"), ("x", "b")]);
        assert_eq!(lines(&map), ["user-agent: a,b", "x: a", "x: b"]);
    }

    #[test]
    fn replacing_leaves_one_value_at_the_end() {
        let mut map = HeaderMap::from([("x", "1"), ("y", "2"), ("x", "3")]);
        map.replace("X", "4");
        assert_eq!(lines(&map), ["y: 2", "x: 4"]);
    }

    #[test]
    fn pseudo_headers_stand_first() {
        let mut map = HeaderMap::from([("x", "1"), (":path", "/")]);
        map.replace(":path", "/b");
        map.add(":method", "GET");
        assert_eq!(lines(&map), [":path: /b", ":method: GET", "x: 1"]);
    }
}
