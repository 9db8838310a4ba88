//! Paths into JSON, in the form of RFC 6901 with `*` for any member or item.

use crate::detect::sign;

/// A path, as its segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pointer(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// A member, or the item with that number.
    Name {
        name: Box<[u8]>,
        index: Option<u32>,
    },
    Any,
}

impl Pointer {
    /// Reads a path such as `/users/*/email`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let segments: Vec<Segment> = text.strip_prefix('/')?.split('/').map(Segment::parse).collect();
        (segments.len() <= crate::scan::DEEPEST).then_some(Self(segments))
    }

    /// Goes one step: `Some(true)` if it ends with the member `name` at that depth, `Some(false)` if it goes on from there.
    pub(crate) fn member(&self, depth: usize, name: &[u8]) -> Option<bool> {
        self.step(depth, |segment| segment.is_member(name))
    }

    /// The same for an item.
    pub(crate) fn item(&self, depth: usize, index: u32) -> Option<bool> {
        self.step(depth, |segment| segment.is_item(index))
    }

    /// The sign of the name that it has at that depth; of all names where it has any.
    pub(crate) fn sign(&self, depth: usize) -> u64 {
        match self.0.get(depth) {
            Some(Segment::Name { name, .. }) => sign(name),
            Some(Segment::Any) => u64::MAX,
            None => 0,
        }
    }

    fn step(&self, depth: usize, leads: impl Fn(&Segment) -> bool) -> Option<bool> {
        let segment = self.0.get(depth)?;
        leads(segment).then_some(self.0.len() == depth + 1)
    }
}

impl Segment {
    fn parse(text: &str) -> Self {
        if text == "*" {
            return Self::Any;
        }
        let name = text.replace("~1", "/").replace("~0", "~");
        // With a sign or a zero before it, it is the name of a member only.
        let index = name.parse::<u32>().ok().filter(|index| index.to_string() == name);
        Self::Name { name: name.into_bytes().into(), index }
    }

    fn is_member(&self, member: &[u8]) -> bool {
        match self {
            Self::Any => true,
            Self::Name { name, .. } => **name == *member,
        }
    }

    fn is_item(&self, item: u32) -> bool {
        match self {
            Self::Any => true,
            Self::Name { index, .. } => *index == Some(item),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_followed_step_by_step() {
        let pointer = Pointer::parse("/users/*/e~1mail").unwrap();
        assert_eq!(pointer.member(0, b"users"), Some(false));
        assert_eq!(pointer.member(0, b"Users"), None);
        assert_eq!(pointer.item(0, 0), None);
        assert_eq!(pointer.member(1, b"17"), Some(false));
        assert_eq!(pointer.item(1, 17), Some(false));
        assert_eq!(pointer.member(2, b"e/mail"), Some(true));
        assert_eq!(pointer.member(3, b"x"), None);
        assert_eq!(Pointer::parse("users"), None);
    }

    #[test]
    fn an_item_is_counted_from_0() {
        let pointer = Pointer::parse("/10").unwrap();
        assert_eq!((pointer.item(0, 10), pointer.item(0, 1)), (Some(true), None));
        assert_eq!(pointer.member(0, b"10"), Some(true));
        assert_eq!(Pointer::parse("/010").unwrap().item(0, 10), None);
    }
}
