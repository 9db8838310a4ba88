//! What the harness costs, and each filter's module in it: for comparing two versions of either. What a request pays
//! in Envoy is the cost table's business.
//!
//! Streams are unmetered unless a name says otherwise, as many as one core does in a second. A filter's bench is a
//! line in `filters`.
#![expect(clippy::unwrap_used, reason = "a module that is none should stop the bench")]

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use meshloom_bench::sample;
use proxy_wasm_harness::{Chunks, Host, HostBuilder, Module, Plugin, Response, filter, json};

criterion_group!(harness, streams, bodies, starts, filters);
criterion_main!(harness);

/// The least that a module must have, and a body callback that changes nothing.
const NOTHING: &str = r#"(module
    (memory (export "memory") 1)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) i32.const 0)
    (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32) i32.const 0))"#;

fn nothing() -> Plugin {
    Plugin::new(&Module::from_bytes("nothing", NOTHING.as_bytes()).unwrap())
}

fn header_mutation() -> Plugin {
    let set = json!([{"op": "set", "name": "x-training", "value": "envoy-wasm"}]);
    filter("header-mutation").json(&json!({"version": 1, "rules": [{"request": set, "response": set}]}))
}

/// Times `exchange`, in hosts of their own: what one keeps of its past makes no difference.
fn time(
    criterion: &mut Criterion,
    group: &str,
    name: &str,
    bytes: usize,
    host: impl Fn() -> Host,
    exchange: impl Fn(&Host),
) {
    let mut group = criterion.benchmark_group(group);
    group.throughput(match bytes {
        0 => Throughput::Elements(1),
        bytes => Throughput::Bytes(bytes as u64),
    });
    group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
        bencher.iter_custom(|times| {
            let host = host();
            let begun = Instant::now();
            (0..times).for_each(|_| exchange(&host));
            begun.elapsed()
        });
    });
}

/// A request and its response, headers alone.
fn exchange(host: &Host) {
    let stream = host.get("/orders/1234").header("user-agent", "bench").send();
    stream.respond(Response::new(200).with_header("content-type", "text/plain"));
    black_box(&stream);
}

fn streams(criterion: &mut Criterion) {
    let one = |plugin: fn() -> Plugin| move || Host::envoy().plugin(plugin());
    let hosts: [(&str, &dyn Fn() -> HostBuilder); 4] = [
        ("no callbacks", &|| one(nothing)().unmetered()),
        ("header-mutation", &|| one(header_mutation)().unmetered()),
        ("header-mutation, metered", &|| one(header_mutation)().without_transcript()),
        ("header-mutation, as in a test", &|| one(header_mutation)()),
    ];
    for (name, host) in hosts {
        time(criterion, "streams", name, 0, || host().start(), exchange);
    }
}

fn bodies(criterion: &mut Criterion) {
    const CHUNK: usize = 64 << 10;
    const CHUNKS: usize = 1024;
    let chunk = Bytes::from(vec![b'x'; CHUNK]);
    let host = || Host::envoy().plugin(nothing()).unmetered().start();
    time(criterion, "bodies", "64 MiB in chunks of 64 KiB, unchanged", CHUNK * CHUNKS, host, |host| {
        let stream = host.get("/").send();
        stream.respond_headers(&Response::new(200), false);
        for index in 1..=CHUNKS {
            stream.respond_data(chunk.clone(), index == CHUNKS);
        }
        assert!(stream.is_over());
    });
}

fn starts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("start");
    group.bench_function("header-mutation", |bencher| {
        bencher.iter(|| Host::envoy().plugin(header_mutation()).start());
    });
    group.bench_function("header-mutation, workers only", |bencher| {
        bencher.iter(|| Host::envoy().plugin(header_mutation()).workers_only().start());
    });
}

fn filters(criterion: &mut Criterion) {
    let blocklist = || {
        let json = json!({"version": 1, "lists": [{"name": "a", "entries": [".example.com"]}]});
        Host::envoy().plugin(filter("blocklist").json(&json)).unmetered().start()
    };
    time(criterion, "filters", "blocklist, listed", 0, blocklist, |host| {
        let stream = host.get("/").authority("a.example.com").send();
        assert!(stream.is_over());
    });
    time(criterion, "filters", "blocklist, unlisted", 0, blocklist, |host| {
        host.get("/").authority("example.org").send().respond(Response::new(200));
    });
    let enrichment = || {
        let json = json!({
            "version": 1,
            "call": {"cluster": "metadata", "authority": "metadata.local", "path": "/headers"},
            "map": [{"from": "json_pointer", "path": "/headers/Host", "to": "x-meta-host"}],
        });
        let answer = |_: &_| Response::ok(r#"{"headers": {"Accept": "*/*", "Host": "metadata.local"}}"#);
        let host = Host::envoy().plugin(filter("callout-enrichment").json(&json));
        host.cluster_answering("metadata", answer).unmetered().start()
    };
    time(criterion, "filters", "callout-enrichment, enriched", 0, enrichment, exchange);
    time(
        criterion,
        "filters",
        "http-timing, recorded",
        0,
        || Host::envoy().plugin(filter("http-timing")).unmetered().start(),
        exchange,
    );
    let redaction = || {
        let json = json!({"version": 1, "detectors": [
            {"name": "secrets", "kind": "assignment", "keys": ["SECRET", "password", "token"]}]});
        Host::envoy().plugin(filter("redaction").json(&json)).unmetered().start()
    };
    for (name, dirty) in [("redaction, clean JSON", false), ("redaction, JSON with secrets", true)] {
        let body = Bytes::from(sample::json(1 << 20, dirty));
        let response = Response::ok(body.clone()).with_header("content-type", "application/json");
        time(criterion, "filters", name, body.len(), redaction, |host| {
            host.get("/").send().respond_cut(&response, &Chunks::Of(16 << 10));
        });
    }
}
