//! The filter chains that are compared.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use meshloom_lab::Bootstrap;
use serde_json::{Value, json};

use crate::setting::Seen;

/// One filter chain, to be put before the router.
#[derive(Clone, Debug)]
pub struct Variant {
    /// Its name in the tables.
    pub case: String,
    /// The HTTP filters.
    pub filters: Vec<Value>,
    /// The clusters that they call.
    pub clusters: Vec<Value>,
    /// What must be seen of it before it is measured.
    pub seen: Seen,
}

const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";

/// The name of the variant that all others are compared with.
pub const NONE: &str = "none";
/// The name of its twin.
pub const NONE_AGAIN: &str = "none, again";
/// The name of the variant that stands for the least a Wasm filter can cost.
pub const FLOOR: &str = "floor";

impl Variant {
    fn new(case: &str, filters: Vec<Value>) -> Self {
        Self { case: case.to_owned(), filters, clusters: Vec::new(), seen: Seen::default() }
    }

    /// No filter but the router.
    pub fn none() -> Self {
        Self::new(NONE, Vec::new())
    }

    /// The same in another process: what it differs by is noise.
    pub fn none_again() -> Self {
        Self::new(NONE_AGAIN, Vec::new())
    }

    /// Envoy's own filter for headers.
    pub fn native() -> Self {
        let set = json!([{ "append": {
            "header": { "key": "x-training", "value": "envoy-wasm" },
            "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
        }}]);
        Self::new(
            "native header_mutation",
            vec![json!({
                "name": "envoy.filters.http.header_mutation",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
                    "mutations": { "request_mutations": set, "response_mutations": set },
                },
            })],
        )
    }

    /// A Lua script.
    pub fn lua(case: &str, script: &str) -> Self {
        let filter = json!({
            "name": "envoy.filters.http.lua",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
                "default_source_code": { "inline_string": script },
            },
        });
        Self::other(case, filter)
    }

    /// Some other filter, as in a list of `http_filters`.
    pub fn other(case: &str, filter: Value) -> Self {
        Self::new(case, vec![filter])
    }

    /// The hand-written module, from a file.
    pub fn floor(module: &Path) -> Self {
        Self::new(
            FLOOR,
            vec![json!({
                "name": "floor",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                    "config": {
                        "name": "floor",
                        "vm_config": {
                            "runtime": "envoy.wasm.runtime.v8",
                            "code": { "local": { "filename": module } },
                        },
                    },
                },
            })],
        )
    }

    /// A filter of this repository, configured as its own `envoy.yaml` says.
    ///
    /// # Errors
    ///
    /// When that has no filter.
    pub fn ours(name: &str) -> anyhow::Result<Self> {
        let mut filters = Vec::new();
        let is_router = |filter: &Value| filter.pointer("/typed_config/@type").is_some_and(|t| t == ROUTER);
        // The tree is only looked at.
        let _ = Bootstrap::filter(name).connection_manager(|manager| {
            let all = manager.get("http_filters").and_then(Value::as_array);
            filters.extend(all.into_iter().flatten().filter(|filter| !is_router(filter)).cloned());
        });
        ensure!(!filters.is_empty(), "filters/{name}/envoy.yaml has no filter");
        Ok(Self { clusters: Self::clusters_of(name), ..Self::new(name, filters) })
    }

    /// # Errors
    ///
    /// When a module that it loads is not there.
    pub fn is_there(&self) -> anyhow::Result<()> {
        for module in self.modules() {
            let there = meshloom_lab::root().join(&module).exists();
            ensure!(there, "{} is missing: run `make optimize`", module.display());
        }
        Ok(())
    }

    /// The clusters of a filter's own `envoy.yaml`.
    pub fn clusters_of(name: &str) -> Vec<Value> {
        let mut clusters = Vec::new();
        // The tree is only looked at.
        let _ = Bootstrap::filter(name).edit(|tree| {
            let all = tree.pointer("/static_resources/clusters").and_then(Value::as_array);
            clusters.extend(all.into_iter().flatten().cloned());
        });
        clusters
    }

    /// A filter of this repository with another build of its module.
    ///
    /// # Errors
    ///
    /// When there is no such module.
    pub fn candidate(name: &str, module: &Path) -> anyhow::Result<Self> {
        let module = std::fs::canonicalize(module).with_context(|| format!("{}", module.display()))?;
        let mut variant = Self::ours(name)?;
        let file = module.file_stem().unwrap_or_default().to_string_lossy();
        variant.case = format!("{name} ({file})");
        for filter in &mut variant.filters {
            if let Some(path) = filter.pointer_mut(FILENAME) {
                *path = json!(module);
            }
        }
        Ok(variant)
    }

    /// Whether it puts `x-training: envoy-wasm` on responses: the floor says so in its module, the others in
    /// their configuration.
    pub fn marks(&self) -> bool {
        let says = |filter: &Value| filter.to_string().contains("envoy-wasm");
        self.case == FLOOR || self.filters.iter().any(says)
    }

    /// The Wasm modules it loads, relative to the repository's root or absolute.
    pub fn modules(&self) -> Vec<PathBuf> {
        let paths = self.filters.iter().filter_map(|filter| filter.pointer(FILENAME)?.as_str());
        paths.map(PathBuf::from).collect()
    }
}

const FILENAME: &str = "/typed_config/config/vm_config/code/local/filename";
