//! The log line.

use super::*;

/// The lines, each as the JSON that it has to be.
pub(super) fn lines(host: &Host) -> Vec<Json> {
    host.logs(Level::Info).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn logging(log: Json) -> Host {
    let mut log = log;
    log["enabled"] = true.into();
    at(INBOUND, json!({"version": 1, "log": log}))
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
    assert!(lines[0].len() < 450, "{} bytes", lines[0].len());
    (0..20).for_each(|_| send());
    assert_eq!(host.memory_bytes(), memory);
}

#[test]
fn a_line_has_the_same_members_each_time() {
    let host = logging(json!({"headers": ["x-tenant"]}));
    let full = host.get("/a").http2().header("x-tenant", "acme").header("x-request-id", "7").send();
    host.advance(Duration::from_millis(20));
    full.respond(Response::ok("hello"));
    host.get("/b").send().disconnect();
    let lines = lines(&host);
    let members = |line: &Json| line.as_object().unwrap().keys().cloned().collect::<Vec<String>>();
    assert_eq!(members(&lines[0]), members(&lines[1]));
    let [full, gone] = lines.as_slice() else { panic!("{lines:?}") };
    assert_eq!(full["ts"], "2026-01-01T00:00:00.020Z");
    assert_eq!(
        (&full["class"], &full["flags"], &full["request_id"]),
        (&"2xx".into(), &"".into(), &"7".into())
    );
    assert_eq!((&full["headers"]["x-tenant"], &full["upstream_ms"]), (&"acme".into(), &20.into()));
    assert!(full["request_bytes"].as_u64() > Some(0) && full["response_bytes"].as_u64() > Some(5), "{full}");
    assert_eq!((&gone["code"], &gone["class"], &gone["flags"]), (&0.into(), &Json::Null, &"DC".into()));
    assert_eq!(gone["headers"]["x-tenant"], Json::Null);
}

#[test]
fn only_slow_or_failed_streams_are_logged_where_that_is_asked() {
    let host = logging(json!({"min_duration": "1s", "only_status": ["5xx", "none"]}));
    for (status, ms) in [(200, 2000), (500, 2000), (503, 999), (599, 1000)] {
        exchange(&host, status, ms);
    }
    let gone = host.get("/").send();
    host.advance(Duration::from_secs(1));
    gone.disconnect();
    let codes: Vec<Json> = lines(&host).iter().map(|line| line["code"].clone()).collect();
    assert_eq!(codes, [500, 599, 0]);
    assert_eq!(host.counter("wasm_http_timing_log_lines_total"), 3);
    assert_eq!(host.counter("wasm_http_timing_log_dropped_total"), 0);
}

#[test]
fn a_second_has_no_more_lines_than_allowed_and_the_others_are_counted() {
    let host = logging(json!({"max_per_second": 3}));
    for _ in 0..2 {
        (0..5).for_each(|_| exchange(&host, 200, 0));
        host.advance(Duration::from_secs(1));
    }
    assert_eq!(lines(&host).len(), 6);
    assert_eq!(host.counter("wasm_http_timing_log_lines_total"), 6);
    assert_eq!(host.counter("wasm_http_timing_log_dropped_total"), 4);
}

#[test]
fn some_of_the_streams_are_drawn_and_the_others_cost_nothing() {
    let host = logging(json!({"sample_per_10k": 2_000}));
    (0..500).for_each(|_| exchange(&host, 200, 20));
    let drawn = lines(&host).len();
    assert!((50..=150).contains(&drawn), "{drawn} of 500");
    assert_eq!(durations(&host, "inbound").len(), 500);
    let dropped = host.counter("wasm_http_timing_log_dropped_total");
    assert_eq!((host.counter("wasm_http_timing_log_lines_total"), dropped), (drawn as u64, 0));
}
