//! `upstream`: the host that the request goes to (`UpstreamWrapper`), once it does.

use super::view::{Subject, View};
use crate::property::{Message, Value};

const ADDRESS: (&str, i64) = ("127.0.0.1:20000", 20_000);
const LOCAL_ADDRESS: &str = "127.0.0.1:50001";

pub(super) fn attribute(view: &View<'_>, name: &str) -> Option<Value> {
    match name {
        "request_attempt_count" => Some(Value::Uint(is_known(view).into())),
        "num_endpoints" => is_there(view, name).then_some(Value::Uint(1)),
        _ if !is_known(view) => None,
        "address" => Some(ADDRESS.0.into()),
        "port" => Some(Value::Int(ADDRESS.1)),
        "local_address" => Some(LOCAL_ADDRESS.into()),
        "locality" => Some(Message::locality("", "", "").into()),
        "transport_failure_reason" => Some("".into()),
        "cx_pool_ready_duration" => Some(Value::Duration(0)),
        _ => None,
    }
}

/// Whether a host has been chosen and connected to.
pub(super) fn is_known(view: &View<'_>) -> bool {
    match view.subject {
        Subject::Http(http, _) => http.upstream_begun_at.is_some(),
        Subject::Tcp(tcp) => tcp.let_through,
        Subject::Root => false,
    }
}

/// Whether the proxy knows such a thing in this phase, so that what a test gave stands for it.
pub(super) fn is_there(view: &View<'_>, name: &str) -> bool {
    match (name, view.subject) {
        ("request_attempt_count", _) => true,
        // A route names its cluster before there is a host.
        ("num_endpoints", Subject::Http(..)) => true,
        _ => is_known(view),
    }
}
