//! Configurations that change while streams go on.

use super::*;

#[test]
fn a_stream_is_recorded_by_the_configuration_it_began_with() {
    let host = at(INBOUND, json!({"version": 1}));
    let before = host.get("/").send();
    host.reconfigure("http-timing", r#"{"version": 1, "direction": "outbound"}"#).unwrap();
    exchange(&host, 200, 1);
    before.respond(Response::new(404));
    assert_eq!((responses(&host, "inbound"), responses(&host, "outbound")), ([0, 0, 1, 0], [1, 0, 0, 0]));
}

fn defined(host: &Host) -> usize {
    host.transcript().matches("proxy_define_metric").count()
}

#[test]
fn a_changed_configuration_defines_no_metric_again_and_resets_none() {
    let host = at(INBOUND, json!({"version": 1}));
    exchange(&host, 200, 5);
    let before = (defined(&host), host.metrics().len());
    for n in 0..24 {
        let log = json!({"version": 1, "log": {"enabled": false, "max_path": n + 1}});
        host.reconfigure("http-timing", log.to_string()).unwrap();
        exchange(&host, 200, 5);
        assert_eq!(responses(&host, "inbound")[0], n + 2);
    }
    assert_eq!(durations(&host, "inbound"), [5; 25]);
    // The VM that tries a configuration first defines its own each time.
    let tries = (defined(&host) - before.0) / before.1;
    assert!(tries <= 24 && (defined(&host) - before.0).is_multiple_of(before.1), "{tries}");
    assert_eq!(host.metrics().len(), before.1);
    host.assert_no_findings();
}

#[test]
fn a_refused_configuration_is_counted_and_the_old_one_stays() {
    let host = at(INBOUND, json!({"version": 1}));
    let loads = host.counter("wasm_http_timing_config_loads_total");
    assert!(host.reconfigure("http-timing", r#"{"version": 2}"#).is_err());
    exchange(&host, 200, 5);
    assert_eq!(responses(&host, "inbound")[0], 1);
    assert_eq!(host.counter("wasm_http_timing_config_rejects_total"), 1);
    assert_eq!(host.counter("wasm_http_timing_config_loads_total"), loads);
}

#[test]
fn a_stream_is_under_way_under_the_configuration_it_began_with() {
    let config = |direction| json!({"version": 1, "direction": direction, "metrics": {"inflight": true, "ttfb": true}});
    let host = at(INBOUND, config("inbound"));
    let before = host.get("/").send();
    host.reconfigure("http-timing", config("outbound").to_string()).unwrap();
    let after = host.get("/").send();
    let inflight = || ["inbound", "outbound"].map(|way| host.gauge(&format!("wasm_http_{way}_inflight")));
    assert_eq!(inflight(), [1, 1]);
    before.respond(Response::new(200));
    assert_eq!(inflight(), [0, 1]);
    after.disconnect();
    assert_eq!(inflight(), [0, 0]);
    assert_eq!(host.histogram("wasm_http_inbound_ttfb_ms"), [0]);
}

#[test]
fn a_configuration_that_is_gone_is_forgotten_and_streams_cost_what_they_did() {
    let host = at(INBOUND, json!({"version": 1}));
    let hostcalls = || {
        let stream = host.get("/").send();
        stream.respond(Response::new(200));
        stream.costs().total().hostcalls
    };
    assert_eq!(hostcalls(), 5);
    host.reconfigure("http-timing", r#"{"version": 1, "default_direction": "outbound"}"#).unwrap();
    // Whose the stream is has to be asked.
    assert_eq!(hostcalls(), 6);
    host.advance(Duration::from_secs(600));
    assert_eq!(hostcalls(), 5);
    assert_eq!(responses(&host, "inbound")[0], 3);
}

#[test]
fn plugins_that_live_are_never_forgotten() {
    let host = builder(INBOUND)
        .plugin(named("one", json!({"version": 1})).vm_id("shared"))
        .plugin(named("two", json!({"version": 1, "direction": "outbound"})).vm_id("shared"))
        .start();
    host.advance(Duration::from_secs(86_400));
    exchange(&host, 200, 1);
    assert_eq!((responses(&host, "inbound")[0], responses(&host, "outbound")[0]), (1, 1));
}

#[test]
fn a_thousand_configurations_take_no_more_memory_than_ten() {
    let host = builder(INBOUND).plugin(filter("http-timing")).without_transcript().start();
    let update = |n: usize| {
        let slices: Vec<Json> = (0..16)
            .map(|slice| json!({"name": format!("s{slice}"), "when": {"paths": [{"prefix": format!("/{n}/{slice}")}]}}))
            .collect();
        let config = json!({"version": 1, "slices": slices, "slo": [{"name": "up"}]});
        host.reconfigure("http-timing", config.to_string()).unwrap();
        exchange(&host, 200, 1);
        host.advance(Duration::from_secs(600));
    };
    (0..10).for_each(update);
    let memory = host.memory_bytes();
    (10..1000).for_each(update);
    assert_eq!(host.memory_bytes(), memory);
    assert_eq!(durations(&host, "inbound").len(), 1000);
}
