//! What is done with headers.

use proxy_wasm::hostcalls;
use proxy_wasm::types::MapType;

use super::stats::Stats;
use crate::config::{OnEtag, Otherwise};
use crate::scan::{Scanned, Scanner};
use crate::{Body, Coding, Redaction};

/// The message at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Request,
    Response,
}

impl Side {
    fn map(self) -> MapType {
        match self {
            Self::Request => MapType::HttpRequestHeaders,
            Self::Response => MapType::HttpResponseHeaders,
        }
    }
}

type Lines = [(String, Vec<u8>)];

/// The first value of a header.
pub(super) fn value<'a>(lines: &'a Lines, name: &str) -> Option<&'a [u8]> {
    lines.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_slice())
}

/// All values of a header, with commas between.
pub(super) fn joined(lines: &Lines, name: &str) -> Option<Vec<u8>> {
    let values: Vec<&[u8]> =
        lines.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_slice()).collect();
    (!values.is_empty()).then(|| values.join(&b","[..]))
}

fn get(map: MapType, name: &str) -> Option<Vec<u8>> {
    hostcalls::get_map_value_bytes(map, name).ok().flatten()
}

fn set(map: MapType, name: &str, value: Option<&[u8]>) {
    // Refused is only a map that is not there.
    let _ = hostcalls::set_map_value_bytes(map, name, value);
}

/// Has a request ask for a response that can be looked into. Answers the status to refuse it with, if it is to be.
pub(super) fn ask_for_plain_and_whole(redaction: &Redaction) -> Option<u32> {
    let map = MapType::HttpRequestHeaders;
    // Each is looked for first: a change to request headers clears the route cache (Envoy 1.40, ABI 0.2.1).
    let ranges = ["range", "if-range"].map(|name| get(map, name).is_some());
    match redaction.on_range {
        Otherwise::Block if ranges.contains(&true) => return Some(416),
        // Two halves of a secret, asked for one by one, are no secret to a scanner.
        Otherwise::Treat => {
            for (name, _) in ["range", "if-range"].iter().zip(ranges).filter(|(_, found)| *found) {
                set(map, name, None);
            }
        }
        _ => {}
    }
    if redaction.request_identity && get(map, "accept-encoding").is_some_and(|value| value != b"identity") {
        set(map, "accept-encoding", Some(b"identity"));
    }
    None
}

/// Digests of a body (RFC 9530, RFC 3230, RFC 1864).
const DIGESTS: [&str; 4] = ["content-digest", "repr-digest", "digest", "content-md5"];

/// Takes away what an edited body makes untrue.
pub(super) fn untrue(side: Side, redaction: &Redaction, coding: Coding) {
    let map = side.map();
    let remove = |name: &str| {
        if get(map, name).is_some() {
            set(map, name, None);
        }
    };
    let inflated = coding != Coding::Plain;
    if inflated {
        remove("content-encoding");
    }
    if inflated || !redaction.keeps_length {
        remove("content-length");
        if side == Side::Response {
            remove("accept-ranges");
        }
    }
    DIGESTS.iter().for_each(|name| remove(name));
    if side == Side::Request {
        return;
    }
    match redaction.etag {
        OnEtag::Keep => {}
        OnEtag::Remove => remove("etag"),
        OnEtag::Weaken => {
            if let Some(tag) = get(map, "etag").filter(|tag| tag.starts_with(b"\"")) {
                set(map, "etag", Some(&[b"W/", tag.as_slice()].concat()));
            }
        }
    }
}

/// The status of what stands in place of a response that must not pass: the gateway got one it cannot pass on.
const BLOCKED: &[u8] = b"502";

/// Makes the headers those of an empty response.
pub(super) fn put_in_place_of_a_response(lines: &Lines) {
    let map = MapType::HttpResponseHeaders;
    let about_the_body = |name: &str| {
        name.starts_with("content-")
            || matches!(name, "etag" | "last-modified" | "accept-ranges" | "digest" | "repr-digest")
    };
    for (name, _) in lines.iter().filter(|(name, _)| about_the_body(name)) {
        set(map, name, None);
    }
    set(map, ":status", Some(BLOCKED));
    set(map, "content-length", Some(b"0"));
}

/// Looks into the values of the headers that are listed. Answers whether anything was found.
pub(super) fn redact(
    side: Side,
    redaction: &Redaction,
    found: &mut [u64],
    stats: &Stats,
    enforces: bool,
) -> bool {
    let mut any = false;
    for name in &redaction.headers {
        if get(side.map(), name).is_none() {
            continue;
        }
        let lines = hostcalls::get_map_bytes(side.map()).unwrap_or_default();
        let (mut values, mut changed) = (Vec::new(), false);
        for (_, value) in lines.into_iter().filter(|(other, _)| other == name) {
            let mut scanner = Scanner::new(&redaction.rules, Body::Text);
            let Scanned { put, .. } = scanner.scan(&redaction.rules, &value, true);
            let tally = scanner.tally();
            any |= stats.matches(&vec![0; found.len()], &tally.matches);
            found.iter_mut().zip(&tally.matches).for_each(|(found, new)| *found += new);
            // Nothing of a value is left where it must not go on.
            let put = if tally.blocked { Some(Vec::new()) } else { put };
            changed |= put.is_some();
            values.push(put.unwrap_or(value));
        }
        if changed && enforces {
            set(side.map(), name, None);
            for value in values {
                let _ = hostcalls::add_map_value_bytes(side.map(), name, &value);
            }
        }
    }
    any
}
