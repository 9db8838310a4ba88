//! callout-enrichment in a real Envoy: what the upstream sees, whatever the service does.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use meshloom_lab::{Bootstrap, Envoy, Reply, Upstream};

/// The sample with a service of its own.
fn envoy(upstream: &Upstream, service: SocketAddr) -> Envoy {
    let bootstrap =
        Bootstrap::filter("callout-enrichment").upstream(upstream.address()).cluster("metadata", service);
    Envoy::with(bootstrap).start()
}

fn service() -> Upstream {
    Upstream::answering(|_| Reply::new(200, r#"{"headers": {"Host": "from the service"}}"#))
}

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
    let (upstream, service) = (Upstream::ok(), service());
    let envoy = envoy(&upstream, service.address());
    let expected = (Some("1".to_owned()), Some("from the service".to_owned()));
    assert_eq!(claims_that_reach(&upstream, &envoy), expected);
    let asked = service.only_seen();
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("GET", "/headers"));
    assert_eq!(asked.header("host").as_deref(), Some("metadata.local"));
    assert_eq!(envoy.stat("wasm_enrich_call_ok_total"), 1);
}

#[test]
fn any_other_answer_lets_the_request_go_on_without_headers() {
    for (status, cause) in [(301, "other_status"), (404, "4xx"), (500, "5xx"), (503, "5xx")] {
        let upstream = Upstream::ok();
        let service = Upstream::answering(move |_| Reply::new(status, r#"{"headers": {"Host": "h"}}"#));
        let envoy = envoy(&upstream, service.address());
        assert_eq!(claims_that_reach(&upstream, &envoy), (None, None), "{status}");
        assert_eq!(envoy.stat(&format!("wasm_enrich_call_{cause}_total")), 1);
    }
}

#[test]
fn a_service_that_cannot_be_reached_lets_the_request_go_on_without_headers() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let upstream = Upstream::ok();
    assert_eq!(claims_that_reach(&upstream, &envoy(&upstream, closed)), (None, None));
}

#[test]
fn a_service_that_breaks_the_connection_lets_the_request_go_on_without_headers() {
    let (upstream, service) = (Upstream::ok(), Upstream::answering(|_| Reply::reset()));
    assert_eq!(claims_that_reach(&upstream, &envoy(&upstream, service.address())), (None, None));
}

#[test]
fn a_service_that_is_late_holds_the_request_no_longer_than_the_timeout() {
    let upstream = Upstream::ok();
    let service = Upstream::answering(|_| Reply::new(200, "{}").after(Duration::from_secs(20)));
    let envoy = envoy(&upstream, service.address());
    let begun = Instant::now();
    assert_eq!(claims_that_reach(&upstream, &envoy), (None, None));
    // The sample waits a second; twenty would be the service's own time.
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
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
    assert_eq!(envoy.stat("wasm_enrich_call_dispatch_error_total"), 3);
}

#[test]
fn an_answer_that_is_too_large_adds_nothing() {
    let (upstream, service) = (Upstream::ok(), Upstream::answering(|_| Reply::new(200, vec![b' '; 100_000])));
    assert_eq!(claims_that_reach(&upstream, &envoy(&upstream, service.address())), (None, None));
}

#[test]
fn a_client_that_leaves_while_its_call_is_pending_harms_nobody() {
    let upstream = Upstream::ok();
    let service = Upstream::answering(|_| Reply::new(200, "{}").after(Duration::from_millis(300)));
    let envoy = envoy(&upstream, service.address());
    for _ in 0..5 {
        envoy.get("/").send_and_leave(Duration::from_millis(50));
    }
    std::thread::sleep(Duration::from_millis(500)); // until every answer is there
    assert_eq!(claims_that_reach(&upstream, &envoy).0.as_deref(), Some("1"));
    assert!(!envoy.log().contains("panicked"), "{}", envoy.log());
}

#[test]
fn a_request_body_waits_for_the_answer_and_arrives_whole() {
    let (upstream, service) = (Upstream::ok(), service());
    let envoy = envoy(&upstream, service.address());
    let body = vec![b'x'; 300_000];
    assert_eq!(envoy.request("POST", "/").body(body.clone()).send().status, 200);
    let seen = upstream.only_seen();
    assert_eq!(seen.header("x-meta").as_deref(), Some("1"));
    assert!(seen.body == body, "{} bytes arrived", seen.body.len());
}
