//! Where in a JSON document a value stands.

use crate::rules::Pointer;

/// The deepest nesting that is followed; what goes deeper is looked into as text.
pub(crate) const DEEPEST: usize = 128;

/// One object or list that is open.
#[derive(Clone, Copy, Debug)]
struct Level {
    is_object: bool,
    /// Which pointers lead into it, as bits.
    alive: u64,
    /// Which item of a list comes next.
    index: u32,
}

/// The objects and lists that are open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stack {
    levels: Vec<Level>,
    /// Which pointers lead to the value that comes next, as bits.
    next: u64,
}

impl Stack {
    /// At the beginning of a document. `pointers`: how many there are.
    pub(crate) fn new(pointers: usize) -> Self {
        let mut stack = Self::default();
        stack.begin(pointers);
        stack
    }

    /// A document begins: all pointers lead to it.
    pub(crate) fn begin(&mut self, pointers: usize) {
        self.next = if pointers >= 64 { u64::MAX } else { (1 << pointers) - 1 };
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// How many there are.
    pub(crate) fn depth(&self) -> usize {
        self.levels.len()
    }

    pub(crate) fn is_in_object(&self) -> bool {
        self.levels.last().is_some_and(|level| level.is_object)
    }

    /// The value that comes is an object or a list; whether that is not too deep.
    pub(crate) fn push(&mut self, is_object: bool) -> bool {
        self.levels.push(Level { is_object, alive: self.next, index: 0 });
        self.levels.len() <= DEEPEST
    }

    /// The innermost is closed; whether it is of that kind.
    pub(crate) fn pop(&mut self, is_object: bool) -> bool {
        self.levels.pop().is_some_and(|level| level.is_object == is_object)
    }

    /// The next value is the member `name`. Answers the first pointer that names it.
    pub(crate) fn member(&mut self, pointers: &[Pointer], name: &[u8]) -> Option<usize> {
        self.step(pointers, |_| name.to_vec())
    }

    /// The next value is an item, if this is a list. Answers the first pointer that names it.
    pub(crate) fn item(&mut self, pointers: &[Pointer]) -> Option<usize> {
        let found = self.step(pointers, |index| index.to_string().into_bytes());
        if let Some(level) = self.levels.last_mut() {
            level.index = level.index.saturating_add(1);
        }
        found
    }

    fn step(&mut self, pointers: &[Pointer], name: impl FnOnce(u32) -> Vec<u8>) -> Option<usize> {
        self.next = 0;
        let level = self.levels.last()?;
        if level.alive == 0 {
            return None;
        }
        let (depth, name) = (self.levels.len() - 1, name(level.index));
        let mut found = None;
        for (number, pointer) in
            pointers.iter().enumerate().filter(|(number, _)| level.alive & (1 << number) != 0)
        {
            match pointer.step(depth, &name) {
                Some(true) => found = found.or(Some(number)),
                Some(false) => self.next |= 1 << number,
                None => {}
            }
        }
        found
    }
}
