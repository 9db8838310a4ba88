//! http-timing as the proxy runs it: what a scraper and a reader of the log see.

use std::time::Duration;

use proxy_wasm_harness::{Host, HostBuilder, Level, Metric, Plugin, Response, Status, budget, filter, json};
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
    let names = names();
    assert_eq!((&names, names.len()), (&before, 10));
    assert!(
        names
            .iter()
            .all(|name| name.starts_with("wasm_http_inbound_") || name.starts_with("wasm_http_outbound_"))
    );
    assert_eq!(host.metric("wasm_http_inbound_duration_ms"), Some(Metric::Histogram(vec![0])));
}

#[test]
fn the_log_line_is_one_json_object_without_the_query_whatever_the_client_sends() {
    let host = at(OUTBOUND, json!({"version": 1, "log": {"enabled": true, "max_path": 16}}));
    let stream =
        host.request("POST", b"/404/a\"b\xff/very/long/path?token=hunter2").authority(b"sh\xe9p.test");
    let stream = stream.send();
    host.advance(Duration::from_millis(12));
    stream.respond(Response::new(404));
    let lines = host.logs(Level::Info);
    assert_eq!(lines.len(), 1);
    assert!(!lines[0].contains(['\n', '\u{0}']) && !lines[0].contains("hunter2"), "{}", lines[0]);
    let line: Json = serde_json::from_str(&lines[0]).unwrap();
    assert_eq!(line["method"], "POST");
    assert!(line["path"].as_str().unwrap().starts_with("/404/a\"b"), "{line}");
    assert_eq!(
        (&line["code"], &line["direction"], &line["duration_ms"]),
        (&404.into(), &"outbound".into(), &12.into())
    );
}

#[test]
fn a_path_of_a_megabyte_is_logged_in_part_and_its_memory_used_again() {
    let host = at(INBOUND, json!({"version": 1, "log": {"enabled": true, "max_path": 100}}));
    let path = format!("/{}", "x".repeat(1 << 20));
    let send = || drop(host.get(&path).send().respond(Response::new(200)).received());
    send();
    let (memory, lines) = (host.memory_bytes(), host.logs(Level::Info));
    assert!(lines[0].len() < 300, "{} bytes", lines[0].len());
    (0..20).for_each(|_| send());
    assert_eq!(host.memory_bytes(), memory);
}

#[test]
fn a_proxy_that_answers_nothing_is_survived() {
    for hostcall in
        ["proxy_get_property", "proxy_get_header_map_value", "proxy_record_metric", "proxy_increment_metric"]
    {
        for status in [Status::NotFound, Status::BadArgument, Status::InternalFailure] {
            let host = at(INBOUND, json!({"version": 1, "log": {"enabled": true}}));
            host.fail(hostcall, status, 100);
            exchange(&host, 200, 5);
            host.heal();
            exchange(&host, 200, 7);
            assert_eq!(durations(&host, "inbound").last(), Some(&7), "{hostcall} {status:?}");
            assert_eq!(host.traps(), [] as [String; 0], "{hostcall} {status:?}");
        }
    }
}

#[test]
fn no_memory_for_an_answer_is_survived() {
    let host = at(INBOUND, json!({"version": 1}));
    host.fail_malloc_after(0);
    exchange(&host, 200, 5);
    host.heal();
    exchange(&host, 200, 7);
    assert_eq!((responses(&host, "inbound")[0], durations(&host, "inbound")), (1, vec![7]));
    assert_eq!(host.traps(), [] as [String; 0]);
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
    let line = |path: &str| {
        format!(
            r#"{{"direction":"inbound","method":"GET","path":"{path}","authority":"example.com","code":200,"duration_ms":0}}"#
        )
    };
    let expected: Vec<String> = (0..4).flat_map(|_| [line("/o"), line("/ord")]).collect();
    assert_eq!(host.logs(Level::Info), expected);
    assert_eq!((responses(&host, "inbound")[0], responses(&host, "outbound")[0]), (8, 4));
    // One VM for all three on each worker: each stream is asked for by an expression.
    assert_eq!(host.transcript().matches("expr_evaluate").count(), 4 * 3);
}

#[test]
fn a_stream_is_recorded_by_the_configuration_it_began_with() {
    let host = at(INBOUND, json!({"version": 1}));
    let before = host.get("/").send();
    host.reconfigure("http-timing", r#"{"version": 1, "direction": "outbound"}"#).unwrap();
    exchange(&host, 200, 1);
    before.respond(Response::new(404));
    assert_eq!((responses(&host, "inbound"), responses(&host, "outbound")), ([0, 0, 1, 0], [1, 0, 0, 0]));
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

#[test]
fn a_stream_costs_no_more_than_its_budget() {
    let cost = |configuration: Json| {
        let host = at(INBOUND, configuration);
        // A first stream makes memory ready that others find ready.
        exchange(&host, 200, 1);
        let stream = host.get("/orders/1234/items?token=secret").send();
        stream.respond(Response::ok("hello"));
        stream.costs()
    };
    budget!("recorded").assert(&cost(json!({"version": 1})));
    budget!("recorded_in_a_given_direction").assert(&cost(json!({"version": 1, "direction": "inbound"})));
    budget!("recorded_and_logged").assert(&cost(json!({"version": 1, "log": {"enabled": true}})));
}
