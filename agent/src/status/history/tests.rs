use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::{
    AsyncDataSource, DataSource, HttpUri, RemoteDataSource, TypedExtensionConfig, async_data_source,
    data_source,
};
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::wasm::v3::{
    EnvironmentVariables, PluginConfig, VmConfig, plugin_config,
};
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryResponse, DiscoveryResponse, Resource as Enveloped,
};
use envoy_types::pb::google::protobuf::Any;
use prost::Message;

use super::*;
use crate::ecds::{Protocol, TYPE_URL};

const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

fn filter(name: &str, code: async_data_source::Specifier) -> Any {
    let variables = [("ISTIO_META_WASM_IMAGE_PULL_SECRET", "hunter2"), ("MODE", "hunter3")];
    let vm = VmConfig {
        code: Some(AsyncDataSource { specifier: Some(code) }),
        environment_variables: Some(EnvironmentVariables {
            key_values: variables.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    let wasm = Wasm {
        config: Some(PluginConfig {
            vm: Some(plugin_config::Vm::VmConfig(vm)),
            configuration: Some(Any { type_url: "string".to_owned(), value: b"hunter4".to_vec() }),
            ..Default::default()
        }),
    };
    let typed = Any { type_url: WASM.to_owned(), value: wasm.encode_to_vec() };
    let extension = TypedExtensionConfig { name: name.to_owned(), typed_config: Some(typed) };
    Any { type_url: TYPE_URL.to_owned(), value: extension.encode_to_vec() }
}

fn remote(name: &str) -> Any {
    let http_uri = HttpUri {
        uri: "https://ann:hunter5@registry.test/a.wasm?t=hunter6".to_owned(),
        ..Default::default()
    };
    let source =
        RemoteDataSource { http_uri: Some(http_uri), sha256: "00ff".to_owned(), ..Default::default() };
    filter(name, async_data_source::Specifier::Remote(source))
}

fn sotw(resources: Vec<Any>) -> Bytes {
    let response = DiscoveryResponse {
        version_info: "v7".to_owned(),
        resources,
        type_url: TYPE_URL.to_owned(),
        nonce: "n3".to_owned(),
        ..Default::default()
    };
    response.encode_to_vec().into()
}

#[test]
fn a_response_is_told_without_its_secrets() {
    let event = Event::of(1, Protocol::Sotw, Way::Received, &sotw(vec![remote("gate")]));
    assert_eq!((event.version.as_str(), event.nonce.as_str(), event.malformed), ("v7", "n3", false));
    let resource = &event.resources[0];
    assert_eq!(resource.name, "gate");
    let source = "https://registry.test/a.wasm".to_owned();
    assert_eq!(resource.code, Some(Code::Remote { source, sha256: "00ff".to_owned() }));
    assert_eq!(resource.environment, ["ISTIO_META_WASM_IMAGE_PULL_SECRET", "MODE"]);
    assert_eq!(resource.configuration_bytes, Some(7));
    let json = serde_json::to_string(&event).unwrap();
    assert!(!json.contains("hunter"), "{json}");
}

#[test]
fn a_delta_response_is_told_as_well() {
    let specifier = Some(data_source::Specifier::Filename("/store/a.wasm".to_owned()));
    let code = async_data_source::Specifier::Local(DataSource { specifier, ..Default::default() });
    let resource =
        Enveloped { name: "gate".to_owned(), resource: Some(filter("gate", code)), ..Default::default() };
    let response =
        DeltaDiscoveryResponse { nonce: "n1".to_owned(), resources: vec![resource], ..Default::default() };
    let event = Event::of(1, Protocol::Delta, Way::Sent, &response.encode_to_vec().into());
    assert_eq!(event.resources[0].code, Some(Code::Local("/store/a.wasm".to_owned())));
}

#[test]
fn what_is_no_response_is_said_to_be_none() {
    let event = Event::of(1, Protocol::Sotw, Way::Received, &Bytes::from_static(b"\xff\xff\xff"));
    assert!(event.malformed);
    assert_eq!(event.bytes, 3);
}

#[test]
fn what_is_kept_is_bounded_by_number_and_by_bytes() {
    let mut history = History::default();
    let small = sotw(vec![remote("gate")]);
    (0..200).for_each(|stream| history.push(Event::of(stream, Protocol::Sotw, Way::Received, &small)));
    let streams: Vec<_> = history.all().iter().map(|event| event.stream).collect();
    assert_eq!(streams, (200 - 64..200).collect::<Vec<_>>());

    let large = sotw((0..1000).map(|_| remote(&"é".repeat(4000))).collect());
    (0..64).for_each(|_| history.push(Event::of(1, Protocol::Sotw, Way::Received, &large)));
    let kept = history.all();
    assert!(kept.iter().map(Event::cost).sum::<usize>() <= BYTES);
    assert!(!kept.is_empty());
    assert_eq!((kept[0].resources.len(), kept[0].more), (32, 968));
    assert_eq!(kept[0].resources[0].name.chars().count(), 513);
}
