//! The bootstrap of a scenario.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use meshloom_lab::{Bootstrap, root};
use serde_json::{Map, Value, json};

use crate::scenario::{Direction, FailurePolicy, Kind, Plugin, Scenario};

const MODULE: &str = "target/wasm32-unknown-unknown/release/probe.wasm";

/// What Envoy is started with: the scenario's plugins, in front of these servers.
pub(crate) fn bootstrap(
    scenario: &Scenario,
    upstream: SocketAddr,
    clusters: &BTreeMap<String, Option<SocketAddr>>,
) -> Bootstrap {
    let mut all = vec![cluster("upstream", Some(upstream), scenario.kind == Kind::Http)];
    all.extend(clusters.iter().map(|(name, address)| cluster(name, *address, true)));
    let filter = match scenario.kind {
        Kind::Http => vec![connection_manager(scenario)],
        Kind::Tcp => tcp_filters(scenario),
    };
    let tree = json!({
        "node": { "id": "node-id", "cluster": "node-cluster", "metadata": { "role": "test" } },
        "admin": {},
        "static_resources": {
            "listeners": [{
                "name": "listener",
                "address": {},
                "traffic_direction": match scenario.direction {
                    Direction::Inbound => "INBOUND",
                    Direction::Outbound => "OUTBOUND",
                    Direction::Unspecified => "UNSPECIFIED",
                },
                "per_connection_buffer_limit_bytes": scenario.buffer_limit.unwrap_or(1 << 20),
                "filter_chains": [{ "name": "chain", "filters": filter }],
            }],
            "clusters": all,
        },
    });
    Bootstrap::yaml(&tree.to_string())
}

fn connection_manager(scenario: &Scenario) -> Value {
    let wasm = scenario.plugins.iter().map(|plugin| {
        json!({
            "name": plugin.name,
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                "config": configuration(plugin),
            },
        })
    });
    let router = json!({
        "name": "envoy.filters.http.router",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            // What it adds says little, and differs with the configuration.
            "suppress_envoy_headers": true,
        },
    });
    let route = |name: &str, prefix: &str| {
        json!({
            "name": name,
            "match": { "prefix": prefix },
            "metadata": { "filter_metadata": scenario.route_metadata },
            "route": { "cluster": "upstream" },
        })
    };
    let routes = scenario.routes.iter().map(|path| route(path, path)).chain([route("route", "/")]);
    let routes: Vec<Value> = routes.collect();
    json!({
        "name": "envoy.filters.network.http_connection_manager",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "http",
            // It is another one each time.
            "generate_request_id": false,
            "access_log_options": { "flush_access_log_on_new_request": scenario.logs_beginnings },
            "route_config": {
                "name": "routes",
                "virtual_hosts": [{
                    "name": "hosts",
                    "domains": ["*"],
                    "routes": routes,
                }],
            },
            "http_filters": wasm.chain([router]).collect::<Vec<_>>(),
        },
    })
}

fn tcp_filters(scenario: &Scenario) -> Vec<Value> {
    let wasm = scenario.plugins.iter().map(|plugin| {
        json!({
            "name": plugin.name,
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm",
                "config": configuration(plugin),
            },
        })
    });
    let proxy = json!({
        "name": "envoy.filters.network.tcp_proxy",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": "tcp",
            "cluster": "upstream",
        },
    });
    wasm.chain([proxy]).collect()
}

fn configuration(plugin: &Plugin) -> Value {
    let text =
        |value: String| json!({ "@type": "type.googleapis.com/google.protobuf.StringValue", "value": value });
    let mut vm = Map::new();
    vm.insert("vm_id".to_owned(), json!(plugin.vm_id));
    vm.insert("runtime".to_owned(), json!("envoy.wasm.runtime.v8"));
    vm.insert("code".to_owned(), json!({ "local": { "filename": root().join(MODULE) } }));
    vm.insert("environment_variables".to_owned(), json!({ "key_values": plugin.environment }));
    if let Some(program) = &plugin.vm_program {
        vm.insert("configuration".to_owned(), text(program.to_string()));
    }
    let mut config = Map::new();
    config.insert("name".to_owned(), json!(plugin.name));
    config.insert("root_id".to_owned(), json!(plugin.root_id));
    config.insert("vm_config".to_owned(), vm.into());
    let policy = match plugin.failure_policy {
        FailurePolicy::Closed => "FAIL_CLOSED",
        FailurePolicy::Open => "FAIL_OPEN",
        FailurePolicy::Reload => "FAIL_RELOAD",
        FailurePolicy::Unspecified => "UNSPECIFIED",
    };
    config.insert("failure_policy".to_owned(), json!(policy));
    let program = plugin.program.as_ref().map(Value::to_string);
    if let Some(given) = plugin.configuration.clone().or(program) {
        config.insert("configuration".to_owned(), text(given));
    }
    if let Some(backoff) = plugin.reload_backoff {
        let interval = format!("{}.{:03}s", backoff / 1000, backoff % 1000);
        config.insert("reload_config".to_owned(), json!({ "backoff": { "base_interval": interval } }));
    }
    if let Some(allowed) = plugin.allow_on_headers_stop_iteration {
        config.insert("allow_on_headers_stop_iteration".to_owned(), json!(allowed));
    }
    if let Some(allowed) = &plugin.allowed_capabilities {
        let allowed: Map<String, Value> = allowed.iter().map(|name| (name.clone(), json!({}))).collect();
        config.insert("capability_restriction_config".to_owned(), json!({ "allowed_capabilities": allowed }));
    }
    config.into()
}

/// A cluster of one host, or of none.
fn cluster(name: &str, address: Option<SocketAddr>, http2: bool) -> Value {
    let endpoint = address.map(|address| {
        let socket = json!({ "address": address.ip().to_string(), "port_value": address.port() });
        json!({ "endpoint": { "address": { "socket_address": socket } } })
    });
    let mut cluster = json!({
        "name": name,
        "connect_timeout": "1s",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{ "lb_endpoints": Vec::from_iter(endpoint) }],
        },
    });
    if http2 {
        cluster["typed_extension_protocol_options"] = json!({
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": { "http2_protocol_options": {} },
            }
        });
    }
    cluster
}
