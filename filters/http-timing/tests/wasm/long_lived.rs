//! Streams whose duration is no latency.

use super::*;

fn streams(host: &Host) -> Vec<u64> {
    host.histogram("wasm_http_inbound_stream_duration_ms")
}

/// A WebSocket, a tunnel, server-sent events and a slow response, of two seconds each, and then briefly.
fn exchanges(host: &Host) {
    for ms in [2_000, 20] {
        exchange(host, 101, ms);
        let events = || Response::new(200).with_header("content-type", "text/event-stream;charset=utf-8");
        for (method, response) in
            [("CONNECT", Response::new(200)), ("GET", events()), ("GET", Response::new(200))]
        {
            let stream = host.request(method, "/").send();
            host.advance(Duration::from_millis(ms));
            stream.respond(response);
        }
    }
}

#[test]
fn they_are_apart_unless_they_were_short() {
    let host = at(INBOUND, json!({"version": 1}));
    exchanges(&host);
    assert_eq!((streams(&host), durations(&host, "inbound")), (vec![2000; 3], vec![2000, 20, 20, 20, 20]));
    assert_eq!(responses(&host, "inbound"), [6, 0, 0, 0]);
}

#[test]
fn they_are_among_the_others_or_nowhere_as_configured() {
    let host = at(INBOUND, json!({"version": 1, "long_lived": "include"}));
    exchanges(&host);
    assert_eq!(durations(&host, "inbound").len(), 8);
    assert_eq!(host.metric("wasm_http_inbound_stream_duration_ms"), None);
    let host = at(INBOUND, json!({"version": 1, "long_lived": "exclude", "long_lived_after": 0}));
    exchanges(&host);
    assert_eq!(durations(&host, "inbound"), [2000, 20]);
    assert_eq!(host.metric("wasm_http_inbound_stream_duration_ms"), None);
}

#[test]
fn grpc_methods_that_stream_are_named_by_their_paths() {
    let host = at(
        INBOUND,
        json!({"version": 1, "long_lived_when": {"paths": [{"exact": "/grpc.health.v1.Health/Watch"}]}}),
    );
    for method in ["Watch", "Check"] {
        let path = format!("/grpc.health.v1.Health/{method}");
        let stream = host.post(path).http2().header("content-type", "application/grpc").send();
        host.advance(Duration::from_secs(5));
        stream.respond(Response::new(200).with_trailer("grpc-status", "0"));
    }
    assert_eq!((streams(&host), durations(&host, "inbound")), (vec![5000], vec![5000]));
}

#[test]
fn a_stream_of_three_days_is_no_mistake_of_a_clock() {
    let host = at(INBOUND, json!({"version": 1}));
    exchange(&host, 101, 3 * 86_400_000);
    exchange(&host, 200, 3 * 86_400_000);
    assert_eq!((streams(&host), durations(&host, "inbound")), (vec![259_200_000], vec![86_400_000]));
    assert_eq!(host.counter("wasm_http_timing_clock_errors_total"), 1);
}
