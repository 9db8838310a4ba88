//! Resources whose configuration is JSON in Protobuf.

use std::path::Path;

use envoy_types::pb::google::protobuf::{Any, Struct};
use meshloom_agent::ecds::{Outcome, convert, strip};
use meshloom_agent::wire;
use prost::Message as _;
use serde_json::{Value as Json, json};

use crate::messages::*;
use crate::structs::{self, TYPED_STRUCTS, structure};

const URL: &str = "https://example.com/gate.wasm";

fn typed_struct(outer: &str, inner: &str, json: &Json) -> Any {
    extension("gate", structs::typed_struct(outer, inner, json))
}

fn remote_json() -> Json {
    json!({"config": {
        "name": "default.gate",
        "rootId": "gate",
        "configuration": {
            "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": "{\"tenants\":[\"acme\"]}",
        },
        "vm_config": {
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"remote": {"http_uri": {"uri": URL, "timeout": "30s", "cluster": "_"}}},
            "environment_variables": {"key_values": {"ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION": "1"}},
        },
    }})
}

fn outcome(resource: &Any) -> Outcome {
    convert(&resource.encode_to_vec()).outcome
}

#[test]
fn both_of_them_become_the_typed_filter_that_they_describe() {
    for outer in TYPED_STRUCTS {
        for inner in [HTTP_WASM, NETWORK_WASM] {
            let resource = typed_struct(outer, inner, &remote_json());
            let Outcome::Remote(remote) = outcome(&resource) else { panic!("{outer} {inner}") };
            let wanted = remote.wanted.as_ref().unwrap();
            assert_eq!((&wanted.url[..], &wanted.resource_version[..]), (URL, "1"));
            let converted = remote.with_module(Path::new("/gate.wasm"));
            assert_eq!(opened(&converted).1.type_url, inner);
            let mut expected = plugin(URL);
            vm(&mut expected).code = local("/gate.wasm");
            vm(&mut expected).environment_variables = None;
            assert_eq!(plugin_of(&converted), expected);
        }
    }
}

#[test]
fn one_of_another_filter_is_untouched() {
    let resource = typed_struct(TYPED_STRUCTS[0], HTTP_RBAC, &json!({"anything": 1}));
    assert!(matches!(outcome(&resource), Outcome::Untouched));
}

#[test]
fn what_the_filter_has_no_field_for_is_refused() {
    let mut unknown = remote_json();
    unknown["config"]["vm_config"]["no_such_field"] = json!(1);
    let mut wrong = remote_json();
    wrong["config"]["vm_config"] = json!("text");
    let mut both = remote_json();
    both["config"]["vm_config"]["code"]["local"] = json!({"filename": "/x"});
    for (json, expected) in [
        (unknown, "no_such_field"),
        (wrong, "TypedStruct of envoy.extensions.filters.http.wasm.v3.Wasm"),
        (both, "TypedStruct of envoy.extensions.filters.http.wasm.v3.Wasm"),
        (json!({}), "no remote and local load found in Wasm HTTP filter"),
        (
            json!({"config": {"vm_config": {"code": {}}}}),
            "no remote and local load found in Wasm HTTP filter",
        ),
    ] {
        let resource = typed_struct(TYPED_STRUCTS[0], HTTP_WASM, &json);
        let Outcome::Malformed(why) = outcome(&resource) else { panic!("{json}") };
        assert!(why.contains(expected), "{why}");
    }
}

#[test]
fn a_refusal_does_not_quote_what_may_be_a_secret() {
    let mut json = remote_json();
    json["config"]["vm_config"]["environment_variables"] = json!("pass\", expected word");
    let Outcome::Malformed(why) = outcome(&typed_struct(TYPED_STRUCTS[0], HTTP_WASM, &json)) else {
        panic!()
    };
    assert!(why.contains("string, expected") && !why.contains("pass") && !why.contains("word"), "{why}");
}

#[test]
fn one_that_is_no_struct_or_nested_without_end_is_refused() {
    let mut message = Vec::new();
    wire::put_bytes(&mut message, 1, HTTP_WASM.as_bytes());
    wire::put_bytes(&mut message, 2, b"abc");
    let garbage = extension("gate", Any { type_url: TYPED_STRUCTS[1].into(), value: message });
    assert!(matches!(outcome(&garbage), Outcome::Malformed(_)));
    let deep = (0..200).fold(json!({}), |inner, _| json!({"config": inner}));
    let Outcome::Malformed(why) = outcome(&typed_struct(TYPED_STRUCTS[1], HTTP_WASM, &deep)) else {
        panic!("it is refused")
    };
    assert!(why.contains("64 deep"), "{why}");
}

#[test]
fn numbers_durations_and_structs_are_read_as_json_has_them() {
    let mut json = remote_json();
    let remote = &mut json["config"]["vm_config"]["code"]["remote"];
    remote["http_uri"]["timeout"] = json!("1.5s");
    remote["retry_policy"] = json!({"num_retries": 3, "retry_back_off": {"base_interval": "0.1s"}});
    json["config"]["failure_policy"] = json!("FAIL_OPEN");
    json["config"]["allow_on_headers_stop_iteration"] = json!(true);
    json["config"]["configuration"] = json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": {"b": [1, null], "a": {"c": 1.5}}});
    let Outcome::Remote(remote) = outcome(&typed_struct(TYPED_STRUCTS[0], HTTP_WASM, &json)) else {
        panic!()
    };
    assert_eq!(remote.wanted.as_ref().unwrap().timeout.as_millis(), 1500);
    assert_eq!(remote.filter, meshloom_agent::ecds::Filter::Allow);
    let plugin = plugin_of(&remote.with_module(Path::new("/gate.wasm")));
    assert!(plugin.allow_on_headers_stop_iteration.unwrap().value);
    let expected = structure(&json!({"b": [1, null], "a": {"c": 1.5}}));
    assert_eq!(Struct::decode(&plugin.configuration.unwrap().value[..]).unwrap(), expected);
}

#[test]
fn one_configuration_has_one_encoding() {
    let mut json = remote_json();
    for index in 0..20 {
        let key = format!("key{index}");
        json["config"]["vm_config"]["environment_variables"]["key_values"][&key] = json!("x");
        json["config"]["capability_restriction_config"]["allowed_capabilities"][&key] = json!({});
    }
    json["config"]["configuration"] =
        json!({"@type": "type.googleapis.com/google.protobuf.Struct", "value": json["config"]["vm_config"]});
    let convert = || {
        let Outcome::Remote(remote) = outcome(&typed_struct(TYPED_STRUCTS[0], HTTP_WASM, &json)) else {
            panic!()
        };
        remote.with_module(Path::new("/gate.wasm"))
    };
    let first = convert();
    assert!((0..20).all(|_| convert() == first));
}

#[test]
fn what_only_the_agent_is_told_is_taken_out_of_one_that_stays_one() {
    for names in [
        ["vm_config", "environment_variables", "key_values"],
        ["vmConfig", "environmentVariables", "keyValues"],
    ] {
        let mut json = json!({"config": {"name": "x"}});
        json["config"][names[0]] = json!({"code": {"local": {"filename": "/x.wasm"}}});
        json["config"][names[0]][names[1]][names[2]] = json!({"KEPT": "1"});
        let expected = structure(&json);
        json["config"][names[0]][names[1]][names[2]]["ISTIO_META_WASM_IMAGE_PULL_SECRET"] = json!("{}");
        let resource = typed_struct(TYPED_STRUCTS[1], HTTP_WASM, &json);
        let Outcome::Stripped(stripped) = outcome(&resource) else { panic!("it is stripped") };
        let (_, config) = opened(&stripped);
        assert_eq!(config.type_url, TYPED_STRUCTS[1]);
        let found = wire::merged(&config.value, 2, "value").unwrap().unwrap();
        assert_eq!(Struct::decode(&found[..]).unwrap(), expected);
        assert_eq!(wire::text(&config.value, 1, "type_url").unwrap(), HTTP_WASM);
    }
}

#[test]
fn without_conversion_remote_code_stays_and_what_the_agent_is_told_does_not() {
    let resource = typed_struct(TYPED_STRUCTS[0], HTTP_WASM, &remote_json());
    let Outcome::Stripped(stripped) = strip(&resource.encode_to_vec()).outcome else {
        panic!("it is stripped")
    };
    let text = String::from_utf8_lossy(&stripped);
    assert!(text.contains(URL) && !text.contains("ISTIO_META"));
}
