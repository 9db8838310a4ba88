//! A control plane, the agent, Envoy, a server of modules and an upstream: one proxy's part of a mesh.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::config::cluster::v3 as cluster;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::endpoint::v3 as endpoint;
use envoy_types::pb::envoy::extensions::filters::{http, network};
use envoy_types::pb::envoy::extensions::wasm::v3 as wasm;
use envoy_types::pb::google::protobuf::{Any, Duration as Seconds, StringValue};
use envoy_types::util::pack_any;
use meshloom_lab::{Bootstrap, Envoy, Starting, Upstream};
use serde_json::Value;
use tempfile::TempDir;

use crate::agent::Agent;
use crate::control_plane::{CDS, ControlPlane, ECDS};
use crate::modules::Modules;

/// The name of the one filter that most tests have, as Istio names it.
pub(crate) const FILTER: &str =
    "extensions.istio.io/trafficextension/default.header~istio-translated-wasmplugin";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Sotw,
    Delta,
}

pub(crate) const BOTH: [Protocol; 2] = [Protocol::Sotw, Protocol::Delta];

// Ended in this order.
pub(crate) struct Mesh {
    pub(crate) envoy: Option<Envoy>,
    pub(crate) agent: Agent,
    pub(crate) control_plane: ControlPlane,
    pub(crate) modules: Modules,
    pub(crate) upstream: Upstream,
    pub(crate) folder: TempDir,
    bootstrap: Bootstrap,
}

impl Mesh {
    /// All but Envoy, which starts by [`start_envoy`](Self::start_envoy) once the resources are set.
    pub(crate) fn new(protocol: Protocol) -> Self {
        Self::with_agent(protocol, &[])
    }

    /// The same, with further arguments for the agent.
    pub(crate) fn with_agent(protocol: Protocol, arguments: &[&str]) -> Self {
        Self::with_program(protocol, Agent::built(), arguments)
    }

    /// The same with the agent that `make agent` has built, if it is there.
    pub(crate) fn with_shipped_agent(protocol: Protocol, arguments: &[&str]) -> Self {
        let shipped = meshloom_lab::root().join("dist/meshloom-agent");
        let program = if shipped.is_file() { shipped } else { Agent::built() };
        Self::with_program(protocol, program, arguments)
    }

    fn with_program(protocol: Protocol, program: PathBuf, arguments: &[&str]) -> Self {
        let folder = TempDir::new().unwrap();
        let control_plane = ControlPlane::start();
        let agent = Agent::start(program, folder.path(), control_plane.address(), arguments);
        let upstream = Upstream::ok();
        let bootstrap = bootstrap(protocol, folder.path(), &[FILTER], None);
        // Whatever is no ECDS passes the agent as well.
        control_plane.set(CDS, "httpbin", cluster("httpbin", upstream.address()));
        Self { envoy: None, agent, control_plane, modules: Modules::start(), upstream, folder, bootstrap }
    }

    /// Filters of those names in the chain, in place of the one.
    pub(crate) fn filters(&mut self, protocol: Protocol, names: &[&str]) {
        self.bootstrap = bootstrap(protocol, self.folder.path(), names, None);
    }

    /// A network filter of that name in place of the HTTP filters.
    pub(crate) fn network_filter(&mut self, protocol: Protocol, name: &str) {
        self.bootstrap = bootstrap(protocol, self.folder.path(), &[], Some(name));
    }

    /// No listener of Envoy's own either: it has to be told of every resource.
    pub(crate) fn discover_all(&mut self) {
        self.bootstrap = self.bootstrap.clone().edit(|tree| {
            tree["static_resources"]["listeners"] = Value::Array(Vec::new());
            tree["dynamic_resources"]["lds_config"] = tree["dynamic_resources"]["cds_config"].clone();
        });
    }

    /// Another upstream, which clusters of those names lead to.
    pub(crate) fn upstream(&mut self, upstream: Upstream, clusters: &[&str]) {
        for name in clusters {
            self.control_plane.set(CDS, name, cluster(name, upstream.address()));
        }
        self.upstream = upstream;
    }

    /// Serves this filter.
    pub(crate) fn serve(&self, plugin: &Plugin) {
        self.control_plane.set(ECDS, FILTER, plugin.resource(FILTER));
    }

    /// Starts Envoy and waits until it serves, which it does when each filter has an answer.
    #[track_caller]
    pub(crate) fn start_envoy(&mut self) {
        self.envoy = Some(self.starting().start());
    }

    /// An Envoy of this mesh.
    pub(crate) fn starting(&self) -> Starting {
        Envoy::with(self.bootstrap.clone())
    }

    /// Starts an Envoy that will not come to serve, because it is killed before.
    pub(crate) fn start_envoy_that_is_killed(&self) -> std::thread::JoinHandle<()> {
        let starting = self.starting();
        std::thread::spawn(move || {
            _ = starting.refused();
        })
    }

    /// The process of the Envoy that has this mesh's agent for its control plane, whether it serves or not.
    pub(crate) fn envoy_process(&self) -> Option<u32> {
        let socket = self.folder.path().join("XDS").display().to_string();
        let is_ours = |id: &u32| {
            let arguments = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let arguments = String::from_utf8_lossy(&arguments);
            let mut arguments = arguments.split('\0').skip_while(|argument| *argument != "--config-path");
            let config = arguments.nth(1).and_then(|path| std::fs::read_to_string(path).ok());
            config.is_some_and(|config| config.contains(&socket))
        };
        let processes = std::fs::read_dir("/proc").unwrap();
        processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).find(is_ours)
    }

    /// What the agent says of the one filter: how things stand with what the control plane sent last, and what Envoy
    /// was given.
    #[track_caller]
    pub(crate) fn standing(&self) -> (String, String) {
        let state: Value = serde_json::from_str(&self.agent.admin("/debug/wasm")).unwrap();
        let text = |name: &str| state["resources"][0][name].as_str().unwrap_or_default().to_owned();
        (text("standing"), text("serving"))
    }

    pub(crate) fn envoy(&self) -> &Envoy {
        self.envoy.as_ref().expect("Envoy runs")
    }

    /// What a client sees of a GET: the status, and what header-mutation put into the response.
    #[track_caller]
    pub(crate) fn get(&self) -> (u16, Option<String>) {
        let response = self.envoy().get("/").send();
        (response.status, response.header("x-training"))
    }

    /// Waits until a client sees that.
    #[track_caller]
    pub(crate) fn wait_for(&self, status: u16, training: Option<&str>) -> Duration {
        self.wait_until(&format!("{status} with {training:?}"), || {
            self.get() == (status, training.map(str::to_owned))
        })
    }

    /// Waits until it is so.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, is_so: impl Fn() -> bool) -> Duration {
        let begun = Instant::now();
        while !is_so() {
            assert!(
                begun.elapsed() < Duration::from_secs(45),
                "{what} was expected, and is {:?}; the agent's log:\n{}",
                self.get(),
                self.agent.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        begun.elapsed()
    }

    /// What Envoy has of a filter that came by ECDS.
    #[track_caller]
    pub(crate) fn dump(&self, name: &str) -> Value {
        let dump = self.envoy().admin_get("/config_dump?resource=ecds_filters");
        assert!(!dump.contains("ISTIO_META_"), "Envoy was sent what is the agent's: {dump}");
        assert!(!dump.contains("\"remote\""), "Envoy was sent a remote source: {dump}");
        let dump: Value = serde_json::from_str(&dump).unwrap();
        let filters = dump["configs"].as_array().cloned().unwrap_or_default();
        let filter = filters.iter().map(|it| &it["ecds_filter"]).find(|it| it["name"] == name).cloned();
        filter.unwrap_or_else(|| panic!("no filter {name}: {dump:#}"))["typed_config"].clone()
    }

    /// The file of the module that Envoy runs.
    #[track_caller]
    pub(crate) fn module_file(&self) -> std::path::PathBuf {
        let dump = self.dump(FILTER);
        let file = &dump["config"]["vm_config"]["code"]["local"]["filename"];
        file.as_str().unwrap_or_else(|| panic!("no local module: {dump:#}")).into()
    }
}

/// header-mutation as a resource, as istiod makes it from a WasmPlugin.
#[derive(Clone)]
pub(crate) struct Plugin {
    pub(crate) url: String,
    value: String,
    sha256: String,
    policy: wasm::FailurePolicy,
    version: String,
    timeout: Duration,
    environment: Vec<(String, String)>,
    configuration: Option<String>,
}

impl Plugin {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            value: "v1".to_owned(),
            sha256: String::new(),
            policy: wasm::FailurePolicy::FailClosed,
            version: "1".to_owned(),
            timeout: Duration::from_secs(30),
            environment: Vec::new(),
            configuration: None,
        }
    }

    /// The value that header-mutation sets.
    pub(crate) fn value(mut self, value: &str) -> Self {
        value.clone_into(&mut self.value);
        self
    }

    /// In place of what makes it set a value.
    pub(crate) fn configuration(mut self, json: &str) -> Self {
        self.configuration = Some(json.to_owned());
        self
    }

    pub(crate) fn sha256(mut self, digest: &str) -> Self {
        digest.clone_into(&mut self.sha256);
        self
    }

    pub(crate) fn fail_open(mut self) -> Self {
        self.policy = wasm::FailurePolicy::FailOpen;
        self
    }

    pub(crate) fn resource_version(mut self, version: &str) -> Self {
        version.clone_into(&mut self.version);
        self
    }

    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn plugin(&self) -> wasm::PluginConfig {
        let mutation = format!(
            r#"{{"version": 1, "rules": [{{"response": [{{"op": "set", "name": "x-training", "value": "{}"}}]}}]}}"#,
            self.value
        );
        let configuration = self.configuration.clone().unwrap_or(mutation);
        let uri = core::HttpUri {
            uri: self.url.clone(),
            timeout: Some(Seconds { seconds: self.timeout.as_secs().try_into().unwrap(), nanos: 0 }),
            http_upstream_type: Some(core::http_uri::HttpUpstreamType::Cluster("_".to_owned())),
        };
        let remote =
            core::RemoteDataSource { http_uri: Some(uri), sha256: self.sha256.clone(), ..Default::default() };
        let mut environment =
            vec![("ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION".to_owned(), self.version.clone())];
        environment.extend(self.environment.clone());
        wasm::PluginConfig {
            name: "default.header".to_owned(),
            failure_policy: self.policy.into(),
            configuration: Some(pack_any(StringValue { value: configuration })),
            vm: Some(wasm::plugin_config::Vm::VmConfig(wasm::VmConfig {
                runtime: "envoy.wasm.runtime.v8".to_owned(),
                code: Some(core::AsyncDataSource {
                    specifier: Some(core::async_data_source::Specifier::Remote(remote)),
                }),
                environment_variables: Some(wasm::EnvironmentVariables {
                    key_values: environment.into_iter().collect(),
                    ..Default::default()
                }),
                ..Default::default()
            })),
            ..Default::default()
        }
    }

    /// The resource of an HTTP filter.
    pub(crate) fn resource(&self, name: &str) -> Any {
        let filter = http::wasm::v3::Wasm { config: Some(self.plugin()) };
        pack_any(core::TypedExtensionConfig { name: name.to_owned(), typed_config: Some(pack_any(filter)) })
    }

    /// The resource of a network filter.
    pub(crate) fn network_resource(&self, name: &str) -> Any {
        let filter = network::wasm::v3::Wasm { config: Some(self.plugin()) };
        pack_any(core::TypedExtensionConfig { name: name.to_owned(), typed_config: Some(pack_any(filter)) })
    }
}

/// An address as resources have it.
pub(crate) fn address(of: SocketAddr) -> core::Address {
    core::Address {
        address: Some(core::address::Address::SocketAddress(core::SocketAddress {
            address: of.ip().to_string(),
            port_specifier: Some(core::socket_address::PortSpecifier::PortValue(of.port().into())),
            ..Default::default()
        })),
    }
}

/// The upstream as the one endpoint of its cluster.
pub(crate) fn endpoints(upstream: SocketAddr) -> endpoint::ClusterLoadAssignment {
    let endpoint = endpoint::Endpoint { address: Some(address(upstream)), ..Default::default() };
    let endpoint = endpoint::LbEndpoint {
        host_identifier: Some(endpoint::lb_endpoint::HostIdentifier::Endpoint(endpoint)),
        ..Default::default()
    };
    let locality = endpoint::LocalityLbEndpoints { lb_endpoints: vec![endpoint], ..Default::default() };
    endpoint::ClusterLoadAssignment {
        cluster_name: "httpbin".to_owned(),
        endpoints: vec![locality],
        ..Default::default()
    }
}

/// The upstream, as a resource of CDS.
fn cluster(name: &str, upstream: SocketAddr) -> Any {
    pack_any(cluster::Cluster {
        name: name.to_owned(),
        connect_timeout: Some(Seconds { seconds: 1, nanos: 0 }),
        load_assignment: Some(endpoints(upstream)),
        ..Default::default()
    })
}

/// Envoy with a listener of its own, clusters from CDS, filters from ECDS, and one ADS stream to the agent's socket.
fn bootstrap(
    protocol: Protocol,
    folder: &std::path::Path,
    filters: &[&str],
    network_filter: Option<&str>,
) -> Bootstrap {
    let api = match protocol {
        Protocol::Sotw => "GRPC",
        Protocol::Delta => "DELTA_GRPC",
    };
    let from_ecds = |name: &str, kind: &str| {
        format!(
            r#"{{name: "{name}", config_discovery: {{
                config_source: {{ads: {{}}, resource_api_version: V3, initial_fetch_timeout: 0s}},
                type_urls: [envoy.extensions.filters.{kind}.wasm.v3.Wasm, envoy.extensions.filters.{kind}.rbac.v3.RBAC]}}}},"#
        )
    };
    let http_filters: String = filters.iter().map(|name| from_ecds(name, "http")).collect();
    let network_filters: String = network_filter.iter().map(|name| from_ecds(name, "network")).collect();
    Bootstrap::yaml(&format!(
        r#"
node: {{id: "sidecar~10.0.0.1~app.default~default.svc.cluster.local", cluster: app}}
admin: {{address: {{socket_address: {{address: 127.0.0.1, port_value: 0}}}}}}
dynamic_resources:
  ads_config:
    api_type: {api}
    transport_api_version: V3
    set_node_on_first_message_only: true
    grpc_services: [{{envoy_grpc: {{cluster_name: xds-grpc}}}}]
  cds_config: {{ads: {{}}, resource_api_version: V3}}
static_resources:
  listeners:
  - name: http
    address: {{socket_address: {{address: 127.0.0.1, port_value: 0}}}}
    filter_chains:
    - filters: [{network_filters} {{
        name: envoy.filters.network.http_connection_manager,
        typed_config: {{
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager,
          stat_prefix: http,
          route_config: {{validate_clusters: false, virtual_hosts: [{{name: all, domains: ["*"], routes: [{{match: {{prefix: /}}, route: {{cluster: httpbin}}}}]}}]}},
          http_filters: [{http_filters} {{
            name: envoy.filters.http.router,
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}}}]}}}}]
  clusters:
  - name: xds-grpc
    type: STATIC
    connect_timeout: 1s
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {{http2_protocol_options: {{}}}}
    load_assignment:
      cluster_name: xds-grpc
      endpoints: [{{lb_endpoints: [{{endpoint: {{address: {{pipe: {{path: "{}"}}}}}}}}]}}]
"#,
        folder.join("XDS").display()
    ))
}
