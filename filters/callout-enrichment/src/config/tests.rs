use super::*;
use crate::retry::On;

fn problems(json: &str) -> Vec<String> {
    let refusal = Enrichment::from_json(json.as_bytes()).unwrap_err();
    refusal.problems().iter().map(ToString::to_string).collect()
}

/// A configuration with these members beside the least that there must be.
fn with(call: &str, rest: &str) -> String {
    format!(
        r#"{{"version": 1, "call": {{"cluster": "m", "authority": "m", {call}}},
        "map": [{{"from": "status", "to": "x-a"}}]{rest}}}"#
    )
}

#[track_caller]
fn assert_refused(json: &str, part: &str) {
    let problems = problems(json);
    assert!(problems.iter().any(|problem| problem.contains(part)), "{problems:?}");
}

#[test]
fn every_mistake_is_named_at_once() {
    let problems = problems(
        r#"{"version": 1, "mode": "shadow",
        "call": {"cluster": "", "authority": "a b", "method": "get", "path": "x", "timeout": "1m", "retries": 1,
            "ok_status": ["1xx"], "forward_headers": ["host"], "body": "{", "retry": {"on": ["4xx"]}},
        "map": [
            {"from": "weather", "to": "x-a"},
            {"from": "literal", "value": "a\nb", "to": "host"},
            {"from": "header", "name": "x y", "to": "x-b", "type": "float"},
            {"from": "json_pointer", "path": "plan", "to": "x-c", "name": "x"},
            {"from": "status"},
            {"from": "body", "to": "x-d", "to_response": "x-d", "max_bytes": "9KiB"},
            {"from": "body", "to": "x-e", "required": true, "default": "x"}],
        "cache": {"key": ["${header:a}${header:b}", "${header:a}${default:b}", "${status}"], "ttl": "2h"},
        "on_timeout": "closed", "on_error": {"deny": 200}, "breaker": {"open_for": 0}, "status_header": ":path",
        "when": {"status": [200]}, "sample_percent": 101, "fail": "open"}"#,
    );
    let fields: Vec<&str> = problems.iter().filter_map(|problem| problem.split('`').nth(1)).collect();
    assert_eq!(
        fields,
        [
            "fail",
            "mode",
            "call.retries",
            "call.cluster",
            "call.authority",
            "call.method",
            "call.path",
            "call.forward_headers[0]",
            "call.body",
            "call.timeout",
            "call.ok_status[0]",
            "call.retry.on[0]",
            "map[0].from",
            "map[1].to",
            "map[1].value",
            "map[2].name",
            "map[2].type",
            "map[3].name",
            "map[3].path",
            "map[4]",
            "map[5]",
            "map[5].max_bytes",
            "map[6]",
            "cache.key[0]",
            "cache.key[1]",
            "cache.key[2]",
            "cache.ttl",
            "on_timeout",
            "on_error.deny",
            "breaker.open_for",
            "status_header",
            "when",
            "sample_percent",
        ]
    );
}

#[test]
fn a_call_is_short_bounded_and_broken_off_unless_told_otherwise() {
    let enrichment = Enrichment::from_json(with(r#""path": "/""#, "").as_bytes()).unwrap();
    let call = &enrichment.call;
    assert_eq!((call.method, call.timeout_ms, call.max_inflight), ("GET", 200, 128));
    assert_eq!(enrichment.max_response_bytes, 65_536);
    assert_eq!(enrichment.breaker, Some(Limits { consecutive_failures: 10, ratio: None, open_for_ms: 5000 }));
    assert!(enrichment.cache.is_none() && enrichment.retry.is_none() && !enrichment.reads_body);
    assert!(enrichment.is_ok(204) && !enrichment.is_ok(301) && !enrichment.is_ok(404));
    assert_eq!(enrichment.stripped().collect::<Vec<_>>(), ["x-a", "x-enrich-status"]);
    for cause in [Cause::Timeout, Cause::Error, Cause::Invalid, Cause::Refused] {
        assert_eq!(enrichment.policy(cause).deny, None);
    }
}

#[test]
fn everything_can_be_told_otherwise() {
    let enrichment = Enrichment::from_json(
        with(
            r#""path": "/t/${header:x-t}", "method": "POST", "body": "{\"a\": \"${path}\"}", "ok_status": [200, "4xx"],
            "retry": {"on": ["connect", 503], "budget_percent": 5}"#,
            r#", "cache": {"key": ["${header:x-t}", "${path}"], "ttl": "30s", "stale_if_error": "5m"},
            "on_timeout": {"deny": 504, "stale": true}, "on_4xx": {"deny": 403}, "status_header": false, "breaker": "off""#,
        )
        .as_bytes(),
    )
    .unwrap();
    assert!(enrichment.is_ok(200) && !enrichment.is_ok(201) && enrichment.is_ok(404));
    assert_eq!(enrichment.retry, Some(Retry { on: vec![On::Connect, On::Status(503)], budget: 500 }));
    assert_eq!(*enrichment.policy(Cause::Timeout), Policy { stale: true, deny: Some(Deny::With(504)) });
    assert_eq!(*enrichment.policy(Cause::Refused), Policy { stale: false, deny: Some(Deny::With(403)) });
    assert_eq!(enrichment.breaker, None);
    assert_eq!(enrichment.stripped().collect::<Vec<_>>(), ["x-a"]);
}

#[test]
fn requests_that_ask_different_questions_cannot_share_an_answer() {
    for (call, key, named) in [
        (r#""path": "/${header:x-t}""#, r#""${header:x-u}""#, "`${header:x-t}`"),
        (r#""path": "/?q=${query:q}""#, r#""${path_no_query}""#, "`${query:q}`"),
        (
            r#""path": "/", "forward_headers": ["authorization"]"#,
            r#""${header:authorization}""#,
            "`${headers:authorization}`",
        ),
        (r#""path": "/", "headers": [{"name": "x", "value": "${cookie:s}"}]"#, r#""all""#, "`${cookie:s}`"),
        (
            r#""path": "/", "method": "POST", "body": "\"${prop:source.address}\"""#,
            r#""all""#,
            "`${prop:source.address}`",
        ),
    ] {
        let json = with(call, &format!(r#", "cache": {{"key": [{key}], "ttl": "1s"}}"#));
        assert_refused(
            &json,
            &format!("config field `cache.key`: `call` reads {named}, which is not in the key"),
        );
    }
    let json = with(
        r#""path": "/${header:x-t}", "forward_headers": ["authorization"], "headers": [{"name": "x-id", "value": "${uuid}"}]"#,
        r#", "cache": {"key": ["${headers:x-t}", "${headers:authorization}"], "ttl": 0}"#,
    );
    assert!(Enrichment::from_json(json.as_bytes()).is_ok());
}

#[test]
fn what_is_made_here_is_asked_about_by_nobody() {
    for (call, rest) in [
        (r#""path": "/${header:X-A}""#, ""),
        (r#""path": "/", "forward_headers": ["x-a"]"#, ""),
        (r#""path": "/", "trace_headers": ["x-a"]"#, ""),
        (r#""path": "/""#, r#", "cache": {"key": ["${headers:x-a}"], "ttl": 1}"#),
    ] {
        assert_refused(&with(call, rest), r#"reads "x-a", which is made here"#);
    }
    assert_refused(
        &with(r#""path": "/""#, r#", "status_header": "x-a""#),
        r#"`map` makes "x-a", which is the `status_header`"#,
    );
}

#[test]
fn two_entries_cannot_make_one_header() {
    let json = r#"{"version": 1, "call": {"cluster": "m", "authority": "m", "path": "/"},
        "map": [{"from": "status", "to": "x-a"}, {"from": "literal", "value": "1", "to": "X-A"}]}"#;
    assert_refused(json, r#"two entries make "x-a", expected one"#);
    let both = r#"{"version": 1, "call": {"cluster": "m", "authority": "m", "path": "/"},
        "map": [{"from": "status", "to": "x-a"}, {"from": "status", "to_response": "x-a"}]}"#;
    assert_eq!(Enrichment::from_json(both.as_bytes()).unwrap().map.len(), 2);
}

#[test]
fn no_header_is_sent_twice() {
    for (call, part) in [
        (
            r#""forward_headers": ["x-b", "X-B"]"#,
            r#""x-b" stands in `forward_headers` and in `forward_headers`"#,
        ),
        (
            r#""headers": [{"name": "x-b", "value": "1"}], "forward_headers": ["x-b"]"#,
            r#""x-b" stands in `headers` and in `forward_headers`"#,
        ),
        // In `trace_headers` it stands unless that says otherwise.
        (
            r#""forward_headers": ["x-request-id"]"#,
            r#""x-request-id" stands in `forward_headers` and in `trace_headers`"#,
        ),
    ] {
        assert_refused(&with(&format!(r#""path": "/", {call}"#), ""), part);
    }
    let other = r#""path": "/", "forward_headers": ["x-request-id"], "trace_headers": []"#;
    Enrichment::from_json(with(other, "").as_bytes()).unwrap();
}

#[test]
fn what_a_service_answered_is_passed_on_only_of_a_4xx() {
    let policy = |text: &str| with(r#""path": "/""#, &format!(r#", {text}"#));
    let config = Enrichment::from_json(
        policy(r#""on_4xx": {"deny": "as_answered", "headers": ["WWW-Authenticate"]}"#).as_bytes(),
    )
    .unwrap();
    let expected = Deny::AsAnswered(vec!["www-authenticate".into()]);
    assert_eq!(config.policy(Cause::Refused).deny, Some(expected));
    assert_refused(&policy(r#""on_error": {"deny": "as_answered"}"#), "on_error.deny");
    assert_refused(&policy(r#""on_4xx": {"deny": 403, "headers": ["x-a"]}"#), "are passed on only if");
    assert_refused(
        &policy(r#""on_4xx": {"deny": "as_answered", "headers": [":status"]}"#),
        "on_4xx.headers[0]",
    );
}

#[test]
fn no_more_of_a_body_is_read_than_is_looked_at() {
    let config = |rest: &str| {
        Enrichment::from_json(with(r#""path": "/", "max_response_bytes": 1000"#, rest).as_bytes()).unwrap()
    };
    let plain = config("");
    for (status, size, read) in [
        (None, 0, 0),
        (Some(200), 900, 0),
        (Some(404), 900, 0),
        (Some(503), 90, 90),
        (Some(500), 900, TELLING),
    ] {
        assert_eq!(plain.reads_of_body(status, size), read, "{status:?} {size}");
    }
    let passing = config(r#", "on_4xx": {"deny": "as_answered"}"#);
    assert_eq!([900, 1001].map(|size| passing.reads_of_body(Some(404), size)), [900, 0]);
}

#[test]
fn a_get_has_no_body() {
    assert_refused(&with(r#""path": "/", "body": "{}""#, ""), "GET has no body");
}

#[test]
fn the_documents_say_what_is_read() {
    let docs = filter_docs::docs!(Enrichment::from_node);
    docs.assert_fresh();
    docs.assert_samples();
    let map = |entry: &str| {
        format!(
            r#"{{"version": 1, "call": {{"cluster": "m", "authority": "m", "path": "/"}}, "map": [{entry}]}}"#
        )
    };
    let accepted = [
        with(r#""path": "/""#, ""),
        with(
            r#""path": "/", "method": "HEAD", "timeout": 250.0, "max_response_bytes": "1MiB", "max_inflight": 1"#,
            "",
        ),
        with(
            r#""path": "/", "ok_status": ["2xx", 404], "retry": {"on": ["connect", "reset", "503", 502]}"#,
            "",
        ),
        with(r#""path": "/", "headers": [{"name": "X-A", "value": "${path}"}], "trace_headers": []"#, ""),
        with(r#""path": "/", "method": "POST", "body": "{\"a\": \"${path}\"}""#, ""),
        with(
            r#""path": "/""#,
            r#", "on_timeout": "stale", "on_error": {"deny": 503, "stale": true}, "on_4xx": "continue""#,
        ),
        with(r#""path": "/""#, r#", "breaker": {"ratio": {"failure_percent": 12.5}, "open_for": "1m"}"#),
        with(
            r#""path": "/""#,
            r#", "breaker": "off", "status_header": false, "sample_percent": 0.5, "mode": "report""#,
        ),
        with(
            r#""path": "/""#,
            r#", "when": {"methods": ["GET"]}, "keep_if": {"headers": [{"name": "x-g"}]}"#,
        ),
        with(
            r#""path": "/""#,
            r#", "cache": {"key": ["${headers:authorization}", "v2"], "ttl": 0, "negative_ttl": "5s"}"#,
        ),
        with(r#""path": "/""#, r#", "metrics": {"tag_style": "istio"}, "enforce_percent": 10"#),
        map(r#"{"from": "literal", "value": "", "to": "X-A"}"#),
        map(r#"{"from": "status", "to_response": "x-a"}"#),
        map(
            r#"{"from": "header", "name": "X-A", "to_filter_state": "a.b-c_1", "type": "int", "default": "0"}"#,
        ),
        map(r#"{"from": "body", "to": "x-a", "type": "json", "max_bytes": "8KiB", "required": true}"#),
        map(
            r#"{"from": "json_pointer", "path": "", "to": "x-a"}, {"from": "json_pointer", "path": "/~0/~1/é", "to": "x-b"}"#,
        ),
    ];
    docs.assert_accepted(&accepted.each_ref().map(String::as_str));
    let refused = [
        "{}".to_owned(),
        with(r#""path": "x""#, ""),
        with(r#""path": "/ ""#, ""),
        with(r#""path": "/", "method": "CONNECT""#, ""),
        with(r#""path": "/", "timeout": 0"#, ""),
        with(r#""path": "/", "timeout": 5001"#, ""),
        with(r#""path": "/", "max_inflight": 0"#, ""),
        with(r#""path": "/", "ok_status": []"#, ""),
        with(r#""path": "/", "forward_headers": ["Host"]"#, ""),
        with(r#""path": "/", "retry": {"on": ["5xx"]}"#, ""),
        with(r#""path": "/", "retry": {}"#, ""),
        with(r#""path": "/""#, r#", "on_error": {"deny": 399}"#),
        with(r#""path": "/""#, r#", "on_error": "open""#),
        with(r#""path": "/""#, r#", "breaker": {"ratio": {}}"#),
        with(r#""path": "/""#, r#", "breaker": "on""#),
        with(r#""path": "/""#, r#", "cache": {"key": [], "ttl": "1s"}"#),
        with(r#""path": "/""#, r#", "cache": {"ttl": "1s"}"#),
        with(r#""path": "/""#, r#", "cache": {"key": ["a"]}"#),
        map(r#"{"from": "literal", "value": " a", "to": "x-a"}"#),
        map(r#"{"from": "status"}"#),
        map(r#"{"from": "status", "to": "x-a", "to_response": "x-a"}"#),
        map(r#"{"from": "status", "to": "x-a", "default": "1"}"#),
        map(r#"{"from": "header", "name": ":status", "to": "x-a"}"#),
        map(r#"{"from": "json_pointer", "path": "a", "to": "x-a"}"#),
        map(r#"{"from": "json_pointer", "path": "/~2", "to": "x-a"}"#),
        map(r#"{"from": "body", "to_filter_state": "a b"}"#),
        map(r#"{"from": "body", "to": "content-length"}"#),
        map(r#"{"from": "body", "to": "x-a", "max_bytes": 8193}"#),
    ];
    docs.assert_refused(&refused.each_ref().map(String::as_str));
    let beyond_words = [
        with(r#""path": "/a/../b""#, ""),
        with(r#""path": "/", "body": "{}""#, ""),
        with(r#""path": "/${status}""#, ""),
        with(r#""path": "/""#, r#", "cache": {"key": ["${path}${method}"], "ttl": 0}"#),
        with(r#""path": "/${path}""#, r#", "cache": {"key": ["all"], "ttl": 0}"#),
        with(r#""path": "/""#, r#", "status_header": "x-a""#),
        with(r#""path": "/""#, r#", "when": {"status": [200]}"#),
        with(r#""path": "/""#, r#", "status_header": true"#),
        map(r#"{"from": "body", "to": "x-a", "default": "a", "required": true}"#),
        map(r#"{"from": "body", "to": "x-a"}, {"from": "status", "to": "X-A"}"#),
    ];
    docs.assert_refused_by_reader_alone(&beyond_words.each_ref().map(String::as_str));
}
