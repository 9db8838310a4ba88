//! What is asked, and about which requests.

use super::*;

#[test]
fn nothing_of_a_request_is_sent_but_what_is_named() {
    let host = with(json!({"call": {
        "method": "POST",
        "path": "/t/${header:x-tenant}?p=${path}",
        "headers": [{"name": "x-from", "value": "${host}"}, {"name": "x-absent", "value": "${header:absent}"}],
        "forward_headers": ["authorization"],
        "body": "{\"agent\": \"${header:user-agent}${default:none}\"}",
    }}));
    host.get("/a?b=c")
        .authority("Shop.Test")
        .header("x-tenant", "acme")
        .header("authorization", "one")
        .header("authorization", "two")
        .header("traceparent", "00-1-2-01")
        .header("cookie", "secret")
        .header("user-agent", "a \"b\"")
        .header("x-envoy-expected-rq-timeout-ms", "60000")
        .send();
    let callout = host.callout("metadata");
    let request = callout.request();
    let own =
        ["x-request-id", "x-envoy-internal", "x-envoy-expected-rq-timeout-ms", ":scheme", "content-length"];
    let lines: Vec<String> = request
        .headers
        .iter()
        .map(|(name, value)| format!("{}: {}", name.escape_ascii(), value.escape_ascii()))
        .filter(|line| !own.iter().any(|name| line.starts_with(name)))
        .collect();
    // Envoy itself writes lines of one name as one.
    assert_eq!(
        lines,
        [
            ":method: POST",
            ":path: /t/acme?p=%2Fa%3Fb%3Dc",
            ":authority: metadata.local",
            "content-type: application/json",
            "x-from: shop.test",
            "authorization: one,two",
            "traceparent: 00-1-2-01",
        ]
    );
    assert_eq!(request.text(), r#"{"agent": "a \"b\""}"#);
    assert_eq!(callout.timeout_ms(), 997, "a client's own timeout is nothing to us");
}

#[test]
fn no_value_gets_out_of_its_place_in_the_path() {
    for (value, path) in [
        (&b"../../admin"[..], "/t/..%2F..%2Fadmin/p"),
        (b"a?b=c", "/t/a%3Fb%3Dc/p"),
        (b"a#b", "/t/a%23b/p"),
        (b"%2f%2e%2e", "/t/%252f%252e%252e/p"),
        (b"a b\\c;d", "/t/a%20b%5Cc%3Bd/p"),
        (b"caf\xe9", "/t/caf%E9/p"),
    ] {
        let host = with(json!({"call": {"path": "/t/${header:x-tenant}/p"}}));
        host.get("/").header("x-tenant", value).send();
        assert_eq!(host.callout("metadata").request().path(), path);
    }
}

#[test]
fn what_would_ask_something_else_asks_nothing() {
    for value in [Some(&b".."[..]), Some(b"."), Some(b""), None, Some(&[b'a'; 3000])] {
        let host = with(json!({"call": {"path": "/t/${header:x-tenant}/p"}, "on_invalid": {"deny": 400}}));
        let request = host.get("/");
        let stream = match value {
            Some(value) => request.header("x-tenant", value),
            None => request,
        }
        .send();
        let reply = stream.answered();
        assert_eq!((reply.status(), reply.text().as_str()), (400, "enrichment: invalid\n"));
        assert_eq!(host.asked(), []);
        assert_eq!((counted(&host, "unaskable"), counted(&host, "denied")), (1, 1));
    }
}

#[test]
fn any_bytes_in_any_header_make_a_question_or_none() {
    let host = with(json!({
        "call": {
            "method": "POST", "path": "/t/${header:a}?c=${cookie:c}&q=${query:q}", "body": "[\"${headers:a}\", \"${path}\"]",
            "headers": [{"name": "x-a", "value": "${header:a}"}], "forward_headers": ["a"],
        },
        "breaker": "off", "cache": {"key": ["${headers:a}", "${headers:cookie}", "${path}"], "ttl": "1s"},
    }));
    for byte in 0..=255_u8 {
        let value = [b'x', byte, b'y'];
        let path = [&b"/?q="[..], &value].concat();
        let cookie = [&b"c="[..], &value].concat();
        let stream = host.request("GET", path).header("a", value).header("cookie", cookie).send();
        for callout in host.callouts("metadata") {
            callout.respond_with(user("u"));
        }
        assert_eq!(stream.paused_in(), None, "{byte}");
    }
    assert_eq!(host.traps(), [] as [String; 0]);
}

#[test]
fn only_requests_of_the_condition_are_asked_about() {
    let host = with(json!({"when": {"methods": ["GET"], "not": {"paths": [{"prefix": "/healthz"}]}}}));
    for stream in [
        host.get("/healthz").header("x-meta", "forged").send(),
        host.post("/").header("x-meta", "forged").send(),
    ] {
        assert_eq!((claims(&stream.forwarded()), seen(&stream).as_str()), (NOTHING, "skipped"));
    }
    assert_eq!(counted(&host, "skipped"), 2);
    claim(&host).paused();
    assert_eq!(host.asked().len(), 1);
}

#[test]
fn a_sample_of_requests_is_asked_about() {
    let host = with(json!({"sample_percent": 25, "breaker": "off"}));
    let streams: Vec<Stream> = (0..400).map(|_| claim(&host)).collect();
    let asked = host.callouts("metadata").len();
    assert!((60..140).contains(&asked), "{asked} of 400");
    let others = streams.iter().filter(|stream| stream.is_forwarded() && seen(stream) == "skipped").count();
    assert_eq!(others, 400 - asked);
    assert_eq!(
        with(json!({"sample_percent": 0})).get("/").send().forwarded().header("x-enrich-status").as_deref(),
        Some("skipped")
    );
}

#[test]
fn in_report_mode_nobody_waits_and_nothing_changes() {
    let host = with(json!({
        "mode": "report", "on_error": {"deny": 503}, "cache": {"key": ["all"], "ttl": "10s"},
    }));
    let before = claim(&host);
    assert_eq!(before.forwarded().header_all("x-meta"), ["forged", "twice"]);
    assert_eq!(before.forwarded().header_all("x-enrich-status"), ["ok"]);
    let joined = claim(&host);
    assert_eq!(joined.forwarded().header_all("x-meta-host"), ["f"]);
    host.callout("metadata").respond_with(user("u"));
    let cached = claim(&host);
    assert_eq!(cached.forwarded().header_all("x-meta-user"), [] as [String; 0]);
    assert_eq!(host.asked().len(), 1);
    for (name, count) in [("requests", 3), ("cache_miss", 2), ("joined", 1), ("cache_hit", 1), ("call_ok", 1)]
    {
        assert_eq!(counted(&host, name), count, "{name}");
    }
    assert_eq!((counted(&host, "would_enrich"), counted(&host, "errors")), (3, 0));
    let host = plugin(json!({"mode": "report", "on_error": {"deny": 503}})).start();
    assert!(claim(&host).is_forwarded());
    assert_eq!((counted(&host, "would_errors"), counted(&host, "would_deny")), (1, 1));
    assert_eq!((counted(&host, "errors"), counted(&host, "denied")), (0, 0));
    host.assert_no_findings();
}

#[test]
fn a_share_of_requests_is_enriched_and_the_others_reported() {
    let host = with(json!({"enforce_percent": 50, "breaker": "off", "call": {"max_inflight": 1000}}));
    let streams: Vec<Stream> = (0..200).map(|_| claim(&host)).collect();
    let waiting = streams.iter().filter(|stream| stream.paused_in().is_some()).count();
    assert!((60..140).contains(&waiting), "{waiting} of 200");
    assert_eq!(host.callouts("metadata").len(), 200);
    // What a client claims is taken off all the same: an upstream that is told to believe it sees no difference.
    let passed = streams.iter().filter(|stream| stream.is_forwarded());
    for stream in passed {
        assert_eq!(claims(&stream.forwarded()), NOTHING);
        assert_eq!(stream.forwarded().header_all("x-enrich-status"), [] as [String; 0]);
    }
}

#[test]
fn when_it_is_off_nothing_is_asked_and_nothing_changes() {
    let host = with(json!({"mode": "off"}));
    assert_eq!(claim(&host).forwarded().header_all("x-meta"), ["forged", "twice"]);
    assert_eq!((host.asked(), counted(&host, "requests")), (vec![], 0));
}
