//! What is asked, and what Envoy makes of requests and responses that were held back.

use super::*;

#[test]
fn a_question_has_what_its_templates_say() {
    let upstream = Upstream::ok();
    let service = Upstream::answering(|_| Reply::new(200, "{}"));
    let envoy = with(
        &upstream,
        &service,
        &json!({"call": {
            "method": "POST", "path": "/t/${header:x-tenant}/p?q=${query:q}", "forward_headers": ["authorization"],
            "body": "{\"agent\": \"${header:user-agent}\"}",
        }}),
    );
    let request =
        envoy.get("/a?q=b%20c").header("x-tenant", "../x?y#z%2f").header("authorization", "Bearer t");
    assert_eq!(
        request
            .header("user-agent", "a \"b\"")
            .header("cookie", "secret")
            .header("traceparent", "00-1-2-01")
            .send()
            .status,
        200
    );
    let asked = service.only_seen();
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/t/..%2Fx%3Fy%23z%252f/p?q=b%20c"));
    assert_eq!(asked.body, br#"{"agent": "a \"b\""}"#);
    for (name, value) in [
        ("authorization", Some("Bearer t")),
        ("traceparent", Some("00-1-2-01")),
        ("content-type", Some("application/json")),
        ("cookie", None),
        ("x-tenant", None),
    ] {
        assert_eq!(asked.header(name).as_deref(), value, "{name}");
    }
}

#[test]
fn a_header_that_is_not_utf8_is_forwarded_and_encoded() {
    let upstream = Upstream::ok();
    let service = Upstream::answering(|_| Reply::new(200, "{}").header("x-user", b"caf\xe9"));
    let members = json!({"call": {"path": "/t/${header:x-tenant}", "forward_headers": ["x-raw"]}});
    let envoy = with(&upstream, &service, &members);
    assert_eq!(envoy.get("/").header("x-tenant", b"caf\xe9").header("x-raw", b"\xff\xfe").send().status, 200);
    let asked = service.only_seen();
    assert_eq!(asked.path, "/t/caf%E9");
    assert!(asked.headers.contains(&("x-raw".into(), b"\xff\xfe".into())));
    assert!(upstream.only_seen().headers.contains(&("x-meta-user".into(), b"caf\xe9".into())));
    assert_nothing_broke(&envoy);
}

#[test]
fn a_request_body_waits_for_the_answer_and_arrives_whole() {
    let upstream = Upstream::ok();
    let service = counting(ms(200));
    let envoy = with(&upstream, &service, &json!({}));
    // Twice what Envoy buffers: back pressure holds the rest back, and nothing is lost.
    let body: Vec<u8> = (0..2_500_000_u32).map(|byte| (byte % 251) as u8).collect();
    for http2 in [false, true] {
        let request = envoy.request("POST", "/large").body(body.clone());
        assert_eq!(if http2 { request.http2() } else { request }.send().status, 200);
        let seen = upstream.only_seen();
        assert!(seen.header("x-meta-user").is_some());
        assert!(seen.body == body, "{} bytes arrived", seen.body.len());
        upstream.forget();
    }
}

#[test]
fn values_reach_the_response_and_the_access_log() {
    let upstream = Upstream::answering(|_| Reply::new(200, "hello").header("x-plan", "of the upstream"));
    let calls = AtomicUsize::new(0);
    let service = Upstream::answering(move |_| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::new(200, r#"{"plan": "gold"}"#),
        1 => Reply::new(403, ""),
        _ => Reply::new(500, ""),
    });
    let members = json!({"on_4xx": {"deny": 403}, "map": [
        {"from": "json_pointer", "path": "/plan", "to_response": "x-plan"},
        {"from": "json_pointer", "path": "/plan", "to_filter_state": "plan"},
    ]});
    let log = tempfile::NamedTempFile::new().unwrap();
    let path = log.path().to_owned();
    let bootstrap = bootstrap(&upstream, service.address(), &members).connection_manager(move |manager| {
        manager["access_log"] = json!([{"name": "envoy.access_loggers.file", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": path,
            "log_format": {"text_format_source": {"inline_string":
                "plan=%FILTER_STATE(wasm.plan:PLAIN)% status=%REQ(X-ENRICH-STATUS)% \
                 outcome=%FILTER_STATE(wasm.callout-enrichment:PLAIN)%\n"}},
        }}]);
    });
    let envoy = Envoy::with(bootstrap).start();
    assert_eq!(envoy.get("/").send().header("x-plan").as_deref(), Some("gold"));
    assert_eq!(envoy.get("/").send().status, 403);
    assert_eq!(envoy.get("/").send().status, 200);
    drop(envoy); // and so its log is written
    assert_eq!(
        std::fs::read_to_string(log.path()).unwrap(),
        "plan=gold status=ok outcome=ok\nplan=- status=- outcome=deny:4xx\nplan=- status=error outcome=error\n"
    );
}

#[test]
fn in_report_mode_nobody_waits_and_nothing_changes() {
    let upstream = Upstream::ok();
    let service = counting(ms(300));
    let envoy = with(&upstream, &service, &json!({"mode": "report", "on_error": {"deny": 503}}));
    assert_eq!(envoy.get("/").header("x-meta-user", "of the client").send().status, 200);
    let seen = upstream.only_seen();
    assert_eq!(seen.header("x-meta-user").as_deref(), Some("of the client"));
    assert_eq!(seen.header("x-enrich-status"), None);
    count(&envoy, "call_ok_total", 1);
    assert_nothing_broke(&envoy);
}

#[test]
fn an_upgrade_is_asked_about_like_any_request() {
    let upstream = Upstream::ok();
    let service = counting(ms(0));
    let bootstrap = bootstrap(&upstream, service.address(), &json!({})).connection_manager(|manager| {
        manager["upgrade_configs"] = json!([{"upgrade_type": "websocket"}]);
    });
    let envoy = Envoy::with(bootstrap).start();
    let upgrade = envoy.get("/chat").header("connection", "upgrade").header("upgrade", "websocket");
    let _ = upgrade.try_send(); // the upstream does not upgrade: what comes back is of no interest
    let seen = upstream.seen();
    assert_eq!(seen.first().and_then(|seen| seen.header("x-meta-user")).as_deref(), Some("1"), "{seen:?}");
}
