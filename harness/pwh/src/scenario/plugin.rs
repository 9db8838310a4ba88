//! The plugins of a scenario.

use std::path::Path;

use proxy_wasm_harness::{FailurePolicy, Module};

use crate::yaml::{At, Fields, Kind, Node, Problems};

/// A plugin, its module compiled.
#[derive(Clone, Debug)]
pub(crate) struct Plugin {
    pub(crate) plugin: proxy_wasm_harness::Plugin,
    pub(crate) name: String,
    pub(crate) module: Module,
}

/// What a plugin or its VM is configured with.
#[derive(Clone, Debug)]
pub(crate) struct Configuration(pub(crate) Vec<u8>);

pub(crate) const FIELDS: [&str; 11] = [
    "module",
    "name",
    "root_id",
    "vm_id",
    "configuration",
    "configuration_file",
    "vm_configuration",
    "failure_policy",
    "environment",
    "allowed_capabilities",
    "allow_on_headers_stop_iteration",
];
pub(crate) const POLICIES: [(&str, FailurePolicy); 3] = [
    ("FAIL_CLOSED", FailurePolicy::FailClosed),
    ("FAIL_OPEN", FailurePolicy::FailOpen),
    ("FAIL_RELOAD", FailurePolicy::FailReload),
];

impl Configuration {
    /// A text as it is, anything else as JSON.
    pub(crate) fn read(node: &Node) -> Self {
        match &node.kind {
            Kind::Text(text) => Self(text.as_bytes().to_vec()),
            _ => Self(node.to_json().to_string().into_bytes()),
        }
    }
}

impl Plugin {
    pub(crate) fn of_module(path: &Path, at: At, problems: &Problems) -> Option<Self> {
        match Module::from_file(path) {
            Ok(module) => {
                let plugin = proxy_wasm_harness::Plugin::new(&module);
                Some(Self { plugin, name: module.name().to_owned(), module })
            }
            Err(error) => problems.add(at, format!("{error} (has it been built?)")),
        }
    }

    pub(crate) fn read(node: &Node, module: Option<&Path>, problems: &Problems) -> Option<Self> {
        let fields = problems.fields(node, "a plugin", &FIELDS)?;
        let plugin = match (module, fields.get("module")) {
            (Some(path), _) => Self::of_module(path, fields.at, problems),
            (None, Some(node)) => problems
                .text(node, "the path of a .wasm or .wat file")
                .and_then(|path| Self::of_module(&problems.folder().join(path), node.at, problems)),
            (None, None) => {
                problems.add(fields.at, "`module` is missing: the path of a .wasm file, or give --module")
            }
        };
        let settings = Settings::read(&fields, problems);
        let Self { plugin, name, module } = plugin?;
        let name = settings.name.clone().unwrap_or(name);
        Some(Self { plugin: settings.apply(plugin), name, module })
    }
}

/// What is said of a plugin beside its module.
struct Settings {
    name: Option<String>,
    root_id: Option<String>,
    vm_id: Option<String>,
    configuration: Option<Vec<u8>>,
    vm_configuration: Option<Vec<u8>>,
    policy: Option<FailurePolicy>,
    environment: Vec<(String, String)>,
    capabilities: Vec<String>,
    stop_iteration: bool,
}

impl Settings {
    fn read(fields: &Fields<'_>, problems: &Problems) -> Self {
        let text = |name: &str| fields.get(name).and_then(|node| problems.text(node, "a text"));
        let configuration = match (fields.get("configuration"), fields.entry("configuration_file")) {
            (Some(_), Some((key, _))) => {
                let both = "`configuration` and `configuration_file` are both there, expected one of them";
                problems.add(key.at, both)
            }
            (None, Some((_, node))) => problems.file(node),
            (inline, None) => inline.map(|node| Configuration::read(node).0),
        };
        let mut environment = Vec::new();
        if let Some(node) = fields.get("environment") {
            for (key, node) in problems.entries(node, "a map of variables") {
                environment.extend(problems.text(node, "a text").map(|value| (key.name.clone(), value)));
            }
        }
        let mut capabilities = Vec::new();
        if let Some(node) = fields.get("allowed_capabilities") {
            for item in problems.items(node, "a list of functions") {
                capabilities.extend(problems.text(item, "the name of a function"));
            }
        }
        Self {
            name: text("name"),
            root_id: text("root_id"),
            vm_id: text("vm_id"),
            configuration,
            vm_configuration: fields.get("vm_configuration").map(|node| Configuration::read(node).0),
            policy: fields.get("failure_policy").and_then(|node| problems.word(node, &POLICIES)),
            environment,
            capabilities,
            stop_iteration: fields
                .get("allow_on_headers_stop_iteration")
                .and_then(|node| problems.bool(node))
                .unwrap_or_default(),
        }
    }

    fn apply(self, mut plugin: proxy_wasm_harness::Plugin) -> proxy_wasm_harness::Plugin {
        if let Some(name) = self.name {
            plugin = plugin.name(name);
        }
        if let Some(root_id) = self.root_id {
            plugin = plugin.root_id(root_id);
        }
        if let Some(vm_id) = self.vm_id {
            plugin = plugin.vm_id(vm_id);
        }
        if let Some(configuration) = self.configuration {
            plugin = plugin.configuration(configuration);
        }
        if let Some(configuration) = self.vm_configuration {
            plugin = plugin.vm_configuration(configuration);
        }
        if let Some(policy) = self.policy {
            plugin = plugin.failure_policy(policy);
        }
        if self.stop_iteration {
            plugin = plugin.allow_on_headers_stop_iteration();
        }
        for (name, value) in self.environment {
            plugin = plugin.environment(name, value);
        }
        for capability in self.capabilities {
            plugin = plugin.allow_capability(capability);
        }
        plugin
    }
}
