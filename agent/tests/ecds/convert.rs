//! What becomes of one resource.

use std::path::Path;
use std::time::Duration;

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::extensions::filters::http::rbac::v3::Rbac as HttpRbac;
use envoy_types::pb::envoy::extensions::filters::network::rbac::v3::Rbac as NetworkRbac;
use envoy_types::pb::envoy::extensions::wasm::v3::{FailurePolicy, PluginConfig};
use envoy_types::pb::google::protobuf::Any;
use meshloom_agent::ecds::{Filter, Kind, Outcome, Remote, Unfetchable, convert, strip};
use meshloom_agent::trust::PublicKey;
use meshloom_agent::wire;
use meshloom_agent::{PullPolicy, Secret, Sha256};
use prost::Message as _;

use crate::messages::*;

const URL: &str = "https://example.com/gate.wasm";
const KEY: &str = include_str!("../store/fixtures/cosign.pub");

fn outcome(any: &Any) -> Outcome {
    convert(&any.encode_to_vec()).outcome
}

fn remote_of(any: &Any) -> Box<Remote> {
    match outcome(any) {
        Outcome::Remote(remote) => remote,
        other => panic!("{other:?}"),
    }
}

fn refused(any: &Any) -> String {
    match outcome(any) {
        Outcome::Malformed(why) => why,
        other => panic!("{other:?}"),
    }
}

fn untouched(any: &Any) -> bool {
    matches!(outcome(any), Outcome::Untouched)
}

fn with_environment(variables: &[(&str, &str)]) -> PluginConfig {
    let mut plugin = plugin(URL);
    vm(&mut plugin).environment_variables = environment(variables);
    plugin
}

#[test]
fn remote_code_becomes_a_file_and_all_else_stays() {
    for type_url in [HTTP_WASM, NETWORK_WASM] {
        let resource = extension("gate", filter(type_url, plugin(URL)));
        let converted = remote_of(&resource).with_module(Path::new("/modules/gate.wasm"));
        let (name, config) = opened(&converted);
        assert_eq!((&name[..], &config.type_url[..]), ("gate", type_url));
        let mut expected = plugin(URL);
        vm(&mut expected).code = local("/modules/gate.wasm");
        vm(&mut expected).environment_variables = None;
        assert_eq!(plugin_of(&converted), expected);
    }
}

#[test]
fn the_type_is_what_follows_the_last_slash_as_it_is_for_envoy() {
    let mut config = filter(HTTP_WASM, plugin(URL));
    config.type_url = "example.com/x/envoy.extensions.filters.http.wasm.v3.Wasm".into();
    assert!(matches!(outcome(&extension("gate", config)), Outcome::Remote(_)));
}

#[test]
fn fields_of_a_newer_envoy_pass_at_every_level() {
    let unknown = |message: Vec<u8>, what: &[u8]| {
        let mut message = message;
        wire::put_bytes(&mut message, 9000, what);
        message
    };
    let plugin = plugin(URL).encode_to_vec();
    let vm_config = wire::merged(&plugin, 3, "vm").unwrap().unwrap().into_owned();
    let plugin = wire::replaced(&plugin, 3, &unknown(vm_config, b"vm")).unwrap();
    let mut wasm = Vec::new();
    wire::put_bytes(&mut wasm, 1, &unknown(plugin, b"plugin"));
    let config = Any { type_url: HTTP_WASM.into(), value: unknown(wasm, b"wasm") };
    let mut resource = extension("gate", config);
    resource.value = unknown(resource.value, b"extension");
    let converted = remote_of(&resource).with_module(Path::new("/gate.wasm"));
    for what in ["vm", "plugin", "wasm", "extension"] {
        assert!(converted.windows(what.len()).any(|window| window == what.as_bytes()), "{what}");
    }
    assert_eq!(opened(&converted).0, "gate");
}

#[test]
fn what_is_wanted_is_what_the_resource_says() {
    let checksum = Sha256::of(b"module");
    let mut plugin = with_environment(&[
        ("ISTIO_META_WASM_IMAGE_PULL_SECRET", r#"{"auths":{}}"#),
        ("ISTIO_META_WASM_IMAGE_PULL_POLICY", "Always"),
        ("ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION", "123"),
        ("ISTIO_META_WASM_VERIFICATION_KEY", KEY),
    ]);
    remote(&mut plugin).sha256 = checksum.to_string();
    let wanted = remote_of(&http("gate", plugin)).wanted.unwrap();
    assert_eq!(wanted.url, URL);
    assert_eq!(wanted.checksum, Some(checksum));
    assert_eq!(wanted.resource, "gate");
    assert_eq!(wanted.resource_version, "123");
    assert_eq!(wanted.policy, PullPolicy::Always);
    assert_eq!(wanted.pull_secret, Some(Secret::new(r#"{"auths":{}}"#.into())));
    assert_eq!(wanted.verification_key, Some(PublicKey::from_pem(KEY).unwrap()));
    assert_eq!(wanted.timeout, Duration::from_secs(30));
}

#[test]
fn what_a_resource_does_not_say_has_defaults() {
    let mut plugin = plugin(URL);
    vm(&mut plugin).environment_variables = None;
    remote(&mut plugin).sha256 = "nil".into();
    remote(&mut plugin).http_uri.as_mut().unwrap().timeout = None;
    let wanted = remote_of(&http("gate", plugin)).wanted.unwrap();
    assert_eq!((wanted.checksum, wanted.pull_secret, wanted.verification_key), (None, None, None));
    assert_eq!((wanted.policy, &wanted.resource_version[..]), (PullPolicy::Unspecified, ""));
    assert_eq!(wanted.timeout, Duration::from_secs(5));
}

#[test]
fn what_only_the_agent_is_told_reaches_no_envoy() {
    let told = [("ISTIO_META_WASM_IMAGE_PULL_SECRET", "{secret}"), ("ISTIO_META_MINE", "x"), ("KEPT", "1")];
    let converted = remote_of(&http("gate", with_environment(&told))).with_module(Path::new("/gate.wasm"));
    assert_eq!(vm(&mut plugin_of(&converted)).environment_variables, environment(&[("KEPT", "1")]));
    for filter in [Filter::Allow, Filter::Deny] {
        let replaced = remote_of(&http("gate", with_environment(&told))).with_filter(filter);
        assert!(!String::from_utf8_lossy(&replaced).contains("ISTIO_META"));
    }
    // Keys of the host stay, even if no variable does.
    let mut plugin = with_environment(&told[..2]);
    vm(&mut plugin).environment_variables.as_mut().unwrap().host_env_keys = vec!["PATH".into()];
    let converted = remote_of(&http("gate", plugin)).with_module(Path::new("/gate.wasm"));
    let kept = vm(&mut plugin_of(&converted)).environment_variables.clone().unwrap();
    assert_eq!((kept.host_env_keys, kept.key_values.len()), (vec!["PATH".to_owned()], 0));
}

#[test]
fn local_code_is_untouched_but_for_what_only_the_agent_is_told() {
    let mut plugin = with_environment(&[("ISTIO_META_WASM_IMAGE_PULL_SECRET", "{secret}"), ("KEPT", "1")]);
    vm(&mut plugin).code = local("/local.wasm");
    let resource = http("gate", plugin.clone());
    let Outcome::Stripped(stripped) = outcome(&resource) else { panic!("it is stripped") };
    let mut expected = plugin.clone();
    vm(&mut expected).environment_variables = environment(&[("KEPT", "1")]);
    assert_eq!(plugin_of(&stripped), expected);
    assert!(untouched(&http("gate", expected)));
}

#[test]
fn other_filters_are_untouched() {
    let other = Any { type_url: HTTP_RBAC.into(), value: vec![0xff] };
    assert!(untouched(&extension("rbac", other)));
    let structs = Any { type_url: "type.googleapis.com/google.protobuf.Struct".into(), value: Vec::new() };
    assert!(untouched(&extension("struct", structs)));
}

#[test]
fn of_code_that_is_given_twice_the_last_counts_and_no_remote_is_left() {
    let both = |order: [u32; 2]| {
        let plugin = plugin(URL).encode_to_vec();
        let vm_config = wire::merged(&plugin, 3, "vm").unwrap().unwrap().into_owned();
        let code = wire::merged(&vm_config, 3, "code").unwrap().unwrap();
        let source = wire::merged(&code, 2, "remote").unwrap().unwrap();
        let mut code = Vec::new();
        for number in order {
            let local: &[u8] = b"\x0a\x0b/local.wasm";
            wire::put_bytes(&mut code, number, if number == 1 { local } else { &source });
        }
        let vm_config = wire::without(&wire::replaced(&vm_config, 3, &code).unwrap(), &[7]).unwrap();
        let plugin = wire::replaced(&plugin, 3, &vm_config).unwrap();
        let mut wasm = Vec::new();
        wire::put_bytes(&mut wasm, 1, &plugin);
        extension("gate", Any { type_url: HTTP_WASM.into(), value: wasm })
    };
    assert!(matches!(outcome(&both([1, 2])), Outcome::Remote(_)));
    let Outcome::Stripped(stripped) = outcome(&both([2, 1])) else { panic!("remote code is taken out") };
    assert_eq!(filename(&mut plugin_of(&stripped)), "/local.wasm");
    assert!(!String::from_utf8_lossy(&stripped).contains(URL));
}

#[test]
fn messages_that_come_in_pieces_are_put_together() {
    // Environment and code in two occurrences of `vm_config`, as a decoder merges them.
    let mut first = plugin(URL);
    let mut second = PluginConfig { vm: first.vm.clone(), ..PluginConfig::default() };
    vm(&mut first).environment_variables = None;
    vm(&mut second).code = None;
    let config = [first.encode_to_vec(), second.encode_to_vec()].concat();
    let mut wasm = Vec::new();
    wire::put_bytes(&mut wasm, 1, &config);
    let resource = extension("gate", Any { type_url: HTTP_WASM.into(), value: wasm });
    let remote = remote_of(&resource);
    assert_eq!(remote.wanted.as_ref().unwrap().resource_version, "1");
    let converted = remote.with_module(Path::new("/gate.wasm"));
    assert_eq!(filename(&mut plugin_of(&converted)), "/gate.wasm");
    assert!(!String::from_utf8_lossy(&converted).contains("ISTIO_META"));
}

#[test]
fn what_cannot_be_read_is_refused_with_a_reason() {
    let garbage = |type_url: &str| Any { type_url: type_url.into(), value: b"abc".to_vec() };
    let none = TypedExtensionConfig { name: "gate".into(), typed_config: None };
    let none = Any { type_url: meshloom_agent::ecds::TYPE_URL.into(), value: none.encode_to_vec() };
    let empty = |type_url: &str| extension("gate", Any { type_url: type_url.into(), value: Vec::new() });
    let mut no_code = plugin(URL);
    vm(&mut no_code).code = None;
    for (what, resource, expected) in [
        ("another type", garbage("type.googleapis.com/a.B"), "expected a TypedExtensionConfig"),
        (
            "no TypedExtensionConfig",
            garbage(meshloom_agent::ecds::TYPE_URL),
            "TypedExtensionConfig: field 12",
        ),
        ("no typed config", none, "does not contain any typed config"),
        ("no Wasm", extension("gate", garbage(HTTP_WASM)), "filters.http.wasm.v3.Wasm: field 12"),
        (
            "no network Wasm",
            extension("gate", garbage(NETWORK_WASM)),
            "filters.network.wasm.v3.Wasm: field 12",
        ),
        ("an empty filter", empty(HTTP_WASM), "no remote and local load found in Wasm HTTP filter"),
        (
            "an empty network filter",
            empty(NETWORK_WASM),
            "no remote and local load found in Wasm network filter",
        ),
        ("no code", http("gate", no_code), "no remote and local load found"),
    ] {
        assert!(refused(&resource).contains(expected), "{what}: {}", refused(&resource));
    }
}

#[test]
fn the_filter_that_stands_in_says_what_the_failure_policy_says() {
    for (policy, fail_open, expected) in [
        (FailurePolicy::Unspecified, false, Filter::Deny),
        (FailurePolicy::Unspecified, true, Filter::Allow),
        (FailurePolicy::FailOpen, false, Filter::Allow),
        (FailurePolicy::FailClosed, true, Filter::Deny),
        (FailurePolicy::FailReload, true, Filter::Deny),
    ] {
        #[expect(deprecated, reason = "old control planes set it")]
        let plugin = PluginConfig { failure_policy: policy.into(), fail_open, ..plugin(URL) };
        assert_eq!(remote_of(&http("gate", plugin)).filter, expected, "{policy:?} {fail_open}");
    }
}

#[test]
fn the_filters_that_stand_in_are_those_that_istio_has() {
    let (name, allow) = opened(&remote_of(&http("gate", plugin(URL))).with_filter(Filter::Allow));
    assert_eq!((&name[..], &allow.type_url[..]), ("gate", HTTP_RBAC));
    let expected = HttpRbac { rules_stat_prefix: "wasm-default-allow".into(), ..HttpRbac::default() };
    assert_eq!(HttpRbac::decode(&allow.value[..]).unwrap(), expected);
    let (_, deny) = opened(&remote_of(&http("gate", plugin(URL))).with_filter(Filter::Deny));
    let expected = HttpRbac {
        rules: Some(Default::default()),
        rules_stat_prefix: "wasm-default-deny".into(),
        ..HttpRbac::default()
    };
    assert_eq!(HttpRbac::decode(&deny.value[..]).unwrap(), expected);

    let network = remote_of(&extension("gate", filter(NETWORK_WASM, plugin(URL))));
    assert_eq!(network.kind, Kind::Network);
    let (_, allow) = opened(&network.with_filter(Filter::Allow));
    assert_eq!(allow.type_url, NETWORK_RBAC);
    let expected = NetworkRbac { stat_prefix: "wasm-default-allow".into(), ..NetworkRbac::default() };
    assert_eq!(NetworkRbac::decode(&allow.value[..]).unwrap(), expected);
    let (_, deny) = opened(&network.with_filter(Filter::Deny));
    let expected = NetworkRbac {
        rules: Some(Default::default()),
        stat_prefix: "wasm-default-deny".into(),
        ..NetworkRbac::default()
    };
    assert_eq!(NetworkRbac::decode(&deny.value[..]).unwrap(), expected);
}

#[test]
fn what_cannot_even_be_asked_for_is_told_apart() {
    let mut no_uri = plugin(URL);
    remote(&mut no_uri).http_uri = None;
    assert_eq!(remote_of(&http("gate", no_uri)).wanted, Err(Unfetchable::NoUri));
    let no_secret = with_environment(&[("ISTIO_META_WASM_IMAGE_PULL_SECRET", "")]);
    let why = remote_of(&http("gate", no_secret)).wanted.unwrap_err();
    assert_eq!(why.to_string(), format!("cannot fetch Wasm module {URL}: missing image pulling secret"));
    for (key, told) in [("", "empty"), ("ssh-ed25519 AAAA", "no PEM")] {
        let key = with_environment(&[("ISTIO_META_WASM_VERIFICATION_KEY", key)]);
        let why = remote_of(&http("gate", key)).wanted.unwrap_err().to_string();
        let expected = format!("cannot fetch Wasm module {URL}: ISTIO_META_WASM_VERIFICATION_KEY: {told}: ");
        assert!(why.starts_with(&expected), "{why}");
    }
    let mut checksum = plugin(URL);
    remote(&mut checksum).sha256 = "abc".into();
    let why = remote_of(&http("gate", checksum)).wanted.unwrap_err();
    assert!(why.to_string().contains(r#"sha256: "abc" is no SHA-256 digest"#), "{why}");
}

#[test]
fn without_conversion_only_what_the_agent_is_told_is_taken_out() {
    let stripped = strip(&http("gate", plugin(URL)).encode_to_vec());
    let Outcome::Stripped(stripped) = stripped.outcome else { panic!("it is stripped") };
    let mut expected = plugin(URL);
    vm(&mut expected).environment_variables = None;
    assert_eq!(plugin_of(&stripped), expected);
    assert!(matches!(strip(&http("gate", expected).encode_to_vec()).outcome, Outcome::Untouched));
    assert!(matches!(strip(b"abc").outcome, Outcome::Untouched));
}
