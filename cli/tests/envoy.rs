//! Real Envoys say the same of a wrong configuration as `meshloom validate` does.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is a test: clippy knows only the functions marked so"
)]

mod support;

use std::process::Command;

use meshloom_lab::{Bootstrap, Envoy, filters, root};
use serde_json::{Value, json};
use support::{Desk, messages, module};

/// The Envoy's version, as `1.40`.
fn version() -> String {
    let output = Command::new(Envoy::binary()).arg("--version").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // envoy  version: COMMIT/1.40.0/Clean/RELEASE/BoringSSL
    let number = text.split_once("version:").unwrap().1.split('/').nth(1).unwrap();
    number.rsplit_once('.').unwrap().0.to_owned()
}

/// What Envoy's log has of modules: each line that one logged as an error.
fn said_by_modules(log: &str) -> Vec<String> {
    let errors =
        log.lines().filter(|line| line.contains("[error][wasm]") || line.contains("[critical][wasm]"));
    errors
        .filter_map(|line| {
            let (_, said) = line.split_once("] wasm log")?;
            Some(said.split_once(": ")?.1.to_owned())
        })
        .collect()
}

/// What the command says of a bootstrap, its exit code first.
fn validate(desk: &Desk, bootstrap: &Bootstrap) -> (i32, Value) {
    desk.write("bootstrap.json", bootstrap.to_json());
    let file = desk.path().join("bootstrap.json");
    support::validate(root(), &["--envoy", &version(), file.to_str().unwrap()])
}

/// Configurations that are wrong in one way or in several.
fn wrong(right: &str) -> Vec<String> {
    let right: Value = serde_json::from_str(right).unwrap();
    let with = |name: &str, value: Value| {
        let mut wrong = right.clone();
        wrong[name] = value;
        wrong.to_string()
    };
    let mut all = vec![
        with("version", json!(7)),
        with("version", json!("1")),
        with("no_such_field", json!({"a": [1]})),
        with("a\nb.c[0]", json!("\u{e9}<>&")),
        json!({"no": 1, "such": 2, "fields": 3}).to_string(),
        "[]".to_owned(),
        "\"text\"".to_owned(),
        "{\"version\": 1,".to_owned(),
        "{\"version\": 1}}".to_owned(),
        "{'version': 1}".to_owned(),
        "[".repeat(200),
        right.to_string().replacen('{', "{\"version\": 1,", 1),
    ];
    // Each field, one after the other, as something that it cannot be.
    for (name, value) in right.as_object().unwrap() {
        let odd = if value.is_object() { json!([null]) } else { json!({"odd": -1.5}) };
        all.push(with(name, odd));
        if let Value::Array(items) = value {
            let mut items = items.clone();
            items.push(json!({"odd": true}));
            all.push(with(name, Value::Array(items)));
        }
    }
    all
}

/// The configuration that a filter's sample bootstrap has.
fn right(filter: &str) -> String {
    let tree: Value = serde_json::from_str(&Bootstrap::filter(filter).to_json()).unwrap();
    let manager = &tree["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    manager["http_filters"][0]["typed_config"]["config"]["configuration"]["value"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn each_filter_says_the_same_of_each_wrong_configuration_here_and_in_envoy() {
    let desk = Desk::new();
    for filter in filters() {
        let mut refused = 0;
        for configuration in wrong(&right(&filter)) {
            let bootstrap = Bootstrap::filter(&filter).configure(&filter, configuration.as_str());
            let (code, json) = validate(&desk, &bootstrap);
            match Envoy::validate(&bootstrap) {
                Ok(()) => assert_eq!(code, 0, "{filter} with {configuration}: {json:#}"),
                Err(log) => {
                    let mut said = said_by_modules(&log.log);
                    let mut found = messages(&json, "error");
                    assert!(!said.is_empty(), "{filter} with {configuration}: {log}");
                    // The file's order here, the reader's order there.
                    said.sort();
                    found.sort();
                    assert_eq!(found, said, "{filter} with {configuration}");
                    assert_eq!(code, 1, "{filter} with {configuration}");
                    refused += 1;
                }
            }
        }
        assert!(refused >= 12, "{filter} refuses {refused}");
    }
}

#[test]
fn each_filters_own_sample_is_fine_here_and_in_envoy() {
    let desk = Desk::new();
    for bootstrap in filters().iter().map(|filter| Bootstrap::filter(filter)).chain([Bootstrap::all()]) {
        Envoy::validate(&bootstrap).unwrap_or_else(|refused| panic!("{refused}"));
        let (code, json) = validate(&desk, &bootstrap);
        assert_eq!((code, json["problems"].as_array().unwrap().len()), (0, 0), "{json:#}");
    }
}

#[test]
fn of_a_module_that_cannot_be_started_envoy_has_the_same_words() {
    let desk = Desk::new();
    let path = desk.path().join("x.wasm");
    let configure = |body: &str| {
        module(&format!(r#"(func (export "proxy_on_configure") (param i32 i32) (result i32) {body})"#))
    };
    let import = |signature: &str| module(&format!(r#"(import "env" "proxy_log" (func {signature}))"#));
    for (bytes, words) in [
        (configure("(i32.const 0)"), "Failed to configure base Wasm plugin"),
        (
            module(r#"(func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 0))"#),
            "Failed to start base Wasm",
        ),
        (
            module(r#"(import "env" "no_such" (func))"#),
            "Failed to load Wasm module due to a missing import: env.no_such",
        ),
        (
            import("(param i32) (result i32)"),
            "Failed to load Wasm module due to an import type mismatch: env.proxy_log, want: i32 -> i32, but host exports: i32 i32 i32 -> i32",
        ),
        (
            import(""),
            "Failed to load Wasm module due to an import type mismatch: env.proxy_log, want: void -> void, but host exports: i32 i32 i32 -> i32",
        ),
        (
            wat::parse_str(r#"(module (memory (export "memory") 1))"#).unwrap(),
            "Missing or unknown Proxy-Wasm ABI version",
        ),
        (b"nothing".to_vec(), "Missing or unknown Proxy-Wasm ABI version"),
        (b"no module".to_vec(), "Failed to parse corrupted Wasm module"),
        (module("").into_iter().take(60).collect(), "Failed to parse corrupted Wasm module"),
        ([module(""), b"\xee\0".to_vec()].concat(), "Failed to load Wasm bytecode"),
        (
            wat::parse_str(
                r#"(module (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_1")))"#,
            )
            .unwrap(),
            "Wasm module is missing malloc function.",
        ),
    ] {
        desk.write("x.wasm", bytes);
        let bootstrap = Bootstrap::filter("http-timing").module("http-timing", &path);
        let log = Envoy::validate(&bootstrap).unwrap_err().log;
        assert!(log.contains(words), "expected {words:?} in Envoy's log:\n{log}");
        let (code, json) = validate(&desk, &bootstrap);
        assert_eq!((code, messages(&json, "error")), (1, vec![words.to_owned()]), "{json:#}");
    }
    // The beginning is the same, the trap's own words are V8's and wasmtime's.
    desk.write("x.wasm", configure("unreachable"));
    let bootstrap = Bootstrap::filter("http-timing").module("http-timing", &path);
    let words = "Function: proxy_on_configure failed: ";
    assert!(Envoy::validate(&bootstrap).unwrap_err().log.contains(words));
    assert!(messages(&validate(&desk, &bootstrap).1, "error")[0].starts_with(words));
}

#[test]
fn what_this_command_refuses_or_takes_before_a_module_is_asked_envoy_does_too() {
    let desk = Desk::new();
    let string = "type.googleapis.com/google.protobuf.StringValue";
    let bytes = "type.googleapis.com/google.protobuf.BytesValue";
    let structure = "type.googleapis.com/google.protobuf.Struct";
    for (field, value) in [
        ("fail_open", json!(true)),
        ("failurePolicy", json!("FAIL_OPENX")),
        ("failure_policy", json!(1)),
        ("failure_polcy", json!("FAIL_OPEN")),
        ("reload_config", json!({})),
        ("allow_on_headers_stop_iteration", json!(true)),
        ("capability_restriction_config", json!({"allowed_capabilities": {}})),
        ("configuration", json!({})),
        ("configuration", json!({"version": 1})),
        ("configuration", json!({"@type": string, "value": 5})),
        ("configuration", json!({"@type": string, "value": null})),
        ("configuration", json!({"@type": string, "value": {"version": 1}})),
        ("configuration", json!({"@type": bytes, "value": "e30***"})),
        ("configuration", json!({"@type": bytes, "value": "eyJ2ZXJzaW9uIjogMX0"})),
        ("configuration", json!({"@type": structure, "value": {"version": 1, "a": ["x", 2.5, true, null]}})),
        ("configuration", json!({"@type": "type.googleapis.com/xds.type.v3.TypedStruct", "type_url": "a/b"})),
        ("vm_config", json!({})),
        ("vm_config", json!({"code": {}})),
        ("vm_config", json!({"code": {"local": {}}})),
        ("vm_config", json!({"code": {"local": {"filename": ""}}})),
        ("vm_config", json!({"code": {"local": {"inline_string": "no module"}}})),
        ("vm_config", json!({"code": {"local": {"filename": "dist/http-timing.wasm"}}})),
        (
            "vm_config",
            json!({"code": {"local": {"filename": "dist/http-timing.wasm"}}, "runtime": "envoy.wasm.runtime.v9"}),
        ),
        (
            "vm_config",
            json!({
                "code": {"local": {"filename": "dist/http-timing.wasm"}},
                "environment_variables": {"host_env_keys": ["A"], "key_values": {"A": "b"}}
            }),
        ),
    ] {
        let bootstrap = Bootstrap::filter("http-timing").connection_manager(|manager| {
            manager["http_filters"][0]["typed_config"]["config"][field] = value.clone();
        });
        let (code, json) = validate(&desk, &bootstrap);
        let taken = Envoy::validate(&bootstrap);
        assert_eq!(code == 0, taken.is_ok(), "{field}: {value}\n{json:#}\n{taken:?}");
        assert_ne!(code, 2, "{field}: {value}\n{json:#}");
    }
}
