//! What the decisions of the filters cost natively, without Envoy and without Wasm: for comparing two versions of
//! one, not for saying what a request pays. That is the cost table.
//!
//! A filter's bench is a function below, named as the filter, and a name in `criterion_group!`.
#![expect(clippy::unwrap_used, reason = "a sample configuration that is refused should stop the bench")]

use std::hint::black_box;
use std::rc::Rc;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use meshloom_bench::sample;

criterion_group!(
    decisions,
    configuration,
    header_mutation,
    redaction,
    blocklist,
    callout_enrichment,
    http_timing
);
criterion_main!(decisions);

const MUTATIONS: &str = r#"{"version": 1, "rules": [{
    "request": [{"op": "set", "name": "x-training", "value": "envoy-wasm"}],
    "response": [
        {"op": "set", "name": "x-training", "value": "envoy-wasm"},
        {"op": "add", "name": "x-added", "value": "1"},
        {"op": "append", "name": "via", "value": "1.1 envoy"},
        {"op": "rename", "name": "x-old", "to": "x-new"},
        {"op": "remove", "name": "server"}]}]}"#;
const REDACTION: &str = r#"{"version": 1, "detectors": [
    {"name": "secrets", "kind": "assignment", "keys": ["SECRET", "password", "token"]}]}"#;
const ENRICHMENT: &str = r#"{"version": 1,
    "call": {"cluster": "metadata", "authority": "metadata.local", "path": "/headers"},
    "map": [
        {"from": "literal", "value": "1", "to": "x-meta"},
        {"from": "json_pointer", "path": "/headers/Host", "to": "x-meta-host"}]}"#;
const TIMING: &str = r#"{"version": 1, "log": {"enabled": true}}"#;

fn configuration(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("configuration");
    group.bench_function("header-mutation", |bencher| {
        bencher.iter(|| header_mutation::Mutations::from_json(black_box(MUTATIONS.as_bytes())).unwrap());
    });
    group.bench_function("redaction", |bencher| {
        bencher.iter(|| redaction::Redaction::from_json(black_box(REDACTION.as_bytes())).unwrap());
    });
    group.bench_function("callout-enrichment", |bencher| {
        bencher.iter(|| callout_enrichment::Enrichment::from_json(black_box(ENRICHMENT.as_bytes())).unwrap());
    });
    group.bench_function("http-timing", |bencher| {
        bencher.iter(|| http_timing::Timing::from_json(black_box(TIMING.as_bytes())).unwrap());
    });
    group.sample_size(10);
    for entries in [10, 100_000] {
        let json = list_of(entries);
        group.bench_with_input(BenchmarkId::new("blocklist", entries), &json, |bencher, json| {
            bencher.iter(|| blocklist::Blocklist::from_json(black_box(json.as_bytes())).unwrap());
        });
    }
}

fn header_mutation(criterion: &mut Criterion) {
    use header_mutation::testing::Proxy;
    use header_mutation::{Mutations, Side};

    let mutations = Rc::new(Mutations::from_json(MUTATIONS.as_bytes()).unwrap());
    let headers = [
        (":status", &b"200"[..]),
        ("content-type", b"text/plain"),
        ("server", b"a"),
        ("x-old", b"1"),
        ("date", b"today"),
    ];
    let proxy = Proxy::default();
    let mut group = criterion.benchmark_group("header-mutation");
    for (name, side) in [("one set", Side::Request), ("five operations", Side::Response)] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || {
                    proxy.calls.borrow_mut().clear();
                    proxy.offer(side, &headers);
                    proxy.exchange(&mutations)
                },
                |mut exchange| match side {
                    Side::Request => {
                        black_box(exchange.request_headers(&proxy, &proxy.tally, &proxy.once));
                    }
                    _ => exchange.later(side, &proxy, &proxy.tally, &proxy.once),
                },
                BatchSize::PerIteration,
            );
        });
    }
}

fn redaction(criterion: &mut Criterion) {
    const SIZE: usize = 64 * 1024;
    let redaction = redaction::Redaction::from_json(REDACTION.as_bytes()).unwrap();
    let mut group = criterion.benchmark_group("redaction");
    for (name, dirty) in [("clean", false), ("dirty", true)] {
        let body = sample::json(SIZE, dirty);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_with_input(BenchmarkId::new("64 KiB of JSON", name), &body, |bencher, body| {
            bencher.iter(|| {
                let mut scanner = redaction::Scanner::new(&redaction.rules, redaction::Body::Json);
                scanner.scan(&redaction.rules, black_box(body.as_bytes()), true)
            });
        });
    }
}

fn blocklist(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("blocklist");
    for entries in [10, 100_000] {
        let blocklist = blocklist::Blocklist::from_json(list_of(entries).as_bytes()).unwrap();
        for (name, host, listed) in
            [("unlisted", "www.allowed.example:443", false), ("listed", "a.b.host7.blocked.test", true)]
        {
            assert_eq!(blocklist.admit(Some(host.as_bytes())).is_err(), listed, "{host}");
            group.bench_with_input(BenchmarkId::new(name, entries), host.as_bytes(), |bencher, host| {
                bencher.iter(|| blocklist.admit(Some(black_box(host))).is_ok());
            });
        }
    }
}

fn callout_enrichment(criterion: &mut Criterion) {
    let enrichment = callout_enrichment::Enrichment::from_json(ENRICHMENT.as_bytes()).unwrap();
    let headers = callout_enrichment::question::map(&[(":status", b"200".to_vec())]);
    let body = br#"{"headers": {"Accept": "*/*", "Host": "metadata.local", "User-Agent": "curl"}}"#;
    let answer = callout_enrichment::answer::Answer { headers: &headers, body, body_size: body.len() as u64 };
    criterion.bench_function("callout-enrichment/mapping", |bencher| {
        bencher.iter(|| callout_enrichment::mapping::enriched(&enrichment.map, black_box(&answer)).unwrap());
    });
}

fn http_timing(criterion: &mut Criterion) {
    let timing = http_timing::Timing::from_json(TIMING.as_bytes()).unwrap();
    let log = timing.log.unwrap();
    let given = filter_kit::testing::Given::request("GET", "/orders/1234/items?token=secret")
        .header(":authority", b"shop.example");
    let exchange =
        http_timing::Exchange { code: 200, duration: Some(12_000_000), ..http_timing::Exchange::default() };
    criterion.bench_function("http-timing/log line", |bencher| {
        bencher.iter(|| {
            http_timing::line::line(
                black_box(&given),
                &log,
                http_timing::Direction::Inbound,
                black_box(&exchange),
                1_767_225_600_123,
            )
        });
    });
}

/// The configuration of a blocklist of that many entries.
fn list_of(entries: u32) -> String {
    let names: Vec<String> = (0..entries).map(|entry| format!("\".host{entry}.blocked.test\"")).collect();
    format!(r#"{{"version": 1, "lists": [{{"name": "a", "entries": [{}]}}]}}"#, names.join(","))
}
