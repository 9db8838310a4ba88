//! callout-enrichment as the proxy runs it: what the upstream sees, whatever the service does.

use std::time::Duration;

use proxy_wasm_harness::{
    Callback, Callout, Host, HostBuilder, Level, Request, Response, Status, Stream, budget, filter, json,
};

const SECOND: Duration = Duration::from_secs(1);

/// A plugin of which no cluster is known yet.
fn plugin() -> HostBuilder {
    Host::envoy().plugin(filter("callout-enrichment").json(&json!({
        "version": 1,
        "call": {
            "cluster": "metadata", "authority": "metadata.local", "path": "/headers", "timeout": "1s",
            "max_response_bytes": 1000,
        },
        "map": [
            {"from": "literal", "value": "1", "to": "x-meta"},
            {"from": "header", "name": "x-user", "to": "x-meta-user"},
            {"from": "json_pointer", "path": "/headers/Host", "to": "x-meta-host"},
        ],
    })))
}

fn sample() -> Host {
    plugin().cluster("metadata").start()
}

/// Sends a request in which a client claims to be enriched.
fn claim(host: &Host) -> Stream {
    host.get("/orders").header("x-meta", "forged").header("X-Meta", "twice").header("x-meta-host", "f").send()
}

/// What the upstream sees under the names of the mapping.
fn claims(request: &Request) -> [Vec<String>; 3] {
    ["x-meta", "x-meta-user", "x-meta-host"].map(|name| request.header_all(name))
}

const NOTHING: [Vec<String>; 3] = [Vec::new(), Vec::new(), Vec::new()];

#[track_caller]
fn assert_unenriched(host: &Host, stream: &Stream, counter: &str) {
    assert_eq!(claims(&stream.forwarded()), NOTHING);
    assert_eq!(host.counter(counter), 1, "{counter}: {:?}", host.metrics());
    assert_eq!(host.counter("wasm_enrich_call_ok_total"), 0);
    host.assert_no_findings();
    assert_eq!(host.callouts("metadata").len(), 0);
}

#[test]
fn a_2xx_answer_is_added_in_place_of_what_the_client_claimed() {
    let host = sample();
    let stream = claim(&host);
    assert_eq!(stream.paused().paused_in(), Some(Callback::RequestHeaders));
    let callout =
        host.callout("metadata").assert_path("/headers").assert_header(":authority", "metadata.local");
    assert_eq!((callout.request().method().as_str(), callout.timeout_ms()), ("GET", 1000));
    let answer =
        Response::new(203).with_header("x-user", b"ad\xe4").with_body(r#"{"headers": {"Host": "h"}}"#);
    callout.respond_with(answer);
    let request = stream.forwarded();
    assert_eq!(request.headers.get("x-meta-user"), Some(&b"ad\xe4"[..]));
    assert_eq!(
        (request.header_all("x-meta"), request.header_all("x-meta-host")),
        (vec!["1".into()], vec!["h".into()])
    );
    assert_eq!(stream.respond(Response::ok("hello")).received().text(), "hello");
    assert_eq!(host.counter("wasm_enrich_call_ok_total"), 1);
    host.assert_no_findings();
    host.assert_nothing_leaked();
}

#[test]
fn any_other_answer_adds_nothing() {
    for (status, cause) in
        [(100, "other_status"), (301, "other_status"), (404, "4xx"), (500, "5xx"), (599, "5xx")]
    {
        let host = sample();
        let stream = claim(&host);
        host.callout("metadata").respond(status, r#"{"headers": {"Host": "h"}}"#);
        assert_unenriched(&host, &stream, &format!("wasm_enrich_call_{cause}_total"));
    }
}

#[test]
fn an_answer_without_a_status_adds_nothing() {
    let host = sample();
    let stream = claim(&host);
    host.callout("metadata").respond_with(Response::default().with_body("{}"));
    assert_unenriched(&host, &stream, "wasm_enrich_call_reset_total");
}

#[test]
fn a_late_service_holds_the_request_until_the_timeout_and_no_longer() {
    let host = sample();
    let stream = claim(&host);
    host.advance(SECOND - Duration::from_millis(1));
    stream.paused();
    assert_eq!(stream.upstream(), None);
    host.advance(Duration::from_millis(1));
    assert_unenriched(&host, &stream, "wasm_enrich_call_5xx_total");
}

#[test]
fn a_service_that_cannot_be_reached_adds_nothing() {
    let host = plugin().cluster_refusing("metadata").start();
    assert_unenriched(&host, &claim(&host), "wasm_enrich_call_5xx_total");
}

#[test]
fn a_connection_that_breaks_adds_nothing() {
    let host = sample();
    let stream = claim(&host);
    host.callout("metadata").reset();
    assert_unenriched(&host, &stream, "wasm_enrich_call_reset_total");
}

#[test]
fn a_cluster_without_a_healthy_host_adds_nothing() {
    let host = plugin().cluster_unhealthy("metadata").start();
    assert_unenriched(&host, &claim(&host), "wasm_enrich_call_dispatch_error_total");
}

#[test]
fn a_cluster_that_is_not_known_adds_nothing_and_is_named_once_a_minute() {
    let host = plugin().start();
    for seconds in [0, 1, 58, 2] {
        host.advance(seconds * SECOND);
        assert_eq!(claims(&claim(&host).forwarded()), NOTHING);
    }
    assert_eq!(host.counter("wasm_enrich_call_dispatch_error_total"), 4);
    let warnings = host.logs(Level::Warn);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains(r#"refuses calls to cluster "metadata" (BadArgument"#), "{warnings:?}");
}

#[test]
fn an_answer_that_is_too_large_adds_nothing() {
    for size in [1001, 1 << 20] {
        let host = sample();
        let stream = claim(&host);
        host.callout("metadata").respond(200, vec![b' '; size]);
        assert_unenriched(&host, &stream, "wasm_enrich_call_too_large_total");
    }
}

#[test]
fn a_hostile_answer_adds_what_is_no_header_to_no_request() {
    let deep = "[".repeat(900);
    let odd: [&[u8]; 6] = [
        b"",
        b"\xff\xfe\0",
        b"{",
        deep.as_bytes(),
        br#"{"headers": {"Host": "a\r\nx-admin: 1"}}"#,
        br#"{"headers": 1}"#,
    ];
    for body in odd {
        let host = sample();
        let stream = claim(&host);
        host.callout("metadata").respond(200, body.to_vec());
        let request = stream.forwarded();
        assert_eq!(claims(&request), [vec!["1".to_owned()], vec![], vec![]], "{}", body.escape_ascii());
        assert_eq!(request.header("x-admin"), None);
        host.assert_no_findings();
    }
}

#[test]
fn a_client_that_leaves_harms_nobody_and_its_answer_nobody_else() {
    let host = sample();
    let gone = claim(&host);
    gone.disconnect();
    let next = claim(&host);
    let callouts = host.callouts("metadata");
    assert_eq!(callouts.len(), 2);
    for (callout, user) in callouts.into_iter().zip(["of the first", "of the second"]) {
        callout.respond_with(Response::ok("{}").with_header("x-user", user));
    }
    assert_eq!(next.forwarded().header("x-meta-user").as_deref(), Some("of the second"));
    assert_eq!(gone.upstream(), None);
    assert_eq!(host.traps(), [] as [String; 0]);
    // Nothing can call a callout back: Envoy brings its answer to whoever is left.
    assert_eq!(host.findings().len(), 1, "{:?}", host.findings());
    drop(next);
    host.assert_nothing_leaked();
}

#[test]
fn answers_that_come_in_another_order_find_their_requests() {
    let host = sample();
    let streams = [claim(&host), claim(&host), claim(&host)];
    for (index, callout) in host.callouts("metadata").into_iter().enumerate().rev() {
        callout.respond_with(Response::ok("{}").with_header("x-user", index.to_string()));
    }
    for (index, stream) in streams.iter().enumerate() {
        assert_eq!(stream.forwarded().header("x-meta-user"), Some(index.to_string()));
    }
}

#[test]
fn a_request_body_waits_for_the_answer_and_arrives_whole() {
    let host = sample();
    let body = vec![b'x'; 300_000];
    let stream = host.post("/").body(body.clone()).in_chunks_of(1000).send();
    assert_eq!(stream.paused().upstream(), None);
    host.callout("metadata").respond(200, "{}");
    let request = stream.forwarded();
    assert_eq!(request.header("x-meta").as_deref(), Some("1"));
    assert!(request.body == body, "{} bytes arrived", request.body.len());
}

#[test]
fn a_proxy_that_fails_the_call_is_met_as_one_without_the_cluster() {
    for status in [Status::BadArgument, Status::InternalFailure] {
        let host = sample();
        host.fail("proxy_http_call", status, 1);
        assert_unenriched(&host, &claim(&host), "wasm_enrich_call_dispatch_error_total");
    }
}

#[test]
fn every_mistake_of_a_configuration_is_named() {
    let refusal = filter("callout-enrichment").refuses(json!({
        "version": 1,
        "call": {"cluster": "", "authority": "a b", "path": "headers", "timeout": "soon"},
        "map": [{"from": "weather", "to": "x-a"}, {"from": "status", "to": ":path"}],
    }));
    let problems = refusal.logged(Level::Error);
    let fields: Vec<&str> = problems.iter().filter_map(|problem| problem.split('`').nth(1)).collect();
    assert_eq!(
        fields,
        ["call.cluster", "call.authority", "call.path", "call.timeout", "map[0].from", "map[1].to"]
    );
}

#[test]
fn a_request_costs_no_more_than_its_budget() {
    let host = sample();
    let cost = |answer: fn(Callout)| {
        let before = host.costs();
        let stream = claim(&host);
        answer(host.callout("metadata"));
        stream.respond(Response::ok("hello"));
        host.costs().since(&before)
    };
    let enriched = |callout: Callout| {
        callout.respond(200, r#"{"headers": {"Accept": "*/*", "Host": "metadata.local"}}"#);
    };
    // A first request makes memory ready that others find ready.
    cost(enriched);
    budget!("enriched").assert(&cost(enriched));
    budget!("timed_out").assert(&cost(Callout::time_out));
}
