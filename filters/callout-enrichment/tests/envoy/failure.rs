//! A service that fails in every way that a network has.

use super::*;

/// Sends a request in which a client claims to be enriched, and answers what the upstream saw of that.
#[track_caller]
fn claims_that_reach(upstream: &Upstream, envoy: &Envoy) -> (Option<String>, Option<String>) {
    let request =
        envoy.get("/orders").header("x-meta", "forged").header("X-Meta", "twice").header("x-meta-host", "f");
    assert_eq!(request.send().status, 200);
    let seen = upstream.only_seen();
    upstream.forget();
    (seen.header("x-meta"), seen.header("x-meta-host"))
}

#[test]
fn a_2xx_answer_is_added_to_the_request_in_place_of_what_the_client_claimed() {
    let upstream = Upstream::ok();
    let service = Upstream::answering(|_| Reply::new(200, r#"{"headers": {"Host": "from the service"}}"#));
    let envoy = envoy(&upstream, service.address());
    let expected = (Some("1".to_owned()), Some("from the service".to_owned()));
    assert_eq!(claims_that_reach(&upstream, &envoy), expected);
    let asked = service.only_seen();
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("GET", "/headers"));
    assert_eq!(asked.header("host").as_deref(), Some("metadata.local"));
    count(&envoy, "call_ok_total", 1);
}

#[test]
fn any_other_answer_lets_the_request_go_on_without_headers() {
    for (status, cause) in [(301, "other_status"), (404, "4xx"), (500, "5xx"), (503, "5xx"), (504, "5xx")] {
        let upstream = Upstream::ok();
        let service = Upstream::answering(move |_| Reply::new(status, r#"{"headers": {"Host": "h"}}"#));
        let envoy = envoy(&upstream, service.address());
        assert_eq!(claims_that_reach(&upstream, &envoy), (None, None), "{status}");
        count(&envoy, &format!("call_{cause}_total"), 1);
    }
}

#[test]
fn a_204_is_an_answer_without_anything_to_look_into() {
    let (upstream, service) =
        (Upstream::ok(), Upstream::answering(|_| Reply::new(204, "").without_header("content-length")));
    assert_eq!(claims_that_reach(&upstream, &envoy(&upstream, service.address())), (Some("1".into()), None));
}

#[test]
fn every_failure_is_told_from_the_others() {
    let upstream = Upstream::ok();
    let short = json!({"call": {"timeout": "400ms", "max_response_bytes": 100}, "breaker": "off",
        "map": [{"from": "json_pointer", "path": "/user", "to": "x-meta-user"}]});
    for (reply, word, counter) in [
        (Reply::new(200, r#"{"user": "ada"}"#).after(ms(20_000)), "timeout", "call_timeout_total"),
        (Reply::new(200, vec![b' '; 90]).in_chunks_of(9).pausing(ms(400)), "timeout", "call_timeout_total"),
        (Reply::reset(), "error", "call_reset_total"),
        (Reply::new(500, "").after(ms(50)), "error", "call_5xx_total"),
        (Reply::new(200, vec![b' '; 101]), "error", "call_too_large_total"),
        (Reply::new(200, vec![b' '; 2 << 20]), "error", ""),
        (Reply::new(200, "<html>"), "invalid", "invalid_total"),
        (Reply::new(200, r#"{"user": "#), "invalid", "invalid_total"),
        (Reply::new(429, ""), "4xx", "call_4xx_total"),
        (Reply::new(200, r#"{"user": "ada"}"#).in_chunks_of(4), "ok ada", "call_ok_total"),
    ] {
        let shown = format!("{reply:.60?}");
        let service = Upstream::answering(move |_| reply.clone());
        let envoy = with(&upstream, &service, &short);
        assert_eq!(enriched(&envoy, &upstream, "acme"), word, "{shown}");
        if !counter.is_empty() {
            count(&envoy, counter, 1);
        }
        assert_nothing_broke(&envoy);
    }
}

#[test]
fn each_cause_can_deny() {
    let upstream = Upstream::ok();
    let denying = json!({"call": {"timeout": "300ms"}, "breaker": "off",
        "on_timeout": {"deny": 504}, "on_error": {"deny": 503}, "on_invalid": {"deny": 502}, "on_4xx": {"deny": 403},
        "map": [{"from": "json_pointer", "path": "/user", "to": "x-meta-user", "required": true}]});
    for (reply, status, text) in [
        (Reply::new(200, "{}").after(ms(20_000)), 504, "enrichment: timeout\n"),
        (Reply::reset(), 503, "enrichment: error\n"),
        (Reply::new(200, "{}"), 502, "enrichment: invalid\n"),
        (Reply::new(404, "{}"), 403, "enrichment: 4xx\n"),
    ] {
        let service = Upstream::answering(move |_| reply.clone());
        let envoy = with(&upstream, &service, &denying);
        for request in [envoy.get("/denied"), envoy.request("POST", "/denied").body(vec![b'x'; 200_000])] {
            let response = request.send();
            assert_eq!((response.status, response.text().as_str()), (status, text));
        }
        count(&envoy, "denied_total", 2);
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn a_denial_is_a_denial_for_grpc_and_http2_too() {
    let upstream = Upstream::ok();
    let service = Upstream::answering(|_| Reply::new(403, ""));
    let envoy = with(&upstream, &service, &json!({"on_4xx": {"deny": 403}}));
    assert_eq!(envoy.get("/").http2().send().status, 403);
    let grpc = envoy
        .request("POST", "/a.B/C")
        .http2()
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    let response = grpc.send();
    // PERMISSION_DENIED
    assert_eq!((response.status, response.header("grpc-status").as_deref()), (200, Some("7")));
}

#[test]
fn a_service_that_cannot_be_reached_lets_the_request_go_on_without_headers() {
    let upstream = Upstream::ok();
    let envoy = envoy(&upstream, nobody());
    assert_eq!(claims_that_reach(&upstream, &envoy), (None, None));
    count(&envoy, "call_connect_error_total", 1);
}

#[test]
fn a_service_that_is_late_holds_the_request_no_longer_than_the_timeout() {
    let upstream = Upstream::ok();
    let service = Upstream::answering(|_| Reply::new(200, "{}").after(ms(20_000)));
    let envoy = envoy(&upstream, service.address());
    let begun = Instant::now();
    assert_eq!(claims_that_reach(&upstream, &envoy), (None, None));
    // The sample waits a second; twenty would be the service's own time.
    assert!(begun.elapsed() < ms(10_000), "{:?}", begun.elapsed());
    count(&envoy, "call_timeout_total", 1);
}

#[test]
fn a_cluster_that_envoy_does_not_know_lets_the_request_go_on_and_is_named_in_the_log() {
    let upstream = Upstream::ok();
    let bootstrap =
        Bootstrap::filter("callout-enrichment").upstream(upstream.address()).without_cluster("metadata");
    let envoy = Envoy::with(bootstrap).start();
    for _ in 0..3 {
        assert_eq!(claims_that_reach(&upstream, &envoy), (None, None));
    }
    envoy.wait_for_log("Envoy refuses calls to cluster \"metadata\"");
    assert_eq!(envoy.log().matches("Envoy refuses calls").count(), 1, "{}", envoy.log());
    count(&envoy, "call_dispatch_error_total", 3);
}

#[test]
fn a_cluster_without_a_host_lets_the_request_go_on() {
    let upstream = Upstream::ok();
    let bootstrap = bootstrap(&upstream, nobody(), &json!({})).edit(|tree| {
        let clusters = tree["static_resources"]["clusters"].as_array_mut().unwrap();
        let metadata = clusters.iter_mut().find(|cluster| cluster["name"] == "metadata").unwrap();
        metadata["load_assignment"]["endpoints"] = json!([]);
    });
    let envoy = Envoy::with(bootstrap).start();
    assert_eq!(enriched(&envoy, &upstream, "acme"), "error");
    // What Envoy answers to the call itself; the 503 that it makes as well is never seen.
    count(&envoy, "call_dispatch_error_total", 1);
    assert_nothing_broke(&envoy);
}

#[test]
fn each_word_of_a_retry_means_its_failure_and_no_other() {
    let upstream = Upstream::ok();
    let broken = Upstream::answering(|_| Reply::reset());
    let cut_short = Upstream::answering(|_| Reply::new(200, "{").cut_short());
    let busy = Upstream::answering(|_| Reply::new(503, "upstream is busy"));
    for (on, calls) in
        [(json!("connect"), [2, 1, 1, 1]), (json!("reset"), [1, 2, 2, 1]), (json!(503), [2, 2, 1, 2])]
    {
        let members = json!({"call": {"retry": {"on": [on]}}, "breaker": "off"});
        let services = [nobody(), broken.address(), cut_short.address(), busy.address()];
        for ((service, calls), kind) in
            services.into_iter().zip(calls).zip(["refused", "broken", "cut short", "busy"])
        {
            let envoy = Envoy::with(bootstrap(&upstream, service, &members)).start();
            assert_eq!(enriched(&envoy, &upstream, "acme"), "error", "{on}: {kind}");
            count(&envoy, "errors_total", 1);
            assert_eq!(envoy.stat("wasm_enrich_calls_total"), calls, "{on}: {kind}");
        }
    }
}

#[test]
fn a_connection_that_breaks_is_tried_once_more_and_answers() {
    let upstream = Upstream::ok();
    let calls = AtomicUsize::new(0);
    let service = Upstream::answering(move |_| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::reset(),
        _ => Reply::new(200, "{}").header("x-user", "ada"),
    });
    let envoy = with(&upstream, &service, &json!({"call": {"retry": {"on": ["reset"]}}}));
    assert_eq!(enriched(&envoy, &upstream, "acme"), "ok ada");
    count(&envoy, "retries_total", 1);
    count(&envoy, "call_reset_total", 1);
}

#[test]
fn attempts_are_within_their_budget() {
    let upstream = Upstream::ok();
    let service = Upstream::answering(|_| Reply::new(502, ""));
    let members = json!({"call": {"retry": {"on": [502], "budget_percent": 1}}, "breaker": "off"});
    let envoy = with(&upstream, &service, &members);
    for _ in 0..10 {
        assert_eq!(enriched(&envoy, &upstream, "acme"), "error");
    }
    count(&envoy, "calls_total", 13);
    count(&envoy, "retries_total", 3);
}

#[test]
fn a_value_that_would_end_a_line_is_left_out() {
    let upstream = Upstream::ok();
    let service = Upstream::answering(|_| Reply::new(200, r#"{"user": "a\r\nx-admin: 1", "plan": "gold"}"#));
    let map = json!([
        {"from": "json_pointer", "path": "/user", "to": "x-meta-user"},
        {"from": "json_pointer", "path": "/plan", "to": "x-meta-plan"},
    ]);
    let envoy = with(&upstream, &service, &json!({ "map": map }));
    assert_eq!(enriched(&envoy, &upstream, "acme"), "ok");
    let seen = upstream.only_seen();
    assert_eq!((seen.header("x-admin"), seen.header("x-meta-plan").as_deref()), (None, Some("gold")));
    count(&envoy, "invalid_total", 1);
    assert_nothing_broke(&envoy);
}

#[test]
fn a_refusal_is_passed_on_if_that_is_asked_for() {
    let upstream = Upstream::ok();
    let service = Upstream::answering(|_| {
        let refusal =
            Reply::new(401, "{\"error\": \"who are you?\"}").header("content-type", "application/json");
        refusal.header("www-authenticate", "Bearer").header("set-cookie", "a=b")
    });
    let members = json!({"on_4xx": {"deny": "as_answered", "headers": ["www-authenticate"]}});
    let envoy = with(&upstream, &service, &members);
    for request in [envoy.get("/"), envoy.get("/").http2()] {
        let response = request.send();
        assert_eq!((response.status, response.text().as_str()), (401, "{\"error\": \"who are you?\"}"));
        assert_eq!(response.header("www-authenticate").as_deref(), Some("Bearer"));
        assert_eq!(response.header("set-cookie"), None);
        assert_eq!(response.header("content-type").as_deref(), Some("text/plain"), "of every local reply");
    }
    assert!(upstream.seen().is_empty());
}

#[test]
fn a_refusal_takes_back_what_was_known() {
    let upstream = Upstream::ok();
    let calls = AtomicUsize::new(0);
    let service = Upstream::answering(move |_| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::new(200, "{}").header("x-user", "ada").header("cache-control", "max-age=0"),
        1 => Reply::new(401, ""),
        _ => Reply::new(500, ""),
    });
    let cache = json!({"key": ["all"], "ttl": "60s", "stale_if_error": "60s"});
    let envoy = with(&upstream, &service, &json!({ "cache": cache }));
    for word in ["ok ada", "4xx", "error"] {
        assert_eq!(enriched(&envoy, &upstream, "acme"), word);
    }
}

#[test]
fn a_service_that_is_down_is_left_alone_and_asked_again_later() {
    let upstream = Upstream::ok();
    let calls = AtomicUsize::new(0);
    let service = Upstream::answering(move |_| match calls.fetch_add(1, Ordering::SeqCst) {
        0..4 => Reply::new(500, ""),
        _ => Reply::new(200, "{}").header("x-user", "ada"),
    });
    let envoy = with(&upstream, &service, &json!({"breaker": {"consecutive_failures": 3, "open_for": "1s"}}));
    for _ in 0..13 {
        assert_eq!(enriched(&envoy, &upstream, "acme"), "error");
    }
    count(&envoy, "breaker_rejected_total", 10);
    assert_eq!(service.seen().len(), 3);
    assert_eq!(envoy.stat("wasm_enrich_breaker_open"), 1);

    // Nobody waits for the call that finds out; this one finds that the service is still down.
    std::thread::sleep(ms(1100));
    assert_eq!(enriched(&envoy, &upstream, "acme"), "error");
    count(&envoy, "call_5xx_total", 4);
    assert_eq!(envoy.stat("wasm_enrich_breaker_open"), 1);
    std::thread::sleep(ms(1100));
    assert_eq!(enriched(&envoy, &upstream, "acme"), "error");
    count(&envoy, "call_ok_total", 1);
    count(&envoy, "breaker_open", 0);
    assert_eq!(enriched(&envoy, &upstream, "acme"), "ok ada");
}
