//! What is recorded only where it is switched on.

use super::*;

fn with(extras: Json) -> Host {
    at(OUTBOUND, json!({"version": 1, "metrics": extras}))
}

fn count(host: &Host, what: &str) -> u64 {
    host.counter(&format!("wasm_http_outbound_{what}"))
}

fn values(host: &Host, what: &str) -> Vec<u64> {
    host.histogram(&format!("wasm_http_outbound_{what}"))
}

fn inflight(host: &Host) -> u64 {
    host.gauge("wasm_http_outbound_inflight")
}

#[test]
fn informational_and_unanswered_streams_and_all_of_them_are_counted() {
    let host = with(json!({"1xx": true, "none": true, "requests": true}));
    exchange(&host, 101, 0);
    exchange(&host, 200, 0);
    host.get("/").send().disconnect();
    host.get("/").http2().send().reset_by_client();
    assert_eq!((count(&host, "responses_total_1xx"), count(&host, "responses_total_none")), (1, 2));
    assert_eq!(count(&host, "requests_total"), 4);
}

#[test]
fn times_of_parts_are_recorded_beside_the_whole() {
    let host = with(json!({"ttfb": true, "upstream": true, "us": true}));
    let stream = host.get("/").send();
    host.advance(Duration::from_micros(30_250));
    stream.respond_headers(&Response::new(200), false);
    host.advance(Duration::from_millis(400));
    stream.respond_data("a", true);
    assert_eq!((values(&host, "ttfb_ms"), values(&host, "duration_ms")), (vec![30], vec![430]));
    assert_eq!((values(&host, "duration_us"), values(&host, "upstream_ms")), (vec![430_250], vec![430]));
    // Without a response there is no first byte of one, and nothing that the upstream took.
    let gone = host.get("/").send();
    host.advance(Duration::from_millis(9));
    gone.disconnect();
    assert_eq!((values(&host, "ttfb_ms").len(), values(&host, "upstream_ms").len()), (1, 1));
    assert_eq!(values(&host, "duration_ms"), [430, 9]);
}

#[test]
fn sizes_are_of_headers_and_body() {
    let host = with(json!({"sizes": true}));
    host.post("/").body("x".repeat(1000)).send().respond(Response::ok("y".repeat(5000)));
    let [request] = values(&host, "request_bytes").try_into().unwrap();
    let [response] = values(&host, "response_bytes").try_into().unwrap();
    assert!((1000..1200).contains(&request) && (5000..5200).contains(&response), "{request} {response}");
}

#[test]
fn streams_under_way_are_counted_up_and_down_however_they_end() {
    let host = with(json!({"inflight": true}));
    let streams: Vec<_> = (0..5).map(|_| host.get("/").http2().send()).collect();
    assert_eq!(inflight(&host), 5);
    streams[0].respond(Response::new(200));
    assert_eq!(inflight(&host), 4);
    streams[1].disconnect();
    streams[2].upstream_resets();
    streams[3].reset_by_client();
    assert_eq!(inflight(&host), 1);
    streams[4].respond_headers(&Response::new(200), false);
    assert_eq!(inflight(&host), 1);
    streams[4].upstream_disconnects();
    assert_eq!(inflight(&host), 0);
    host.assert_nothing_leaked();
}

#[test]
fn a_stream_that_never_came_here_is_not_under_way() {
    let blocklist =
        filter("blocklist").json(&json!({"version": 1, "lists": [{"name": "a", "entries": ["a.test"]}]}));
    let timing = filter("http-timing").json(&json!({"version": 1, "metrics": {
        "inflight": true, "ttfb": true, "local_replies": true,
    }}));
    let host = builder(OUTBOUND).plugin(blocklist).plugin(timing).start();
    assert_eq!(host.get("/").authority("a.test").send().answered().status(), 451);
    assert_eq!((inflight(&host), responses(&host, "outbound")), (0, [0, 0, 1, 0]));
    // It was Envoy's own answer, and its first byte passed unseen.
    assert_eq!((count(&host, "local_replies_total"), values(&host, "ttfb_ms")), (1, vec![]));
}

#[test]
fn who_broke_a_stream_is_told_by_envoys_flags() {
    let host = with(json!({"resets": true, "local_replies": true}));
    // UR and UC, as Envoy sets them.
    host.get("/").property("response.flags", 0x10_u64).send().upstream_resets();
    host.get("/").property("response.flags", 0x40_u64).send().upstream_disconnects();
    host.get("/").send().disconnect();
    host.get("/").http2().send().reset_by_client();
    exchange(&host, 503, 0);
    assert_eq!((count(&host, "resets_total_upstream"), count(&host, "resets_total_downstream")), (2, 2));
    // The 503s that Envoy made of the first two.
    assert_eq!(count(&host, "local_replies_total"), 2);
}

#[test]
fn grpc_calls_are_counted_by_their_own_status() {
    let host = with(json!({"grpc": true, "grpc_client_errors": ["NOT_FOUND", 8]}));
    let call = || host.post("/shop.Shop/Buy").http2().header("content-type", "application/grpc").send();
    let answer = || Response::new(200).with_header("content-type", "application/grpc");
    call().respond(answer().with_body("\0").with_trailer("grpc-status", "0"));
    call().respond(answer().with_trailer("grpc-status", "8"));
    call().respond(answer().with_trailer("grpc-status", "13"));
    // Trailers alone: they are the headers.
    call().respond(answer().with_header("grpc-status", "5"));
    // No status at all is UNKNOWN, and an odd one no better.
    call().respond(answer());
    call().respond(answer().with_trailer("grpc-status", "hello"));
    // A client that leaves has none.
    call().disconnect();
    exchange(&host, 200, 0);
    let outcomes =
        ["ok", "client_error", "server_error"].map(|what| count(&host, &format!("grpc_total_{what}")));
    assert_eq!(outcomes, [1, 2, 3]);
    assert_eq!(responses(&host, "outbound"), [7, 0, 0, 0]);
}

#[test]
fn slices_have_the_same_metrics_under_their_names() {
    let host = at(
        OUTBOUND,
        json!({
            "version": 1, "metrics": {"requests": true, "inflight": true}, "slo": [{"name": "up"}],
            "slices": [
                {"name": "api", "when": {"paths": [{"prefix": "/api/"}]}},
                {"name": "eu", "when": {"headers": [{"name": "x-region", "exact": "eu"}]}},
            ],
        }),
    );
    let both = host.get("/api/a").header("x-region", "us").header("x-region", "eu").send();
    assert_eq!(
        ["api_", "eu_", ""].map(|slice| host.gauge(&format!("wasm_http_outbound_{slice}inflight"))),
        [1; 3]
    );
    both.respond(Response::new(500));
    host.get("/api/b").send().respond(Response::new(200));
    host.get("/").send().respond(Response::new(200));
    assert_eq!(
        ["requests_total", "api_requests_total", "eu_requests_total"].map(|what| count(&host, what)),
        [3, 2, 1]
    );
    assert_eq!(
        ["slo_up_total", "api_slo_up_total", "eu_slo_up_total"].map(|what| count(&host, what)),
        [3, 2, 1]
    );
    assert_eq!(["slo_up_good_total", "api_slo_up_good_total"].map(|what| count(&host, what)), [2, 1]);
    assert_eq!((count(&host, "eu_responses_total_5xx"), values(&host, "api_duration_ms").len()), (1, 2));
    assert_eq!(
        ["api_", "eu_", ""].map(|slice| host.gauge(&format!("wasm_http_outbound_{slice}inflight"))),
        [0; 3]
    );
}

#[test]
fn what_is_ignored_is_recorded_nowhere() {
    let host = at(
        OUTBOUND,
        json!({"version": 1, "metrics": {"requests": true, "inflight": true}, "log": {"enabled": true},
            "ignore": {"headers": [{"name": "user-agent", "prefix": "kube-probe/"}]}}),
    );
    host.get("/").header("user-agent", "kube-probe/1.33").send().respond(Response::new(200));
    assert_eq!(
        (count(&host, "requests_total"), responses(&host, "outbound"), inflight(&host)),
        (0, [0; 4], 0)
    );
    assert_eq!(host.logs(Level::Info), [] as [String; 0]);
    host.get("/").header("user-agent", "curl").send().respond(Response::new(200));
    assert_eq!(count(&host, "requests_total"), 1);
}

#[test]
fn the_tag_style_of_istio_is_in_the_names() {
    let host = with(json!({"tag_style": "istio"}));
    exchange(&host, 200, 0);
    assert_eq!(host.counter("wasm_filter.http-timing.wasm_http_outbound_responses_total_2xx"), 1);
    // What the filter counts of itself says of which filter it is without that.
    assert!(host.counter("wasm_http_timing_config_loads_total") > 0);
}
