//! The log line: one JSON object that is valid whatever bytes a client sent. It has the same members each time; `null`
//! stands for what is not known.

mod escape;
mod time;

use std::fmt::Write;

use escape::{cut, push_escaped};
use filter_kit::reads::{Map, Reads, first, without_query};
use time::push_time;

use crate::config::Log;
use crate::duration::milliseconds;
use crate::{Direction, Exchange};

/// The longest of the texts that have no limit of their own, in bytes.
const MAX_OTHER: usize = 255;
/// The longest value of a header that is logged, in bytes.
const MAX_HEADER: usize = 256;

/// The line of a stream that is over, at `now_ms` since 1970.
pub fn line(reads: &impl Reads, log: &Log, direction: Direction, exchange: &Exchange, now_ms: u64) -> String {
    let mut json = String::with_capacity(512);
    json.push_str("{\"ts\":\"");
    push_time(&mut json, now_ms);
    json.push_str("\",\"direction\":\"");
    json.push_str(direction.as_str());
    json.push('"');
    push_header(&mut json, reads, "method", ":method", MAX_OTHER);
    push_path(&mut json, reads, log);
    push_header(&mut json, reads, "authority", ":authority", MAX_OTHER);
    // Writing to a String cannot fail.
    let _ = write!(json, ",\"code\":{},\"class\":", exchange.code);
    match exchange.class() {
        Some(class) => {
            let _ = write!(json, "\"{class}xx\"");
        }
        None => json.push_str("null"),
    }
    json.push_str(",\"flags\":\"");
    for (index, flag) in exchange.flags.names().enumerate() {
        json.push_str(if index == 0 { "" } else { "," });
        json.push_str(flag);
    }
    json.push('"');
    for (name, value) in [
        ("duration_ms", exchange.duration.map(milliseconds)),
        ("ttfb_ms", exchange.ttfb.map(milliseconds)),
        ("upstream_ms", exchange.upstream.map(milliseconds)),
        ("request_bytes", exchange.request_bytes),
        ("response_bytes", exchange.response_bytes),
        ("grpc_status", exchange.grpc.and_then(|status| u64::try_from(status).ok())),
    ] {
        let _ = write!(json, ",\"{name}\":");
        match value {
            Some(value) => {
                let _ = write!(json, "{value}");
            }
            None => json.push_str("null"),
        }
    }
    push_header(&mut json, reads, "request_id", "x-request-id", MAX_OTHER);
    json.push_str(",\"headers\":{");
    for (index, name) in log.headers.iter().enumerate() {
        json.push_str(if index == 0 { "\"" } else { ",\"" });
        // A header's name has no character that would have to be escaped.
        json.push_str(name);
        json.push_str("\":");
        push_value(&mut json, reads, name, MAX_HEADER);
    }
    json.push_str("}}");
    json
}

fn push_header(json: &mut String, reads: &impl Reads, member: &str, header: &str, limit: usize) {
    json.push_str(",\"");
    json.push_str(member);
    json.push_str("\":");
    push_value(json, reads, header, limit);
}

fn push_value(json: &mut String, reads: &impl Reads, header: &str, limit: usize) {
    let found = first(reads, Map::Request, header, |value| {
        json.push('"');
        push_escaped(json, cut(value, limit));
        json.push('"');
    });
    if found.is_none() {
        json.push_str("null");
    }
}

fn push_path(json: &mut String, reads: &impl Reads, log: &Log) {
    json.push_str(",\"path\":");
    let found = first(reads, Map::Request, ":path", |path| {
        // The query is left out unless it is asked for: it is where tokens and personal data stand.
        let path = if log.query { path } else { without_query(path) };
        json.push('"');
        push_escaped(json, cut(path, log.max_path));
        json.push('"');
    });
    if found.is_none() {
        json.push_str("null");
    }
}

#[cfg(test)]
mod tests;
