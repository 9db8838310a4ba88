//! The proxy itself: VMs, the world around them, and how calls go in and effects come out.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::abi::Callback;
use crate::finding::Finding;
use crate::guest::{Context, Effect, Root};
use crate::log::{LogLine, Role};
use crate::plugin::{FailurePolicy, PluginConfig};
use crate::start::StartError;
use crate::transcript::Event;
use crate::vm::{Called, Limits, Vm, VmConfig};
use crate::world::{Posted, World};

mod callout;
mod chain;
mod http;
mod reply;
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
    /// When a failed VM was last made anew, by worker and plugin, on the monotonic clock.
    reloaded: HashMap<(usize, usize), u64>,
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

/// A chain of filters that all resume or answer each other is not as deep as this.
const DEEPEST: usize = 64;
/// Events that are done within each other; further out they are done too, only later.
const DEEPEST_PUMP: usize = 16;
/// Two plugins may keep each other busy for ever; a test should end all the same.
const MAX_EVENTS: usize = 100_000;
/// One step may take so many times what one callback may, and at least as much as a hundred thousand short ones.
const LONGEST: u64 = 25;
/// What a callback counts for beside the instructions that it executes.
const CALLBACK: u64 = 10_000;

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
        let mut machine = Self {
            world: Some(Box::new(world)),
            vms: Vec::new(),
            chain: Vec::new(),
            instances: vec![Vec::new(); settings.workers],
            main: Vec::new(),
            settings,
            next_worker: 0,
            reloaded: HashMap::new(),
            stopped: false,
            bounds: Bounds::default(),
        };
        let count = machine.world().plugins.len();
        if count == 0 {
            return Err(StartError::NoPlugin);
        }
        for plugin in 0..count {
            machine.load(plugin)?;
        }
        machine.pump();
        Ok(machine)
    }

    fn load(&mut self, plugin: usize) -> Result<(), StartError> {
        let config = self.plugin(plugin);
        if self.settings.strict_link {
            let unknown = config.module.unknown_imports();
            if !unknown.is_empty() {
                let imports =
                    unknown.iter().map(|import| format!("{}.{}", import.module, import.name)).collect();
                return Err(StartError::UnknownImports { module: config.module.name().to_owned(), imports });
            }
        }
        if self.settings.full_start && self.find_vm(&config, Role::Base).is_none() {
            self.make_vm(&config, Role::Base)?;
        }
        for (thread, instance) in self.instantiate(plugin)? {
            match thread {
                Role::Worker(worker) => {
                    if let Some(plugins) = self.instances.get_mut(worker) {
                        plugins.push(instance);
                    }
                }
                _ => self.main.push(instance),
            }
        }
        self.chain.push(plugin);
        Ok(())
    }

    /// Tries the plugin in a canary, then makes its instance on every thread.
    fn instantiate(&mut self, plugin: usize) -> Result<Vec<(Role, Instance)>, StartError> {
        let config = self.plugin(plugin);
        let mut threads: Vec<Role> = (0..self.settings.workers).map(Role::Worker).collect();
        if self.settings.full_start {
            let canary = self.make_vm(&config, Role::Canary)?;
            let tried = self.configure(canary, plugin);
            // It has served its purpose, whatever came of it; nobody tells it so.
            self.discard(canary);
            tried?;
            threads.insert(0, Role::Main);
        }
        threads.into_iter().map(|thread| Ok((thread, self.instance(plugin, thread)?))).collect()
    }

    /// The plugin's instance on a thread, made if there is none; equal plugins share one.
    fn instance(&mut self, plugin: usize, role: Role) -> Result<Instance, StartError> {
        let config = self.plugin(plugin);
        let found = self.find_vm(&config, role);
        if let Some(vm) = found
            && let Some(root) = self.find_root(vm, &config)
        {
            return Ok(Instance { vm, root });
        }
        let vm = match found {
            Some(vm) => vm,
            None => self.make_vm(&config, role)?,
        };
        let root = self.configure(vm, plugin)?;
        Ok(Instance { vm, root })
    }

    fn plugin(&mut self, plugin: usize) -> PluginConfig {
        #[expect(clippy::indexing_slicing, reason = "an index that this module gave out")]
        self.world().plugins[plugin].clone()
    }

    fn find_vm(&self, config: &PluginConfig, role: Role) -> Option<usize> {
        let key = vm_key(config);
        self.vms.iter().position(|vm| {
            let of = &vm.store.data().config;
            of.role == role && of.key == key && vm.failed.is_none()
        })
    }

    fn find_root(&mut self, vm: usize, config: &PluginConfig) -> Option<u32> {
        let roots: Vec<(u32, usize)> =
            self.vms.get(vm)?.store.data().roots.iter().map(|(id, root)| (*id, root.plugin)).collect();
        let plugins = &self.world().plugins;
        roots.into_iter().find_map(|(id, plugin)| {
            let other = plugins.get(plugin)?;
            let same = other.root_id == config.root_id
                && other.name == config.name
                && other.configuration == config.configuration;
            same.then_some(id)
        })
    }

    fn make_vm(&mut self, config: &PluginConfig, role: Role) -> Result<usize, StartError> {
        let vm_config = Arc::new(VmConfig {
            key: vm_key(config),
            vm_id: config.vm_id.clone(),
            configuration: config.vm_configuration.clone(),
            environment: config.environment.clone(),
            capabilities: config.capabilities.clone(),
            role,
        });
        let id = self.vms.len();
        let world = self.take_world();
        let (world, made) = Vm::make(&config.module, vm_config, id, self.settings.limits, world);
        self.world = Some(world);
        self.vms.push(made?);
        Ok(id)
    }

    /// Makes a root context for the plugin and configures it (`WasmBase::start`, `configure`).
    fn configure(&mut self, vm: usize, plugin: usize) -> Result<u32, StartError> {
        let name = self.plugin(plugin);
        let logged = self.world().log.lines().len();
        let vm_configuration = self.guest(vm).config.configuration.len();
        let guest = self.guest(vm);
        let root = guest.allocate_context(Context::Root);
        guest.roots.insert(root, Root { plugin, configuring: true, ..Root::default() });
        let trapped = |machine: &mut Self, at: &'static str| StartError::Trapped {
            module: name.module.name().to_owned(),
            at,
            message: machine.vms.get(vm).and_then(|vm| vm.failed.clone()).unwrap_or_default(),
        };
        // The configuration can be read in here and not in on_vm_start: it is the VM that starts, not the plugin.
        if self.enter(vm, root, Callback::ContextCreate, &[root, 0]) == Called::Failed {
            return Err(trapped(self, "proxy_on_context_create"));
        }
        self.set_configuring(vm, root, false);
        match self.enter(vm, root, Callback::VmStart, &[root, size(vm_configuration)]) {
            Called::Failed => return Err(trapped(self, "proxy_on_vm_start")),
            Called::Returned(0) => {
                let logs = self.logged_since(logged);
                return Err(StartError::VmRefused { plugin: name.name, logs });
            }
            _ => {}
        }
        self.after(vm);
        self.set_configuring(vm, root, true);
        let called = self.enter(vm, root, Callback::Configure, &[root, size(name.configuration.len())]);
        self.set_configuring(vm, root, false);
        match called {
            Called::Failed => return Err(trapped(self, "proxy_on_configure")),
            Called::Returned(0) => {
                let logs = self.logged_since(logged);
                return Err(StartError::ConfigurationRefused { plugin: name.name, logs });
            }
            _ => {}
        }
        self.after(vm);
        Ok(root)
    }

    fn set_configuring(&mut self, vm: usize, root: u32, configuring: bool) {
        if let Some(root) = self.guest(vm).roots.get_mut(&root) {
            root.configuring = configuring;
        }
    }

    fn logged_since(&mut self, count: usize) -> Vec<LogLine> {
        self.world().log.lines().iter().skip(count).cloned().collect()
    }

    /// Forgets what a VM waits for; it is never called again.
    fn discard(&mut self, vm: usize) {
        if let Some(vm) = self.vms.get_mut(vm) {
            vm.failed.get_or_insert_with(|| "discarded".to_owned());
        }
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
        let last = self.reloaded.get(&(worker, place)).copied();
        if last.is_some_and(|last| now < last.saturating_add(self.settings.reload_backoff)) {
            return None;
        }
        self.reloaded.insert((worker, place), now);
        let made = self.instance(plugin, Role::Worker(worker)).ok()?;
        *self.instances.get_mut(worker)?.get_mut(place)? = made;
        Some(made)
    }

    /// Calls into a VM. What the call asked for waits until [`Machine::after`].
    pub(crate) fn enter(&mut self, vm: usize, context: u32, callback: Callback, arguments: &[u32]) -> Called {
        let mut world = self.take_world();
        let Some(entry) = self.vms.get_mut(vm) else {
            self.world = Some(world);
            return Called::Failed;
        };
        if entry.failed.is_some() || !entry.has(callback) {
            let called = if entry.failed.is_some() { Called::Failed } else { Called::Absent };
            self.world = Some(world);
            return called;
        }
        let mut padded = [0; 5];
        padded.iter_mut().zip(arguments).for_each(|(to, from)| *to = *from);
        let longest =
            self.settings.limits.fuel.map(|fuel| fuel.saturating_mul(LONGEST).max(100_000 * CALLBACK));
        if longest.is_some_and(|longest| self.bounds.spent > longest) {
            // The next VM may go on for as long.
            self.bounds.spent = 0;
            let message = "one step of the test led to callbacks without an end".to_owned();
            self.world = Some(world);
            self.fail(vm, callback, message);
            return Called::Failed;
        }
        let Some(entry) = self.vms.get_mut(vm) else {
            self.world = Some(world);
            return Called::Failed;
        };
        let guest = entry.store.data_mut();
        if world.transcript.is_kept() {
            let role = guest.config.role;
            let count = arguments.len();
            world.transcript.push(Event::Enter { role, callback, arguments: padded, count });
        }
        world.coverage.callback(callback);
        guest.current = context;
        guest.effective = 0;
        guest.running = Some(callback);
        guest.last = callback;
        guest.stopped = false;
        guest.cost = crate::cost::Cost { callbacks: 1, ..Default::default() };
        guest.world = Some(world);
        let result = entry.call(callback, &padded);
        let fuel = entry.fuel_used();
        let memory_bytes = entry.memory_bytes();
        let guest = entry.store.data_mut();
        #[expect(clippy::expect_used, reason = "it was put there above and hostcalls only borrow it")]
        let mut world = guest.world.take().expect("the world comes back from a call");
        guest.running = None;
        guest.restriction = crate::guest::Restriction::None;
        let cost = crate::cost::Cost { fuel, memory_bytes, ..guest.cost };
        let spent = fuel.saturating_add(guest.work).saturating_add(CALLBACK);
        self.bounds.spent = self.bounds.spent.saturating_add(spent);
        world.costs.add(callback, &cost);
        match guest.contexts.get(&context) {
            Some(Context::Http { stream, .. }) => {
                if let Some(Some(http)) = world.http.get_mut(*stream) {
                    http.costs.add(callback, &cost);
                }
            }
            Some(Context::Tcp { connection, .. }) => {
                if let Some(Some(connection)) = world.tcp.get_mut(*connection) {
                    connection.costs.add(callback, &cost);
                }
            }
            _ => {}
        }
        let called = match result {
            Ok(value) => {
                if world.transcript.is_kept() {
                    let value = callback.returns().then_some(value);
                    world.transcript.push(Event::Return { value });
                }
                Called::Returned(value)
            }
            Err(error) => {
                let message = crate::vm::explain(&error);
                world.transcript.push(Event::Trap { message: message.clone() });
                world.traps.push(format!("{}: {message}", callback.export()));
                entry.failed = Some(message);
                Called::Failed
            }
        };
        self.world = Some(world);
        called
    }

    /// The same, with the context's id as the first argument.
    fn enter_context(&mut self, vm: usize, context: u32, callback: Callback, others: &[u32]) -> Called {
        let mut arguments = [context; 5];
        arguments.iter_mut().skip(1).zip(others).for_each(|(to, from)| *to = *from);
        self.enter(vm, context, callback, arguments.get(..=others.len()).unwrap_or(&arguments))
    }

    /// Does what the VM asked for while it was called, in order (`doAfterVmCallActions`).
    pub(crate) fn after(&mut self, vm: usize) {
        if self.bounds.effects >= DEEPEST {
            if !self.guest(vm).effects.is_empty() {
                self.guest(vm).effects.clear();
                let running = self.guest(vm).last;
                self.fail(vm, running, "it goes on with its own stream without an end".to_owned());
            }
            return;
        }
        self.bounds.effects += 1;
        while let Some(effect) = self.guest(vm).effects.pop_front() {
            self.take_effect(vm, effect);
        }
        self.bounds.effects -= 1;
    }

    /// Notes that a VM has failed without a trap of its own.
    fn fail(&mut self, vm: usize, callback: Callback, message: String) {
        let world = self.world();
        world.transcript.push(Event::Trap { message: message.clone() });
        world.traps.push(format!("{}: {message}", callback.export()));
        if let Some(vm) = self.vms.get_mut(vm) {
            vm.failed = Some(message);
        }
    }

    /// A step of the test begins: what is bounded for one step is counted anew.
    pub(crate) fn begin(&mut self) {
        self.bounds = Bounds::default();
    }

    fn take_effect(&mut self, vm: usize, effect: Effect) {
        use crate::stream::Direction::{Request, Response};
        match effect {
            Effect::Continue { stream, filter, response } => {
                self.resume(stream, filter, if response { Response } else { Request });
            }
            Effect::Close { stream } => self.reset(stream),
            Effect::Reply { stream, reply } => self.local_reply(stream, reply),
            Effect::ContinueReading { connection, filter } => self.continue_reading(connection, filter),
            Effect::CloseConnection { connection } => self.close_connection(connection),
            Effect::Delete { root } => {
                self.enter(vm, root, Callback::Delete, &[root]);
                let guest = self.guest(vm);
                guest.roots.remove(&root);
                guest.contexts.remove(&root);
            }
            Effect::ForgetAnswer { root } => {
                if let Some(root) = self.guest(vm).roots.get_mut(&root) {
                    root.http_call = None;
                    root.grpc_message = None;
                    root.status.1.clear();
                }
            }
        }
    }

    /// Does what other parts of the proxy were asked to do, until nothing is left.
    pub(crate) fn pump(&mut self) {
        if self.bounds.pumps >= DEEPEST_PUMP {
            return;
        }
        self.bounds.pumps += 1;
        while let Some(posted) = self.world().posted.pop_front() {
            self.bounds.events += 1;
            if self.bounds.events > MAX_EVENTS {
                self.world().posted.clear();
                self.world()
                    .traps
                    .push(format!("{MAX_EVENTS} events posted without an end: the rest was dropped"));
                break;
            }
            match posted {
                Posted::QueueReady { vm_key, root, queue } => self.queue_ready(&vm_key, root, queue),
                Posted::Answer { call } => self.answer_by_itself(call),
                Posted::Respond { stream } => self.respond_by_itself(stream),
            }
        }
        self.bounds.pumps -= 1;
    }

    fn queue_ready(&mut self, vm_key: &str, root: u32, queue: u32) {
        // Whichever thread registered last has the queue; here that is the last VM that knows the root.
        let vm = self.vms.iter().rposition(|vm| {
            let guest = vm.store.data();
            guest.config.key == vm_key && guest.roots.contains_key(&root) && vm.failed.is_none()
        });
        let Some(vm) = vm else { return };
        self.enter(vm, root, Callback::QueueReady, &[root, queue]);
        self.after(vm);
    }

    /// Ends every root context, as a proxy that shuts down does.
    pub(crate) fn shut_down(&mut self) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        let workers: Vec<Instance> =
            self.instances.iter().flat_map(|plugins| plugins.iter().rev()).copied().collect();
        let main: Vec<Instance> = self.main.iter().rev().copied().collect();
        for Instance { vm, root } in workers.into_iter().chain(main) {
            self.finish_root(vm, root);
        }
    }

    /// `on_done`, and `on_delete` unless it wants to wait.
    fn finish_root(&mut self, vm: usize, root: u32) {
        if !self.guest(vm).roots.contains_key(&root) || self.is_failed(vm) {
            return;
        }
        let waits = self.enter(vm, root, Callback::Done, &[root]) == Called::Returned(0);
        self.after(vm);
        let guest = self.guest(vm);
        if waits {
            if let Some(root) = guest.roots.get_mut(&root) {
                root.pending_done = true;
            }
            return;
        }
        self.enter(vm, root, Callback::Delete, &[root]);
        self.after(vm);
        let guest = self.guest(vm);
        guest.roots.remove(&root);
        guest.contexts.remove(&root);
    }

    /// Gives a plugin another configuration. Root contexts of the old one are told that they are done.
    pub(crate) fn reconfigure(&mut self, name: &str, configuration: Vec<u8>) -> Result<(), StartError> {
        let chain = self.chain.clone();
        let place = chain.iter().position(|plugin| self.plugin(*plugin).name == name);
        let Some((place, old)) = place.and_then(|place| Some((place, *chain.get(place)?))) else {
            return Err(StartError::NoPlugin);
        };
        // The old one stays known: streams in flight and its root contexts still ask for it.
        let new = self.world().plugins.len();
        let config = PluginConfig { configuration, ..self.plugin(old) };
        self.world().plugins.push(config);
        let mut ended = Vec::new();
        for (thread, instance) in self.instantiate(new)? {
            let plugins = match thread {
                Role::Worker(worker) => self.instances.get_mut(worker),
                _ => Some(&mut self.main),
            };
            if let Some(current) = plugins.and_then(|plugins| plugins.get_mut(place)) {
                ended.push(std::mem::replace(current, instance));
            }
        }
        if let Some(current) = self.chain.get_mut(place) {
            *current = new;
        }
        for Instance { vm, root } in ended {
            self.finish_root(vm, root);
        }
        self.pump();
        Ok(())
    }

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

/// Which plugins share a VM (`makeVmKey`).
fn vm_key(config: &PluginConfig) -> String {
    let mut digest = Sha256::new();
    digest.update(&config.vm_id);
    digest.update([0]);
    digest.update(&config.vm_configuration);
    digest.update([0]);
    digest.update(config.module.bytes());
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn size(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
