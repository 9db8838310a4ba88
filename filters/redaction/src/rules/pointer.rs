//! Paths into JSON, in the form of RFC 6901 with `*` for any member or item.

/// A path, as its segments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pointer(Vec<Segment>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Name(Box<[u8]>),
    Any,
}

impl Pointer {
    /// Reads a path such as `/users/*/email`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let segments: Vec<Segment> = text
            .strip_prefix('/')?
            .split('/')
            .map(|segment| match segment {
                "*" => Segment::Any,
                name => Segment::Name(name.replace("~1", "/").replace("~0", "~").into_bytes().into()),
            })
            .collect();
        (segments.len() <= crate::scan::DEEPEST).then_some(Self(segments))
    }

    /// Goes one step: `Some(true)` if it ends with `name` at that depth, `Some(false)` if it goes on from there.
    pub(crate) fn step(&self, depth: usize, name: &[u8]) -> Option<bool> {
        match self.0.get(depth)? {
            Segment::Name(wanted) if **wanted != *name => None,
            _ => Some(self.0.len() == depth + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_followed_step_by_step() {
        let pointer = Pointer::parse("/users/*/e~1mail").unwrap();
        assert_eq!(pointer.step(0, b"users"), Some(false));
        assert_eq!(pointer.step(0, b"Users"), None);
        assert_eq!(pointer.step(1, b"17"), Some(false));
        assert_eq!(pointer.step(2, b"e/mail"), Some(true));
        assert_eq!(pointer.step(3, b"x"), None);
        assert_eq!(Pointer::parse("users"), None);
    }
}
