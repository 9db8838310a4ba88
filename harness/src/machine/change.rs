//! Root contexts end: the proxy shuts down, or a plugin has another configuration.

use std::sync::Arc;

use super::{Instance, Machine};
use crate::abi::Callback;
use crate::log::Role;
use crate::plugin::PluginConfig;
use crate::start::{StartError, StartFailure};
use crate::vm::Called;

impl Machine {
    /// Ends every root context, as a proxy that shuts down does.
    pub(crate) fn shut_down(&mut self) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        // What came last ends first.
        for stream in (0..self.world().http.len()).rev() {
            if self.world().http.get(stream).is_some_and(Option::is_some) {
                self.reset(stream);
            }
        }
        for connection in (0..self.world().tcp.len()).rev() {
            if self.world().tcp.get(connection).is_some_and(Option::is_some) {
                self.close_connection(connection);
            }
        }
        let workers: Vec<Instance> =
            self.instances.iter().flat_map(|plugins| plugins.iter().rev()).copied().collect();
        let main: Vec<Instance> = self.main.iter().rev().copied().collect();
        for Instance { vm, root } in workers.into_iter().chain(main) {
            self.finish_root(vm, root);
        }
    }

    /// `on_done`, and `on_delete` unless it wants to wait.
    pub(super) fn finish_root(&mut self, vm: usize, root: u32) {
        if !self.guest(vm).roots.contains_key(&root) || self.is_failed(vm) {
            return;
        }
        let waits = self.enter(vm, root, Callback::Done, &[]) == Called::Returned(0);
        self.after(vm);
        let guest = self.guest(vm);
        if waits {
            if let Some(root) = guest.roots.get_mut(&root) {
                root.pending_done = true;
            }
            return;
        }
        self.enter(vm, root, Callback::Delete, &[]);
        self.after(vm);
        let guest = self.guest(vm);
        guest.roots.remove(&root);
        guest.forget(root);
    }

    /// Ends a root context that another has taken the place of, unless streams still have it (they hold
    /// proxy-wasm-cpp-host's `PluginHandleBase`, and the last to let go of it begins the shutdown).
    pub(crate) fn finish_retired(&mut self, vm: usize, root: u32) {
        let guest = self.guest(vm);
        if !guest.roots.get(&root).is_some_and(|root| root.retired) || guest.serves(root) {
            return;
        }
        if let Some(root) = guest.roots.get_mut(&root) {
            root.retired = false;
        }
        self.finish_root(vm, root);
    }

    /// Gives a plugin another configuration. Root contexts of the old one are told that they are done.
    pub(crate) fn reconfigure(&mut self, name: &str, configuration: Vec<u8>) -> Result<(), StartError> {
        let logged = self.world().log.lines().len();
        let replaced = self.replace(name, configuration);
        replaced.map_err(|failure| {
            let logs = self.world().log.lines().iter().skip(logged).cloned().collect();
            StartError::new(failure, logs)
        })
    }

    pub(super) fn replace(&mut self, name: &str, configuration: Vec<u8>) -> Result<(), StartFailure> {
        let chain = self.chain.clone();
        let place = chain.iter().position(|plugin| self.plugin(*plugin).name == name);
        let Some((place, old)) = place.and_then(|place| Some((place, *chain.get(place)?))) else {
            return Err(StartFailure::NoPlugin);
        };
        // The old one stays known: streams in flight and its root contexts still ask for it.
        let new = self.world().plugins.len();
        let config = PluginConfig { configuration, ..PluginConfig::clone(&self.plugin(old)) };
        self.world().plugins.push(Arc::new(config));
        let mut ended = Vec::new();
        for (thread, instance) in self.instantiate(new)? {
            let plugins = match thread {
                Role::Worker(worker) => self.instances.get_mut(worker),
                _ => Some(&mut self.main),
            };
            if let Some(current) = plugins.and_then(|plugins| plugins.get_mut(place)) {
                let old = std::mem::replace(current, instance);
                // The same configuration is served by the same root context.
                if (old.vm, old.root) != (instance.vm, instance.root) {
                    ended.push(old);
                }
            }
        }
        if let Some(current) = self.chain.get_mut(place) {
            *current = new;
        }
        for Instance { vm, root } in ended {
            if let Some(root) = self.guest(vm).roots.get_mut(&root) {
                root.retired = true;
            }
            self.finish_retired(vm, root);
        }
        self.pump();
        Ok(())
    }
}
