//! Where in a JSON document a value stands.

use crate::detect::sign;
use crate::rules::Pointer;

/// The deepest nesting that is followed; what goes deeper is looked into as text. For each level there is a bit.
pub(crate) const DEEPEST: usize = 128;

/// The objects and lists that are open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stack {
    depth: usize,
    /// Which of them are objects: the lowest bit is for the innermost.
    objects: u128,
    /// The outermost of them, as far as pointers lead into them. Into what is in others none does.
    led: Vec<Led>,
    /// The pointers that lead to the value that comes next.
    next: Leads,
}

/// Pointers, and where they lead on to.
#[derive(Clone, Copy, Debug, Default)]
struct Leads {
    /// Which, as bits.
    pointers: u64,
    /// The signs of the names that they have next.
    signs: u64,
}

/// An object or a list that pointers lead into.
#[derive(Clone, Copy, Debug)]
struct Led {
    by: Leads,
    /// Which item of a list comes next.
    index: u32,
}

impl Stack {
    /// At the beginning of a document.
    pub(crate) fn new(pointers: &[Pointer]) -> Self {
        let mut stack = Self::default();
        stack.begin(pointers);
        stack
    }

    /// A document begins: all pointers lead to it.
    pub(crate) fn begin(&mut self, pointers: &[Pointer]) {
        self.next = Leads::default();
        pointers.iter().enumerate().for_each(|(number, pointer)| self.next.add(number, pointer.sign(0)));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.depth == 0
    }

    /// How many there are.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    pub(crate) fn is_in_object(&self) -> bool {
        self.depth > 0 && self.objects & 1 == 1
    }

    /// Whether it matters for pointers which value comes next.
    pub(crate) fn is_led_into(&self) -> bool {
        self.depth > 0 && self.led.len() == self.depth
    }

    /// The value that comes is an object or a list; whether that is not too deep.
    pub(crate) fn push(&mut self, is_object: bool) -> bool {
        if self.depth == DEEPEST {
            return false;
        }
        if self.next.pointers != 0 && self.led.len() == self.depth {
            self.led.push(Led { by: self.next, index: 0 });
        }
        self.depth += 1;
        self.objects = self.objects << 1 | u128::from(is_object);
        true
    }

    /// The innermost is closed; whether it is of that kind.
    pub(crate) fn pop(&mut self, is_object: bool) -> bool {
        if self.depth == 0 {
            return false;
        }
        let was_object = self.is_in_object();
        if self.is_led_into() {
            self.led.pop();
        }
        self.depth -= 1;
        self.objects >>= 1;
        was_object == is_object
    }

    /// The next value is the member `name`. Answers the first pointer that names it.
    #[inline]
    pub(crate) fn member(&mut self, pointers: &[Pointer], name: &[u8]) -> Option<usize> {
        self.next = Leads::default();
        let level = *self.led.last().filter(|_| self.is_led_into())?;
        if level.by.signs & sign(name) == 0 {
            return None;
        }
        self.step(pointers, level, |pointer, depth| pointer.member(depth, name))
    }

    /// The next value is an item, if this is a list. Answers the first pointer that names it.
    pub(crate) fn item(&mut self, pointers: &[Pointer]) -> Option<usize> {
        self.next = Leads::default();
        let is_led_into = self.is_led_into();
        let level = self.led.last_mut().filter(|_| is_led_into)?;
        let before = *level;
        level.index = level.index.saturating_add(1);
        self.step(pointers, before, |pointer, depth| pointer.item(depth, before.index))
    }

    #[inline(never)]
    fn step(
        &mut self,
        pointers: &[Pointer],
        level: Led,
        step: impl Fn(&Pointer, usize) -> Option<bool>,
    ) -> Option<usize> {
        let (mut found, mut left) = (None, level.by.pointers);
        while left != 0 {
            let number = left.trailing_zeros() as usize;
            left &= left - 1;
            let Some(pointer) = pointers.get(number) else { break };
            match step(pointer, self.depth - 1) {
                Some(true) => found = found.or(Some(number)),
                Some(false) => self.next.add(number, pointer.sign(self.depth)),
                None => {}
            }
        }
        found
    }
}

impl Leads {
    fn add(&mut self, number: usize, sign: u64) {
        // There are no more pointers than bits.
        self.pointers |= u32::try_from(number).ok().and_then(|number| 1_u64.checked_shl(number)).unwrap_or(0);
        self.signs |= sign;
    }
}
