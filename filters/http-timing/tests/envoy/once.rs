//! Each stream is counted once, whatever Envoy does for it.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

#[test]
fn tries_that_failed_are_no_streams_of_their_own() {
    let tries = AtomicU32::new(0);
    let upstream = Upstream::answering(move |_| match tries.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::new(503, ""),
        1 => Reply::reset(),
        _ => Reply::new(200, ""),
    });
    let retries = json!({"retry_policy": {"retry_on": "5xx,reset", "num_retries": 5}});
    let envoy = extended(&upstream, retries).start();
    assert_eq!(envoy.get("/").send().status, 200);
    assert_eq!(upstream.seen().len(), 3);
    envoy.wait_for_stat("wasm_http_inbound_duration_ms_count", 1);
    envoy.wait_for_stat("wasm_http_inbound_ttfb_ms_count", 1);
    assert_eq!(counts(&envoy, ["requests_total", "responses_total_2xx", "slo_fast_good_total"]), [1; 3]);
    assert_eq!(counts(&envoy, ["responses_total_5xx", "local_replies_total", "inflight"]), [0; 3]);
}

#[test]
fn an_internal_redirect_is_part_of_the_stream_that_it_ends_in() {
    let upstream = Upstream::answering(|seen| match seen.path.as_str() {
        "/old" => Reply::new(302, "").header("location", "http://localhost/older"),
        "/older" => Reply::new(302, "").header("location", "http://localhost/new"),
        _ => Reply::new(200, ""),
    });
    let redirects = json!({"internal_redirect_policy": {"max_internal_redirects": 3}});
    let envoy = extended(&upstream, redirects).start();
    assert_eq!(envoy.get("/old").send().status, 200);
    assert_eq!(upstream.seen().len(), 3);
    envoy.wait_for_stat("wasm_http_inbound_responses_total_2xx", 1);
    envoy.wait_for_stat("wasm_http_inbound_duration_ms_count", 1);
    assert_eq!(counts(&envoy, ["requests_total", "responses_total_none", "responses_total_3xx"]), [1, 0, 0]);
    assert_eq!(counts(&envoy, ["inflight", "resets_total_downstream", "resets_total_upstream"]), [0; 3]);
}

#[test]
fn every_end_at_once_is_counted_once_each() {
    let upstream = Upstream::as_asked();
    let envoy = extended(&upstream, json!({})).concurrency(2).start();
    std::thread::scope(|scope| {
        for client in 0..4 {
            let envoy = &envoy;
            scope.spawn(move || {
                for path in ["/200", "/302", "/404", "/503", "/200/50"] {
                    (0..5).for_each(|_| drop(envoy.get(path).send()));
                }
                (0..5)
                    .for_each(|_| envoy.get("/200/900").send_and_leave(Duration::from_millis(100 + client)));
            });
        }
    });
    envoy.wait_for_stat("wasm_http_inbound_requests_total", 120);
    envoy.wait_for_stat("wasm_http_inbound_duration_ms_count", 120);
    let classes = ["2xx", "3xx", "4xx", "5xx", "none"]
        .map(|class| envoy.stat(&format!("wasm_http_inbound_responses_total_{class}")));
    assert_eq!(classes, [40, 20, 20, 20, 20]);
    assert_eq!(counts(&envoy, ["inflight"]), [0]);
}
