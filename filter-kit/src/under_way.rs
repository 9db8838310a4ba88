//! What is remembered of streams under way.

/// A power of two: an id's place is its lowest bits. Ids are given in turn, so every list is as long as the others, and
/// with ten thousand streams open none has more than twenty.
const LISTS: usize = 512;

/// Something of each of many streams, by the id of its context. As fast as a map of the standard library, and a tenth
/// of its code.
#[derive(Debug)]
pub struct UnderWay<T>(Vec<Vec<(u32, T)>>);

impl<T> UnderWay<T> {
    /// Of no stream, and without memory until there is one.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Remembers something of a stream.
    pub fn insert(&mut self, id: u32, value: T) {
        if self.0.is_empty() {
            self.0.resize_with(LISTS, Vec::new);
        }
        match self.get_mut(id) {
            Some(known) => *known = value,
            None => {
                if let Some(list) = self.list(id) {
                    list.push((id, value));
                }
            }
        }
    }

    /// What is remembered of a stream.
    pub fn get_mut(&mut self, id: u32) -> Option<&mut T> {
        self.list(id)?.iter_mut().find(|(other, _)| *other == id).map(|(_, value)| value)
    }

    /// Forgets a stream, and answers what was remembered of it.
    pub fn remove(&mut self, id: u32) -> Option<T> {
        let list = self.list(id)?;
        let place = list.iter().position(|(other, _)| *other == id)?;
        Some(list.swap_remove(place).1)
    }

    fn list(&mut self, id: u32) -> Option<&mut Vec<(u32, T)>> {
        self.0.get_mut(usize::try_from(id).ok()? % LISTS)
    }
}

impl<T> Default for UnderWay<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map(steps in proptest::collection::vec((0_u32..2000, 0_u8..3, any::<u8>()), 0..500)) {
            let (mut map, mut tested) = (BTreeMap::new(), UnderWay::new());
            for (id, step, value) in steps {
                match step {
                    0 => {
                        map.insert(id, value);
                        tested.insert(id, value);
                    }
                    1 => prop_assert_eq!(map.remove(&id), tested.remove(id)),
                    _ => prop_assert_eq!(map.get_mut(&id), tested.get_mut(id)),
                }
            }
        }
    }
}
