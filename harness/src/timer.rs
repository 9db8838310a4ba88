//! What happens at a certain time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// What a timer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// A root context's tick; stale if its period was set again since.
    Tick { vm: usize, root: u32, generation: u64 },
    /// A callout's time is up.
    CalloutTimeout { call: usize },
}

/// Timers by the monotonic clock, those of one moment in the order in which they were set.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(u64, u64, Due)>>,
    /// Each root context's one timer: a guest may set it anew without end.
    ticks: BTreeMap<(usize, u32), (u64, u64, Due)>,
    set: u64,
}

impl Timers {
    pub(crate) fn set(&mut self, at: u64, due: Due) {
        self.set += 1;
        let timer = (at, self.set, due);
        if let Due::Tick { vm, root, .. } = due {
            self.ticks.insert((vm, root), timer);
        } else {
            self.heap.push(Reverse(timer));
        }
    }

    /// The next timer that is due by `now`, and its time.
    pub(crate) fn next_due(&mut self, now: u64) -> Option<(u64, Due)> {
        let tick = self.ticks.iter().min_by_key(|(_, timer)| **timer).map(|(root, timer)| (*root, *timer));
        let other = self.heap.peek().map(|Reverse(timer)| *timer);
        let (at, _, due) = [tick.map(|(_, timer)| timer), other].into_iter().flatten().min()?;
        if at > now {
            return None;
        }
        match (tick, due) {
            (Some((root, _)), Due::Tick { .. }) => drop(self.ticks.remove(&root)),
            _ => drop(self.heap.pop()),
        }
        Some((at, due))
    }
}
