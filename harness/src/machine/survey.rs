//! What is left behind, and how much of it.

use super::Machine;
use crate::abi::Callback;
use crate::finding::Finding;
use crate::guest::Context;
use crate::log::Role;
use crate::vm::Vm;

impl Machine {
    /// Looks for what has been left behind.
    pub(crate) fn survey(&mut self) {
        let lost = self.world().log.lost;
        if lost > 0 {
            self.world().findings.add(Finding::LogLost { lines: lost });
        }
        let unbalanced =
            self.vms.iter().any(|vm| vm.has(Callback::ContextCreate) && !vm.has(Callback::Delete));
        if unbalanced {
            self.world().findings.add(Finding::UnbalancedContexts);
        }
    }

    /// Contexts of streams and connections that guests still know of.
    pub(crate) fn open_contexts(&self) -> usize {
        let of_streams = |context: &&Context| matches!(context, Context::Http { .. } | Context::Tcp { .. });
        self.vms.iter().map(|vm| vm.store.data().contexts.values().filter(of_streams).count()).sum()
    }

    /// Notes that a stream is given up which a filter holds.
    pub(crate) fn note_unresumed(&mut self, stream: usize) {
        let Some(Some(http)) = self.world().http.get(stream) else { return };
        if http.is_over() {
            return;
        }
        let stopped =
            http.filters.iter().find_map(|filter| filter.request.stopped_in.or(filter.response.stopped_in));
        if let Some(callback) = stopped {
            self.world().findings.add(Finding::NeverResumed { callback: callback.name() });
        }
    }

    pub(crate) fn memory_bytes(&self) -> u64 {
        let serving = |vm: &&Vm| matches!(vm.store.data().config.role, Role::Worker(_));
        self.vms.iter().filter(serving).map(Vm::memory_bytes).sum()
    }
}
