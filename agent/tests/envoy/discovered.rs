//! A proxy as Istio has it: listeners, routes, clusters and endpoints all come through the agent, and the filters too.

use std::net::SocketAddr;

use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::{cluster::v3 as cluster, listener::v3 as listener, route::v3 as route};
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as http;
use envoy_types::pb::google::protobuf::{Any, Duration as Seconds};
use envoy_types::util::pack_any;
use meshloom_lab::{Reply, Upstream};

use crate::control_plane::{CDS, ECDS};
use crate::mesh::{BOTH, FILTER, Mesh, Plugin, address};
use crate::modules::shipped;

const LDS: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
const RDS: &str = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";
const EDS: &str = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment";

#[test]
fn listeners_routes_clusters_and_endpoints_come_through_the_agent_and_so_does_each_change() {
    for protocol in BOTH {
        let (first, second) = (says("first"), says("second"));
        let mut mesh = Mesh::new(protocol);
        mesh.discover_all();
        let url = mesh.modules.put("/header.wasm", &shipped("header-mutation"));
        mesh.serve(&Plugin::new(&url));
        let serve = |type_url, name, resource| mesh.control_plane.set(type_url, name, resource);
        serve(CDS, "httpbin", cluster_by_eds());
        serve(EDS, "httpbin", endpoints(first.address()));
        serve(RDS, "routes", routes("/"));
        serve(LDS, "http", listener_by_rds("one"));
        mesh.start_envoy();
        let seen = |mesh: &Mesh| {
            let response = mesh.envoy().get("/").send();
            (response.status, response.header("server"), response.header("x-training"), response.text())
        };
        let expected = |server: &str, filter: &str, text: &str| {
            (200, Some(server.to_owned()), Some(filter.to_owned()), text.to_owned())
        };
        assert_eq!(seen(&mesh), expected("one", "v1", "first"), "{protocol:?}");

        mesh.control_plane.set(EDS, "httpbin", endpoints(second.address()));
        mesh.wait_until("the other endpoint answers", || seen(&mesh) == expected("one", "v1", "second"));
        mesh.control_plane.set(LDS, "http", listener_by_rds("two"));
        mesh.wait_until("the listener has another name", || seen(&mesh) == expected("two", "v1", "second"));
        mesh.serve(&Plugin::new(&url).value("v2").resource_version("2"));
        mesh.wait_until("the filter sets another value", || seen(&mesh) == expected("two", "v2", "second"));
        mesh.control_plane.set(RDS, "routes", routes("/elsewhere"));
        mesh.wait_until("the route is gone", || seen(&mesh).0 == 404);

        assert_eq!(mesh.control_plane.streams(), 1);
        for type_url in [CDS, EDS, LDS, RDS, ECDS] {
            let answers = mesh.control_plane.answers_of(type_url);
            assert!(!answers.is_empty(), "{type_url}");
            assert!(answers.iter().all(|answer| answer.error.is_none()), "{answers:?}");
        }
    }
}

fn says(text: &'static str) -> Upstream {
    Upstream::answering(move |_| Reply::new(200, text))
}

fn from_ads() -> Option<core::ConfigSource> {
    let ads = core::config_source::ConfigSourceSpecifier::Ads(core::AggregatedConfigSource::default());
    Some(core::ConfigSource {
        resource_api_version: core::ApiVersion::V3.into(),
        config_source_specifier: Some(ads),
        initial_fetch_timeout: Some(Seconds::default()),
        ..Default::default()
    })
}

fn cluster_by_eds() -> Any {
    pack_any(cluster::Cluster {
        name: "httpbin".to_owned(),
        connect_timeout: Some(Seconds { seconds: 1, nanos: 0 }),
        cluster_discovery_type: Some(cluster::cluster::ClusterDiscoveryType::Type(
            cluster::cluster::DiscoveryType::Eds.into(),
        )),
        eds_cluster_config: Some(cluster::cluster::EdsClusterConfig {
            eds_config: from_ads(),
            ..Default::default()
        }),
        ..Default::default()
    })
}

fn endpoints(upstream: SocketAddr) -> Any {
    pack_any(crate::mesh::endpoints(upstream))
}

/// One route, for paths with that prefix.
fn routes(prefix: &str) -> Any {
    let matches = route::RouteMatch {
        path_specifier: Some(route::route_match::PathSpecifier::Prefix(prefix.to_owned())),
        ..Default::default()
    };
    let action = route::RouteAction {
        cluster_specifier: Some(route::route_action::ClusterSpecifier::Cluster("httpbin".to_owned())),
        ..Default::default()
    };
    let only = route::Route {
        r#match: Some(matches),
        action: Some(route::route::Action::Route(action)),
        ..Default::default()
    };
    pack_any(route::RouteConfiguration {
        name: "routes".to_owned(),
        virtual_hosts: vec![route::VirtualHost {
            name: "all".to_owned(),
            domains: vec!["*".to_owned()],
            routes: vec![only],
            ..Default::default()
        }],
        ..Default::default()
    })
}

/// A listener that calls itself by that name in its answers.
fn listener_by_rds(server: &str) -> Any {
    let discovered = http::http_filter::ConfigType::ConfigDiscovery(core::ExtensionConfigSource {
        config_source: from_ads(),
        type_urls: vec![
            "envoy.extensions.filters.http.wasm.v3.Wasm".to_owned(),
            "envoy.extensions.filters.http.rbac.v3.RBAC".to_owned(),
        ],
        ..Default::default()
    });
    let router = http::http_filter::ConfigType::TypedConfig(pack_any(Router::default()));
    let filter = |name: &str, config| http::HttpFilter {
        name: name.to_owned(),
        config_type: Some(config),
        ..Default::default()
    };
    let manager = http::HttpConnectionManager {
        stat_prefix: "http".to_owned(),
        server_name: server.to_owned(),
        route_specifier: Some(http::http_connection_manager::RouteSpecifier::Rds(http::Rds {
            config_source: from_ads(),
            route_config_name: "routes".to_owned(),
        })),
        http_filters: vec![filter(FILTER, discovered), filter("envoy.filters.http.router", router)],
        ..Default::default()
    };
    pack_any(listener::Listener {
        name: "http".to_owned(),
        address: Some(address(([127, 0, 0, 1], 0).into())),
        filter_chains: vec![listener::FilterChain {
            filters: vec![listener::Filter {
                name: "envoy.filters.network.http_connection_manager".to_owned(),
                config_type: Some(listener::filter::ConfigType::TypedConfig(pack_any(manager))),
            }],
            ..Default::default()
        }],
        ..Default::default()
    })
}
