//! Calls go into a VM, and what they asked for is done when they are over.

use super::{Bounds, Machine};
use crate::abi::Callback;
use crate::guest::{Context, Effect};
use crate::stream::End;
use crate::transcript::Event;
use crate::vm::Called;
use crate::world::Posted;

impl Machine {
    /// Calls into a VM; the context's id goes before the arguments. What the call asked for waits until [`Machine::after`].
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
        let mut padded = [context, 0, 0, 0, 0];
        padded.iter_mut().skip(1).zip(arguments).for_each(|(to, from)| *to = *from);
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
            let count = arguments.len() + 1;
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
    pub(super) fn fail(&mut self, vm: usize, callback: Callback, message: String) {
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

    pub(super) fn take_effect(&mut self, vm: usize, effect: Effect) {
        use crate::stream::Direction::{Request, Response};
        match effect {
            Effect::Continue { stream, filter, response } => {
                let direction = if response { Response } else { Request };
                let profile = self.world().profile;
                if !profile.loses_the_part_after_a_resume() {
                    self.side(stream, filter, direction).buffering = false;
                }
                self.resume(stream, filter, direction);
            }
            Effect::Close { stream } => self.reset(stream),
            Effect::Reply { stream, reply } => self.local_reply(stream, reply),
            Effect::ContinueReading { connection, filter } => self.continue_reading(connection, filter),
            Effect::CloseConnection { connection } => self.close_connection(connection),
            Effect::Delete { root } => {
                self.enter(vm, root, Callback::Delete, &[]);
                let guest = self.guest(vm);
                guest.roots.remove(&root);
                guest.forget(root);
            }
            Effect::CloseGrpc { root, token } => self.grpc_failed_at_once(vm, root, token),
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
                Posted::Resolved { vm, root, token, name } => self.resolved(vm, root, token, &name),
                Posted::Respond { stream } => self.respond_by_itself(stream),
                Posted::End { stream } => {
                    if self.world().http.get(stream).is_some_and(Option::is_some) {
                        self.end_stream(stream, End::Complete);
                    }
                }
            }
        }
        self.bounds.pumps -= 1;
        self.operation += 1;
    }

    pub(super) fn queue_ready(&mut self, vm_key: &str, root: u32, queue: u32) {
        // Whichever thread registered last has the queue; here that is the last VM that knows the root.
        let vm = self.vms.iter().rposition(|vm| {
            let guest = vm.store.data();
            guest.config.key == vm_key && guest.roots.contains_key(&root) && vm.failed.is_none()
        });
        let Some(vm) = vm else { return };
        self.enter(vm, root, Callback::QueueReady, &[queue]);
        self.after(vm);
    }
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
