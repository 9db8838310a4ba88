//! What calls cost, in numbers that are the same on every machine.

use std::fmt;

use crate::abi::Callback;

/// The cost of one call or of many. Fuel depends on the version of wasmtime, the rest only on the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// How many callbacks ran.
    pub callbacks: u64,
    /// Instructions that the guest executed, as wasmtime counts them.
    pub fuel: u64,
    /// How often the guest called the host.
    pub hostcalls: u64,
    /// How often the host asked the guest for memory (`malloc` or `proxy_on_memory_allocate`).
    pub allocations: u64,
    /// How much the host asked for, in bytes.
    pub allocated_bytes: u64,
    /// The guest's linear memory at its largest, in bytes.
    pub memory_bytes: u64,
}

impl Cost {
    /// Adds another; memory is the larger of the two.
    pub fn add(&mut self, other: &Self) {
        self.callbacks += other.callbacks;
        self.fuel += other.fuel;
        self.hostcalls += other.hostcalls;
        self.allocations += other.allocations;
        self.allocated_bytes += other.allocated_bytes;
        self.memory_bytes = self.memory_bytes.max(other.memory_bytes);
    }
}

/// Costs, each callback by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Costs {
    by_callback: [Cost; Callback::ALL.len()],
}

impl Default for Costs {
    fn default() -> Self {
        Self { by_callback: [Cost::default(); Callback::ALL.len()] }
    }
}

impl Costs {
    pub(crate) fn add(&mut self, callback: Callback, cost: &Cost) {
        if let Some(sum) = self.by_callback.get_mut(callback as usize) {
            sum.add(cost);
        }
    }

    /// What these are more than `before` was. Callbacks of a stream's callouts are called for the plugin and not for
    /// the stream, so what a stream cost with its callout is `host.costs().since(&before)`.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        let mut since = self.clone();
        for (cost, before) in since.by_callback.iter_mut().zip(&before.by_callback) {
            cost.callbacks = cost.callbacks.saturating_sub(before.callbacks);
            cost.fuel = cost.fuel.saturating_sub(before.fuel);
            cost.hostcalls = cost.hostcalls.saturating_sub(before.hostcalls);
            cost.allocations = cost.allocations.saturating_sub(before.allocations);
            cost.allocated_bytes = cost.allocated_bytes.saturating_sub(before.allocated_bytes);
        }
        since
    }

    /// What one callback cost, all its calls together.
    #[must_use]
    pub fn of(&self, callback: Callback) -> Cost {
        self.by_callback.get(callback as usize).copied().unwrap_or_default()
    }

    /// What all callbacks cost together.
    #[must_use]
    pub fn total(&self) -> Cost {
        let mut total = Cost::default();
        self.by_callback.iter().for_each(|cost| total.add(cost));
        total
    }

    /// The callbacks that ran, with their costs.
    pub fn iter(&self) -> impl Iterator<Item = (Callback, Cost)> + '_ {
        Callback::ALL
            .iter()
            .map(|callback| (*callback, self.of(*callback)))
            .filter(|(_, cost)| cost.callbacks > 0)
    }
}

/// A table, one callback a line.
impl fmt::Display for Costs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<36} {:>6} {:>10} {:>9} {:>11} {:>9}",
            "callback", "calls", "fuel", "hostcalls", "allocations", "bytes"
        )?;
        for (callback, cost) in self.iter() {
            writeln!(
                f,
                "{:<36} {:>6} {:>10} {:>9} {:>11} {:>9}",
                callback.name(),
                cost.callbacks,
                cost.fuel,
                cost.hostcalls,
                cost.allocations,
                cost.allocated_bytes
            )?;
        }
        Ok(())
    }
}
