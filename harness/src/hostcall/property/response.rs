//! `response`: what the client is sent (`ResponseWrapper`).

use super::request::has_header_bytes;
use super::view::{Subject, View, byte_size, count, headers, nanoseconds, number};
use crate::grpc_status;
use crate::property::Value;
use crate::stream::HttpStream;

pub(super) fn attribute(view: &View<'_>, name: &str) -> Option<Value> {
    let (map, trailers) = (view.response_headers(), view.response_trailers());
    let http = match view.subject {
        Subject::Http(http, _) => Some(http),
        Subject::Tcp(_) => None,
        Subject::Root => return None,
    };
    let sent = match view.subject {
        Subject::Http(http, _) => &http.downstream.chunks,
        Subject::Tcp(tcp) => &tcp.downstream,
        Subject::Root => return None,
    };
    let sent: usize = sent.iter().map(bytes::Bytes::len).sum();
    match name {
        "code" => http?.code.map(|code| Value::Int(code.into())),
        "code_details" => http?.details.as_deref().map(Value::from),
        "flags" => Some(Value::Int(http.map_or(0, |http| nanoseconds(http.flags)))),
        "headers" => Some(headers(map)),
        "headers_bytes" if has_header_bytes(view.world.profile) => Some(Value::Int(count(byte_size(map)))),
        "trailers" => Some(headers(trailers)),
        "grpc_status" => {
            let said = [trailers, map].into_iter().flatten().find_map(|map| map.get("grpc-status"));
            match said {
                // What is no status of gRPC is the invalid one.
                Some(said) => {
                    Some(Value::Int(number(said).filter(|status| (0..=16).contains(status)).unwrap_or(-1)))
                }
                None => http?.code.map(|code| Value::Int(grpc_status::of_http(code).into())),
            }
        }
        "size" => Some(Value::Int(count(sent))),
        "total_size" => Some(Value::Int(count(sent + byte_size(map) + byte_size(trailers)))),
        "backend_latency" => http.and_then(backend_latency),
        _ => None,
    }
}

/// From the first byte of the request to the last of the response, as the upstream has them.
fn backend_latency(http: &HttpStream) -> Option<Value> {
    let latency = http.upstream_ended_at?.saturating_sub(http.upstream_begun_at?);
    Some(Value::Duration(nanoseconds(latency)))
}

/// Whether the proxy knows such a thing in this phase, so that what a test gave stands for it.
pub(super) fn is_there(view: &View<'_>, name: &str) -> bool {
    let Subject::Http(http, _) = view.subject else { return false };
    match name {
        "code" | "grpc_status" => http.code.is_some(),
        "code_details" => http.details.is_some(),
        "backend_latency" => backend_latency(http).is_some(),
        _ => true,
    }
}
