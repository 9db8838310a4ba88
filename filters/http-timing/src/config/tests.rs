use super::*;

fn read(json: &str) -> Timing {
    Timing::from_json(json.as_bytes()).unwrap()
}

fn problems(json: &str) -> Vec<String> {
    let refusal = Timing::from_json(json.as_bytes()).unwrap_err();
    refusal.problems().iter().map(|problem| problem.path.clone()).collect()
}

#[test]
fn no_configuration_records_the_base_metrics_alone() {
    for json in ["", " ", r#"{"version": 1}"#, r#"{"version": 1, "log": {"enabled": false}, "metrics": {}}"#]
    {
        let timing = Timing::from_json(json.as_bytes()).unwrap();
        assert_eq!((timing.direction, timing.extras), (None, Extras::default()), "{json}");
        assert!(timing.log.is_none() && timing.slices.is_empty() && timing.objectives.is_empty(), "{json}");
        assert_eq!(timing.long_lived.treat, Treat::Separate, "{json}");
    }
}

#[test]
fn a_direction_that_is_known_can_be_given() {
    assert_eq!(read(r#"{"version": 1, "direction": "outbound"}"#).direction, Some(Direction::Outbound));
    assert_eq!(read(r#"{"version": 1, "direction": "auto"}"#).direction, None);
}

#[test]
fn lines_that_the_level_leaves_out_are_a_mistake() {
    let json = |level: &str, enabled: bool| {
        format!(r#"{{"version": 1, "log_level": "{level}", "log": {{"enabled": {enabled}}}}}"#)
    };
    for (level, enabled, right) in
        [("info", true, true), ("warn", false, true), ("warn", true, false), ("error", true, false)]
    {
        assert_eq!(Timing::from_json(json(level, enabled).as_bytes()).is_ok(), right, "{level} {enabled}");
    }
    let refusal = Timing::from_json(json("warn", true).as_bytes()).unwrap_err().to_string();
    assert_eq!(refusal, "config: `log` has lines at level `info`, which `log_level` leaves out");
}

#[test]
fn every_mistake_is_named_at_once() {
    let json = r#"{
        "default_direction": "sideways", "labels": [], "long_lived": "maybe", "long_lived_after": "2h",
        "metrics": {"ttfb": 1, "path": true, "tag_style": "otel", "grpc_client_errors": ["OOPS"]},
        "ignore": {}, "slices": [{"name": "a-b", "when": {"methods": ["get"]}}, {"name": "ok"}],
        "slo": [{"name": "/path", "latency": 0, "bad_status": ["6xx"]}],
        "log": {"enable": true, "max_path": 0, "sample_per_10k": 10001, "headers": ["cookie"]}
    }"#;
    let mut expected = [
        "default_direction",
        "ignore",
        "labels",
        "log.enable",
        "log.enabled",
        "log.headers[0]",
        "log.max_path",
        "log.sample_per_10k",
        "long_lived",
        "long_lived_after",
        "metrics.grpc_client_errors[0]",
        "metrics.path",
        "metrics.tag_style",
        "metrics.ttfb",
        "slices[0].name",
        "slices[0].when.methods[0]",
        "slices[1].when",
        "slo[0].bad_status[0]",
        "slo[0].latency",
        "slo[0].name",
        "version",
    ]
    .map(str::to_owned);
    expected.sort();
    let mut found = problems(json);
    found.sort();
    assert_eq!(found, expected);
}

fn with_slices(count: usize) -> String {
    let slices: Vec<String> =
        (0..count).map(|n| format!(r#"{{"name": "s{n}", "when": {{"methods": ["GET"]}}}}"#)).collect();
    format!(r#"{{"version": 1, "slices": [{}]}}"#, slices.join(","))
}

#[test]
fn there_are_at_most_sixteen_slices_and_eight_objectives() {
    assert_eq!(read(&with_slices(16)).slices.len(), 16);
    assert_eq!(problems(&with_slices(17)), ["slices"]);
    let objectives = |count: usize| {
        let all: Vec<String> = (0..count).map(|n| format!(r#"{{"name": "o{n}"}}"#)).collect();
        format!(r#"{{"version": 1, "slo": [{}]}}"#, all.join(","))
    };
    assert_eq!(read(&objectives(8)).objectives.len(), 8);
    assert_eq!(problems(&objectives(9)), ["slo"]);
}

#[test]
fn names_that_would_make_one_metric_of_two_are_refused() {
    let slice = |name: &str| format!(r#"{{"name": "{name}", "when": {{"methods": ["GET"]}}}}"#);
    for (slices, slo) in [
        (vec![slice("api"), slice("api")], ""),
        // `wasm_http_inbound_stream_duration_ms` is that of long-lived streams.
        (vec![slice("stream")], ""),
        (vec![], r#"{"name": "a"}, {"name": "a"}"#),
        (vec![], r#"{"name": "a"}, {"name": "a_good"}"#),
        (vec![slice("a"), slice("a_slo_b")], r#"{"name": "b_slo_b"}, {"name": "b"}"#),
    ] {
        let slices =
            if slices.is_empty() { String::new() } else { format!(r#", "slices": [{}]"#, slices.join(",")) };
        let slo = if slo.is_empty() { String::new() } else { format!(r#", "slo": [{slo}]"#) };
        let json = format!(r#"{{"version": 1{slices}{slo}}}"#);
        let refusal = Timing::from_json(json.as_bytes()).unwrap_err().to_string();
        assert!(refusal.contains("twice, expected other names"), "{json}: {refusal}");
    }
    assert_eq!(
        read(
            r#"{"version": 1, "long_lived": "include", "slices": [
        {"name": "stream", "when": {"methods": ["GET"]}}]}"#
        )
        .slices
        .len(),
        1
    );
}

#[test]
fn integers_of_a_protobuf_struct_are_read() {
    let timing =
        read(r#"{"version": 1.0, "long_lived_after": 250.0, "slo": [{"name": "a", "latency": 300.0}]}"#);
    assert_eq!(timing.long_lived.after, 250_000_000);
    assert_eq!(timing.objectives[0].latency, Some(300_000_000));
}

#[test]
fn the_documents_say_what_is_read() {
    let docs = filter_docs::docs!(Timing::from_node);
    docs.assert_fresh();
    docs.assert_samples();
    docs.assert_accepted(&[
        r#"{"version": 1.0}"#,
        r#"{"version": 1, "metrics": {"1xx": true, "grpc_client_errors": ["NOT_FOUND", 3], "tag_style": "istio"}}"#,
        r#"{"version": 1, "slo": [{"name": "a", "bad_status": ["none", 429]}], "log": {"enabled": true, "query": true}}"#,
        &with_slices(16),
    ]);
    docs.assert_refused(&[
        "[]",
        "{}",
        r#"{"version": 2}"#,
        r#"{"version": 1, "metrics": true}"#,
        r#"{"version": 1, "slices": []}"#,
        r#"{"version": 1, "slices": [{"name": "a/b", "when": {"methods": ["GET"]}}]}"#,
        r#"{"version": 1, "slo": [{"name": "{{path}}"}]}"#,
        r#"{"version": 1, "ignore": {}}"#,
        r#"{"version": 1, "log": {"max_path": 1}}"#,
        r#"{"version": 1, "log": {"enabled": true, "headers": ["Authorization"]}}"#,
        &with_slices(17),
    ]);
}

#[test]
fn whatever_is_configured_is_read_or_refused_with_its_place() {
    let docs = filter_docs::docs!(Timing::from_node);
    docs.assert_each_mistake_is_told(
        r#"{"version": 1, "log_level": "info", "direction": "inbound", "default_direction": "outbound",
            "metrics": {"1xx": true, "none": true, "requests": true, "inflight": true, "ttfb": true, "upstream": true,
                "sizes": true, "local_replies": true, "resets": true, "grpc": true, "us": true,
                "grpc_client_errors": ["NOT_FOUND", 7], "tag_style": "istio"},
            "long_lived": "separate", "long_lived_after": "2s",
            "ignore": {"paths": [{"exact": "/health"}], "headers": [{"name": "x-a", "present": true}]},
            "slices": [{"name": "api", "when": {"paths": [{"prefix": "/api/"}]}},
                {"name": "web", "when": {"direction": "inbound", "status": ["2xx", 404], "content_types": ["text/*"]}}],
            "slo": [{"name": "fast", "latency": "250ms"}, {"name": "up", "bad_status": ["5xx", "none", 429]}],
            "log": {"enabled": true, "sample_per_10k": 10, "min_duration": "1s", "only_status": ["5xx", 404, "none"],
                "max_path": 64, "query": true, "headers": ["x-tenant"], "max_per_second": 5}}"#,
    );
    docs.assert_survives_anything();
}
