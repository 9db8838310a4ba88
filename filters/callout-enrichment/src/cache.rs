//! Answers that are kept: those used longest ago make room for new ones.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::engine::Denial;
use crate::key::Key;
use crate::mapping::Enriched;

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// The values of an answer.
    Enriched(Rc<Enriched>),
    /// The service knows nothing: it answered 404, which may be passed on.
    Nothing(Option<Rc<Denial>>),
}

/// Until when an entry is used, in milliseconds; each is not before the one above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// It is fresh before this.
    pub fresh: u64,
    /// Before this it is used while it is asked for again.
    pub revalidate: u64,
    /// Before this it is used if asking fails.
    pub on_error: u64,
}

/// How an entry may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// As it is.
    Fresh,
    /// As it is, while it is asked for again.
    Revalidate,
    /// If asking fails.
    OnError,
}

/// What an entry costs beside its values, in bytes: key, links and tables, as far as they can be told.
pub const OVERHEAD: usize = 160;

/// A bounded cache. Times are milliseconds of a clock that the caller has.
#[derive(Debug)]
pub struct Cache {
    max_entries: usize,
    max_bytes: usize,
    bytes: usize,
    entries: BTreeMap<Key, usize>,
    /// Entries are linked from the one used last to the one used longest ago.
    slots: Vec<Slot>,
    free: Vec<usize>,
    newest: Option<usize>,
    oldest: Option<usize>,
}

#[derive(Debug)]
struct Slot {
    key: Key,
    known: Known,
    stored: u64,
    lifetime: Lifetime,
    bytes: usize,
    newer: Option<usize>,
    older: Option<usize>,
}

impl Cache {
    /// An empty cache of at most so many entries and bytes.
    pub fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self {
            max_entries,
            max_bytes,
            bytes: 0,
            entries: BTreeMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            newest: None,
            oldest: None,
        }
    }

    /// The number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What the entries cost, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// What is known of `key`, and how it may be used. An entry that may no longer be used at all makes room.
    pub fn get(&mut self, now: u64, key: &Key) -> Option<(Known, Age)> {
        let place = *self.entries.get(key)?;
        let slot = self.slots.get(place)?;
        let (Lifetime { fresh, revalidate, on_error }, known) = (slot.lifetime, slot.known.clone());
        // Before it was stored there is no telling how old it is: the clock has been set back.
        let age = if now < slot.stored || now >= on_error {
            self.remove(place);
            return None;
        } else if now < fresh {
            Age::Fresh
        } else if now < revalidate {
            Age::Revalidate
        } else {
            Age::OnError
        };
        if self.newest != Some(place) {
            self.unlink(place);
            self.link(place);
        }
        Some((known, age))
    }

    /// Keeps what is known of `key`, in place of what was. Answers how many other entries made room.
    pub fn put(&mut self, now: u64, key: Key, known: Known, lifetime: Lifetime) -> u64 {
        if let Some(place) = self.entries.get(&key) {
            self.remove(*place);
        }
        let bytes = OVERHEAD + known.bytes();
        if lifetime.on_error <= now || bytes > self.max_bytes || self.max_entries == 0 {
            return 0;
        }
        let mut evicted = 0;
        while self.entries.len() >= self.max_entries || self.bytes + bytes > self.max_bytes {
            let Some(oldest) = self.oldest else { break };
            self.remove(oldest);
            evicted += 1;
        }
        let slot = Slot { key, known, stored: now, lifetime, bytes, newer: None, older: None };
        let place = match self.free.pop() {
            Some(place) => {
                if let Some(free) = self.slots.get_mut(place) {
                    *free = slot;
                }
                place
            }
            None => {
                self.slots.push(slot);
                self.slots.len() - 1
            }
        };
        self.entries.insert(key, place);
        self.bytes += bytes;
        self.link(place);
        evicted
    }

    /// Forgets what is known of `key`.
    pub fn forget(&mut self, key: &Key) {
        if let Some(place) = self.entries.get(key) {
            self.remove(*place);
        }
    }

    fn remove(&mut self, place: usize) {
        self.unlink(place);
        if let Some(slot) = self.slots.get_mut(place) {
            self.bytes -= slot.bytes;
            slot.known = Known::Nothing(None);
            self.entries.remove(&slot.key);
            self.free.push(place);
        }
    }

    fn link(&mut self, place: usize) {
        let older = self.newest.replace(place);
        if let Some(slot) = self.slots.get_mut(place) {
            (slot.newer, slot.older) = (None, older);
        }
        match older.and_then(|older| self.slots.get_mut(older)) {
            Some(slot) => slot.newer = Some(place),
            None => self.oldest = Some(place),
        }
    }

    fn unlink(&mut self, place: usize) {
        let Some((newer, older)) = self.slots.get(place).map(|slot| (slot.newer, slot.older)) else { return };
        match newer.and_then(|newer| self.slots.get_mut(newer)) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match older.and_then(|older| self.slots.get_mut(older)) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
    }
}

impl Known {
    fn bytes(&self) -> usize {
        match self {
            Self::Enriched(enriched) => {
                let values = enriched.values.iter().flatten().map(|value| value.len());
                values.sum::<usize>() + std::mem::size_of_val(&*enriched.values)
            }
            Self::Nothing(denial) => {
                denial.as_ref().map_or(0, |denial| denial.headers.len() + denial.body.len())
            }
        }
    }
}

#[cfg(test)]
mod tests;
