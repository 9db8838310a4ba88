//! Header maps: which are there in which phase, and what each hostcall says when one is not.

use crate::abi::{AbiVersion, MapType, Status, pairs};
use crate::finding::Finding;
use crate::guest::{Call, Context, Guest, Halt, Outcome};
use crate::header::HeaderMap;
use crate::stream::{Body, Direction, HttpStream};

/// The map to read (Envoy's `Context::getConstMap`).
fn readable(guest: &mut Guest, map: MapType) -> Option<&HeaderMap> {
    use MapType::{
        GrpcCallInitialMetadata, GrpcCallTrailingMetadata, HttpCallResponseHeaders, HttpCallResponseTrailers,
    };
    match map {
        GrpcCallInitialMetadata => guest.root()?.grpc_initial.as_ref(),
        GrpcCallTrailingMetadata => guest.root()?.grpc_trailing.as_ref(),
        HttpCallResponseHeaders => guest.root()?.http_call.as_ref().map(|response| &response.headers),
        HttpCallResponseTrailers => guest.root()?.http_call.as_ref()?.trailers.as_ref(),
        map => {
            let Context::Http { stream, filter, .. } = guest.context() else { return None };
            let http = guest.world().http.get(stream)?.as_ref()?;
            of_stream(http, filter, map)
        }
    }
}

fn of_stream(http: &HttpStream, filter: usize, map: MapType) -> Option<&HeaderMap> {
    let filter = http.filters.get(filter)?;
    let there = |there: bool| filter.logging || there;
    match map {
        MapType::HttpRequestHeaders if there(filter.request.headers) => http.request.headers.as_ref(),
        // Not even when the stream is logged.
        MapType::HttpRequestTrailers if filter.request.trailers && !filter.logging => {
            http.request.trailers.as_ref()
        }
        MapType::HttpResponseHeaders if there(filter.response.headers) => http.response.headers.as_ref(),
        MapType::HttpResponseTrailers if there(filter.response.trailers) => http.response.trailers.as_ref(),
        _ => None,
    }
}

/// The map to change (`Context::getMap`). Trailers come to be when one is added at the end of a body.
fn writable(guest: &mut Guest, map: MapType) -> Option<&mut HeaderMap> {
    let Context::Http { stream, filter, .. } = guest.context() else { return None };
    let http = guest.world().http.get_mut(stream)?.as_mut()?;
    let filter = http.filters.get_mut(filter)?;
    let ends = filter.end_of_stream;
    let (direction, trailers) = match map {
        MapType::HttpRequestHeaders => (Direction::Request, false),
        MapType::HttpRequestTrailers => (Direction::Request, true),
        MapType::HttpResponseHeaders => (Direction::Response, false),
        MapType::HttpResponseTrailers => (Direction::Response, true),
        _ => return None,
    };
    let side = filter.side(direction);
    if !trailers {
        return if side.headers { http.path(direction).headers.as_mut() } else { None };
    }
    if !side.trailers {
        if side.body == Body::None || !ends {
            return None;
        }
        side.trailers = true;
        http.path(direction).trailers.get_or_insert_default();
    }
    http.path(direction).trailers.as_mut()
}

/// No message has as many bytes of headers; a guest may add more and more.
const MOST: usize = 64 << 20;

/// Counts what it takes to search and change the map, which is more the longer it is; whether more may be added.
fn weigh(call: &mut Call<'_>, map: MapType) -> Result<bool, Halt> {
    if call.guest().work_limit.is_none() {
        return Ok(true);
    }
    let Some((lines, bytes)) = readable(call.guest(), map).map(|map| (map.len(), map.byte_size())) else {
        return Ok(true);
    };
    call.spend(u64::try_from(lines * 16 + bytes / 4).unwrap_or(u64::MAX))?;
    Ok(bytes <= MOST)
}

/// A map as a transcript shows it: cut where it grows long.
fn shown<'a>(lines: impl ExactSizeIterator<Item = (&'a [u8], &'a [u8])>) -> String {
    const SHOWN: usize = 100;
    let more = lines.len().saturating_sub(SHOWN);
    let lines: Vec<String> = lines
        .take(SHOWN)
        .map(|(name, value)| format!("({}, {})", crate::guest::quoted(name), crate::guest::quoted(value)))
        .collect();
    let more = if more > 0 { format!("... {more} lines more") } else { String::new() };
    format!("[{}]{more}", lines.join(", "))
}

/// Notes that a map was used where it is not, which SDKs answer with a panic.
fn missing(call: &mut Call<'_>, hostcall: &'static str, map: MapType) {
    use MapType::{HttpCallResponseHeaders, HttpCallResponseTrailers};
    let guest = call.guest();
    let of_callout = matches!(map, HttpCallResponseHeaders | HttpCallResponseTrailers);
    if of_callout && guest.running == Some(crate::abi::Callback::HttpCallResponse) {
        // A callout that failed has none; to look is how to find out.
        return;
    }
    let Some(callback) = guest.running.map(crate::abi::Callback::name) else { return };
    let map = format!("{map:?}");
    guest.world().findings.add(Finding::MapNotThere { hostcall, map, callback });
}

/// Reads the map's number.
macro_rules! map_type {
    ($call:ident, $map:ident) => {{
        let Some(map) = MapType::from_number($map) else {
            $call.note(|| $map.to_string());
            return Ok(Status::BadArgument);
        };
        $call.note(|| format!("{map:?}"));
        map
    }};
}

pub(super) fn size(call: &mut Call<'_>, map: u32, size_to: u32) -> Outcome {
    let map = map_type!(call, map);
    weigh(call, map)?;
    let Some(size) = writable(call.guest(), map).map(|map| map.byte_size()) else {
        missing(call, "proxy_get_header_map_size", map);
        return Ok(Status::BadArgument);
    };
    call.gave(|| size.to_string());
    call.write_u32(size_to, u32::try_from(size).unwrap_or(u32::MAX))?;
    Ok(Status::Ok)
}

pub(super) fn get_pairs(call: &mut Call<'_>, map: u32, pairs_to: u32, size_to: u32) -> Outcome {
    let map = map_type!(call, map);
    weigh(call, map)?;
    let bytes = readable(call.guest(), map).map(pairs::encode);
    if bytes.is_none() {
        missing(call, "proxy_get_header_map_pairs", map);
    }
    let outcome = call.give(&bytes.unwrap_or_default(), pairs_to, size_to);
    if call.noted {
        let text = readable(call.guest(), map).map(|map| shown(map.iter())).unwrap_or_default();
        call.gave(|| text);
    }
    outcome
}

pub(super) fn set_pairs(call: &mut Call<'_>, map: u32, pairs: u32, size: u32) -> Outcome {
    let map = map_type!(call, map);
    let bytes = call.copy(pairs, size)?;
    let pairs = pairs::decode(&bytes);
    if call.noted {
        let text = shown(pairs.iter().copied());
        call.note(|| format!("{map:?}, {text}"));
    }
    let Some(headers) = writable(call.guest(), map) else {
        missing(call, "proxy_set_header_map_pairs", map);
        return Ok(Status::BadArgument);
    };
    headers.set_pairs(&pairs);
    touched(call.guest(), map, None);
    Ok(Status::Ok)
}

pub(super) fn get(
    call: &mut Call<'_>,
    map: u32,
    key: u32,
    key_size: u32,
    value_to: u32,
    size_to: u32,
) -> Outcome {
    let map = map_type!(call, map);
    weigh(call, map)?;
    let found = call.with(&[(key, key_size)], |texts, guest| {
        let key = texts.first().copied().unwrap_or_default();
        readable(guest, map).map(|headers| headers.get_shared(key))
    })?;
    match found {
        Some(Some(value)) => call.give(&value, value_to, size_to),
        // ABI 0.1.0 knows no NOT_FOUND: what is not there is empty.
        Some(None) if call.guest().abi == AbiVersion::V0_1_0 => call.give(b"", value_to, size_to),
        Some(None) => Ok(Status::NotFound),
        None if is_logging(call.guest()) => {
            if call.guest().abi == AbiVersion::V0_1_0 {
                call.give(b"", value_to, size_to)
            } else {
                Ok(Status::NotFound)
            }
        }
        None => {
            missing(call, "proxy_get_header_map_value", map);
            Ok(Status::BadArgument)
        }
    }
}

fn is_logging(guest: &mut Guest) -> bool {
    let Context::Http { stream, filter, .. } = guest.context() else { return false };
    let http = guest.world().http.get(stream).and_then(Option::as_ref);
    http.and_then(|http| http.filters.get(filter)).is_some_and(|filter| filter.logging)
}

/// Changes a map by a key and a value, or says that it is not there.
fn change(
    call: &mut Call<'_>,
    hostcall: &'static str,
    map: u32,
    pieces: &[(u32, u32)],
    act: impl FnOnce(&mut HeaderMap, &[u8], &[u8]),
) -> Outcome {
    let map = map_type!(call, map);
    if !weigh(call, map)? && pieces.len() > 1 {
        return Ok(Status::InternalFailure);
    }
    let done = call.with(pieces, |texts, guest| {
        let key = texts.first().copied().unwrap_or_default();
        let value = texts.get(1).copied().unwrap_or_default();
        let Some(headers) = writable(guest, map) else { return false };
        act(headers, key, value);
        touched(guest, map, Some(key));
        true
    })?;
    if done {
        return Ok(Status::Ok);
    }
    missing(call, hostcall, map);
    Ok(Status::BadArgument)
}

/// Remembers that somebody took care of `content-length`.
fn touched(guest: &mut Guest, map: MapType, key: Option<&[u8]>) {
    if key.is_some_and(|key| !key.eq_ignore_ascii_case(b"content-length")) {
        return;
    }
    let Context::Http { stream, .. } = guest.context() else { return };
    let Some(http) = guest.world().http.get_mut(stream).and_then(Option::as_mut) else { return };
    match map {
        MapType::HttpRequestHeaders => http.request.length_changed = true,
        MapType::HttpResponseHeaders => http.response.length_changed = true,
        _ => {}
    }
}

pub(super) fn add(
    call: &mut Call<'_>,
    map: u32,
    key: u32,
    key_size: u32,
    value: u32,
    value_size: u32,
) -> Outcome {
    let pieces = [(key, key_size), (value, value_size)];
    change(call, "proxy_add_header_map_value", map, &pieces, |map, key, value| map.add(key, value))
}

pub(super) fn replace(
    call: &mut Call<'_>,
    map: u32,
    key: u32,
    key_size: u32,
    value: u32,
    value_size: u32,
) -> Outcome {
    let pieces = [(key, key_size), (value, value_size)];
    change(call, "proxy_replace_header_map_value", map, &pieces, |map, key, value| map.replace(key, value))
}

pub(super) fn remove(call: &mut Call<'_>, map: u32, key: u32, key_size: u32) -> Outcome {
    change(call, "proxy_remove_header_map_value", map, &[(key, key_size)], |map, key, _| {
        map.remove(key);
    })
}
