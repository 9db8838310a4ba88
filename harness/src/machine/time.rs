//! Time passes, and what waits for it happens.

use std::time::Duration;

use super::Machine;
use crate::abi::Callback;
use crate::clock::nanoseconds;
use crate::timer::Due;

impl Machine {
    /// Lets time pass; everything that is due on the way happens at its time, in order.
    pub(crate) fn advance(&mut self, by: Duration) {
        let target = self.world().clock.monotonic().saturating_add(nanoseconds(by));
        while let Some((at, due)) = self.world().timers.next_due(target) {
            self.world().clock.reach(at);
            match due {
                Due::Tick { vm, root, generation } => self.tick(vm, root, generation),
                Due::CalloutTimeout { call } => self.time_out(call),
            }
            self.pump();
        }
        self.world().clock.reach(target);
    }

    /// Ticks, and arms the timer again after it: a slow tick does not pile up others.
    fn tick(&mut self, vm: usize, root: u32, generation: u64) {
        let current = self.guest(vm).roots.get(&root).map(|root| root.tick);
        if current.is_none_or(|tick| tick.generation != generation || tick.period == 0) || self.is_failed(vm)
        {
            return;
        }
        self.world().transcript.stream = None;
        self.enter(vm, root, Callback::Tick, &[]);
        self.after(vm);
        // Unless the guest has set it anew meanwhile.
        let Some(tick) = self.guest(vm).roots.get(&root).map(|root| root.tick) else { return };
        if tick.generation == generation && tick.period > 0 {
            let at = self.world().clock.monotonic().saturating_add(tick.period * 1_000_000);
            self.world().timers.set(at, Due::Tick { vm, root, generation });
        }
    }
}
