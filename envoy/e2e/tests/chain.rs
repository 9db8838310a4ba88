//! All filters together, in front of the real httpbin.

use meshloom_lab::{Bootstrap, Envoy, Httpbin, Reply, Upstream};

#[test]
fn the_labs_of_the_course_work_on_httpbin() {
    let httpbin = Httpbin::start();
    let envoy = Envoy::with(Bootstrap::all().upstream(httpbin.address())).start();

    let headers = envoy.get("/headers").send();
    assert_eq!(headers.header("x-training").as_deref(), Some("envoy-wasm"));
    let seen = &headers.json()["headers"];
    assert_eq!(seen["X-Training"], "envoy-wasm");
    assert_eq!(seen["X-Meta"], "1");
    assert_eq!(seen["X-Meta-Host"], "metadata.local");

    let redacted = envoy.get("/response-headers?SECRET=topsecret").send();
    assert_eq!(redacted.json()["SECRET"], "[REDACTED]");
    assert_eq!(redacted.header("content-length"), None);
    assert!(!redacted.text().contains("topsecret"));

    let blocked = envoy.get("/get").header("host", "ads.example.com").send();
    assert_eq!((blocked.status, blocked.text().as_str()), (451, "blocked by wasm\n"));

    // Nobody asked for it, and what is compressed cannot be looked at: so it is not any more.
    let compressed = envoy.get("/gzip").header("accept-encoding", "gzip").send();
    assert_eq!(compressed.header("content-encoding"), None);
    assert_eq!(compressed.json()["gzipped"], true);

    assert_eq!(envoy.get("/status/404").send().status, 404);
    assert_eq!(envoy.get("/status/500").send().status, 500);
    assert_eq!(envoy.stat("wasm_http_inbound_responses_total_2xx"), 3);
    assert_eq!(envoy.stat("wasm_http_inbound_responses_total_4xx"), 2);
    assert_eq!(envoy.stat("wasm_http_inbound_responses_total_5xx"), 1);
    envoy.wait_for_stat("wasm_http_inbound_duration_ms_count", 6);
}

#[test]
fn a_blocked_request_costs_no_callout_and_its_reply_passes_the_other_filters_unharmed() {
    let upstream = Upstream::ok();
    let envoy = Envoy::with(Bootstrap::all().upstream(upstream.address())).start();
    let blocked = envoy.get("/").header("host", "example.com").send();
    assert_eq!(blocked.status, 451);
    assert_eq!(blocked.text(), "blocked by wasm\n");
    assert_eq!(blocked.header("content-type").as_deref(), Some("text/plain"));
    assert_eq!(blocked.header("cache-control").as_deref(), Some("no-store"));
    assert_eq!(upstream.seen().len(), 0);
    assert_eq!(envoy.stat("wasm_http_inbound_responses_total_4xx"), 1);
}

#[test]
fn two_workers_filter_alike() {
    let upstream =
        Upstream::answering(|_| Reply::new(200, "password=hunter2").header("content-type", "text/plain"));
    let envoy = Envoy::with(Bootstrap::all().upstream(upstream.address())).concurrency(2).start();
    for _ in 0..40 {
        let response = envoy.get("/").send();
        assert_eq!(response.header("x-training").as_deref(), Some("envoy-wasm"));
        assert_eq!(response.text(), "password=[REDACTED]");
    }
    assert_eq!(envoy.stat("wasm_http_inbound_responses_total_2xx"), 40);
}
