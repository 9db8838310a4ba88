//! What happens without an answer.

use super::*;

#[test]
fn a_late_service_holds_the_request_until_the_timeout_and_no_longer() {
    let host = sample();
    let stream = claim(&host);
    // The proxy's timer is late by a millisecond or two.
    let told = SECOND - ms(3);
    host.advance(told - ms(1));
    stream.paused();
    assert_eq!(stream.upstream(), None);
    host.advance(ms(1));
    assert_unenriched(&host, &stream, "timeout", "call_timeout");
    assert_eq!(host.histogram("wasm_enrich_added_latency_ms"), [997]);
    assert_eq!(host.histogram("wasm_enrich_call_duration_ms"), [997]);
}

#[test]
fn an_answer_that_is_broken_off_when_its_time_has_passed_is_late() {
    let host = sample();
    let stream = claim(&host);
    let callout = host.callout("metadata");
    host.advance(SECOND - ms(4));
    callout.reset();
    assert_unenriched(&host, &stream, "timeout", "call_timeout");
}

#[test]
fn a_service_that_cannot_be_reached_adds_nothing() {
    let host = plugin(json!({})).cluster_refusing("metadata").start();
    assert_unenriched(&host, &claim(&host), "error", "call_connect_error");
}

#[test]
fn a_connection_that_breaks_adds_nothing() {
    let host = sample();
    let stream = claim(&host);
    host.callout("metadata").reset();
    assert_unenriched(&host, &stream, "error", "call_reset");
}

#[test]
fn a_cluster_without_a_healthy_host_adds_nothing() {
    let host = plugin(json!({})).cluster_unhealthy("metadata").start();
    assert_unenriched(&host, &claim(&host), "error", "call_dispatch_error");
    assert!(host.logs(Level::Warn)[0].contains("has it a healthy host?"), "{:?}", host.logs(Level::Warn));
}

#[test]
fn a_cluster_that_is_not_known_adds_nothing_and_is_named_once_a_minute() {
    let host = plugin(json!({})).start();
    for seconds in [0, 1, 58, 2] {
        host.advance(seconds * SECOND);
        assert_eq!(claims(&claim(&host).forwarded()), NOTHING);
    }
    assert_eq!(counted(&host, "call_dispatch_error"), 4);
    let warnings = host.logs(Level::Warn);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains(r#"refuses calls to cluster "metadata" (BadArgument"#), "{warnings:?}");
}

#[test]
fn what_is_less_severe_than_the_level_is_not_logged() {
    for (level, logged) in [("info", true), ("warn", true), ("error", false)] {
        let host = plugin(json!({"log_level": level})).start();
        let _ = claim(&host).forwarded();
        assert_eq!(!host.logs(Level::Warn).is_empty(), logged, "{level}");
    }
}

#[test]
fn each_plugin_of_a_vm_names_its_own_cluster() {
    let of = |name: &str| {
        let call = json!({"call": {"cluster": name}});
        filter("callout-enrichment").name(name).vm_id("one").json(&configuration(call))
    };
    let host = Host::envoy().plugin(of("first")).plugin(of("second")).start();
    claim(&host);
    claim(&host);
    let warnings = host.logs(Level::Warn);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("\"first\"") && warnings[1].contains("\"second\""), "{warnings:?}");
}

#[test]
fn a_proxy_that_fails_the_call_is_met_as_one_without_the_cluster() {
    for status in [Status::BadArgument, Status::InternalFailure] {
        let host = sample();
        host.fail("proxy_http_call", status, 1);
        assert_unenriched(&host, &claim(&host), "error", "call_dispatch_error");
    }
}

#[test]
fn each_cause_has_its_own_consequence() {
    let host = with(json!({
        "call": {"max_response_bytes": 10}, "breaker": "off",
        "on_timeout": {"deny": 504}, "on_error": {"deny": 503}, "on_invalid": {"deny": 502}, "on_4xx": {"deny": 403},
    }));
    for (answer, status, text) in [
        (Callout::time_out as fn(Callout), 504, "enrichment: timeout\n"),
        (Callout::reset, 503, "enrichment: error\n"),
        (Callout::refuse, 503, "enrichment: error\n"),
        (|callout| callout.respond(200, vec![b' '; 11]), 503, "enrichment: error\n"),
        (|callout| callout.respond(302, ""), 503, "enrichment: error\n"),
        (|callout| callout.respond(200, "{"), 502, "enrichment: invalid\n"),
        (|callout| callout.respond(401, ""), 403, "enrichment: 4xx\n"),
    ] {
        let stream = claim(&host);
        let callout = host.callout("metadata");
        if status == 504 {
            host.advance(SECOND);
            drop(callout);
        } else {
            answer(callout);
        }
        let reply = stream.answered();
        assert_eq!((reply.status(), reply.text().as_str()), (status, text));
        assert!(!stream.has_reached_upstream());
    }
    assert_eq!((counted(&host, "denied"), counted(&host, "errors")), (7, 7));
    host.assert_no_findings();
    host.assert_nothing_leaked();
}

#[test]
fn a_denial_without_a_call_is_given_at_once() {
    let host = plugin(json!({"on_error": {"deny": 503}})).start();
    let stream = host.post("/").body("a body").in_chunks_of(2).send();
    assert_eq!(stream.answered().status(), 503);
    assert_eq!(stream.details().as_deref(), Some("enrichment_error"));
    host.assert_nothing_leaked();
}

#[test]
fn those_who_wait_for_one_call_are_denied_together() {
    let host = with(json!({"cache": {"key": ["all"], "ttl": 0}, "on_error": {"deny": 503}}));
    let streams = [claim(&host), claim(&host), claim(&host)];
    host.callout("metadata").reset();
    for stream in &streams {
        assert_eq!(stream.answered().status(), 503);
    }
    host.assert_nothing_leaked();
}

#[test]
fn a_call_is_tried_once_more_in_what_is_left_of_its_time() {
    let host = with(json!({"call": {"retry": {"on": ["connect", "reset", 502]}}}));
    for fails in [Callout::refuse as fn(Callout), Callout::reset, |callout| callout.respond(502, "")] {
        let stream = claim(&host);
        host.advance(ms(300));
        fails(host.callout("metadata"));
        stream.paused();
        let again = host.callout("metadata").assert_path("/headers");
        assert_eq!(again.timeout_ms(), 697);
        again.respond_with(user("u"));
        assert_eq!(seen(&stream), "ok u");
    }
    assert_eq!((counted(&host, "retries"), counted(&host, "calls")), (3, 6));
    host.assert_no_findings();
}

#[test]
fn each_word_of_a_retry_means_its_failure_and_no_other() {
    let fails = [
        ("refused", Callout::refuse as fn(Callout)),
        ("timed out", |callout| callout.fail("connection timeout")),
        ("broken before its headers", |callout| callout.fail("remote reset")),
        ("ended before its headers", |callout| callout.fail("connection termination")),
        ("broken in its body", Callout::reset),
        ("busy", |callout| callout.respond(503, "upstream is busy")),
    ];
    for (on, again) in [
        (json!("connect"), [true, true, false, false, false, false]),
        (json!("reset"), [false, false, true, true, true, false]),
        (json!(503), [true, true, true, true, false, true]),
    ] {
        // However little is read of an answer otherwise.
        let call = json!({"retry": {"on": [on], "budget_percent": 100}, "max_response_bytes": 1});
        let host = with(json!({"call": call, "breaker": "off"}));
        for ((name, fail), again) in fails.into_iter().zip(again) {
            let stream = claim(&host);
            fail(host.callout("metadata"));
            assert_eq!(stream.paused_in().is_some(), again, "{on}: {name}");
            for callout in host.callouts("metadata") {
                callout.respond(200, "");
            }
        }
        assert_eq!((counted(&host, "call_connect_error"), counted(&host, "call_reset")), (2, 3));
    }
}

#[test]
fn each_attempt_is_a_duration_of_its_own() {
    let host = with(json!({"call": {"retry": {"on": ["reset"]}}}));
    let stream = claim(&host);
    host.advance(ms(100));
    host.callout("metadata").reset();
    host.advance(ms(50));
    host.callout("metadata").respond_with(user("u"));
    assert_eq!(seen(&stream), "ok u");
    assert_eq!(host.histogram("wasm_enrich_call_duration_ms"), [100, 50]);
    assert_eq!(host.histogram("wasm_enrich_added_latency_ms"), [150]);

    let stream = claim(&host);
    host.fail("proxy_http_call", Status::BadArgument, 1);
    host.callout("metadata").reset();
    assert_eq!(seen(&stream), "error");
    assert_eq!(host.histogram("wasm_enrich_call_duration_ms"), [100, 50, 0], "what was not sent has none");
}

#[test]
fn a_refusal_takes_back_what_was_known() {
    for (status, next) in [(401, "error"), (410, "error"), (429, "stale ada")] {
        let host = caching(json!({"stale_if_error": "60s"}));
        for (answer, word) in [(200, "ok ada"), (status, "4xx"), (500, next)] {
            let stream = of(&host, "acme");
            host.callout("metadata").respond_with(Response::new(answer).with_header("x-user", "ada"));
            assert_eq!(seen(&stream), word, "{status}");
            host.advance(10 * SECOND);
        }
    }
}

#[test]
fn a_refusal_is_passed_on_if_that_is_asked_for() {
    let host = with(json!({"on_4xx": {"deny": "as_answered", "headers": ["www-authenticate"]}}));
    let stream = claim(&host);
    let refusal = Response::new(401).with_body("who are you?");
    host.callout("metadata")
        .respond_with(refusal.with_header("www-authenticate", "Bearer").with_header("set-cookie", "a=b"));
    let reply = stream.answered();
    assert_eq!((reply.status(), reply.text().as_str()), (401, "who are you?"));
    assert_eq!(reply.header("www-authenticate").as_deref(), Some("Bearer"));
    assert_eq!(reply.header("set-cookie"), None);
    assert_eq!((stream.details().as_deref(), counted(&host, "denied")), (Some("enrichment_4xx"), 1));

    let large = claim(&host);
    host.callout("metadata").respond(403, vec![b'x'; 1001]);
    assert_eq!((large.answered().status(), large.answered().text().as_str()), (403, ""), "more than is read");
    host.assert_no_findings();
}

#[test]
fn a_second_failure_is_the_last_and_some_are_not_tried_again() {
    let host = with(json!({"call": {"retry": {"on": ["connect", "reset"]}}, "breaker": "off"}));
    let stream = claim(&host);
    host.callout("metadata").reset();
    host.callout("metadata").reset();
    assert_eq!(seen(&stream), "error");
    for fails in [
        (|callout| callout.respond(503, "from the service itself")) as fn(Callout),
        |callout| callout.respond(500, ""),
        |callout| callout.respond(404, ""),
    ] {
        let stream = claim(&host);
        fails(host.callout("metadata"));
        assert!(stream.is_forwarded());
    }
    let stream = claim(&host);
    host.advance(ms(701));
    host.callout("metadata").reset();
    assert_eq!(seen(&stream), "error", "too little time is left");
    assert_eq!(counted(&host, "retries"), 1);
}

#[test]
fn a_second_attempt_that_cannot_be_made_lets_everybody_go() {
    let host = with(json!({"call": {"retry": {"on": ["reset"]}}, "cache": {"key": ["all"], "ttl": 0}}));
    let streams = [claim(&host), claim(&host)];
    host.fail("proxy_http_call", Status::BadArgument, 1);
    host.callout("metadata").reset();
    for stream in &streams {
        assert_eq!(seen(stream), "error");
    }
}

#[test]
fn attempts_are_within_their_budget() {
    let host = with(json!({"call": {"retry": {"on": ["reset"], "budget_percent": 10}}, "breaker": "off"}));
    for _ in 0..100 {
        let stream = claim(&host);
        while let Some(callout) = host.callouts("metadata").into_iter().next() {
            callout.reset();
        }
        assert!(stream.is_forwarded());
    }
    assert_eq!(counted(&host, "retries"), 13, "three, and a tenth of a hundred");
}

#[test]
fn a_service_that_fails_is_left_alone_and_nobody_waits_to_find_out() {
    let host = with(json!({"breaker": {"consecutive_failures": 3, "open_for": "5s"}}));
    for _ in 0..3 {
        let stream = claim(&host);
        host.advance(SECOND);
        assert_eq!(seen(&stream), "timeout");
    }
    let before = host.costs();
    assert_eq!(seen(&claim(&host)), "error");
    let cost = host.costs().since(&before).total();
    assert!(cost.hostcalls < 20, "nothing is asked: {cost:?}");
    assert_eq!((host.asked().len(), counted(&host, "breaker_rejected")), (3, 1));
    assert_eq!(host.gauge("wasm_enrich_breaker_open"), 1);

    // Nobody waits for the call that finds out.
    host.advance(5 * SECOND);
    assert_eq!(seen(&claim(&host)), "error");
    assert_eq!(seen(&claim(&host)), "error");
    host.callout("metadata").respond(500, "");
    assert_eq!(seen(&claim(&host)), "error");
    assert_eq!(host.asked().len(), 4);

    host.advance(5 * SECOND);
    assert_eq!(seen(&claim(&host)), "error");
    host.callout("metadata").respond_with(user("u"));
    claim(&host).paused();
    host.advance(ms(100));
    assert_eq!(host.gauge("wasm_enrich_breaker_open"), 0);
}

#[test]
fn the_share_of_failures_opens_it_too() {
    let ratio = json!({"failure_percent": 50, "window": "10s", "min_calls": 4});
    let host = with(json!({"breaker": {"consecutive_failures": 0, "ratio": ratio}}));
    for status in [200, 500, 200, 500] {
        claim(&host);
        host.callout("metadata").respond(status, "{}");
    }
    assert_eq!(seen(&claim(&host)), "error");
    assert_eq!(host.asked().len(), 4);
}

#[test]
fn no_more_calls_are_under_way_than_may_be() {
    let host = with(json!({"call": {"max_inflight": 2}}));
    let waiting = [claim(&host), claim(&host)];
    assert_eq!(seen(&claim(&host)), "error");
    assert_eq!((host.asked().len(), counted(&host, "overflow")), (2, 1));
    assert_eq!(host.gauge("wasm_enrich_inflight"), 2);
    host.callout("metadata").respond_with(user("u"));
    assert_eq!(seen(&waiting[0]), "ok u");
    claim(&host).paused();
}
