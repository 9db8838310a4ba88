//! The attributes that a stream has of itself, with the types that Envoy gives them.

use crate::guest::{Context, Guest};
use crate::header::HeaderMap;
use crate::property::Value;
use crate::stream::HttpStream;

/// The value at the top of a path.
pub(super) fn find(guest: &mut Guest, name: &[u8], rest: &[&[u8]]) -> Option<Value> {
    let context = guest.context();
    let text = std::str::from_utf8(name).ok()?;
    if let Some(given) = given(guest, context, text, rest) {
        return Some(given);
    }
    if let Some(value) = of_plugin(guest, text) {
        return Some(value);
    }
    let Context::Http { stream, .. } = context else { return state(guest, context, name) };
    let world = guest.world();
    let now = world.clock.monotonic();
    let wall = world.clock.wall();
    let http = world.http.get(stream)?.as_ref()?;
    let started = i64::try_from(wall.saturating_sub(now.saturating_sub(http.started_at))).ok();
    let value = match text {
        "request" => Some(request(http, now, started)),
        "response" => Some(response(http)),
        "source" | "destination" | "connection" | "upstream" | "xds" => connection(text),
        "metadata" | "filter_state" => None,
        _ => None,
    };
    value.or_else(|| state(guest, context, name))
}

/// What a test gave: for one stream, else for all. A path of several segments may be given whole.
fn given(guest: &mut Guest, context: Context, name: &str, rest: &[&[u8]]) -> Option<Value> {
    let world = guest.world();
    let of_stream = match context {
        Context::Http { stream, .. } => {
            world.http.get(stream).and_then(Option::as_ref).map(|http| &http.properties)
        }
        Context::Tcp { connection, .. } => {
            world.tcp.get(connection).and_then(Option::as_ref).map(|connection| &connection.properties)
        }
        _ => None,
    };
    let of_stream = of_stream.into_iter();
    let mut full = name.to_owned();
    let mut wanted: Vec<String> = vec![full.clone()];
    for segment in rest {
        full = format!("{full}.{}", std::str::from_utf8(segment).ok()?);
        wanted.push(full.clone());
    }
    for given in of_stream.chain([&world.properties]) {
        for (depth, path) in wanted.iter().enumerate() {
            if let Some(value) = given.get(path) {
                // Wrapped, so that following the rest of the path leads to it.
                let wrap = |value, segment: &&[u8]| {
                    Value::map([(String::from_utf8_lossy(segment).into_owned(), value)])
                };
                return Some(rest.iter().take(depth).rev().fold(value.clone(), wrap));
            }
        }
    }
    None
}

fn of_plugin(guest: &mut Guest, name: &str) -> Option<Value> {
    let plugin = guest.plugin();
    let vm_id = guest.config.vm_id.clone();
    let plugins = &guest.world().plugins;
    let plugin = plugin.and_then(|plugin| plugins.get(plugin));
    match name {
        "plugin_name" => plugin.map(|plugin| plugin.name.clone().into()),
        "plugin_root_id" => plugin.map(|plugin| plugin.root_id.clone().into()),
        "plugin_vm_id" => Some(vm_id.into()),
        "connection_id" => Some(Value::Uint(1)),
        _ => None,
    }
}

fn state(guest: &mut Guest, context: Context, name: &[u8]) -> Option<Value> {
    let world = guest.world();
    let state = match context {
        Context::Http { stream, .. } => &world.http.get(stream)?.as_ref()?.filter_state,
        Context::Tcp { connection, .. } => &world.tcp.get(connection)?.as_ref()?.filter_state,
        _ => return None,
    };
    state.get(name).map(|value| Value::Bytes(value.clone()))
}

fn first(map: Option<&HeaderMap>, name: &str) -> Option<Value> {
    map.and_then(|map| map.get(name)).map(Value::from)
}

fn request(http: &HttpStream, now: u64, started: Option<i64>) -> Value {
    let headers = http.request.headers.as_ref();
    let mut entries: Vec<(&str, Value)> = Vec::new();
    let mut add = |name: &'static str, value: Option<Value>| {
        if let Some(value) = value {
            entries.push((name, value));
        }
    };
    add("headers", headers.cloned().map(Value::Headers));
    add("path", first(headers, ":path"));
    add("host", first(headers, ":authority"));
    add("scheme", first(headers, ":scheme"));
    add("method", first(headers, ":method"));
    add("referer", first(headers, "referer"));
    add("useragent", first(headers, "user-agent"));
    add("id", first(headers, "x-request-id"));
    add("protocol", Some("HTTP/1.1".into()));
    if let Some(path) = headers.and_then(|headers| headers.get(":path")) {
        let mut parts = path.splitn(2, |byte| *byte == b'?');
        add("url_path", parts.next().map(Value::from));
        add("query", Some(Value::from(parts.next().unwrap_or_default())));
    }
    add("time", started.map(Value::Timestamp));
    if http.end.is_some() {
        let lasted = http.ended_at.max(http.started_at).saturating_sub(http.started_at);
        add("duration", i64::try_from(lasted.min(now)).ok().map(Value::Duration));
    }
    let received: usize = http.upstream.chunks.iter().map(bytes::Bytes::len).sum();
    let size = number(headers, "content-length").unwrap_or_else(|| count(received));
    add("size", Some(Value::Int(size)));
    let header_bytes = headers.map_or(0, HeaderMap::byte_size);
    add("total_size", Some(Value::Int(count(received + header_bytes))));
    Value::map(entries)
}

fn response(http: &HttpStream) -> Value {
    let headers = http.response.headers.as_ref();
    let mut entries: Vec<(&str, Value)> = Vec::new();
    if let Some(code) = number(headers, ":status").filter(|_| http.source != crate::stream::Source::None) {
        entries.push(("code", Value::Int(code)));
    }
    if let Some(details) = &http.details {
        entries.push(("code_details", details.clone().into()));
    }
    entries.push(("flags", Value::Int(i64::try_from(http.flags).unwrap_or_default())));
    if let Some(headers) = headers {
        entries.push(("headers", Value::Headers(headers.clone())));
    }
    if let Some(trailers) = &http.response.trailers {
        entries.push(("trailers", Value::Headers(trailers.clone())));
    }
    let status =
        number(http.response.trailers.as_ref(), "grpc-status").or_else(|| number(headers, "grpc-status"));
    if let Some(status) = status {
        entries.push(("grpc_status", Value::Int(status)));
    }
    let sent: usize = http.downstream.chunks.iter().map(bytes::Bytes::len).sum();
    entries.push(("size", Value::Int(count(sent))));
    let header_bytes = headers.map_or(0, HeaderMap::byte_size);
    entries.push(("total_size", Value::Int(count(sent + header_bytes))));
    Value::map(entries)
}

fn number(map: Option<&HeaderMap>, name: &str) -> Option<i64> {
    std::str::from_utf8(map?.get(name)?).ok()?.parse().ok()
}

fn count(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// What a plain listener, route and cluster of a static bootstrap would say.
fn connection(name: &str) -> Option<Value> {
    Some(match name {
        "source" => Value::map([("address", Value::from("127.0.0.1:50000")), ("port", Value::Int(50000))]),
        "destination" => {
            Value::map([("address", Value::from("127.0.0.1:10000")), ("port", Value::Int(10000))])
        }
        "connection" => Value::map([("id", Value::Uint(1)), ("mtls", Value::Bool(false))]),
        "upstream" => Value::map([("address", Value::from("127.0.0.1:8000")), ("port", Value::Int(8000))]),
        "xds" => Value::map([
            ("cluster_name", Value::from("upstream")),
            ("route_name", Value::from("")),
            ("virtual_host_name", Value::from("upstream")),
            ("listener_direction", Value::Int(0)),
        ]),
        _ => return None,
    })
}
