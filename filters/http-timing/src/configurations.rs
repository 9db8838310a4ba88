//! The configurations of the plugins that run in one VM.

use std::rc::Rc;

/// How many rounds of the others' ticks a plugin may miss before it is taken to be gone. All have one period, so one
/// that lives misses at most two of each other.
const PATIENCE: usize = 5;

/// What each configuration of a VM has become, numbered in the order they came. Each is there once, so there are more
/// only when an operator writes another.
///
/// A changed configuration is another root context in the same VM, and the host does not say when the old one is gone
/// but by a callback that each stream would have to pay for. A root context that is gone does not tick: so each ticks.
#[derive(Debug)]
pub struct Configurations<T> {
    /// By number. A number that nobody has any more is given to the next.
    slots: Vec<Option<Slot<T>>>,
    roots: Vec<Root>,
}

#[derive(Debug)]
struct Slot<T> {
    text: Box<[u8]>,
    value: Rc<T>,
}

#[derive(Clone, Copy, Debug)]
struct Root {
    context: u32,
    number: usize,
    /// Ticks of others since its own.
    missed: usize,
}

impl<T> Configurations<T> {
    /// None yet.
    pub const fn new() -> Self {
        Self { slots: Vec::new(), roots: Vec::new() }
    }

    /// The number of the configuration with that text, or the one it would have.
    pub fn number_of(&self, text: &[u8]) -> usize {
        let position = |test: &dyn Fn(&Option<Slot<T>>) -> bool| self.slots.iter().position(test);
        position(&|slot| slot.as_ref().is_some_and(|slot| *slot.text == *text))
            .or_else(|| position(&Option::is_none))
            .unwrap_or(self.slots.len())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.slots.iter().flatten().count()
    }

    /// Notes that the root context `context` has the configuration with that text, which `make` makes something of
    /// unless it is there. Answers its number.
    pub fn add(&mut self, context: u32, text: &[u8], make: impl FnOnce() -> T) -> usize {
        let number = self.number_of(text);
        self.roots.retain(|root| root.context != context);
        self.roots.push(Root { context, number, missed: 0 });
        // Before the new one: a host may configure a root context anew.
        self.forget_unused();
        if self.get(number).is_none() {
            let slot = Some(Slot { text: text.into(), value: Rc::new(make()) });
            match self.slots.get_mut(number) {
                Some(free) => *free = slot,
                None => self.slots.push(slot),
            }
        }
        number
    }

    /// What the configuration of this number has become.
    pub fn get(&self, number: usize) -> Option<&Rc<T>> {
        self.slots.get(number)?.as_ref().map(|slot| &slot.value)
    }

    /// What the configuration of every plugin has become, if they have but one.
    pub fn only(&self) -> Option<&Rc<T>> {
        // The way of nearly every stream.
        if let [Some(only)] = self.slots.as_slice() {
            return Some(&only.value);
        }
        let mut slots = self.slots.iter().flatten();
        slots.next().filter(|_| slots.next().is_none()).map(|slot| &slot.value)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten().map(|slot| &*slot.value)
    }

    /// The root context `context` lives. Those that have not ticked for long are gone, and with them the configurations
    /// that only they had. Answers whether one went.
    pub fn tick(&mut self, context: u32) -> bool {
        let patience = PATIENCE * self.roots.len();
        for root in &mut self.roots {
            root.missed = if root.context == context { 0 } else { root.missed + 1 };
        }
        self.roots.retain(|root| root.missed <= patience);
        self.forget_unused()
    }

    fn forget_unused(&mut self) -> bool {
        let mut any = false;
        for (number, slot) in self.slots.iter_mut().enumerate() {
            if slot.is_some() && self.roots.iter().all(|root| root.number != number) {
                *slot = None;
                any = true;
            }
        }
        any
    }
}

impl<T> Default for Configurations<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(configurations: &mut Configurations<String>, context: u32, text: &str) -> usize {
        configurations.add(context, text.as_bytes(), || text.to_owned())
    }

    fn only(configurations: &Configurations<String>) -> Option<&str> {
        configurations.only().map(|value| value.as_str())
    }

    #[test]
    fn each_configuration_of_a_vm_has_one_number() {
        let mut all = Configurations::new();
        assert_eq!(only(&all), None);
        for (context, text, number) in [(1, "a", 0), (2, "a", 0), (3, "b", 1), (4, "a", 0), (5, "b", 1)] {
            assert_eq!(all.number_of(text.as_bytes()), number);
            assert_eq!(add(&mut all, context, text), number);
            assert_eq!(all.get(number).map(|value| value.as_str()), Some(text));
            assert_eq!(only(&all).is_some(), all.get(1).is_none());
        }
        assert_eq!((all.get(2), all.count()), (None, 2));
    }

    #[test]
    fn a_root_context_that_no_longer_ticks_is_gone_and_its_number_is_given_again() {
        let mut all = Configurations::new();
        add(&mut all, 1, "old");
        add(&mut all, 2, "new");
        assert_eq!(only(&all), None);
        let rounds = (1..=100).find(|_| all.tick(2)).expect("the old one goes");
        assert_eq!((rounds, only(&all)), (11, Some("new")));
        assert_eq!(add(&mut all, 3, "newer"), 0);
        assert_eq!((all.get(1).map(|value| value.as_str()), all.count()), (Some("new"), 2));
    }

    #[test]
    fn those_that_tick_stay_however_many_they_are() {
        let mut all = Configurations::new();
        for context in 0..40 {
            add(&mut all, context, &format!("{}", context % 20));
        }
        for round in 0..100 {
            // In whatever order.
            for context in 0..40 {
                assert!(!all.tick((context * 7 + round) % 40));
            }
        }
        assert_eq!(all.count(), 20);
    }

    #[test]
    fn a_configuration_stays_as_long_as_one_has_it_and_a_context_has_but_one() {
        let mut all = Configurations::new();
        add(&mut all, 1, "shared");
        add(&mut all, 2, "shared");
        for _ in 0..100 {
            all.tick(2);
        }
        assert_eq!(only(&all), Some("shared"));
        assert_eq!(add(&mut all, 2, "other"), 1);
        assert_eq!((only(&all), all.number_of(b"shared")), (Some("other"), 0));
    }
}
