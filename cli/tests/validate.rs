//! `meshloom validate`, run as a command: what Kubernetes, Istio and Envoy would refuse, what hostile files come to, and
//! how it is said.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is a test: clippy knows only the functions marked so"
)]

mod support;

use serde_json::{Value, json};
use support::{Desk, envoy_filter, messages, module, takes_bytes, wasm_plugin};

/// A desk with a module that takes everything, as `dist/x.wasm`.
fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("dist/x.wasm", module(""));
    desk
}

/// A WasmPlugin with nothing wrong, in which `spec` has the fields of `changes` too; `null` takes a field out.
fn plugin(changes: &Value) -> Value {
    let mut spec = json!({"url": "oci://ghcr.io/meshloom/x:v1", "pluginConfig": {"version": 1}});
    for (field, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => spec.as_object_mut().unwrap().remove(field),
            value => spec.as_object_mut().unwrap().insert(field.clone(), value.clone()),
        };
    }
    json!({
        "apiVersion": "extensions.istio.io/v1alpha1", "kind": "WasmPlugin",
        "metadata": {"name": "x", "namespace": "default"}, "spec": spec
    })
}

#[test]
fn what_a_cluster_refuses_is_refused_at_its_place_and_what_it_takes_is_taken() {
    let desk = desk();
    let schema = std::fs::read_to_string(support::root().join("istio/wasmplugin.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let sha = "0".repeat(64);
    let gateway = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "g"});
    let env = |variable: Value| json!({"vmConfig": {"env": [variable]}});
    let port = |number: Value| json!({"match": [{"ports": [{"number": number}]}]});
    let target = |reference: Value| json!({"targetRefs": [reference]});
    // The fields of `spec`, and the paths that are complained of.
    let cases: Vec<(Value, &[&str])> = vec![
        (json!({}), &[]),
        (json!({"url": "ghcr.io/meshloom/x:v1"}), &[]),
        (json!({"url": "meshloom/x"}), &[]),
        (json!({"url": "oci://localhost:5000/meshloom/x:v1"}), &[]),
        (json!({"url": format!("oci://ghcr.io/meshloom/x@sha256:{sha}")}), &[]),
        (json!({"url": "http://10.0.0.1:8080/x.wasm", "sha256": ""}), &[]),
        (json!({"url": "file:///opt/x.wasm"}), &[]),
        (json!({"failStrategy": "FAIL_RELOAD", "phase": "AUTHN", "priority": -2_147_483_648_i64}), &[]),
        (json!({"match": [{"mode": "CLIENT", "ports": [{"number": 65535}]}, {}]}), &[]),
        (json!({"selector": {"matchLabels": {"app.kubernetes.io/name": "x"}}}), &[]),
        (json!({"targetRefs": [gateway]}), &[]),
        (target(json!({"kind": "Service", "name": "s"})), &[]),
        (target(json!({"group": "networking.istio.io", "kind": "ServiceEntry", "name": "e"})), &[]),
        (
            json!({"vmConfig": {"env": [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": "HOST"}]}}),
            &[],
        ),
        (
            json!({"type": "NETWORK", "pluginName": "r", "imagePullSecret": "s", "imagePullPolicy": "Always"}),
            &[],
        ),
        (json!({"failOpen": true}), &["spec.failOpen"]),
        (json!({"priorty": 1, "phase": "AUTH"}), &["spec.phase", "spec.priorty"]),
        (json!({"failStrategy": "FAIL_CLOSED"}), &["spec.failStrategy"]),
        (json!({"failStrategy": 0}), &["spec.failStrategy"]),
        (json!({"priority": "100"}), &["spec.priority"]),
        (json!({"priority": 2_147_483_648_i64}), &["spec.priority"]),
        (json!({"url": null}), &["spec.url"]),
        (json!({"url": "registry.example.com:5000/x:v1"}), &["spec.url"]),
        (json!({"url": "s3://bucket/x.wasm"}), &["spec.url"]),
        (json!({"url": "oci://ghcr.io"}), &["spec.url"]),
        (json!({"url": "oci://ghcr.io/a b"}), &["spec.url"]),
        (json!({"sha256": "abc"}), &["spec.sha256"]),
        (json!({"sha256": "A".repeat(64)}), &["spec.sha256"]),
        (json!({"sha256": format!("sha256:{sha}")}), &["spec.sha256"]),
        (json!({"imagePullPolicy": "Never"}), &["spec.imagePullPolicy"]),
        (json!({"imagePullSecret": "s".repeat(254)}), &["spec.imagePullSecret"]),
        (json!({"pluginName": "n".repeat(257)}), &["spec.pluginName"]),
        (json!({"pluginConfig": "{\"version\": 1}"}), &["spec.pluginConfig"]),
        (json!({"type": "TCP"}), &["spec.type"]),
        (json!({"match": [{"mode": "INBOUND"}]}), &["spec.match[0].mode"]),
        (json!({"match": {"mode": "SERVER"}}), &["spec.match"]),
        (port(json!(0)), &["spec.match[0].ports[0].number"]),
        (port(json!(65536)), &["spec.match[0].ports[0].number"]),
        (json!({"match": [{"ports": [8080]}]}), &["spec.match[0].ports[0]"]),
        (json!({"selector": {"app": "x"}}), &["spec.selector.app"]),
        (json!({"selector": {"matchLabels": {"app": "*"}}}), &["spec.selector.matchLabels.app"]),
        (json!({"selector": {"matchLabels": {"app": "x".repeat(64)}}}), &["spec.selector.matchLabels.app"]),
        (json!({"selector": {"matchLabels": {"": "x"}}}), &["spec.selector.matchLabels."]),
        (json!({"selector": {}, "targetRefs": [gateway]}), &["spec.targetRefs"]),
        (json!({"selector": {}, "targetRef": gateway}), &["spec.targetRef"]),
        (json!({"targetRef": gateway, "targetRefs": [gateway]}), &["spec.targetRefs"]),
        (target(json!({"kind": "Pod", "name": "p"})), &["spec.targetRefs[0].kind"]),
        (target(json!({"kind": "Gateway", "name": "g"})), &["spec.targetRefs[0].group"]),
        (target(json!({"kind": "Service", "name": ""})), &["spec.targetRefs[0].name"]),
        (
            target(json!({"kind": "Service", "name": "s", "namespace": "o"})),
            &["spec.targetRefs[0].namespace"],
        ),
        (env(json!({"value": "1"})), &["spec.vmConfig.env[0].name"]),
        (env(json!({"name": ""})), &["spec.vmConfig.env[0].name"]),
        (env(json!({"name": "A", "valueFrom": "HOST", "value": "1"})), &["spec.vmConfig.env[0].value"]),
        (env(json!({"name": "A", "valueFrom": "POD"})), &["spec.vmConfig.env[0].valueFrom"]),
        (env(json!({"name": "A", "value": "v".repeat(2049)})), &["spec.vmConfig.env[0].value"]),
    ];
    for (index, (changes, _)) in cases.iter().enumerate() {
        desk.write(&format!("{index}.json"), plugin(changes).to_string());
    }
    let files: Vec<String> = (0..cases.len()).map(|index| format!("{index}.json")).collect();
    let arguments: Vec<&str> =
        ["--module", "dist/x.wasm"].into_iter().chain(files.iter().map(String::as_str)).collect();
    let (code, json) = desk.validate(&arguments);
    assert_eq!(code, 1);
    for ((changes, paths), file) in cases.iter().zip(&files) {
        let problems =
            json["problems"].as_array().unwrap().iter().filter(|problem| problem["file"] == **file);
        let mut found: Vec<&str> = problems.map(|problem| problem["path"].as_str().unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, *paths, "{changes}");
        assert_eq!(schema.is_valid(&plugin(changes)), paths.is_empty(), "{changes}");
    }
}

#[test]
fn istios_webhook_has_its_own_words() {
    let desk = desk();
    for (spec, message, hint) in [
        ("url: localhost:5000/x", "url contains unsupported scheme: localhost", "oci://localhost:5000/x"),
        ("url: ftp://a/x", "url contains unsupported scheme: ftp", ""),
        ("url: a/x\nsha256: abc", "sha256 field must be 64 characters long", ""),
        (
            "url: a/x\nselector: {}\ntargetRefs: []",
            "only one of targetRefs or workloadSelector can be set",
            "",
        ),
        ("url: a/x\nselector: {matchLabels: {a: '*'}}", "wildcard is not supported in selector", ""),
        (
            "url: a/x\nvmConfig: {env: [{name: A, value: a}, {name: A, value: b}]}",
            "duplicate env \"A\": each name may be there once",
            "",
        ),
        ("url: a/x\nurl: a/y", "given more than once", ""),
        (
            "url: a/x\nphase: AUTHNN",
            "found AUTHNN, expected one of `UNSPECIFIED_PHASE`, `AUTHN`, `AUTHZ`, `STATS`",
            "AUTHN",
        ),
        ("url: a/x\nselector: {matchLabels: {a: yes}}", "found yes, expected a text: put it in quotes", ""),
    ] {
        desk.write("x.yaml", wasm_plugin(spec));
        let (code, json) = desk.validate(&["--module", "dist/x.wasm", "x.yaml"]);
        assert_eq!(messages(&json, "error"), [message], "{spec}");
        assert!(json["problems"][0]["hint"].as_str().unwrap_or_default().contains(hint), "{spec}: {json:#}");
        assert_eq!(code, 1, "{spec}");
    }
}

#[test]
fn a_traffic_extension_has_its_plugin_under_wasm() {
    let desk = desk();
    let head =
        "apiVersion: extensions.istio.io/v1alpha1\nkind: TrafficExtension\nmetadata: {name: t}\nspec:\n";
    for (spec, path) in [
        ("  wasm: {url: a/x}\n  phase: AUTHN\n", None),
        ("  lua: {inlineCode: 'function f() end'}\n", None),
        ("  phase: AUTHN\n", Some("spec.wasm")),
        ("  wasm: {url: a/x}\n  lua: {inlineCode: x}\n", Some("spec.lua")),
        ("  wasm: {url: a/x, phase: AUTHN}\n", Some("spec.wasm.phase")),
        ("  wasm: {url: a/x}\n  targetRef: {kind: Service, name: s}\n", Some("spec.targetRef")),
    ] {
        desk.write("x.yaml", format!("{head}{spec}"));
        let (code, json) = desk.validate(&["x.yaml"]);
        let found: Vec<&Value> =
            json["problems"].as_array().unwrap().iter().map(|problem| &problem["path"]).collect();
        assert_eq!(found, path.into_iter().collect::<Vec<_>>(), "{spec}");
        assert_eq!(code, i32::from(path.is_some()), "{spec}");
    }
}

#[test]
fn each_document_and_each_item_of_a_list_is_checked() {
    let desk = desk();
    let bad = wasm_plugin("url: a/x\nfailOpen: true\n");
    let item: String = bad.lines().map(|line| format!("    {line}\n")).collect();
    let list = format!("apiVersion: v1\nkind: List\nitems:\n  -\n{item}");
    desk.write(
        "x.yaml",
        format!("{bad}---\napiVersion: v1\nkind: Service\nmetadata: {{name: s}}\n---\n{list}---\n"),
    );
    let (code, json) = desk.validate(&["x.yaml"]);
    let found: Vec<(u64, &str)> = json["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| (problem["line"].as_u64().unwrap(), problem["path"].as_str().unwrap()))
        .collect();
    assert_eq!(found, [(8, "spec.failOpen"), (25, "items[0].spec.failOpen")], "{json:#}");
    assert_eq!(code, 1);
}

#[test]
fn what_envoy_refuses_of_a_plugin_is_refused() {
    let desk = desk();
    let code = "vm_config: {code: {local: {filename: dist/x.wasm}}}";
    for (config, path, message) in [
        (
            "failOpen: true\nfailure_policy: FAIL_OPEN",
            "failOpen",
            "only one of fail_open or failure_policy can be set",
        ),
        ("failure_policy: FAIL_OPENX", "failure_policy", "found FAIL_OPENX, expected one of"),
        ("failure_polcy: FAIL_OPEN", "failure_polcy", "unknown field, expected one of `name`"),
        (
            "configuration: {version: 1}",
            "configuration",
            "`@type` is missing, which only an empty map may lack",
        ),
        (
            "configuration: {\"@type\": type.googleapis.com/google.protobuf.StringValue, value: 5}",
            "configuration.value",
            "found 5, expected a text: put it in quotes",
        ),
        (
            "configuration: {\"@type\": type.googleapis.com/google.protobuf.StringValue, value: {version: 1}}",
            "configuration.value",
            "found a map, expected a text",
        ),
        (
            "configuration: {\"@type\": type.googleapis.com/google.protobuf.BytesValue, value: 'e30***'}",
            "configuration.value",
            "found no base64",
        ),
    ] {
        desk.write("x.yaml", envoy_filter(&format!("name: x\n{code}\n{config}\n")));
        let (exit, json) = desk.validate(&["x.yaml"]);
        let found = messages(&json, "error");
        assert!(matches!(found.as_slice(), [one] if one.starts_with(message)), "{config}: {json:#}");
        assert_eq!(json["problems"][0]["path"], format!("typed_config.config.{path}"), "{config}");
        assert_eq!(exit, 1, "{config}");
    }
    for (vm, path, message) in [
        ("{code: {}}", "code", "found neither `local` nor `remote`"),
        ("{}", "code", "`code` is missing"),
        ("{code: {local: {filename: ''}}}", "code.local.filename", "found 0 characters, expected at least 1"),
        (
            "{code: {remote: {http_uri: {uri: 'http://a/x.wasm'}}}}",
            "code.remote.sha256",
            "`sha256` is missing",
        ),
        (
            "{runtime: envoy.wasm.runtime.v9, code: {local: {filename: dist/x.wasm}}}",
            "runtime",
            "Failed to create Wasm VM",
        ),
        (
            "{code: {local: {filename: dist/x.wasm}}, environment_variables: {host_env_keys: [A], key_values: {A: b}}}",
            "environment_variables.host_env_keys[0]",
            "Key A is duplicated in envoy.extensions.wasm.v3.VmConfig.environment_variables for x.",
        ),
        (
            "{code: {local: {filename: dist/x.wasm}}, environment_variables: {key_values: {A: 5}}}",
            "environment_variables.key_values.A",
            "found 5, expected a text",
        ),
    ] {
        desk.write("x.yaml", envoy_filter(&format!("name: x\nvm_config: {vm}\n")));
        let (exit, json) = desk.validate(&["x.yaml"]);
        let found = messages(&json, "error");
        assert!(matches!(found.as_slice(), [one] if one.starts_with(message)), "{vm}: {json:#}");
        assert_eq!(json["problems"][0]["path"], format!("typed_config.config.vm_config.{path}"), "{vm}");
        assert_eq!(exit, 1, "{vm}");
    }
}

#[test]
fn every_plugin_of_envoys_documents_is_found_wherever_it_stands() {
    let desk = desk();
    let wasm = |kind: &str| {
        json!({
            "@type": format!("type.googleapis.com/envoy.extensions.filters.{kind}.wasm.v3.Wasm"),
            "config": {"name": "x", "vmConfig": {"code": {"local": {"filename": "dist/x.wasm"}}}}
        })
    };
    let typed = json!({
        "@type": "type.googleapis.com/xds.type.v3.TypedStruct",
        "type_url": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "value": wasm("http")
    });
    let document = json!({"resources": [
        {"@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig", "name": "e", "typed_config": wasm("http")},
        {"@type": "type.googleapis.com/envoy.config.listener.v3.Listener", "filter_chains": [{"filters": [
            {"name": "n", "typed_config": wasm("network")},
            {"name": "d", "config_discovery": {"default_config": wasm("http")}},
            {"name": "s", "typed_config": typed}
        ]}]}
    ]});
    desk.write("x.json", document.to_string());
    let (code, json) = desk.validate(&["x.json"]);
    let paths: Vec<&Value> =
        json["plugins"].as_array().unwrap().iter().map(|plugin| &plugin["path"]).collect();
    let listener = "resources[1].filter_chains[0].filters";
    assert_eq!(
        paths,
        [
            &json!("resources[0].typed_config.config"),
            &json!(format!("{listener}[0].typed_config.config")),
            &json!(format!("{listener}[1].config_discovery.default_config.config")),
            &json!(format!("{listener}[2].typed_config.value.config")),
        ]
    );
    assert_eq!(code, 0, "{json:#}");
}

#[test]
fn the_bytes_that_a_plugin_is_handed_are_those_of_istiod_and_of_envoy() {
    let desk = Desk::new();
    let istio = wasm_plugin("url: a/x\npluginConfig:\n  b: <\n  a: 010\n");
    // {"a":8,"b":"\u003c"}
    for (name, text, length) in [
        ("istio.yaml", istio, r#"{"a":8,"b":"\u003c"}"#.len()),
        (
            "string.yaml",
            envoy_filter(
                "name: x\nvm_config: {code: {local: {filename: x}}}\nconfiguration: {\"@type\": \
                 type.googleapis.com/google.protobuf.StringValue, value: 1.50}\n",
            ),
            4,
        ),
        (
            "bytes.yaml",
            envoy_filter(
                "name: x\nvm_config: {code: {local: {filename: x}}}\nconfiguration: {\"@type\": \
                 type.googleapis.com/google.protobuf.BytesValue, value: AAECAw}\n",
            ),
            4,
        ),
        (
            "struct.yaml",
            envoy_filter(
                "name: x\nvm_config: {code: {local: {filename: x}}}\nconfiguration: {\"@type\": \
                 type.googleapis.com/google.protobuf.Struct, value: {a: b}}\n",
            ),
            10,
        ),
    ] {
        desk.write(name, text);
        desk.write("x.wasm", takes_bytes(length));
        let (code, json) = desk.validate(&["--module", "x.wasm", name]);
        assert_eq!(code, 0, "{name}: {json:#}");
        desk.write("x.wasm", takes_bytes(length + 1));
        let (code, json) = desk.validate(&["--module", "x.wasm", name]);
        assert_eq!(code, 1, "{name}: {json:#}");
        assert_eq!(messages(&json, "error"), ["Failed to configure base Wasm plugin"]);
    }
}

#[test]
fn the_vm_has_its_configuration_and_its_environment() {
    let desk = Desk::new();
    desk.write(
        "x.wasm",
        module(
            r#"(import "wasi_snapshot_preview1" "environ_sizes_get" (func $sizes (param i32 i32) (result i32)))
            (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.eq (local.get 1) (i32.const 3)))
            (func (export "proxy_on_configure") (param i32 i32) (result i32)
                (drop (call $sizes (i32.const 0) (i32.const 4)))
                (i32.eq (i32.load (i32.const 0)) (i32.const 2)))"#,
        ),
    );
    let config = |vm: &str, hosts: &str| {
        let configuration =
            format!("{{\"@type\": type.googleapis.com/google.protobuf.StringValue, value: {vm}}}");
        envoy_filter(&format!(
            "name: x\nvm_config:\n  code: {{local: {{filename: x.wasm}}}}\n  configuration: {configuration}\n  \
             environment_variables: {{key_values: {{A: b}}, host_env_keys: [{hosts}]}}\n"
        ))
    };
    desk.write("good.yaml", config("abc", "B, C"));
    desk.write("vm.yaml", config("abcd", "B, C"));
    let (code, json) = desk.validate(&["--host-env", "B=1", "good.yaml"]);
    assert_eq!(code, 0, "{json:#}");
    let (_, json) = desk.validate(&["--host-env", "B=1", "--host-env", "C=2", "good.yaml"]);
    assert_eq!(messages(&json, "error"), ["Failed to configure base Wasm plugin"]);
    let (_, json) = desk.validate(&["--host-env", "B=1", "vm.yaml"]);
    assert_eq!(messages(&json, "error"), ["Failed to start base Wasm"]);
    assert_eq!(json["problems"][0]["path"], "typed_config.config.vm_config.configuration.value");
}

#[test]
fn a_module_that_is_not_there_is_named_with_how_to_say_it() {
    let desk = desk();
    desk.write("x.yaml", wasm_plugin("url: oci://ghcr.io/meshloom/other:v1\npluginName: root\n"));
    std::fs::rename(desk.path().join("dist/x.wasm"), desk.path().join("y.wasm")).unwrap();
    let run = desk.run(&["validate", "x.yaml"]);
    assert_eq!(run.code, 2);
    assert_eq!(
        run.stdout,
        "x.yaml:6:1: error: default.x~istio-translated-wasmplugin: the module of this plugin is not there: it is at \
         oci://ghcr.io/meshloom/other:v1, which is not fetched, and no other.wasm and no x.wasm and no root.wasm in dist/; \
         name it by --module FILE or --filter NAME, or the folder of modules by --modules DIR\n"
    );
    assert_eq!(desk.run(&["validate", "--module", "y.wasm", "x.yaml"]).code, 0);
    let run = desk.run(&["validate", "--filter", "z", "x.yaml"]);
    assert_eq!(run.code, 2);
    assert!(run.stderr.starts_with("error: --filter z: there is no z.wasm in dist/"), "{run:?}");
    assert_eq!(desk.run(&["validate", "--filter", "../y", "x.yaml"]).code, 2);
    let run = desk.run(&["validate", desk.write("c.json", "{}")]);
    assert_eq!(run.code, 2);
    assert!(run.stdout.contains("name the module by --filter NAME or --module FILE"), "{run:?}");
}

#[test]
fn a_verification_key_is_warned_of_where_nobody_reads_it_and_not_where_the_agent_does() {
    let desk = desk();
    let environment =
        "  - {name: ISTIO_META_WASM_VERIFICATION_KEY, value: x}\n  - {name: ISTIO_META_MINE, value: x}\n";
    let spec =
        format!("url: https://example.com/x.wasm\nverificationKey: x\nvmConfig:\n  env:\n{environment}");
    desk.write("x.yaml", wasm_plugin(&spec));
    let (code, json) = desk.validate(&["x.yaml"]);
    let warnings = messages(&json, "warning");
    let warned = |of: &str| warnings.iter().filter(|warning| warning.contains(of)).count();
    assert_eq!(warned("Istio does not implement `verificationKey`"), 1, "{json:#}");
    assert_eq!(warned("never reach the module"), 1, "{json:#}");
    assert_eq!(code, 0);
}

#[test]
fn a_module_of_another_digest_than_the_document_names_is_warned_of() {
    let desk = desk();
    desk.write(
        "x.yaml",
        wasm_plugin(&format!("url: https://example.com/x.wasm\nsha256: '{}'\n", "0".repeat(64))),
    );
    let (code, json) = desk.validate(&["x.yaml"]);
    assert!(
        messages(&json, "warning")[0].starts_with("checked against dist/x.wasm, whose SHA-256 is "),
        "{json:#}"
    );
    assert_eq!(code, 0);
}

#[test]
fn hostile_files_end_in_errors() {
    let desk = desk();
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{below}]\n"));
    }
    let files: Vec<(&str, Vec<u8>, i32)> = vec![
        ("bomb.yaml", bomb.into_bytes(), 1),
        ("deep.yaml", "[".repeat(1_000_000).into_bytes(), 1),
        ("deeper.yaml", "- ".repeat(1_000_000).into_bytes(), 1),
        ("deep.json", "[".repeat(1_000_000).into_bytes(), 1),
        ("maps.json", "{\"a\":".repeat(1_000_000).into_bytes(), 1),
        ("self.yaml", b"a: &a {b: *a}\n".to_vec(), 1),
        ("merge.yaml", b"a: &a {<<: 5, x: 1}\nb: {<<: [*a, 7]}\n".to_vec(), 2),
        ("bytes.yaml", b"a: \xff\n".to_vec(), 2),
        ("nul.yaml", b"a: \0\n".to_vec(), 1),
        ("tag.yaml", b"!!binary x\n".to_vec(), 2),
        ("empty.yaml", Vec::new(), 2),
        ("key.yaml", b"{[a]: b}\n".to_vec(), 1),
        (
            "kind.yaml",
            b"apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: []\nspec: 5\n".to_vec(),
            1,
        ),
        (
            "spec.yaml",
            b"apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nspec: {url: {}, match: x}\n"
                .to_vec(),
            1,
        ),
        ("envoy.yaml", b"typed_config: {'@type': [], config: 1}\n".to_vec(), 0),
        (
            "config.yaml",
            b"'@type': type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm\nconfig: [1]\n"
                .to_vec(),
            1,
        ),
    ];
    for (name, content, code) in files {
        desk.write(name, content);
        let run = desk.run(&["validate", name]);
        assert_eq!(run.code, code, "{name}: {run:?}");
        if code > 0 {
            assert!((run.stdout + &run.stderr).contains("error: "), "{name}");
        }
    }
    let huge = std::fs::File::create(desk.path().join("huge.yaml")).unwrap();
    huge.set_len((64 << 20) + 1).unwrap();
    let run = desk.run(&["validate", "huge.yaml"]);
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (2, "error: huge.yaml: it has more than 64 MiB, which is the most\n")
    );
    let run = desk.run(&["validate", "gone.yaml", "."]);
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("gone.yaml: No such file") && run.stderr.contains(".: it is a folder"),
        "{run:?}"
    );
}

#[test]
fn hostile_modules_end_in_errors() {
    let desk = Desk::new();
    let configure = |body: &str| {
        module(&format!(r#"(func (export "proxy_on_configure") (param i32 i32) (result i32) {body})"#))
    };
    for (bytes, message) in [
        (configure("unreachable"), "Function: proxy_on_configure failed: "),
        (configure("(loop (br 0)) (i32.const 1)"), "Function: proxy_on_configure failed: "),
        (
            module(r#"(import "env" "no_such" (func))"#),
            "Failed to load Wasm module due to a missing import: env.no_such",
        ),
        (b"no module".to_vec(), "Failed to parse corrupted Wasm module"),
        (b"\0asm\x01\0\0\0\xff".to_vec(), "Failed to parse corrupted Wasm module"),
        ([module(""), b"\xee\0".to_vec()].concat(), "Failed to load Wasm bytecode"),
    ] {
        desk.write("dist/x.wasm", bytes);
        desk.write("x.yaml", wasm_plugin("url: a/x\n"));
        let (code, json) = desk.validate(&["--fuel", "1000000", "x.yaml"]);
        let found = messages(&json, "error");
        assert!(matches!(found.as_slice(), [one] if one.starts_with(message)), "{message}: {json:#}");
        assert_eq!(code, 1, "{message}");
    }
}

#[test]
fn a_log_line_cannot_move_the_cursor_or_end_an_annotation() {
    let desk = Desk::new();
    desk.write(
        "dist/x.wasm",
        module(
            r#"(import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
            (data (i32.const 16) "a\1b[2J\n::error::b")
            (func (export "proxy_on_configure") (param i32 i32) (result i32)
                (drop (call $log (i32.const 4) (i32.const 16) (i32.const 16)))
                (i32.const 0))"#,
        ),
    );
    desk.write("x.yaml", wasm_plugin("url: a/x\n"));
    let run = desk.run(&["validate", "x.yaml"]);
    assert!(run.stdout.starts_with("x.yaml:6:1: error: a\\u{1b}[2J\\n::error::b\n"), "{run:?}");
    let run = desk.run(&["validate", "--output", "github", "x.yaml"]);
    assert_eq!(run.stdout, "::error file=x.yaml,line=6,col=1::a\u{1b}[2J%0A::error::b%0Aat spec\n");
}

#[test]
fn annotations_for_github_name_the_file_and_the_line() {
    let desk = desk();
    desk.write("a,b.yaml", wasm_plugin("url: a/x\nfailStrategy: FAIL_OPN\n"));
    let run = desk.run(&["validate", "--output", "github", "a,b.yaml"]);
    assert_eq!(
        run.stdout,
        "::error file=a%2Cb.yaml,line=8,col=17::found FAIL_OPN, expected one of `FAIL_CLOSE`, `FAIL_OPEN`, \
         `FAIL_RELOAD`%0Aat spec.failStrategy%0Ahint: is `FAIL_OPEN` meant?\n"
    );
    assert_eq!(run.code, 1);
}

#[test]
fn the_json_for_programs_has_these_fields() {
    let desk = desk();
    desk.write("x.yaml", wasm_plugin("url: a/x\nfailStrategy: FAIL_OPN\n"));
    let (_, json) = desk.validate(&["--envoy", "1.36", "x.yaml"]);
    assert_eq!(
        json,
        json!({
            "version": 1, "envoy": "1.36", "ok": false,
            "plugins": [{
                "file": "x.yaml", "line": 6, "name": "default.x~istio-translated-wasmplugin", "path": "spec",
                "module": "dist/x.wasm", "outcome": "started"
            }],
            "problems": [{
                "severity": "error", "by": "istio", "file": "x.yaml", "line": 8, "column": 17, "end_line": 8, "end_column": 25,
                "path": "spec.failStrategy", "field": null, "plugin": null,
                "message": "found FAIL_OPN, expected one of `FAIL_CLOSE`, `FAIL_OPEN`, `FAIL_RELOAD`",
                "hint": "is `FAIL_OPEN` meant?"
            }],
            "unknown": []
        })
    );
}

#[test]
fn a_schema_is_printed_if_it_is_there() {
    let desk = desk();
    desk.write("dist/x.schema.json", "{\"a\": 1}\n");
    assert_eq!(desk.run(&["schema", "x"]).stdout, "{\"a\": 1}\n");
    desk.write("filters/x/schema.json", "{\"b\": 1}\n");
    assert_eq!(desk.run(&["schema", "x"]).stdout, "{\"b\": 1}\n");
    for name in ["y", "../x", ""] {
        let run = desk.run(&["schema", name]);
        assert_eq!((run.code, run.stderr.starts_with("error: ")), (2, true), "{name}: {run:?}");
    }
}
