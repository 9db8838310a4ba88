//! callout-enrichment as the proxy runs it: what the upstream sees, whatever the service does.

use std::time::Duration;

use proxy_wasm_harness::{
    Callback, Callout, Host, HostBuilder, Level, Module, Plugin, Request, Response, Status, Stream, budget,
    filter, json,
};
use serde_json::Value as Json;

mod answer;
mod cache;
mod config;
mod cost;
mod failure;
mod flight;
mod question;
mod spoof;

const SECOND: Duration = Duration::from_secs(1);

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A configuration with these members, and what it must have beside them.
fn configuration(members: Json) -> Json {
    let mut configuration = json!({
        "version": 1,
        "call": {
            "cluster": "metadata", "authority": "metadata.local", "path": "/headers", "timeout": "1s",
            "max_response_bytes": 1000,
        },
        "map": [
            {"from": "literal", "value": "1", "to": "x-meta"},
            {"from": "header", "name": "x-user", "to": "x-meta-user"},
            {"from": "json_pointer", "path": "/headers/Host", "to": "x-meta-host"},
        ],
    });
    merge(&mut configuration, members);
    configuration
}

fn merge(into: &mut Json, members: Json) {
    match (into, members) {
        (Json::Object(into), Json::Object(members)) => {
            for (name, member) in members {
                merge(into.entry(name).or_insert(Json::Null), member);
            }
        }
        (into, members) => *into = members,
    }
}

/// A proxy of which no cluster is known yet.
fn plugin(members: Json) -> HostBuilder {
    Host::envoy().plugin(filter("callout-enrichment").json(&configuration(members)))
}

/// A proxy whose service is asked by the test.
fn with(members: Json) -> Host {
    plugin(members).cluster("metadata").start()
}

fn sample() -> Host {
    with(json!({}))
}

/// A proxy that keeps answers for each tenant.
fn caching(cache: Json) -> Host {
    let mut members = json!({
        "call": {"path": "/t/${header:x-tenant}"},
        "cache": {"key": ["${header:x-tenant}"], "ttl": "10s"},
    });
    merge(&mut members, json!({ "cache": cache }));
    with(members)
}

/// Sends a request in which a client claims to be enriched.
fn claim(host: &Host) -> Stream {
    host.get("/orders")
        .header("x-meta", "forged")
        .header("X-Meta", "twice")
        .header("x-meta-host", "f")
        .header("x-enrich-status", "ok")
        .send()
}

/// Sends a request of a tenant.
fn of(host: &Host, tenant: &str) -> Stream {
    host.get("/orders").header("x-tenant", tenant).header("x-meta-user", "forged").send()
}

/// An answer that names a user.
fn user(name: &str) -> Response {
    Response::ok("{}").with_header("x-user", name)
}

/// What the upstream sees under the names of the mapping.
fn claims(request: &Request) -> [Vec<String>; 3] {
    ["x-meta", "x-meta-user", "x-meta-host"].map(|name| request.header_all(name))
}

const NOTHING: [Vec<String>; 3] = [Vec::new(), Vec::new(), Vec::new()];

/// How a request was enriched, as the upstream is told, and with which user.
#[track_caller]
fn seen(stream: &Stream) -> String {
    let request = stream.forwarded();
    let word = request.header_all("x-enrich-status");
    assert_eq!(word.len(), 1, "{word:?}");
    word.into_iter().chain(request.header_all("x-meta-user")).collect::<Vec<_>>().join(" ")
}

/// A counter, after everything was told to the host that was counted.
fn counted(host: &Host, name: &str) -> u64 {
    host.advance(ms(100));
    host.counter(&format!("wasm_enrich_{name}_total"))
}

#[track_caller]
fn assert_unenriched(host: &Host, stream: &Stream, word: &str, counter: &str) {
    assert_eq!(claims(&stream.forwarded()), NOTHING);
    assert_eq!(seen(stream), word);
    assert_eq!(counted(host, counter), 1, "{counter}: {:?}", host.metrics());
    assert_eq!(counted(host, "errors"), 1);
    assert_eq!(counted(host, "call_ok"), 0);
    host.assert_no_findings();
    assert_eq!(host.callouts("metadata").len(), 0);
}
