//! Plugins are loaded: a canary tries each, then every thread has its instance.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Instance, Machine, size};
use crate::abi::Callback;
use crate::guest::{Context, Root};
use crate::log::Role;
use crate::plugin::PluginConfig;
use crate::start::StartFailure;
use crate::vm::{Called, Vm, VmConfig};

impl Machine {
    pub(super) fn load_all(&mut self) -> Result<(), StartFailure> {
        let count = self.world().plugins.len();
        if count == 0 {
            return Err(StartFailure::NoPlugin);
        }
        (0..count).try_for_each(|plugin| self.load(plugin))?;
        self.pump();
        Ok(())
    }

    pub(super) fn load(&mut self, plugin: usize) -> Result<(), StartFailure> {
        let config = self.plugin(plugin);
        if self.settings.strict_link {
            let unknown = config.module.unknown_imports();
            if !unknown.is_empty() {
                let imports =
                    unknown.iter().map(|import| format!("{}.{}", import.module, import.name)).collect();
                return Err(StartFailure::UnknownImports {
                    module: config.module.name().to_owned(),
                    imports,
                });
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
    pub(super) fn instantiate(&mut self, plugin: usize) -> Result<Vec<(Role, Instance)>, StartFailure> {
        let config = self.plugin(plugin);
        let mut threads: Vec<Role> = (0..self.settings.workers).map(Role::Worker).collect();
        if self.settings.full_start {
            let key =
                (vm_key(&config), config.root_id.clone(), config.name.clone(), config.configuration.clone());
            if self.tried.insert(key) {
                let canary = self.make_vm(&config, Role::Canary)?;
                let tried = self.configure(canary, plugin);
                // It has served its purpose, whatever came of it; nobody tells it so.
                self.discard(canary);
                tried?;
            }
            threads.insert(0, Role::Main);
        }
        threads.into_iter().map(|thread| Ok((thread, self.instance(plugin, thread)?))).collect()
    }

    /// The plugin's instance on a thread, made if there is none; equal plugins share one.
    pub(super) fn instance(&mut self, plugin: usize, role: Role) -> Result<Instance, StartFailure> {
        let config = self.plugin(plugin);
        let found = self.find_vm(&config, role);
        if let Some(vm) = found
            && let Some(root) = self.find_root(vm, &config)
        {
            if let Some(root) = self.guest(vm).roots.get_mut(&root) {
                root.retired = false;
            }
            return Ok(Instance { vm, root });
        }
        let vm = match found {
            Some(vm) => vm,
            None => self.make_vm(&config, role)?,
        };
        let root = self.configure(vm, plugin)?;
        Ok(Instance { vm, root })
    }

    pub(super) fn find_vm(&self, config: &PluginConfig, role: Role) -> Option<usize> {
        let key = vm_key(config);
        self.vms.iter().position(|vm| {
            let of = &vm.store.data().config;
            of.role == role && of.key == key && vm.failed.is_none()
        })
    }

    pub(super) fn find_root(&mut self, vm: usize, config: &PluginConfig) -> Option<u32> {
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

    pub(super) fn make_vm(&mut self, config: &PluginConfig, role: Role) -> Result<usize, StartFailure> {
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
    pub(super) fn configure(&mut self, vm: usize, plugin: usize) -> Result<u32, StartFailure> {
        let name = self.plugin(plugin);
        let vm_configuration = self.guest(vm).config.configuration.len();
        let guest = self.guest(vm);
        let root = guest.allocate_context(Context::Root);
        guest.roots.insert(root, Root { plugin, configuring: true, ..Root::default() });
        let trapped = |machine: &mut Self, at: &'static str| StartFailure::Trapped {
            module: name.module.name().to_owned(),
            at,
            message: machine.vms.get(vm).and_then(|vm| vm.failed.clone()).unwrap_or_default(),
        };
        // The configuration can be read in here and not in on_vm_start: it is the VM that starts, not the plugin.
        if self.enter(vm, root, Callback::ContextCreate, &[0]) == Called::Failed {
            return Err(trapped(self, "proxy_on_context_create"));
        }
        self.set_configuring(vm, root, false);
        match self.enter(vm, root, Callback::VmStart, &[size(vm_configuration)]) {
            Called::Failed => return Err(trapped(self, "proxy_on_vm_start")),
            Called::Returned(0) => {
                return Err(StartFailure::VmRefused { plugin: name.name.clone() });
            }
            _ => {}
        }
        self.after(vm);
        self.set_configuring(vm, root, true);
        let called = self.enter(vm, root, Callback::Configure, &[size(name.configuration.len())]);
        self.set_configuring(vm, root, false);
        match called {
            Called::Failed => return Err(trapped(self, "proxy_on_configure")),
            Called::Returned(0) => {
                return Err(StartFailure::ConfigurationRefused { plugin: name.name.clone() });
            }
            _ => {}
        }
        self.after(vm);
        Ok(root)
    }

    pub(super) fn set_configuring(&mut self, vm: usize, root: u32, configuring: bool) {
        if let Some(root) = self.guest(vm).roots.get_mut(&root) {
            root.configuring = configuring;
        }
    }

    /// Forgets what a VM waits for; it is never called again.
    pub(super) fn discard(&mut self, vm: usize) {
        if let Some(vm) = self.vms.get_mut(vm) {
            vm.failed.get_or_insert_with(|| "discarded".to_owned());
        }
        // Nothing was sent yet.
        let callouts = self.world().callouts.all.iter_mut();
        callouts.filter(|callout| callout.vm == vm).for_each(|callout| callout.over = true);
    }
}

/// Which plugins share a VM (`makeVmKey`).
pub(super) fn vm_key(config: &PluginConfig) -> String {
    let mut digest = Sha256::new();
    digest.update(&config.vm_id);
    digest.update([0]);
    digest.update(&config.vm_configuration);
    digest.update([0]);
    digest.update(config.module.digest());
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
