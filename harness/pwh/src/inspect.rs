//! What can be said of a module before a request has passed it.

use proxy_wasm_harness::{
    AbiVersion, Description, FailurePolicy, Host, LogLine, Module, Plugin, StartFailure,
};
use serde::Serialize;

mod anatomy;
mod exports;
mod imports;
pub(crate) mod table;

use anatomy::Anatomy;

/// Envoy lets a guest's memory grow to so many bytes.
const MOST_MEMORY: u64 = 1 << 30;
const PAGE: u64 = 64 << 10;

/// A module, looked into.
#[derive(Debug, Serialize)]
pub(crate) struct Inspection {
    pub(crate) name: String,
    /// In bytes, and of what.
    pub(crate) size: usize,
    pub(crate) code_bytes: usize,
    pub(crate) data_bytes: usize,
    pub(crate) custom_sections: Vec<Section>,
    /// The versions of the ABI that it says it speaks.
    pub(crate) abi_versions: Vec<String>,
    /// What runs before the first callback.
    pub(crate) start: Vec<&'static str>,
    pub(crate) allocator: Option<&'static str>,
    pub(crate) memory: Option<Memory>,
    /// What it needs beyond WebAssembly 1.0.
    pub(crate) features: Vec<String>,
    pub(crate) imports: Vec<imports::Import>,
    pub(crate) callbacks: Vec<exports::Callback>,
    pub(crate) other_exports: Vec<String>,
    /// What a `capability_restriction_config` would have to allow.
    pub(crate) capabilities: Vec<String>,
    /// Why Envoy would refuse it.
    pub(crate) problems: Vec<String>,
    pub(crate) warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) started: Option<Started>,
}

/// A custom section, or several of one name.
#[derive(Debug, Serialize)]
pub(crate) struct Section {
    pub(crate) name: String,
    pub(crate) bytes: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct Memory {
    pub(crate) minimum_bytes: u64,
    pub(crate) maximum_bytes: Option<u64>,
}

/// How it went when it was started.
#[derive(Debug, Serialize)]
pub(crate) struct Started {
    pub(crate) ok: bool,
    /// What was wrong.
    pub(crate) message: Option<String>,
    pub(crate) logs: Vec<String>,
    pub(crate) memory_bytes: u64,
}

/// What to start it with.
#[derive(Debug, Default)]
pub(crate) struct Configuration {
    pub(crate) plugin: Option<Vec<u8>>,
    pub(crate) vm: Option<Vec<u8>>,
}

impl Inspection {
    /// Looks into a module without running it.
    pub(crate) fn of(module: &Module) -> Self {
        let description = module.description();
        let anatomy = Anatomy::of(module.bytes());
        let abi = description.abi_versions.first().copied();
        let mut inspection = Self {
            name: module.name().to_owned(),
            size: description.size,
            code_bytes: anatomy.code_bytes,
            data_bytes: anatomy.data_bytes,
            abi_versions: description.abi_versions.iter().map(ToString::to_string).collect(),
            start: start(description, &anatomy),
            allocator: ["malloc", "proxy_on_memory_allocate"]
                .into_iter()
                .find(|name| description.export(name).is_some()),
            memory: description.memory.map(|memory| Memory {
                minimum_bytes: memory.minimum.saturating_mul(PAGE),
                maximum_bytes: memory.maximum.map(|maximum| maximum.saturating_mul(PAGE)),
            }),
            imports: Vec::new(),
            callbacks: Vec::new(),
            other_exports: Vec::new(),
            capabilities: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
            started: None,
            features: anatomy.features.iter().map(|feature| feature.name.to_owned()).collect(),
            custom_sections: anatomy.custom_sections,
        };
        inspection.judge_abi(description);
        inspection.judge_imports(description, abi);
        inspection.judge_exports(description, abi);
        inspection.judge_memory(description);
        for feature in anatomy.features.iter().filter(|feature| feature.recent) {
            let name = feature.name;
            inspection.warnings.push(format!(
                "uses {name}, which is newer than WebAssembly 2.0: try it in the Envoy that is to run it"
            ));
        }
        let debug = inspection.custom_sections.iter().filter(|section| section.name.starts_with(".debug"));
        let debug: usize = debug.map(|section| section.bytes).sum();
        if debug > 0 {
            inspection
                .warnings
                .push(format!("{debug} bytes are debug information, which Envoy does not read"));
        }
        inspection
    }

    fn judge_abi(&mut self, description: &Description) {
        match description.abi_versions.as_slice() {
            [] => self.problems.push(
                "no ABI version is exported, expected a function proxy_abi_version_0_2_1 (is it a Proxy-Wasm \
                 module?)"
                    .to_owned(),
            ),
            [_] => {}
            [first, ..] => self.warnings.push(format!(
                "{} ABI versions are exported, Envoy takes one of them ({first} here): export one",
                description.abi_versions.len()
            )),
        }
    }

    fn judge_imports(&mut self, description: &Description, abi: Option<AbiVersion>) {
        for import in &description.imports {
            let import = imports::Import::of(import, abi);
            self.problems.extend(import.problem.clone());
            if import.provided {
                self.capabilities.push(import.name.clone());
            }
            self.imports.push(import);
        }
        self.capabilities.sort();
        self.capabilities.dedup();
    }

    fn judge_exports(&mut self, description: &Description, abi: Option<AbiVersion>) {
        let found = exports::Exports::of(description, abi);
        self.problems.extend(found.problems);
        self.warnings.extend(found.warnings);
        self.capabilities.extend(found.callbacks.iter().map(|callback| callback.name.clone()));
        self.callbacks = found.callbacks;
        self.other_exports = found.others;
    }

    fn judge_memory(&mut self, description: &Description) {
        if description.export("memory").is_none_or(|export| export.signature != "memory") {
            self.problems.push("no memory is exported, expected one of the name \"memory\"".to_owned());
        }
        let Some(memory) = &self.memory else { return };
        if memory.minimum_bytes > MOST_MEMORY {
            let begins = memory.minimum_bytes;
            self.problems.push(format!("memory begins with {begins} bytes, expected at most 1 GiB"));
        }
        if memory.maximum_bytes.is_none() {
            self.warnings
                .push("memory has no maximum: a leak ends at Envoy's limit of 1 GiB for each VM".to_owned());
        }
    }

    /// Starts it as Envoy does, and says how that went.
    pub(crate) fn start(&mut self, module: &Module, configuration: Configuration) {
        let given = configuration.plugin.is_some();
        let plugin = Plugin::new(module)
            .failure_policy(FailurePolicy::FailClosed)
            .configuration(configuration.plugin.unwrap_or_default())
            .vm_configuration(configuration.vm.unwrap_or_default());
        let texts = |logs: &[LogLine]| logs.iter().map(ToString::to_string).collect::<Vec<_>>();
        self.started = Some(match Host::envoy().strict_link().plugin(plugin).try_start() {
            Ok(host) => {
                let mut logs = host.log_lines();
                // Several VMs are started, and each says the same.
                logs.retain(|line| matches!(line.role, proxy_wasm_harness::Role::Worker(_)));
                let memory_bytes = host.memory_bytes();
                Started { ok: true, message: None, logs: texts(&logs), memory_bytes }
            }
            Err(error) => {
                let of_configuration = matches!(
                    error.failure(),
                    StartFailure::ConfigurationRefused { .. }
                        | StartFailure::Trapped { at: "proxy_on_configure", .. }
                );
                if of_configuration && !given {
                    self.warnings.push(
                        "it does not start without a configuration: give one with --configuration".to_owned(),
                    );
                } else {
                    self.problems.push(format!("it does not start: {}", first_line(&error.to_string())));
                }
                let logs = texts(error.logs());
                Started { ok: false, message: Some(first_line(&error.to_string())), logs, memory_bytes: 0 }
            }
        });
    }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// What runs before the first callback, in its order (proxy-wasm-cpp-host, `WasmBase::startVm`).
fn start(description: &Description, anatomy: &Anatomy) -> Vec<&'static str> {
    let has = |name: &str| description.export(name).is_some();
    let mut start = Vec::new();
    if anatomy.start_section {
        start.push("start section");
    }
    if has("_initialize") {
        start.push("_initialize");
        start.extend(["main", "__main_void"].into_iter().find(|name| has(name)));
    } else if has("_start") {
        start.push("_start");
    }
    start
}
