//! A plugin and the VM it asks for, as Envoy's `PluginConfig` and `VmConfig` describe them.

use std::collections::{BTreeMap, BTreeSet};

use crate::module::Module;

/// What Envoy does with streams when a plugin's VM has failed (`FailurePolicy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum FailurePolicy {
    /// Streams are answered 503.
    #[default]
    FailClosed,
    /// Streams pass as if the plugin were not there.
    FailOpen,
    /// Streams are answered 503, and a new VM is made, at most once in a while.
    FailReload,
}

/// A plugin in a chain.
#[derive(Clone, Debug)]
pub struct Plugin {
    pub(crate) config: PluginConfig,
}

#[derive(Clone, Debug)]
pub(crate) struct PluginConfig {
    pub(crate) module: Module,
    pub(crate) name: String,
    pub(crate) root_id: String,
    pub(crate) vm_id: String,
    pub(crate) vm_configuration: Vec<u8>,
    pub(crate) configuration: Vec<u8>,
    pub(crate) failure_policy: FailurePolicy,
    pub(crate) stop_iteration: bool,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) capabilities: Option<BTreeSet<String>>,
}

impl Plugin {
    /// A plugin of that module, named as the module is, without configuration.
    #[must_use]
    pub fn new(module: &Module) -> Self {
        Self {
            config: PluginConfig {
                module: module.clone(),
                name: module.name().to_owned(),
                root_id: String::new(),
                vm_id: String::new(),
                vm_configuration: Vec::new(),
                configuration: Vec::new(),
                failure_policy: FailurePolicy::default(),
                stop_iteration: false,
                environment: BTreeMap::new(),
                capabilities: None,
            },
        }
    }

    /// The module that it runs.
    #[must_use]
    pub fn module(&self) -> &Module {
        &self.config.module
    }

    /// The name in logs and in the property `plugin_name`.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.config.name = name.into();
        self
    }

    /// `root_id`
    #[must_use]
    pub fn root_id(mut self, root_id: impl Into<String>) -> Self {
        self.config.root_id = root_id.into();
        self
    }

    /// `vm_id`: plugins of the same module, VM id and VM configuration share a VM.
    #[must_use]
    pub fn vm_id(mut self, vm_id: impl Into<String>) -> Self {
        self.config.vm_id = vm_id.into();
        self
    }

    /// What the VM is configured with, any bytes.
    #[must_use]
    pub fn vm_configuration(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.config.vm_configuration = bytes.into();
        self
    }

    /// What the plugin is configured with, any bytes. For JSON see [`Plugin::json`].
    #[must_use]
    pub fn configuration(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.config.configuration = bytes.into();
        self
    }

    /// Configures the plugin with JSON text.
    #[must_use]
    pub fn json(self, configuration: &serde_json::Value) -> Self {
        self.configuration(configuration.to_string())
    }

    /// What is done when the plugin's VM fails.
    #[must_use]
    pub fn failure_policy(mut self, policy: FailurePolicy) -> Self {
        self.config.failure_policy = policy;
        self
    }

    /// `allow_on_headers_stop_iteration`: Pause from a header callback stops headers alone, and body callbacks go
    /// on.
    #[must_use]
    pub fn allow_on_headers_stop_iteration(mut self) -> Self {
        self.config.stop_iteration = true;
        self
    }

    /// An environment variable of the VM.
    #[must_use]
    pub fn environment(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.environment.insert(name.into(), value.into());
        self
    }

    /// `capability_restriction_config`: only these functions may be called, either way. Each call adds one.
    #[must_use]
    pub fn allow_capability(mut self, function: impl Into<String>) -> Self {
        self.config.capabilities.get_or_insert_default().insert(function.into());
        self
    }
}
