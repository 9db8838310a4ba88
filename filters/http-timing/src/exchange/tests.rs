use filter_kit::testing::Given;

use super::*;

/// What `Given` says of the time, in nanoseconds.
const NOW: i64 = 1_700_000_000_000_000_000;

fn answered(code: &str) -> Given {
    Given::request("GET", "/")
        .response_header(":status", code.as_bytes())
        .attribute("request\0duration", &ns(5))
}

fn ns(milliseconds: i64) -> [u8; 8] {
    (milliseconds * 1_000_000).to_le_bytes()
}

fn read(given: &Given, json: &str) -> (Option<Exchange>, Faults) {
    let timing = Timing::from_json(json.as_bytes()).unwrap();
    let mut faults = Faults::default();
    (Exchange::read(given, &timing, None, &mut faults), faults)
}

fn with(extra: &str) -> String {
    format!(r#"{{"version": 1, "metrics": {{"{extra}": true}}}}"#)
}

const BASE: &str = r#"{"version": 1}"#;
const MISSING: Faults = Faults { missing: true, clock: false };
const CLOCK: Faults = Faults { missing: false, clock: true };

#[test]
fn an_answered_stream_is_asked_for_code_and_duration_alone() {
    let given = answered("204");
    let (exchange, faults) = read(&given, BASE);
    let expected = Exchange { code: 204, duration: Some(5_000_000), ..Exchange::default() };
    assert_eq!((exchange, faults), (Some(expected), Faults::default()));
    assert_eq!(given.asked(), [":status", "request.duration"]);
}

#[test]
fn each_extra_asks_for_what_it_needs_and_no_more() {
    for (extra, asked) in [
        ("1xx", vec![]),
        ("none", vec![]),
        ("requests", vec![]),
        ("inflight", vec![]),
        ("ttfb", vec![]),
        ("us", vec![]),
        ("upstream", vec!["response.backend_latency"]),
        ("sizes", vec!["request.total_size", "response.total_size"]),
        ("local_replies", vec!["response.code_details"]),
        ("resets", vec!["response.flags"]),
        ("grpc", vec!["content-type"]),
    ] {
        let given = answered("200");
        read(&given, &with(extra));
        let mut expected = vec![":status", "request.duration"];
        expected.extend(asked);
        let mut found = given.asked();
        found.sort();
        expected.sort_unstable();
        assert_eq!(found, expected, "{extra}");
    }
}

#[test]
fn what_is_no_status_is_none() {
    for (value, expected) in [("200", 200), ("", 0), ("abc", 0), ("-1", 0), ("\u{e9}", 0)] {
        assert_eq!(status(value.as_bytes()), expected, "{value}");
    }
}

#[test]
fn a_class_is_the_first_digit() {
    for (code, class) in [(0, None), (99, None), (100, Some(1)), (200, Some(2)), (599, Some(5)), (600, None)]
    {
        assert_eq!(Exchange { code, ..Exchange::default() }.class(), class, "{code}");
    }
}

#[test]
fn a_duration_that_the_host_does_not_know_is_taken_from_its_wall_clock() {
    let began = |ago: i64| {
        let given = Given::request("GET", "/").response_header(":status", b"200");
        given.attribute("request\0time", &(NOW - ago).to_le_bytes())
    };
    let duration = |given: &Given| {
        let (exchange, faults) = read(given, BASE);
        (exchange.unwrap().duration, faults)
    };
    assert_eq!(duration(&began(7_000_000)), (Some(7_000_000), MISSING));
    // The clock went back meanwhile.
    assert_eq!(duration(&began(-1)), (Some(0), Faults { missing: true, clock: true }));
    let neither = Given::request("GET", "/").response_header(":status", b"200");
    assert_eq!(duration(&neither), (None, MISSING));
    let odd = began(7_000_000).attribute("request\0duration", b"12");
    assert_eq!(duration(&odd), (Some(7_000_000), MISSING));
}

#[test]
fn a_duration_beyond_belief_is_clamped_and_counted() {
    let lasting = |nanoseconds: i64, code: &str| {
        Given::request("GET", "/")
            .response_header(":status", code.as_bytes())
            .attribute("request\0duration", &nanoseconds.to_le_bytes())
    };
    let day = i64::try_from(LONGEST).unwrap();
    for (nanoseconds, duration, faults) in [
        (0, 0, Faults::default()),
        (-5, 0, CLOCK),
        (i64::MIN, 0, CLOCK),
        (day, LONGEST, Faults::default()),
        (day + 1, LONGEST, CLOCK),
        (i64::MAX, LONGEST, CLOCK),
    ] {
        let (exchange, found) = read(&lasting(nanoseconds, "200"), BASE);
        assert_eq!((exchange.unwrap().duration, found), (Some(duration), faults), "{nanoseconds}");
    }
    // A WebSocket may well be open for days.
    let (exchange, faults) = read(&lasting(day * 3, "101"), BASE);
    assert_eq!((exchange.unwrap().duration, faults), (Some(LONGEST * 3), Faults::default()));
}

#[test]
fn what_envoy_follows_up_is_not_the_end_of_a_stream() {
    let of = |code: &str, details: &[u8]| {
        read(&answered(code).attribute("response\0code_details", details), BASE)
            .0
            .map(|exchange| exchange.code)
    };
    for code in [302, 307, 503, 404] {
        assert_eq!(of(&code.to_string(), b"internal_redirect"), None, "{code}");
        assert_eq!(of(&code.to_string(), b"via_upstream"), Some(code), "{code}");
    }
    let unanswered = |details: &[u8]| {
        read(&Given::request("GET", "/").attribute("response\0code_details", details), BASE).0.is_some()
    };
    assert!(unanswered(b"downstream_remote_disconnect") && !unanswered(b"internal_redirect"));
}

#[test]
fn only_of_what_is_no_success_is_it_asked_whether_it_is_followed_up() {
    let asks = |code: &str| {
        let given = answered(code);
        read(&given, BASE);
        given.asked().contains(&"response.code_details".to_owned())
    };
    assert!(!asks("200") && !asks("299") && asks("302") && asks("404") && asks("500") && asks("101"));
}

#[test]
fn the_first_byte_came_as_long_ago_as_was_noted() {
    let ttfb = |since| {
        let timing = Timing::from_json(with("ttfb").as_bytes()).unwrap();
        Exchange::read(&answered("200"), &timing, since, &mut Faults::default()).unwrap().ttfb
    };
    assert_eq!([None, Some(2_000_000), Some(9_000_000)].map(ttfb), [None, Some(3_000_000), Some(0)]);
}

#[test]
fn a_reply_is_envoys_own_unless_it_came_by_the_upstream() {
    let local = |code: &str, details: Option<&[u8]>| {
        let mut given = answered(code);
        if let Some(details) = details {
            given = given.attribute("response\0code_details", details);
        }
        read(&given, &with("local_replies")).0.unwrap().local
    };
    assert!(!local("200", Some(b"via_upstream")) && !local("200", None));
    assert!(local("503", Some(b"upstream_reset_before_response_started{connection_failure}")));
    assert!(local("200", Some(b"direct_response")));
    assert!(local("504", Some(b"upstream_response_timeout")) && local("408", Some(b"stream_idle_timeout")));
    // What is said of a response that broke off is not where it came from.
    assert!(!local("200", Some(b"upstream_response_timeout")));
    assert!(!local("200", Some(b"upstream_reset_after_response_started{connection_termination}")));
    assert!(!local("200", Some(b"downstream_remote_disconnect")));
    assert!(!local("0", Some(b"downstream_remote_disconnect")));
}

#[test]
fn only_a_request_of_grpc_has_a_status_of_it() {
    let status = |content_type: &[u8], status: Option<i64>| {
        let mut given = answered("200").header("content-type", content_type);
        if let Some(status) = status {
            given = given.attribute("response\0grpc_status", &status.to_le_bytes());
        }
        read(&given, &with("grpc")).0.unwrap().grpc
    };
    assert_eq!(status(b"application/grpc", Some(5)), Some(5));
    assert_eq!(status(b"application/grpc+proto", None), None);
    assert_eq!(status(b"application/json", Some(2)), None);
}

#[test]
fn a_log_line_asks_for_what_no_metric_has_asked_for() {
    let given = answered("200")
        .header("content-type", b"application/grpc")
        .attribute("response\0backend_latency", &ns(3))
        .attribute("request\0total_size", &70_i64.to_le_bytes())
        .attribute("response\0total_size", &900_i64.to_le_bytes())
        .attribute("response\0flags", &0x4000_i64.to_le_bytes())
        .attribute("response\0grpc_status", &14_i64.to_le_bytes());
    let expected = |mut exchange: Exchange| {
        exchange.upstream = Some(3_000_000);
        exchange.request_bytes = Some(70);
        exchange.response_bytes = Some(900);
        exchange.flags = Flags(0x4000);
        exchange.grpc = Some(14);
        exchange
    };
    let all = r#"{"version": 1, "metrics": {"upstream": true, "sizes": true, "resets": true, "grpc": true}}"#;
    for (json, questions) in [(BASE, 8), (all, 8)] {
        let given = given.clone();
        let timing = Timing::from_json(json.as_bytes()).unwrap();
        let read = Exchange::read(&given, &timing, None, &mut Faults::default()).unwrap();
        let mut completed = read;
        completed.complete(&given, &timing);
        assert_eq!(completed, expected(read), "{json}");
        assert_eq!(given.asked().len(), questions, "{json}: {:?}", given.asked());
    }
}
