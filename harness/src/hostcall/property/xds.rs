//! `xds`: where the plugin stands in the configuration (`XDSWrapper`). By default there is one listener for inbound
//! traffic, one route and one cluster.

use super::upstream;
use super::view::{Subject, View};
use crate::property::given::TrafficDirection;
use crate::property::{Message, Value};

/// The route of what takes no other.
const ROUTE: &str = "route";

pub(super) fn attribute(view: &View<'_>, name: &str) -> Option<Value> {
    if !is_there(view, name) {
        return None;
    }
    Some(match name {
        "node" => Message::node("node-id", "node-cluster", Value::Null).into(),
        "cluster_name" => "upstream".into(),
        "route_name" => match view.subject {
            Subject::Http(http, _) => http.route.as_deref().unwrap_or(ROUTE).into(),
            _ => return None,
        },
        "virtual_host_name" => "hosts".into(),
        "filter_chain_name" => "chain".into(),
        "listener_direction" => Value::Int(TrafficDirection::Inbound as i64),
        "cluster_metadata" | "route_metadata" | "virtual_host_metadata" | "listener_metadata" => {
            Message::metadata::<String, Value>([]).into()
        }
        // A host that has no metadata has no message either.
        "upstream_host_metadata" | "upstream_host_locality_metadata" => Value::Null,
        _ => return None,
    })
}

/// Whether the proxy knows such a thing in this phase, so that what a test gave stands for it.
pub(super) fn is_there(view: &View<'_>, name: &str) -> bool {
    match (name, view.subject) {
        ("node", _) => true,
        (_, Subject::Root) => false,
        ("upstream_host_metadata" | "upstream_host_locality_metadata", _) => upstream::is_known(view),
        // tcp_proxy has a cluster once it connects, and neither route nor virtual host.
        ("cluster_name" | "cluster_metadata", Subject::Tcp(_)) => upstream::is_known(view),
        (
            "route_name" | "route_metadata" | "virtual_host_name" | "virtual_host_metadata",
            Subject::Tcp(_),
        ) => false,
        _ => true,
    }
}
