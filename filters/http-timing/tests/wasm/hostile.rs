//! Hosts that do not answer, and clients that send anything.

use super::*;

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

#[test]
fn a_host_with_the_names_of_old_is_understood() {
    let host = at(INBOUND, json!({"version": 1}));
    // Its `xds.listener_direction` is not there, and so the older name is asked for.
    let stream = host.get("/").property("listener_direction", OUTBOUND).send();
    host.fail_after("proxy_get_property", 1, Status::NotFound, 1);
    stream.respond(Response::new(200));
    assert_eq!((responses(&host, "outbound")[0], host.counter(MISSING)), (1, 0));
}

#[test]
fn a_metric_that_the_host_refuses_is_warned_of_unless_the_level_is_above_that() {
    for (level, logged) in [("info", true), ("warn", true), ("error", false)] {
        let host = at(INBOUND, json!({"version": 1}));
        host.fail("proxy_define_metric", Status::InternalFailure, 100);
        let json = json!({"version": 1, "log_level": level, "metrics": {"requests": true}});
        host.reconfigure("http-timing", json.to_string()).unwrap();
        assert_eq!(!host.logs(Level::Warn).is_empty(), logged, "{level}");
    }
}

const MISSING: &str = "wasm_http_timing_missing_attributes_total";
const CLOCK: &str = "wasm_http_timing_clock_errors_total";
const ERRORS: &str = "wasm_http_timing_errors_total";

#[test]
fn attributes_that_are_missing_are_counted_and_the_response_all_the_same() {
    let host = at(INBOUND, json!({"version": 1, "default_direction": "outbound"}));
    host.fail("proxy_get_property", Status::NotFound, 100);
    exchange(&host, 200, 5);
    host.heal();
    assert_eq!((responses(&host, "outbound")[0], durations(&host, "outbound")), (1, vec![]));
    assert_eq!((host.counter(MISSING), host.counter(CLOCK)), (1, 0));
}

#[test]
fn a_duration_that_the_host_does_not_tell_is_taken_by_the_wall_clock() {
    let host = at(INBOUND, json!({"version": 1}));
    host.fail("proxy_get_property", Status::NotFound, 1);
    exchange(&host, 200, 42);
    assert_eq!((durations(&host, "inbound"), host.counter(MISSING)), (vec![42], 1));
}

#[test]
fn a_clock_that_goes_back_and_a_duration_beyond_belief_are_counted() {
    let host = at(INBOUND, json!({"version": 1}));
    // Began in the future, by a clock that was set back meanwhile.
    let stream = host.get("/").property("request.time", 4_000_000_000_000_000_000_i64).send();
    host.fail("proxy_get_property", Status::NotFound, 1);
    stream.respond(Response::new(200));
    host.get("/").property("request.duration", -1_i64).send().respond(Response::new(200));
    host.get("/").property("request.duration", i64::MAX).send().respond(Response::new(200));
    assert_eq!(durations(&host, "inbound"), [0, 0, 86_400_000]);
    // One of the streams has both.
    assert_eq!((host.counter(CLOCK), host.counter(MISSING), host.counter(ERRORS)), (3, 1, 3));
    exchange(&host, 200, 5);
    assert_eq!(host.counter(ERRORS), 3);
}

#[test]
fn every_byte_in_every_header_is_survived_by_every_feature() {
    let host = at(
        INBOUND,
        json!({
            "version": 1,
            "metrics": {"inflight": true, "ttfb": true, "sizes": true, "grpc": true, "resets": true},
            "ignore": {"headers": [{"name": "x", "exact": "ignored"}]},
            "long_lived_after": 0,
            "slices": [{"name": "a", "when": {"hosts": ["a.test"], "content_types": ["text/*"]}}],
            "log": {"enabled": true, "headers": ["x"], "query": true, "max_per_second": 100_000},
        }),
    );
    for byte in 0..=255 {
        let value = [b'a', byte, b'b'];
        let path = [b"/", &value[..]].concat();
        let request = host.request(value, path).authority(value).header("content-type", value);
        let stream = request.header("x", value).header("x", value).header("x-request-id", value).send();
        stream.respond(Response::new(200).with_header("content-type", value));
    }
    assert_eq!(durations(&host, "inbound").len(), 256);
    assert_eq!(log::lines(&host).len(), 256);
    assert_eq!(host.gauge("wasm_http_inbound_inflight"), 0);
    assert_eq!(host.traps(), [] as [String; 0]);
}
