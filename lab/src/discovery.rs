//! Configurations that change while Envoy serves, as a control plane changes them.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bootstrap::Bootstrap;

/// The configuration of a filter in a file that Envoy watches: what Istio sends for a WasmPlugin is of this kind (ECDS).
#[derive(Debug)]
pub struct Discovery {
    folder: TempDir,
    name: String,
    filter: Value,
    version: u64,
    new_vms: bool,
}

impl Discovery {
    /// Takes the filter of that name out of a bootstrap, and leaves there where it is to be found.
    ///
    /// # Panics
    ///
    /// When there is no such filter.
    pub fn of(bootstrap: Bootstrap, name: &str) -> (Bootstrap, Self) {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join("filter.json");
        let mut filter = Value::Null;
        let bootstrap = bootstrap.connection_manager(|manager| {
            let filters = manager["http_filters"].as_array_mut().expect("a list of filters");
            let place = filters.iter_mut().find(|filter| filter["name"] == name).expect("the filter");
            filter = place["typed_config"].take();
            *place = json!({"name": name, "config_discovery": {
                "config_source": {"path_config_source": {"path": path}, "resource_api_version": "V3"},
                "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
            }});
        });
        // Whoever asks a control plane has to say who he is.
        let bootstrap = bootstrap.edit(|tree| tree["node"] = json!({"id": "envoy", "cluster": "tests"}));
        (bootstrap, Self { folder, name: name.to_owned(), filter, version: 0, new_vms: false })
    }

    /// Has each configuration come with another environment, as Istio does, which puts the version of the resource there:
    /// then Envoy makes new VMs for it. Else the VMs that there are get the new configuration.
    #[must_use]
    pub fn in_new_vms(mut self) -> Self {
        self.new_vms = true;
        self
    }

    /// Sends this configuration.
    pub fn configure(&mut self, configuration: impl ToString) {
        self.version += 1;
        let version = self.version.to_string();
        self.filter["config"]["configuration"] = json!({"@type": "type.googleapis.com/google.protobuf.StringValue", "value": configuration.to_string()});
        if self.new_vms {
            self.filter["config"]["vm_config"]["environment_variables"] =
                json!({"key_values": {"RESOURCE_VERSION": version}});
        }
        let discovered = json!({"version_info": version, "resources": [{
            "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            "name": self.name,
            "typed_config": self.filter,
        }]});
        // Envoy watches for a file that is moved there.
        let [new, path] = ["new", "filter.json"].map(|name| self.folder.path().join(name));
        std::fs::write(&new, discovered.to_string()).expect("a file in a temporary folder");
        std::fs::rename(new, path).expect("a file in a temporary folder");
    }
}
