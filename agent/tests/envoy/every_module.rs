//! Every module that is shipped, through the agent: as typed filters, and as both kinds of `TypedStruct`.

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::google::protobuf::Any;
use envoy_types::util::pack_any;
use meshloom_lab::{Bootstrap, Reply, Upstream};
use serde_json::{Value, json};

use crate::control_plane::ECDS;
use crate::mesh::{BOTH, Mesh, Plugin};
use crate::modules::shipped;
use crate::structs::{TYPED_STRUCTS, typed_struct};

const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

/// How a control plane writes a filter down.
#[derive(Clone, Copy, Debug)]
enum Written {
    Typed,
    Udpa,
    Xds,
}

/// The filters of the chain that this repository ships, from first to last: name, and configuration of the plugin.
fn chain() -> Vec<(String, Value)> {
    let bootstrap: Value = serde_json::from_str(&Bootstrap::all().to_json()).unwrap();
    let manager = &bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0];
    let filters = manager["typed_config"]["http_filters"].as_array().unwrap();
    let wasm = filters.iter().filter(|filter| filter["typed_config"]["@type"] == WASM);
    wasm.map(|filter| (filter["name"].as_str().unwrap().to_owned(), filter["typed_config"]["config"].clone()))
        .collect()
}

/// A filter of the chain as a resource, whose module is at that URL.
fn resource(name: &str, config: &Value, url: &str, written: Written) -> Any {
    if let Written::Typed = written {
        let plugin = Plugin::new(url).configuration(config["configuration"]["value"].as_str().unwrap());
        let plugin = if config["failure_policy"] == "FAIL_OPEN" { plugin.fail_open() } else { plugin };
        return plugin.resource(name);
    }
    let mut config = config.clone();
    config["vm_config"]["code"] =
        json!({"remote": {"http_uri": {"uri": url, "timeout": "30s", "cluster": "_"}}});
    config["vm_config"]["environment_variables"] =
        json!({"key_values": {"ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION": "1"}});
    let outer = TYPED_STRUCTS[usize::from(matches!(written, Written::Xds))];
    let typed_config = Some(typed_struct(outer, WASM, &json!({"config": config})));
    pack_any(TypedExtensionConfig { name: name.to_owned(), typed_config })
}

/// What callout-enrichment asks, and an upstream that says more than it should.
fn upstream() -> Upstream {
    Upstream::answering(|seen| match seen.path.as_str() {
        "/headers" => Reply::new(200, r#"{"headers": {"Host": "metadata.local"}}"#)
            .header("content-type", "application/json"),
        _ => Reply::new(200, "password=hunter2").header("content-type", "text/plain"),
    })
}

#[test]
fn every_shipped_module_does_its_work_however_its_resource_is_written() {
    let chain = chain();
    let names: Vec<&str> = chain.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), 5, "{names:?}");
    for protocol in BOTH {
        for written in [Written::Typed, Written::Udpa, Written::Xds] {
            let what = format!("{protocol:?} {written:?}");
            let mut mesh = Mesh::new(protocol);
            mesh.filters(protocol, &names);
            mesh.upstream(upstream(), &["httpbin", "metadata"]);
            let resources: Vec<_> = chain
                .iter()
                .map(|(name, config)| {
                    let url = mesh.modules.put(&format!("/{name}.wasm"), &shipped(name));
                    (name.clone(), resource(name, config, &url, written))
                })
                .collect();
            mesh.control_plane.set_all(ECDS, resources);
            mesh.start_envoy();

            let answer = mesh.envoy().get("/").send();
            assert_eq!(answer.status, 200, "{what}");
            assert_eq!(answer.header("x-training").as_deref(), Some("envoy-wasm"), "{what}");
            assert_eq!(answer.text(), "password=[REDACTED]", "{what}");
            let seen = mesh.upstream.seen();
            let enriched = seen.iter().find(|seen| seen.path == "/").unwrap();
            assert_eq!(enriched.header("x-meta").as_deref(), Some("1"), "{what}");
            assert_eq!(enriched.header("x-meta-host").as_deref(), Some("metadata.local"), "{what}");
            let blocked = mesh.envoy().get("/").header("host", "ads.example.com").send();
            assert_eq!((blocked.status, blocked.text().as_str()), (451, "blocked by wasm\n"), "{what}");
            assert_eq!(mesh.envoy().stat("wasm_http_inbound_responses_total_2xx"), 1, "{what}");
            assert_eq!(mesh.envoy().stat("wasm_http_inbound_responses_total_4xx"), 1, "{what}");

            for name in &names {
                let dump = mesh.dump(name);
                assert_eq!(dump["@type"], WASM, "{what}: {name}");
                let file = dump["config"]["vm_config"]["code"]["local"]["filename"].as_str().unwrap();
                assert_eq!(std::fs::read(file).unwrap(), shipped(name), "{what}: {name}");
                assert_eq!(mesh.modules.asked(&format!("/{name}.wasm")), 1, "{what}: {name}");
            }
            let answers = mesh.control_plane.wait_for_answers(1);
            assert!(answers.iter().all(|answer| answer.error.is_none()), "{what}: {answers:?}");
        }
    }
}
