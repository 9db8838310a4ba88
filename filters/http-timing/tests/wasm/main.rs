//! http-timing as the proxy runs it: what a scraper and a reader of the log see.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "all of this is a test: clippy knows only the functions marked so"
)]

mod extras;
mod hostile;
mod log;
mod long_lived;
mod update;

use std::time::Duration;

use proxy_wasm_harness::{
    Costs, Host, HostBuilder, Level, Metric, Plugin, Response, Status, budget, filter, json,
};
use serde_json::Value as Json;

/// Envoy's `TrafficDirection`.
const UNSPECIFIED: i64 = 0;
const INBOUND: i64 = 1;
const OUTBOUND: i64 = 2;

fn at(direction: i64, configuration: Json) -> Host {
    builder(direction).plugin(filter("http-timing").json(&configuration)).start()
}

fn builder(direction: i64) -> HostBuilder {
    Host::envoy().property("xds.listener_direction", direction)
}

/// An exchange that ends with that status, and begins so many milliseconds before.
fn exchange(host: &Host, status: u32, milliseconds: u64) {
    let stream = host.get("/").send();
    host.advance(Duration::from_millis(milliseconds));
    assert_eq!(stream.respond(Response::new(status)).received().status(), status);
}

fn responses(host: &Host, direction: &str) -> [u64; 4] {
    ["2xx", "3xx", "4xx", "5xx"]
        .map(|class| host.counter(&format!("wasm_http_{direction}_responses_total_{class}")))
}

fn durations(host: &Host, direction: &str) -> Vec<u64> {
    host.histogram(&format!("wasm_http_{direction}_duration_ms"))
}

#[test]
fn every_stream_is_counted_once_in_its_class_and_direction() {
    for (traffic, direction, other) in [
        (INBOUND, "inbound", "outbound"),
        (OUTBOUND, "outbound", "inbound"),
        (UNSPECIFIED, "inbound", "outbound"),
        (-7, "inbound", "outbound"),
    ] {
        let host = at(traffic, json!({"version": 1}));
        for (status, times) in [(200, 4), (204, 1), (302, 3), (404, 2), (503, 1), (101, 1)] {
            (0..times).for_each(|_| exchange(&host, status, 0));
        }
        assert_eq!(responses(&host, direction), [5, 3, 2, 1], "{traffic}");
        assert_eq!(durations(&host, direction).len(), 12, "{traffic}");
        assert_eq!((responses(&host, other), durations(&host, other)), ([0; 4], vec![]), "{traffic}");
        host.assert_no_findings();
        host.assert_nothing_leaked();
    }
}

#[test]
fn durations_are_milliseconds_of_the_whole_exchange() {
    let host = at(INBOUND, json!({"version": 1}));
    exchange(&host, 200, 300);
    exchange(&host, 200, 0);
    let slow = host.post("/").open();
    host.advance(Duration::from_micros(1_500));
    slow.data("a", false);
    host.advance(Duration::from_secs(3600));
    slow.data("b", true).respond_headers(&Response::new(200), false);
    host.advance(Duration::from_secs(1));
    slow.respond_data("c", true);
    assert_eq!(durations(&host, "inbound"), [300, 0, 3_601_002]);
}

#[test]
fn a_direction_that_is_given_is_not_asked_for() {
    let host = at(INBOUND, json!({"version": 1, "direction": "outbound"}));
    exchange(&host, 200, 7);
    assert_eq!((responses(&host, "outbound"), durations(&host, "outbound")), ([1, 0, 0, 0], vec![7]));
    assert_eq!(responses(&host, "inbound"), [0; 4]);
    assert!(!host.transcript().contains("listener_direction"));
}

#[test]
fn a_listener_that_does_not_say_has_the_default_direction() {
    let host = at(UNSPECIFIED, json!({"version": 1, "default_direction": "outbound"}));
    exchange(&host, 200, 0);
    assert_eq!(responses(&host, "outbound"), [1, 0, 0, 0]);
}

#[test]
fn listeners_of_both_directions_share_a_plugin() {
    let host = filter("http-timing").configure(json!({"version": 1}));
    for (direction, times) in [(INBOUND, 2), (OUTBOUND, 3)] {
        for _ in 0..times {
            let request = host.get("/").property("xds.listener_direction", direction);
            request.send().respond(Response::new(200));
        }
    }
    assert_eq!((responses(&host, "inbound")[0], responses(&host, "outbound")[0]), (2, 3));
}

#[test]
fn a_stream_without_a_response_has_a_duration_and_no_class() {
    let host = at(INBOUND, json!({"version": 1}));
    let gone = host.get("/").send();
    host.advance(Duration::from_millis(100));
    gone.disconnect();
    assert_eq!((responses(&host, "inbound"), durations(&host, "inbound")), ([0; 4], vec![100]));
}

#[test]
fn what_the_proxy_or_another_filter_answers_is_counted_too() {
    let blocklist =
        filter("blocklist").json(&json!({"version": 1, "lists": [{"name": "a", "entries": ["a.test"]}]}));
    // Last in the chain: the request is answered before it comes here.
    let host = builder(INBOUND).plugin(blocklist).plugin(filter("http-timing")).start();
    assert_eq!(host.get("/").authority("a.test").send().answered().status(), 451);
    host.get("/").send().upstream_resets();
    assert_eq!(responses(&host, "inbound"), [0, 0, 1, 1]);
    assert_eq!(durations(&host, "inbound").len(), 2);
    host.assert_nothing_leaked();
}

#[test]
fn a_status_of_another_class_is_counted_in_none() {
    let host = at(INBOUND, json!({"version": 1}));
    for status in [101, 600, 999] {
        exchange(&host, status, 0);
    }
    assert_eq!((responses(&host, "inbound"), durations(&host, "inbound").len()), ([0; 4], 3));
}

#[test]
fn metrics_carry_fixed_names_and_nothing_of_a_request() {
    let host = at(INBOUND, json!({"version": 1}));
    let names = || host.metrics().into_iter().map(|(name, _)| name).collect::<Vec<String>>();
    let before = names();
    host.get("/200?user=ada").authority("shop.test").send().respond(Response::new(200));
    let mut found = names();
    assert_eq!(found, before);
    let own = [
        "clock_errors_total",
        "config_loads_total",
        "config_rejects_total",
        "errors_total",
        "log_dropped_total",
        "log_lines_total",
        "missing_attributes_total",
    ];
    let mut expected: Vec<String> = own.map(|what| format!("wasm_http_timing_{what}")).into();
    for direction in ["inbound", "outbound"] {
        for what in ["duration_ms", "stream_duration_ms"] {
            expected.push(format!("wasm_http_{direction}_{what}"));
        }
        for class in 2..=5 {
            expected.push(format!("wasm_http_{direction}_responses_total_{class}xx"));
        }
    }
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    assert_eq!(host.metric("wasm_http_inbound_duration_ms"), Some(Metric::Histogram(vec![0])));
}

fn named(name: &str, configuration: Json) -> Plugin {
    filter("http-timing").name(name).root_id(name).json(&configuration)
}

#[test]
fn plugins_in_one_vm_keep_their_configurations_apart() {
    let host = builder(INBOUND)
        .plugin(named("one", json!({"version": 1})))
        .plugin(named("two", json!({"version": 1, "direction": "outbound", "log": {"enabled": true}})))
        .plugin(named("three", json!({"version": 1})))
        .start();
    exchange(&host, 404, 3);
    assert_eq!((responses(&host, "inbound"), durations(&host, "inbound")), ([0, 0, 2, 0], vec![3, 3]));
    assert_eq!((responses(&host, "outbound"), durations(&host, "outbound")), ([0, 0, 1, 0], vec![3]));
    assert_eq!(host.logs(Level::Info).len(), 1);
    host.assert_no_findings();
}

#[test]
fn plugins_that_share_a_vm_by_its_id_are_told_apart_on_every_worker() {
    let logged = |name, max_path| {
        named(name, json!({"version": 1, "log": {"enabled": true, "max_path": max_path}})).vm_id("shared")
    };
    let outbound = named("third", json!({"version": 1, "direction": "outbound"})).vm_id("shared");
    let host = builder(INBOUND)
        .workers(2)
        .plugin(logged("first", 2))
        .plugin(logged("second", 4))
        .plugin(outbound)
        .start();
    for _ in 0..4 {
        host.get("/orders").send().respond(Response::new(200));
    }
    let paths: Vec<Json> = log::lines(&host).into_iter().map(|line| line["path"].clone()).collect();
    assert_eq!(paths, ["/o", "/ord", "/o", "/ord", "/o", "/ord", "/o", "/ord"]);
    assert_eq!((responses(&host, "inbound")[0], responses(&host, "outbound")[0]), (8, 4));
    // One VM for all three on each worker: each stream is asked for by an expression.
    assert_eq!(host.transcript().matches("expr_evaluate").count(), 4 * 3);
}

#[test]
fn every_mistake_of_a_configuration_is_named() {
    let refusal = filter("http-timing").refuses(json!({
        "default_direction": "sideways", "log": {"enable": true, "max_path": 0}, "labels": [],
    }));
    let problems = refusal.logged(Level::Error);
    let fields: Vec<&str> = problems.iter().filter_map(|problem| problem.split('`').nth(1)).collect();
    assert_eq!(
        fields,
        ["labels", "version", "default_direction", "log.enable", "log.enabled", "log.max_path"]
    );
}

/// What a stream costs after a first one, which makes memory ready that others find ready.
fn cost(configuration: Json) -> Costs {
    let host = at(INBOUND, configuration);
    exchange(&host, 200, 1);
    let stream = host.get("/orders/1234/items?token=secret").send();
    stream.respond(Response::ok("hello"));
    stream.costs()
}

#[test]
fn a_stream_costs_no_more_than_its_budget() {
    budget!("recorded").assert(&cost(json!({"version": 1})));
    budget!("recorded_in_a_given_direction").assert(&cost(json!({"version": 1, "direction": "inbound"})));
    budget!("recorded_and_logged").assert(&cost(json!({"version": 1, "log": {"enabled": true}})));
}

#[test]
fn each_extra_makes_only_the_hostcalls_that_it_needs() {
    let base = cost(json!({"version": 1})).total().hostcalls;
    // The header, the duration, the direction, and two metrics.
    assert_eq!(base, 5);
    for (extra, more) in [
        ("1xx", 0),
        ("none", 0),
        ("requests", 1),
        ("us", 1),
        // Up and down.
        ("inflight", 2),
        // The clock twice, and the histogram.
        ("ttfb", 3),
        ("upstream", 2),
        ("sizes", 4),
        // Of a response by the upstream, and of a stream that nobody reset.
        ("local_replies", 1),
        ("resets", 1),
        ("grpc", 1),
    ] {
        let hostcalls = cost(json!({"version": 1, "metrics": {extra: true}})).total().hostcalls;
        assert_eq!(hostcalls, base + more, "{extra}");
    }
    let all = json!({"version": 1, "metrics": {
        "1xx": true, "none": true, "requests": true, "inflight": true, "ttfb": true, "upstream": true, "sizes": true,
        "local_replies": true, "resets": true, "grpc": true, "us": true,
    }});
    budget!("recorded_with_all_extras").assert(&cost(all));
    budget!("recorded_in_a_slice").assert(&cost(json!({"version": 1, "slices": [
        {"name": "orders", "when": {"paths": [{"prefix": "/orders/"}]}},
        {"name": "carts", "when": {"paths": [{"prefix": "/carts/"}]}},
    ]})));
    // A counter for all, and one for the good.
    let slo = json!({"version": 1, "slo": [{"name": "fast", "latency": "300ms"}]});
    assert_eq!(cost(slo).total().hostcalls, base + 2);
    let ignoring = json!({"version": 1, "ignore": {"paths": [{"exact": "/healthz"}]}});
    assert_eq!(cost(ignoring).total().hostcalls, base + 1);
    // The path alone.
    let ignored = json!({"version": 1, "ignore": {"paths": [{"prefix": "/orders/"}]}});
    assert_eq!(cost(ignored).total().hostcalls, 1);
    // A line that is not drawn, or not wanted, costs nothing.
    let quiet = json!({"version": 1, "log": {"enabled": true, "only_status": ["5xx"]}});
    assert_eq!(cost(quiet).total().hostcalls, base);
}
