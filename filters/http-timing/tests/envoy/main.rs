//! http-timing in a real Envoy: what a scraper and a reader of the log see.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of this is a test: clippy knows only the functions marked so"
)]

mod ends;
mod grpc;
mod once;
mod reload;
mod streams;

use std::time::Duration;

use meshloom_lab::{Bootstrap, Envoy, Reply, Request, Starting, Upstream, metric, read_head, serving};
use serde_json::{Value, json};

/// The filter's bootstrap, with the configuration that is the default, at a listener of that direction.
fn bootstrap(direction: &'static str) -> Bootstrap {
    Bootstrap::filter("http-timing")
        .configure("http-timing", r#"{"version": 1}"#)
        .edit(|tree| tree["static_resources"]["listeners"][0]["traffic_direction"] = direction.into())
}

fn directed(upstream: &Upstream, direction: &'static str) -> Bootstrap {
    bootstrap(direction).upstream(upstream.address())
}

/// Everything that can be recorded.
const EXTENDED: &str = r#"{
    "version": 1, "long_lived_after": "300ms",
    "metrics": {"1xx": true, "none": true, "requests": true, "inflight": true, "ttfb": true, "upstream": true,
        "sizes": true, "local_replies": true, "resets": true, "grpc": true, "us": true},
    "slo": [{"name": "fast", "latency": "30s"}]
}"#;

/// An Envoy that records everything, with `route` in the action of its route.
fn extended(upstream: &Upstream, route: Value) -> Starting {
    let bootstrap = directed(upstream, "INBOUND").configure("http-timing", EXTENDED);
    Envoy::with(bootstrap.connection_manager(|manager| {
        let action = &mut manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"];
        for (field, value) in route.as_object().unwrap() {
            action[field] = value.clone();
        }
    }))
}

/// Inbound counters and gauges.
fn counts<const N: usize>(envoy: &Envoy, names: [&str; N]) -> [u64; N] {
    names.map(|name| envoy.stat(&format!("wasm_http_inbound_{name}")))
}

/// How many values of an inbound histogram are not above `bound`.
fn bucket(envoy: &Envoy, name: &str, bound: &str) -> u64 {
    let text = envoy.prometheus();
    let line = format!("wasm_http_inbound_{name}_bucket{{le=\"{bound}\"}} ");
    let value = text.lines().find_map(|other| other.strip_prefix(&line));
    value.unwrap_or_else(|| panic!("{line} is missing:\n{text}")).parse().unwrap()
}

/// The sum of the values of an inbound histogram.
fn sum(envoy: &Envoy, name: &str) -> f64 {
    let text = envoy.prometheus();
    let line = format!("wasm_http_inbound_{name}_sum{{}} ");
    text.lines().find_map(|other| other.strip_prefix(&line)).unwrap().parse().unwrap()
}

#[test]
fn every_stream_is_counted_once_in_its_class_and_direction() {
    for (traffic, direction, other) in [
        ("INBOUND", "inbound", "outbound"),
        ("OUTBOUND", "outbound", "inbound"),
        ("UNSPECIFIED", "inbound", "outbound"),
    ] {
        let upstream = Upstream::as_asked();
        let envoy = Envoy::with(directed(&upstream, traffic)).start();
        for (path, times) in [("/200", 4), ("/204", 1), ("/302", 3), ("/404", 2), ("/503", 1)] {
            for _ in 0..times {
                envoy.get(path).send();
            }
        }
        for (class, expected) in [("2xx", 5), ("3xx", 3), ("4xx", 2), ("5xx", 1)] {
            let name = format!("wasm_http_{direction}_responses_total_{class}");
            assert_eq!(envoy.stat(&name), expected, "{traffic} {class}");
        }
        envoy.wait_for_stat(&format!("wasm_http_{direction}_duration_ms_count"), 11);
        assert_eq!(envoy.stat(&format!("wasm_http_{other}_duration_ms_count")), 0, "{traffic}");
    }
}

#[test]
fn a_direction_that_is_given_is_not_asked_for() {
    let upstream = Upstream::as_asked();
    let json = r#"{"version": 1, "direction": "outbound"}"#;
    let envoy = Envoy::with(directed(&upstream, "INBOUND").configure("http-timing", json)).start();
    envoy.get("/200").send();
    envoy.wait_for_stat("wasm_http_outbound_responses_total_2xx", 1);
    assert_eq!(envoy.stat("wasm_http_inbound_responses_total_2xx"), 0);
}

/// The bootstrap with a second listener like the first, but for what `edit` changes. One worker, one VM.
fn with_second_listener(bootstrap: Bootstrap, edit: impl FnOnce(&mut Value)) -> Bootstrap {
    bootstrap.edit(|tree| {
        let mut second = tree["static_resources"]["listeners"][0].clone();
        second["name"] = "second".into();
        edit(&mut second);
        tree["static_resources"]["listeners"].as_array_mut().unwrap().push(second);
    })
}

/// Sends as many requests to each of the two listeners.
fn send(envoy: &Envoy, times: [(&str, usize); 2]) {
    let statuses: Value = serde_json::from_str(&envoy.admin_get("/listeners?format=json")).unwrap();
    for (listener, times) in times {
        let statuses = statuses["listener_statuses"].as_array().unwrap();
        let found = statuses.iter().find(|status| status["name"] == listener).unwrap();
        let port = found["local_address"]["socket_address"]["port_value"].as_u64().unwrap();
        let address = ([127, 0, 0, 1], u16::try_from(port).unwrap()).into();
        for _ in 0..times {
            assert_eq!(Request::new(address, "GET", "/200").send().status, 200);
        }
    }
}

#[test]
fn two_listeners_of_one_plugin_keep_their_directions_apart() {
    let upstream = Upstream::as_asked();
    // The plugins differ in nothing but the listener they stand in.
    let bootstrap = with_second_listener(directed(&upstream, "INBOUND"), |listener| {
        listener["traffic_direction"] = "OUTBOUND".into();
    });
    let envoy = Envoy::with(bootstrap).start();
    send(&envoy, [("http", 2), ("second", 3)]);
    envoy.wait_for_stat("wasm_http_inbound_responses_total_2xx", 2);
    envoy.wait_for_stat("wasm_http_outbound_responses_total_2xx", 3);
}

#[test]
fn two_plugins_in_one_vm_keep_their_configurations_apart() {
    let upstream = Upstream::as_asked();
    let configuration = |listener: &mut Value| {
        let filter = "/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config/config";
        let value = listener.pointer_mut(&format!("{filter}/configuration/value")).unwrap();
        *value = r#"{"version": 1, "direction": "outbound", "log": {"enabled": true}}"#.into();
    };
    let envoy = Envoy::with(with_second_listener(directed(&upstream, "INBOUND"), configuration)).start();
    for _ in 0..2 {
        send(&envoy, [("second", 2), ("http", 3)]);
    }
    envoy.wait_for_stat("wasm_http_outbound_responses_total_2xx", 4);
    envoy.wait_for_stat("wasm_http_inbound_responses_total_2xx", 6);
    let log = envoy.log();
    assert_eq!(log.matches(r#""direction":"outbound""#).count(), 4, "{log}");
    assert_eq!(log.matches(r#""direction":"inbound""#).count(), 0, "{log}");
}

#[test]
fn durations_are_milliseconds_of_the_whole_exchange() {
    let upstream = Upstream::as_asked();
    let envoy = Envoy::with(directed(&upstream, "INBOUND")).start();
    for _ in 0..3 {
        envoy.get("/200/300").send();
    }
    envoy.wait_for_stat("wasm_http_inbound_duration_ms_count", 3);
    let text = envoy.prometheus();
    let bucket = |bound: &str| {
        let line = format!("wasm_http_inbound_duration_ms_bucket{{le=\"{bound}\"}} ");
        text.lines().find_map(|other| other.strip_prefix(&line)).map(str::to_owned)
    };
    // The bounds are those of the bootstrap: Envoy's own have 250 and no 200.
    assert_eq!((bucket("200"), bucket("500")), (Some("0".into()), Some("3".into())), "{text}");
    assert_eq!(bucket("250"), None, "{text}");
}

#[test]
fn the_log_line_is_one_json_object_without_the_query() {
    let upstream = Upstream::as_asked();
    let json = r#"{"version": 1, "log": {"enabled": true, "max_path": 16}}"#;
    let bootstrap = directed(&upstream, "INBOUND").configure("http-timing", json);
    let envoy = Envoy::with(bootstrap).start();
    envoy.request("POST", "/404/a%22b/very/long/path?token=hunter2").header("host", "shop.test").send();
    envoy.wait_for_log("\"authority\"");
    let log = envoy.log();
    let line = log.lines().find(|line| line.contains("\"authority\"")).unwrap();
    let json = &line[line.find('{').unwrap()..=line.rfind('}').unwrap()];
    let value: Value = serde_json::from_str(json).unwrap();
    assert_eq!(value["method"], "POST");
    assert_eq!(value["path"], "/404/a%22b/very/");
    assert_eq!(value["authority"], "shop.test");
    assert_eq!(value["code"], 404);
    assert_eq!(value["direction"], "inbound");
    assert!(value["duration_ms"].is_u64());
    assert!(!log.contains("hunter2"), "{log}");
}

#[test]
fn metrics_carry_the_names_of_the_lab_and_nothing_of_a_request() {
    let upstream = Upstream::as_asked();
    // As Istio's proxy: of what is Envoy's own, little is kept (istio, `envoy_bootstrap.json`, `stats_matcher`).
    let bootstrap = directed(&upstream, "INBOUND").edit(|tree| {
        tree["stats_config"]["stats_matcher"] =
            json!({"inclusion_list": {"patterns": [{"prefix": "reporter="}, {"prefix": "wasm"}]}});
    });
    let envoy = Envoy::with(bootstrap).start();
    envoy.get("/200?user=ada").header("host", "shop.test").send();
    let stats = envoy.admin_get("/stats");
    let mut names: Vec<&str> = stats
        .lines()
        .filter(|line| line.starts_with("wasmcustom."))
        .filter_map(|line| line.split_once(':').map(|(name, _)| name))
        .collect();
    let mut expected: Vec<String> = Vec::new();
    for direction in ["inbound", "outbound"] {
        for what in ["duration_ms", "stream_duration_ms"] {
            expected.push(format!("wasmcustom.wasm_http_{direction}_{what}"));
        }
        for class in ["2xx", "3xx", "4xx", "5xx"] {
            expected.push(format!("wasmcustom.wasm_http_{direction}_responses_total_{class}"));
        }
    }
    for what in [
        "clock_errors",
        "config_loads",
        "config_rejects",
        "errors",
        "log_dropped",
        "log_lines",
        "missing_attributes",
    ] {
        expected.push(format!("wasmcustom.wasm_http_timing_{what}_total"));
    }
    names.sort_unstable();
    expected.sort();
    assert_eq!(names, expected);
    // To Prometheus they have no prefix at all.
    assert_eq!(metric(&envoy.prometheus(), "wasm_http_inbound_responses_total_2xx"), Some(1));
    assert_eq!(metric(&envoy.prometheus(), "wasm_http_timing_missing_attributes_total"), Some(0));
}

#[test]
fn the_tag_of_istio_is_a_label() {
    let upstream = Upstream::as_asked();
    let json = r#"{"version": 1, "metrics": {"tag_style": "istio"}, "slices": [
        {"name": "api", "when": {"methods": ["GET"]}}]}"#;
    let bootstrap = directed(&upstream, "INBOUND").configure("http-timing", json).edit(|tree| {
        // Istio's own (istio, `envoy_bootstrap.json`).
        tree["stats_config"]["stats_tags"] =
            json!([{"tag_name": "wasm_filter", "regex": "(wasm_filter\\.(.+?)\\.)"}]);
    });
    let envoy = Envoy::with(bootstrap).start();
    envoy.get("/200").send();
    let text = envoy.prometheus();
    for name in ["responses_total_2xx", "api_responses_total_2xx"] {
        let line = format!("wasm_http_inbound_{name}{{wasm_filter=\"http-timing\"}} 1\n");
        assert!(text.contains(&line), "{line} is missing:\n{text}");
    }
}

#[test]
fn an_envoy_that_withholds_callbacks_calls_only_what_the_rest_needs() {
    let upstream = Upstream::as_asked();
    let allowed = [
        "clock_time_get",
        "proxy_call_foreign_function",
        "proxy_define_metric",
        "proxy_get_buffer_bytes",
        "proxy_get_current_time_nanoseconds",
        "proxy_get_header_map_pairs",
        "proxy_get_header_map_value",
        "proxy_get_property",
        "proxy_increment_metric",
        "proxy_log",
        "proxy_on_configure",
        "proxy_on_log",
        "proxy_on_tick",
        "proxy_record_metric",
        "proxy_set_tick_period_milliseconds",
        "random_get",
    ];
    let allowed: serde_json::Map<String, Value> =
        allowed.into_iter().map(|name| (name.to_owned(), json!({}))).collect();
    for (restriction, callbacks) in [(json!({"allowed_capabilities": allowed}), 0), (json!({}), 1)] {
        let bootstrap = directed(&upstream, "OUTBOUND").connection_manager(|manager| {
            let config = &mut manager["http_filters"][0]["typed_config"]["config"];
            config["capability_restriction_config"] = restriction.clone();
        });
        let envoy = Envoy::with(bootstrap).log_level("trace").start();
        assert_eq!(envoy.get("/404").send().status, 404);
        envoy.wait_for_stat("wasm_http_outbound_responses_total_4xx", 1);
        envoy.wait_for_stat("wasm_http_outbound_duration_ms_count", 1);
        let log = envoy.log();
        for callback in ["proxy_on_request_headers", "proxy_on_response_headers"] {
            assert_eq!(log.matches(&format!("[host->vm] {callback}(")).count(), callbacks, "{callback}");
        }
    }
}
