//! ECDS messages as a control plane and Envoy write them.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::async_data_source::Specifier;
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier as LocalSpecifier;
use envoy_types::pb::envoy::config::core::v3::http_uri::HttpUpstreamType;
use envoy_types::pb::envoy::config::core::v3::{
    AsyncDataSource, DataSource, HttpUri, RemoteDataSource, TypedExtensionConfig,
};
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::wasm::v3::plugin_config::Vm;
use envoy_types::pb::envoy::extensions::wasm::v3::{EnvironmentVariables, PluginConfig, VmConfig};
use envoy_types::pb::google::protobuf::{Any, Duration, StringValue};
use prost::Message as _;

/// The types of filters.
pub(crate) const HTTP_WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";
pub(crate) const NETWORK_WASM: &str = "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm";
pub(crate) const HTTP_RBAC: &str = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC";
pub(crate) const NETWORK_RBAC: &str = "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC";

/// A plugin as Istio's control plane has it: code elsewhere, a policy, a version, and a configuration.
pub(crate) fn plugin(url: &str) -> PluginConfig {
    let remote = RemoteDataSource {
        http_uri: Some(HttpUri {
            uri: url.into(),
            timeout: Some(Duration { seconds: 30, nanos: 0 }),
            http_upstream_type: Some(HttpUpstreamType::Cluster("_".into())),
        }),
        ..RemoteDataSource::default()
    };
    let configuration = StringValue { value: r#"{"tenants":["acme"]}"#.into() };
    PluginConfig {
        name: "default.gate".into(),
        root_id: "gate".into(),
        configuration: Some(Any {
            type_url: "type.googleapis.com/google.protobuf.StringValue".into(),
            value: configuration.encode_to_vec(),
        }),
        vm: Some(Vm::VmConfig(VmConfig {
            runtime: "envoy.wasm.runtime.v8".into(),
            code: Some(AsyncDataSource { specifier: Some(Specifier::Remote(remote)) }),
            environment_variables: environment(&[("ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION", "1")]),
            ..VmConfig::default()
        })),
        ..PluginConfig::default()
    }
}

/// Those variables and no keys of the host.
pub(crate) fn environment(variables: &[(&str, &str)]) -> Option<EnvironmentVariables> {
    let key_values: HashMap<_, _> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Some(EnvironmentVariables { key_values, ..EnvironmentVariables::default() })
}

/// Code in that file.
pub(crate) fn local(path: &str) -> Option<AsyncDataSource> {
    let source =
        DataSource { specifier: Some(LocalSpecifier::Filename(path.into())), ..DataSource::default() };
    Some(AsyncDataSource { specifier: Some(Specifier::Local(source)) })
}

/// The VM of a plugin.
pub(crate) fn vm(plugin: &mut PluginConfig) -> &mut VmConfig {
    match plugin.vm.as_mut().unwrap() {
        Vm::VmConfig(vm) => vm,
    }
}

/// The remote code of a plugin.
pub(crate) fn remote(plugin: &mut PluginConfig) -> &mut RemoteDataSource {
    match vm(plugin).code.as_mut().unwrap().specifier.as_mut().unwrap() {
        Specifier::Remote(remote) => remote,
        Specifier::Local(_) => panic!("the code is local"),
    }
}

/// A resource with that configuration.
pub(crate) fn extension(name: &str, typed_config: Any) -> Any {
    let extension = TypedExtensionConfig { name: name.into(), typed_config: Some(typed_config) };
    Any { type_url: meshloom_agent::ecds::TYPE_URL.into(), value: extension.encode_to_vec() }
}

/// A filter of that type (HTTP and network filters have the same message).
pub(crate) fn filter(type_url: &str, plugin: PluginConfig) -> Any {
    Any { type_url: type_url.into(), value: Wasm { config: Some(plugin) }.encode_to_vec() }
}

/// A resource that is an HTTP filter.
pub(crate) fn http(name: &str, plugin: PluginConfig) -> Any {
    extension(name, filter(HTTP_WASM, plugin))
}

/// What a resource holds.
pub(crate) fn opened(any: &[u8]) -> (String, Any) {
    let any = Any::decode(any).unwrap();
    assert_eq!(any.type_url, meshloom_agent::ecds::TYPE_URL);
    let extension = TypedExtensionConfig::decode(&any.value[..]).unwrap();
    (extension.name, extension.typed_config.unwrap())
}

/// The plugin of a resource that is a Wasm filter.
pub(crate) fn plugin_of(any: &[u8]) -> PluginConfig {
    let (_, config) = opened(any);
    assert!([HTTP_WASM, NETWORK_WASM].contains(&&config.type_url[..]), "{}", config.type_url);
    Wasm::decode(&config.value[..]).unwrap().config.unwrap()
}

/// The file that a plugin's code is in.
pub(crate) fn filename(plugin: &mut PluginConfig) -> String {
    match vm(plugin).code.clone().unwrap().specifier.unwrap() {
        Specifier::Local(DataSource { specifier: Some(LocalSpecifier::Filename(path)), .. }) => path,
        other => panic!("the code is in no file: {other:?}"),
    }
}
