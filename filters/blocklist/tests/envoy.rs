//! blocklist in a real Envoy: what the client sees, and whether the upstream hears of it.

use meshloom_lab::{Bootstrap, Envoy, Upstream};

fn sample() -> (Upstream, Envoy) {
    let upstream = Upstream::ok();
    let envoy = Envoy::with(Bootstrap::filter("blocklist").upstream(upstream.address())).start();
    (upstream, envoy)
}

#[test]
fn a_listed_host_is_answered_451_and_never_reaches_the_upstream() {
    let (upstream, envoy) = sample();
    for host in ["example.com", "a.example.com", "A.EXAMPLE.COM.", "a.b.example.com:8443"] {
        let response = envoy.get("/").header("host", host).send();
        assert_eq!(response.status, 451, "{host}");
        assert_eq!(response.text(), "blocked by wasm\n");
        assert_eq!(response.header("content-type").as_deref(), Some("text/plain"));
        assert_eq!(response.header("content-length").as_deref(), Some("16"));
        assert_eq!(response.header("cache-control").as_deref(), Some("no-store"));
    }
    assert_eq!(upstream.seen().len(), 0);
    assert_eq!(envoy.stat("wasm_blocklist_denied_total"), 4);
    assert_eq!(envoy.stat("wasm_blocklist_denied_sample_total"), 4);
}

#[test]
fn any_other_host_is_forwarded_untouched() {
    let (upstream, envoy) = sample();
    for host in ["example.org", "notexample.com", "example.com.evil.test", "127.0.0.1:80"] {
        assert_eq!(envoy.get("/").header("host", host).send().status, 200, "{host}");
        assert_eq!(upstream.only_seen().header("host").as_deref(), Some(host));
        upstream.forget();
    }
    assert_eq!(envoy.stat("wasm_blocklist_denied_total"), 0);
}

#[test]
fn a_head_request_is_answered_without_a_body() {
    let (_upstream, envoy) = sample();
    let response = envoy.request("HEAD", "/").header("host", "example.com").send();
    assert_eq!((response.status, response.body().len()), (451, 0));
}

#[test]
fn http_2_is_judged_by_its_authority() {
    let (upstream, envoy) = sample();
    assert_eq!(envoy.get("/").header("host", "a.Example.com").http2().send().status, 451);
    assert_eq!(envoy.get("/").header("host", "example.org").http2().send().status, 200);
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn the_reply_is_as_configured() {
    let json = r#"{"version": 1, "lists": [{"name": "a", "entries": ["a.test"]}],
        "reply": {"status": 403, "content_type": "application/json", "body": "{}"}}"#;
    let envoy = Envoy::with(Bootstrap::filter("blocklist").configure("blocklist", json)).start();
    let response = envoy.get("/").header("host", "a.test").send();
    assert_eq!((response.status, response.text().as_str()), (403, "{}"));
    assert_eq!(response.header("content-type").as_deref(), Some("application/json"));
}
