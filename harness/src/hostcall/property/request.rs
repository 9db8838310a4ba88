//! `request`: what the client sent (`RequestWrapper`).

use super::view::{Subject, View, byte_size, count, headers, nanoseconds, number, text};
use crate::profile::Profile;
use crate::property::Value;

pub(super) fn attribute(view: &View<'_>, name: &str) -> Option<Value> {
    let map = view.request_headers();
    let (started_at, received) = match view.subject {
        Subject::Http(http, _) => (http.started_at, http.bytes_received),
        // tcp_proxy counts what reaches it.
        Subject::Tcp(tcp) => (tcp.started_at, tcp.upstream.iter().map(bytes::Bytes::len).sum()),
        Subject::Root => return None,
    };
    match name {
        "headers" => Some(headers(map)),
        "headers_bytes" if has_header_bytes(view.world.profile) => Some(Value::Int(count(byte_size(map)))),
        "time" => {
            let ago = view.world.clock.monotonic().saturating_sub(started_at);
            Some(Value::Timestamp(nanoseconds(view.world.clock.wall().saturating_sub(ago))))
        }
        "size" => match map.and_then(|map| map.get("content-length")) {
            Some(length) => number(length).map(Value::Int),
            None => Some(Value::Int(count(received))),
        },
        "total_size" => Some(Value::Int(count(received + byte_size(map)))),
        "duration" => match view.subject {
            Subject::Http(http, _) if http.end.is_some() => {
                Some(Value::Duration(nanoseconds(http.ended_at.saturating_sub(http.started_at))))
            }
            _ => None,
        },
        "protocol" => match view.subject {
            Subject::Http(http, _) => Some(if http.http2 { "HTTP/2" } else { "HTTP/1.1" }.into()),
            _ => None,
        },
        "path" => text(map, ":path"),
        "host" => text(map, ":authority"),
        "scheme" => text(map, ":scheme"),
        "method" => text(map, ":method"),
        "referer" => text(map, "referer"),
        "useragent" => text(map, "user-agent"),
        "id" => text(map, "x-request-id"),
        "url_path" => {
            let path = map?.get(":path").unwrap_or_default();
            let end = path.iter().position(|byte| *byte == b'?').unwrap_or(path.len());
            path.get(..end).map(|path| Value::Text(path.to_vec()))
        }
        "query" => {
            let path = map?.get(":path").unwrap_or_default();
            let query = path.splitn(2, |byte| *byte == b'?').nth(1).unwrap_or_default();
            let query = query.split(|byte| *byte == b'#').next().unwrap_or_default();
            Some(Value::Text(query.to_vec()))
        }
        _ => None,
    }
}

/// Whether the proxy knows such a thing in this phase, so that what a test gave stands for it.
pub(super) fn is_there(view: &View<'_>, name: &str) -> bool {
    match name {
        "duration" => matches!(view.subject, Subject::Http(http, _) if http.end.is_some()),
        "path" | "host" | "scheme" | "method" | "referer" | "useragent" | "id" | "url_path" | "query" => {
            view.request_headers().is_some()
        }
        _ => true,
    }
}

/// `request.headers_bytes` and `response.headers_bytes` came with Envoy 1.37.
pub(super) fn has_header_bytes(profile: Profile) -> bool {
    profile != Profile::Envoy1_36
}
