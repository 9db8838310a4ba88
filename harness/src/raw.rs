//! Single callbacks with exact results, for whoever tests a host's or an SDK's every step.

use crate::abi::Callback;
use crate::host::Host;
use crate::vm::Called;

/// Calls callbacks one by one, past the machinery of streams.
#[derive(Debug)]
pub struct Raw {
    host: Host,
}

/// What a single callback did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The module has none of that name.
    Absent,
    /// It returned this; 0 if it returns nothing.
    Returned(u32),
    /// It trapped, or the VM had failed before.
    Failed,
}

impl Raw {
    pub(crate) fn new(host: Host) -> Self {
        Self { host }
    }

    /// Calls a callback of the first plugin's serving VM with exactly these arguments, the context's id first, and
    /// does what it asked for.
    #[must_use]
    pub fn call(&self, callback: Callback, arguments: &[u32]) -> Outcome {
        let mut machine = self.host.lock();
        let Some(vm) = machine.first_vm() else { return Outcome::Absent };
        let context = arguments.first().copied().unwrap_or_default();
        let called = machine.enter(vm, context, callback, arguments.get(1..).unwrap_or_default());
        machine.after(vm);
        machine.pump();
        match called {
            Called::Absent => Outcome::Absent,
            Called::Returned(value) => Outcome::Returned(value),
            Called::Failed => Outcome::Failed,
        }
    }

    /// The first plugin's root context.
    #[must_use]
    pub fn root(&self) -> u32 {
        self.host.lock().first_root()
    }
}
