//! `connection`, `source` and `destination`: the client's connection (`ConnectionWrapper`, `PeerWrapper`).

use super::view::View;
use crate::profile::Profile;
use crate::property::Value;

/// Every stream has a connection of its own, and each is the first.
pub(super) const ID: u64 = 1;
/// The client's address.
pub(super) const SOURCE: (&str, i64) = ("127.0.0.1:50000", 50_000);
/// The listener's.
pub(super) const DESTINATION: (&str, i64) = ("127.0.0.1:10000", 10_000);

/// Without TLS; what there is with it a test gives.
pub(super) fn attribute(name: &str) -> Option<Value> {
    match name {
        "id" => Some(Value::Uint(ID)),
        "mtls" => Some(Value::Bool(false)),
        "requested_server_name" => Some("".into()),
        _ => None,
    }
}

/// Whether the proxy knows such a thing at all. The certificate itself came with Envoy 1.38.
pub(super) fn is_there(view: &View<'_>, name: &str) -> bool {
    name != "peer_certificate" || !matches!(view.world.profile, Profile::Envoy1_36 | Profile::Envoy1_37)
}

pub(super) fn peer(name: &str, (address, port): (&str, i64)) -> Option<Value> {
    match name {
        "address" => Some(address.into()),
        "port" => Some(Value::Int(port)),
        _ => None,
    }
}
