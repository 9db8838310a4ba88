//! A static bootstrap of this repository, changed where a run needs it.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use crate::repository::root;

/// An Envoy bootstrap as a tree. The files use port 10000 for the proxy, 9901 for the admin interface and
/// 127.0.0.1:8000 for the upstream; those are found and replaced here.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    tree: Value,
}

const WASM_TYPE: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

impl Bootstrap {
    /// The bootstrap of one filter, `filters/NAME/envoy.yaml`.
    pub fn filter(name: &str) -> Self {
        Self::file(root().join("filters").join(name).join("envoy.yaml"))
    }

    /// The bootstrap with every filter, `envoy/all.yaml`.
    pub fn all() -> Self {
        Self::file(root().join("envoy/all.yaml"))
    }

    /// Reads a bootstrap from a YAML file.
    pub fn file(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        Self::yaml(&text)
    }

    /// Reads a bootstrap from YAML.
    pub fn yaml(text: &str) -> Self {
        Self { tree: serde_saphyr::from_str(text).expect("a bootstrap in YAML") }
    }

    /// Takes a bootstrap as it is.
    pub fn tree(tree: Value) -> Self {
        Self { tree }
    }

    /// Puts proxy and admin on other ports of 127.0.0.1; 0 lets Envoy choose.
    pub fn ports(mut self, proxy: u16, admin: u16) -> Self {
        for listener in self.listeners() {
            listener["address"]["socket_address"] = json!({ "address": "127.0.0.1", "port_value": proxy });
        }
        self.tree["admin"]["address"]["socket_address"] =
            json!({ "address": "127.0.0.1", "port_value": admin });
        self
    }

    /// Sends every cluster to `address`.
    pub fn upstream(mut self, address: SocketAddr) -> Self {
        for cluster in self.clusters() {
            point(cluster, address);
        }
        self
    }

    /// Sends one cluster elsewhere.
    pub fn cluster(mut self, name: &str, address: SocketAddr) -> Self {
        let cluster = self.clusters().iter_mut().find(|cluster| cluster["name"] == name);
        point(cluster.unwrap_or_else(|| panic!("no cluster {name}")), address);
        self
    }

    /// Removes a cluster.
    pub fn without_cluster(mut self, name: &str) -> Self {
        self.clusters().retain(|cluster| cluster["name"] != name);
        self
    }

    /// Makes every cluster speak HTTP/2, as for gRPC and trailers.
    pub fn http2_upstream(mut self) -> Self {
        for cluster in self.clusters() {
            cluster["typed_extension_protocol_options"] = json!({
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    "explicit_http_config": { "http2_protocol_options": {} },
                }
            });
        }
        self
    }

    /// Gives the plugin of that name another configuration, as JSON text whatever it holds.
    pub fn configure(self, plugin: &str, configuration: impl Into<String>) -> Self {
        let value = configuration.into();
        self.plugin(plugin, |config| {
            config["configuration"] =
                json!({ "@type": "type.googleapis.com/google.protobuf.StringValue", "value": value });
        })
    }

    /// Takes the plugin's configuration away.
    pub fn unconfigured(self, plugin: &str) -> Self {
        self.plugin(plugin, |config| {
            config.as_object_mut().expect("a plugin's config").remove("configuration");
        })
    }

    /// Sets what Envoy does when the plugin fails: `FAIL_CLOSED`, `FAIL_OPEN` or `FAIL_RELOAD`.
    pub fn failure_policy(self, plugin: &str, policy: &str) -> Self {
        self.plugin(plugin, |config| config["failure_policy"] = json!(policy))
    }

    /// Loads the plugin from another file.
    pub fn module(self, plugin: &str, path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_str().expect("a path in UTF-8").to_owned();
        self.plugin(plugin, |config| config["vm_config"]["code"]["local"]["filename"] = json!(path))
    }

    /// Changes anything in the tree.
    pub fn edit(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        edit(&mut self.tree);
        self
    }

    /// Changes the HTTP connection manager of every listener.
    pub fn connection_manager(mut self, mut edit: impl FnMut(&mut Value)) -> Self {
        for listener in self.listeners() {
            for chain in list(&mut listener["filter_chains"]) {
                for filter in list(&mut chain["filters"]) {
                    edit(&mut filter["typed_config"]);
                }
            }
        }
        self
    }

    /// The bootstrap as JSON, which Envoy reads as well as YAML.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(&self.tree).expect("a tree is JSON")
    }

    fn plugin(self, plugin: &str, mut edit: impl FnMut(&mut Value)) -> Self {
        let mut found = false;
        let changed = self.connection_manager(|manager| {
            for filter in list(&mut manager["http_filters"]) {
                let typed = &mut filter["typed_config"];
                if typed["@type"] == WASM_TYPE && typed["config"]["name"] == plugin {
                    edit(&mut typed["config"]);
                    found = true;
                }
            }
        });
        assert!(found, "no Wasm plugin {plugin} in the bootstrap");
        changed
    }

    fn listeners(&mut self) -> &mut Vec<Value> {
        list(&mut self.tree["static_resources"]["listeners"])
    }

    fn clusters(&mut self) -> &mut Vec<Value> {
        list(&mut self.tree["static_resources"]["clusters"])
    }
}

fn list(value: &mut Value) -> &mut Vec<Value> {
    value.as_array_mut().expect("a list in the bootstrap")
}

fn point(cluster: &mut Value, address: SocketAddr) {
    let endpoint = &mut cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"];
    endpoint["address"]["socket_address"] =
        json!({ "address": address.ip().to_string(), "port_value": address.port() });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_upstream_and_configuration_are_replaced_and_nothing_else() {
        let before = Bootstrap::filter("header-mutation");
        let after = before
            .clone()
            .ports(1, 2)
            .upstream(([127, 0, 0, 1], 3).into())
            .configure("header-mutation", "{}")
            .ports(10000, 9901)
            .upstream(([127, 0, 0, 1], 8000).into());
        let text = after.to_json();
        assert!(text.contains("google.protobuf.StringValue"));
        let config = |bootstrap: Bootstrap| bootstrap.unconfigured("header-mutation").ports(0, 0).to_json();
        assert_eq!(config(before), config(after));
    }
}
