//! The manifests in `istio/`: each is a WasmPlugin that a cluster takes, and each filter has one.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is a test: clippy knows only the functions marked so"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::{Value, json};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn schema() -> Validator {
    let text = fs::read_to_string(root().join("istio/wasmplugin.schema.json")).unwrap();
    let schema = serde_json::from_str(&text).unwrap();
    assert!(jsonschema::meta::is_valid(&schema), "the schema itself is none");
    jsonschema::validator_for(&schema).unwrap()
}

/// Where and why `manifest` is refused.
fn refusals(schema: &Validator, manifest: &Value) -> Vec<(String, String)> {
    let errors = schema.iter_errors(manifest);
    errors.map(|error| (error.instance_path().to_string(), error.to_string())).collect()
}

fn yaml(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn yaml_files(folder: &Path) -> BTreeSet<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "yaml")).collect()
}

fn is_kustomization(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "kustomization.yaml")
}

/// `istio/` and the folders under `istio/overlays/`.
fn kustomized() -> Vec<PathBuf> {
    let overlays = fs::read_dir(root().join("istio/overlays")).unwrap().map(|entry| entry.unwrap().path());
    overlays.chain([root().join("istio")]).collect()
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

/// The manifests directly in `istio/`, by the names of their files.
fn manifests() -> Vec<(String, Value)> {
    let files = yaml_files(&root().join("istio"));
    let files = files.iter().filter(|path| !is_kustomization(path));
    files.map(|path| (stem(path), yaml(path))).collect()
}

#[test]
fn every_filter_has_a_manifest_and_every_manifest_a_filter() {
    let folders = fs::read_dir(root().join("filters")).unwrap().map(|entry| entry.unwrap().path());
    let filters: BTreeSet<String> = folders
        .filter(|folder| folder.join("Cargo.toml").exists())
        .map(|folder| folder.file_name().unwrap().to_str().unwrap().to_owned())
        .filter(|name| !name.starts_with('_'))
        .collect();
    let named: BTreeSet<String> = manifests().into_iter().map(|(name, _)| name).collect();
    assert_eq!(named, filters, "left: istio/*.yaml, right: filters/*");
}

#[test]
fn every_manifest_is_a_wasmplugin_that_a_cluster_takes() {
    let schema = schema();
    for folder in kustomized() {
        for path in yaml_files(&folder).iter().filter(|path| !is_kustomization(path)) {
            let found = refusals(&schema, &yaml(path));
            assert!(found.is_empty(), "{}: {found:?}", path.display());
        }
    }
}

#[test]
fn every_manifest_is_named_as_its_filter_and_leaves_nothing_to_a_default() {
    for (name, manifest) in manifests() {
        assert_eq!(manifest["metadata"]["name"], name);
        let spec = &manifest["spec"];
        let url = spec["url"].as_str().unwrap();
        assert!(url.contains(&format!("/{name}:")) || url.contains(&format!("/{name}@")), "{name}: {url}");
        for field in
            ["failStrategy", "phase", "priority", "match", "selector", "imagePullPolicy", "pluginConfig"]
        {
            assert!(!spec[field].is_null(), "{name}: {field} is left to its default");
        }
    }
}

#[test]
fn every_kustomization_lists_the_files_beside_it() {
    for folder in kustomized() {
        let kustomization = yaml(&folder.join("kustomization.yaml"));
        let listed = kustomization["resources"].as_array().unwrap();
        let listed: BTreeSet<PathBuf> =
            listed.iter().map(|file| folder.join(file.as_str().unwrap())).collect();
        let beside = yaml_files(&folder).into_iter().filter(|path| !is_kustomization(path)).collect();
        assert_eq!(listed, beside);
    }
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
fn what_a_cluster_takes_is_taken() {
    let schema = schema();
    let sha = "0".repeat(64);
    for fields in [
        json!({}),
        json!({"url": "ghcr.io/meshloom/x:v1"}),
        json!({"url": "meshloom/x"}),
        json!({"url": "oci://localhost:5000/meshloom/x:v1"}),
        json!({"url": format!("oci://ghcr.io/meshloom/x@sha256:{sha}")}),
        json!({"url": "https://example.com/x.wasm", "sha256": sha}),
        json!({"url": "http://10.0.0.1:8080/x.wasm", "sha256": ""}),
        json!({"url": "file:///opt/x.wasm"}),
        json!({"failStrategy": "FAIL_RELOAD", "phase": "AUTHN", "priority": -2_147_483_648_i64}),
        json!({"match": [{"mode": "CLIENT", "ports": [{"number": 65535}]}, {}]}),
        json!({"selector": {"matchLabels": {"app.kubernetes.io/name": "x"}}}),
        json!({"targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "g"}]}),
        json!({"targetRefs": [{"kind": "Service", "name": "s"}, {"group": "networking.istio.io", "kind": "ServiceEntry", "name": "e"}]}),
        json!({"vmConfig": {"env": [{"name": "A", "value": "1"}, {"name": "POD_NAME", "valueFrom": "HOST"}]}}),
        json!({"type": "NETWORK", "pluginName": "root", "imagePullSecret": "s", "imagePullPolicy": "Always"}),
    ] {
        let found = refusals(&schema, &plugin(&fields));
        assert!(found.is_empty(), "{fields}: {found:?}");
    }
}

#[test]
fn what_a_cluster_would_drop_or_refuse_is_refused_for_that_reason() {
    let schema = schema();
    let gateway = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "g"});
    let env = |variable: Value| json!({"vmConfig": {"env": [variable]}});
    let port = |number: Value| json!({"match": [{"ports": [{"number": number}]}]});
    let target = |reference: Value| json!({"targetRefs": [reference]});
    // The fields, then where the one complaint stands and what it has to say.
    for (fields, at, reason) in [
        (json!({"failOpen": true}), "/spec", "'failOpen' was unexpected"),
        (json!({"priorty": 1}), "/spec", "'priorty' was unexpected"),
        (json!({"failStrategy": "FAIL_CLOSED"}), "/spec/failStrategy", "FAIL_CLOSED"),
        (json!({"failStrategy": 0}), "/spec/failStrategy", "0 is not one of"),
        (json!({"phase": "AUTH"}), "/spec/phase", "AUTH"),
        (json!({"priority": "100"}), "/spec/priority", "not of types"),
        (json!({"priority": 2_147_483_648_i64}), "/spec/priority", "maximum of 2147483647"),
        (json!({"url": null}), "/spec", "\"url\" is a required property"),
        (json!({"url": "registry.example.com:5000/x:v1"}), "/spec/url", "does not match"),
        (json!({"url": "localhost:5000/x"}), "/spec/url", "does not match"),
        (json!({"url": "s3://bucket/x.wasm"}), "/spec/url", "does not match"),
        (json!({"url": "oci://ghcr.io"}), "/spec/url", "does not match"),
        (json!({"url": "oci://ghcr.io/a b"}), "/spec/url", "does not match"),
        (json!({"sha256": "abc"}), "/spec/sha256", "does not match"),
        (json!({"sha256": "A".repeat(64)}), "/spec/sha256", "does not match"),
        (json!({"sha256": format!("sha256:{}", "a".repeat(64))}), "/spec/sha256", "does not match"),
        (json!({"imagePullPolicy": "Never"}), "/spec/imagePullPolicy", "Never"),
        (json!({"imagePullSecret": "s".repeat(254)}), "/spec/imagePullSecret", "longer than 253"),
        (json!({"pluginName": "n".repeat(257)}), "/spec/pluginName", "longer than 256"),
        (json!({"pluginConfig": "{\"version\": 1}"}), "/spec/pluginConfig", "not of type \"object\""),
        (json!({"type": "TCP"}), "/spec/type", "TCP"),
        (json!({"match": [{"mode": "INBOUND"}]}), "/spec/match/0/mode", "INBOUND"),
        (json!({"match": {"mode": "SERVER"}}), "/spec/match", "not of type \"array\""),
        (port(json!(0)), "/spec/match/0/ports/0/number", "minimum of 1"),
        (port(json!(65536)), "/spec/match/0/ports/0/number", "maximum of 65535"),
        (json!({"match": [{"ports": [8080]}]}), "/spec/match/0/ports/0", "not of type \"object\""),
        (json!({"selector": {"app": "x"}}), "/spec/selector", "'app' was unexpected"),
        (
            json!({"selector": {"matchLabels": {"app": "*"}}}),
            "/spec/selector/matchLabels/app",
            "does not match",
        ),
        (
            json!({"selector": {"matchLabels": {"app": "x".repeat(64)}}}),
            "/spec/selector/matchLabels/app",
            "longer than 63",
        ),
        (json!({"selector": {"matchLabels": {"": "x"}}}), "/spec/selector/matchLabels", "shorter than 1"),
        (json!({"selector": {}, "targetRefs": [gateway]}), "/spec", "is not allowed"),
        (json!({"selector": {}, "targetRef": gateway}), "/spec", "is not allowed"),
        (json!({"targetRef": gateway, "targetRefs": [gateway]}), "/spec", "is not allowed"),
        (target(json!({"kind": "Pod", "name": "p"})), "/spec/targetRefs/0/kind", "Pod"),
        (target(json!({"kind": "Gateway", "name": "g"})), "/spec/targetRefs/0", "\"group\" is a required"),
        (target(json!({"kind": "Service", "name": ""})), "/spec/targetRefs/0/name", "shorter than 1"),
        (
            target(json!({"kind": "Service", "name": "s", "namespace": "other"})),
            "/spec/targetRefs/0/namespace",
            "\"\" was expected",
        ),
        (env(json!({"value": "1"})), "/spec/vmConfig/env/0", "\"name\" is a required"),
        (env(json!({"name": ""})), "/spec/vmConfig/env/0/name", "shorter than 1"),
        (
            env(json!({"name": "A", "valueFrom": "HOST", "value": "1"})),
            "/spec/vmConfig/env/0/value",
            "False schema",
        ),
        (env(json!({"name": "A", "valueFrom": "POD"})), "/spec/vmConfig/env/0/valueFrom", "POD"),
        (
            env(json!({"name": "A", "value": "v".repeat(2049)})),
            "/spec/vmConfig/env/0/value",
            "longer than 2048",
        ),
    ] {
        let found = refusals(&schema, &plugin(&fields));
        let one = matches!(found.as_slice(), [(path, message)] if path == at && message.contains(reason));
        assert!(one, "{fields}: expected {at}: {reason}; found {found:#?}");
    }
}

#[test]
fn another_resource_is_refused() {
    let schema = schema();
    for (field, value, at) in [
        ("apiVersion", json!("extensions.istio.io/v1"), "/apiVersion"),
        ("kind", json!("EnvoyFilter"), "/kind"),
        ("metadata", json!({"namespace": "default"}), "/metadata"),
        ("metadata", json!({"name": "Upper_Case"}), "/metadata/name"),
        ("metadata", json!({"name": "x", "label": {}}), "/metadata"),
        ("data", json!({}), ""),
    ] {
        let mut manifest = plugin(&json!({}));
        manifest[field] = value;
        let found = refusals(&schema, &manifest);
        assert!(matches!(found.as_slice(), [(path, _)] if path == at), "{field}: {found:#?}");
    }
}
