//! The proxy itself: VMs, the world around them, and how calls go in and effects come out.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::log::Role;
use crate::plugin::{FailurePolicy, PluginConfig};
use crate::start::StartError;
use crate::vm::{Limits, Vm};
use crate::world::World;

mod call;
mod callout;
mod chain;
mod change;
mod dns;
mod http;
mod load;
mod reply;
mod survey;
mod tcp;
mod time;

/// A plugin on one thread.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instance {
    pub(crate) vm: usize,
    pub(crate) root: u32,
}

/// One proxy.
pub(crate) struct Machine {
    /// Gone only while a guest runs: then the guest has it.
    world: Option<Box<World>>,
    pub(crate) vms: Vec<Vm>,
    /// The plugins that new streams meet, in order, by their index in the world.
    chain: Vec<usize>,
    /// By worker and place in the chain.
    instances: Vec<Vec<Instance>>,
    /// Of the main thread, by place in the chain.
    main: Vec<Instance>,
    pub(crate) settings: Settings,
    next_worker: usize,
    /// What canaries have tried: VM key, root id, name and configuration.
    tried: HashSet<(String, String, String, Vec<u8>)>,
    /// When a failed VM was last made anew, by worker and plugin, on the monotonic clock.
    reloaded: HashMap<(usize, usize), u64>,
    /// Counts what came from outside: what happens in one operation happens before a connection can be made.
    operation: u64,
    /// On the monotonic clock.
    started_at: u64,
    pub(crate) stopped: bool,
    bounds: Bounds,
}

/// What keeps one step of a test from going on without end, whatever plugins do to each other or to themselves.
#[derive(Debug, Default)]
struct Bounds {
    /// How deep effects lead to callbacks whose effects lead to callbacks.
    effects: usize,
    /// How deep events are done while events are done.
    pumps: usize,
    /// Events so far.
    events: usize,
    /// What callbacks have cost so far, in instructions' worth.
    spent: u64,
}

/// How a proxy is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) workers: usize,
    /// Base, canary and main thread, as Envoy has them; else workers alone.
    pub(crate) full_start: bool,
    pub(crate) strict_link: bool,
    pub(crate) limits: Limits,
    /// Bytes of a body that are held back for a filter.
    pub(crate) buffer_limit: usize,
    /// Nanoseconds between two attempts to make a failed VM anew.
    pub(crate) reload_backoff: u64,
}

impl Machine {
    /// Starts every plugin as Envoy does: for each, a canary, then the main thread's instance, then each worker's.
    ///
    /// # Errors
    ///
    /// Why the first plugin that does not start does not.
    pub(crate) fn start(world: World, settings: Settings) -> Result<Self, StartError> {
        let started_at = world.clock.monotonic();
        let mut machine = Self {
            operation: 0,
            started_at,
            world: Some(Box::new(world)),
            vms: Vec::new(),
            chain: Vec::new(),
            instances: vec![Vec::new(); settings.workers],
            main: Vec::new(),
            settings,
            next_worker: 0,
            tried: HashSet::new(),
            reloaded: HashMap::new(),
            stopped: false,
            bounds: Bounds::default(),
        };
        match machine.load_all() {
            Ok(()) => Ok(machine),
            Err(failure) => Err(StartError::new(failure, machine.world().log.lines().to_vec())),
        }
    }

    fn plugin(&mut self, plugin: usize) -> Arc<PluginConfig> {
        #[expect(clippy::indexing_slicing, reason = "an index that this module gave out")]
        Arc::clone(&self.world().plugins[plugin])
    }

    #[expect(
        clippy::expect_used,
        reason = "the world is elsewhere only while `enter` runs, which calls none of this"
    )]
    pub(crate) fn world(&mut self) -> &mut World {
        self.world.as_mut().expect("the world is here between calls")
    }

    #[expect(clippy::expect_used, reason = "the same")]
    fn take_world(&mut self) -> Box<World> {
        self.world.take().expect("the world is here between calls")
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "indices of VMs are given out by this module and never taken back"
    )]
    pub(crate) fn guest(&mut self, vm: usize) -> &mut crate::guest::Guest {
        self.vms[vm].store.data_mut()
    }

    pub(crate) fn is_failed(&self, vm: usize) -> bool {
        self.vms.get(vm).is_none_or(|vm| vm.failed.is_some())
    }

    /// The instance of a plugin on a worker; a failed one is made anew if its policy says so and its time has come.
    fn serving(&mut self, worker: usize, place: usize) -> Option<Instance> {
        let plugin = *self.chain.get(place)?;
        let instance = *self.instances.get(worker)?.get(place)?;
        if !self.is_failed(instance.vm) {
            return Some(instance);
        }
        if self.plugin(plugin).failure_policy != FailurePolicy::FailReload {
            return None;
        }
        let now = self.world().clock.monotonic();
        // The first load counts as well: a plugin that traps at once is not made anew at once.
        let last = self.reloaded.get(&(worker, place)).copied().unwrap_or(self.started_at);
        if now < last.saturating_add(self.settings.reload_backoff) {
            return None;
        }
        self.reloaded.insert((worker, place), now);
        let made = self.instance(plugin, Role::Worker(worker)).ok()?;
        *self.instances.get_mut(worker)?.get_mut(place)? = made;
        Some(made)
    }

    pub(crate) fn first_vm(&self) -> Option<usize> {
        self.instances.first().and_then(|plugins| plugins.first()).map(|instance| instance.vm)
    }

    pub(crate) fn first_root(&self) -> u32 {
        self.instances.first().and_then(|plugins| plugins.first()).map_or(0, |instance| instance.root)
    }

    pub(crate) fn is_envoy(&mut self) -> bool {
        self.world().profile.is_envoy()
    }

    /// Streams go to workers in turn.
    fn next_worker(&mut self) -> usize {
        let worker = self.next_worker;
        self.next_worker = (worker + 1) % self.settings.workers.max(1);
        worker
    }
}

pub(crate) fn size(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
