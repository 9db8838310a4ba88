//! What happens at a certain time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What a timer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// A root context's tick; stale if its period was set again since.
    Tick { vm: usize, root: u32, generation: u64 },
    /// A callout's time is up.
    CalloutTimeout { call: usize },
    /// A callout's answer arrives.
    CalloutAnswer { call: usize },
}

/// Timers by the monotonic clock, those of one moment in the order in which they were set.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<(u64, u64, Due)>>,
    set: u64,
}

impl Timers {
    pub(crate) fn set(&mut self, at: u64, due: Due) {
        self.set += 1;
        self.heap.push(Reverse((at, self.set, due)));
    }

    /// The next timer that is due by `now`, and its time.
    pub(crate) fn next_due(&mut self, now: u64) -> Option<(u64, Due)> {
        if self.heap.peek().is_some_and(|Reverse((at, _, _))| *at <= now) {
            self.heap.pop().map(|Reverse((at, _, due))| (at, due))
        } else {
            None
        }
    }
}
