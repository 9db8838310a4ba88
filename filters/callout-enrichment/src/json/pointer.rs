//! JSON pointers (RFC 6901), taken apart once.

use super::unescape;

/// A JSON pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    steps: Box<[Step]>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    name: Box<str>,
    /// The place in a list that the step stands for, if it does.
    place: Option<usize>,
}

impl Pointer {
    /// Reads a pointer: `""` is the whole text, `/a/0` the first item of its member `a`.
    ///
    /// # Errors
    ///
    /// What a right one would be, to follow "expected".
    pub fn parse(typed: &str) -> Result<Self, &'static str> {
        const EXPECTED: &str =
            "a JSON pointer (RFC 6901), such as \"/plan/name\"; `~0` for `~`, `~1` for `/`";
        if typed.is_empty() {
            return Ok(Self { steps: Box::default() });
        }
        let steps = typed.strip_prefix('/').ok_or(EXPECTED)?.split('/').map(|step| {
            let mut parts = step.split('~');
            let mut name = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let (escaped, rest) = match part.as_bytes().first() {
                    Some(b'0') => ('~', part.get(1..)),
                    Some(b'1') => ('/', part.get(1..)),
                    _ => return Err(EXPECTED),
                };
                name.push(escaped);
                name.push_str(rest.unwrap_or_default());
            }
            Ok(Step { place: place(&name), name: name.into() })
        });
        let steps: Box<[Step]> = steps.collect::<Result<_, _>>()?;
        if steps.len() > super::MAX_DEPTH {
            return Err("a JSON pointer of at most 128 steps");
        }
        Ok(Self { steps })
    }

    /// The number of its steps.
    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether the step at `depth` leads to the member whose name stands so between its quotes.
    pub(super) fn names(&self, depth: usize, quoted: &[u8]) -> bool {
        let Some(step) = self.steps.get(depth) else { return false };
        if quoted.contains(&b'\\') {
            let name = std::str::from_utf8(quoted).ok().and_then(unescape);
            return name.is_some_and(|name| *name == *step.name);
        }
        step.name.as_bytes() == quoted
    }

    /// Whether the step at `depth` leads to the item at `place`.
    pub(super) fn counts(&self, depth: usize, place: usize) -> bool {
        self.steps.get(depth).is_some_and(|step| step.place == Some(place))
    }
}

/// A place in a list: digits without a leading zero.
fn place(name: &str) -> Option<usize> {
    let right = name.bytes().all(|byte| byte.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    if right { name.parse().ok() } else { None }
}
