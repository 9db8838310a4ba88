//! What becomes of requests when a module panics, under each failure policy.

use std::time::{Duration, Instant};

use meshloom_lab::{Bootstrap, Envoy, Upstream, root};

fn envoy(upstream: &Upstream, policy: &str) -> Envoy {
    let module = root().join("target/wasm32-unknown-unknown/release/panics.wasm");
    let bootstrap = Bootstrap::filter("header-mutation")
        .module("header-mutation", module)
        .failure_policy("header-mutation", policy);
    Envoy::with(bootstrap.upstream(upstream.address())).start()
}

fn is_alive(upstream: &Upstream) -> bool {
    let alive = upstream.only_seen().header("x-alive").is_some();
    upstream.forget();
    alive
}

#[test]
fn fail_closed_answers_503_from_the_panic_on() {
    let upstream = Upstream::ok();
    let envoy = envoy(&upstream, "FAIL_CLOSED");
    assert_eq!(envoy.get("/").send().status, 200);
    assert!(is_alive(&upstream));

    assert_eq!(envoy.get("/").header("x-panic", "1").send().status, 503);
    for _ in 0..5 {
        assert_eq!(envoy.get("/").send().status, 503);
    }
    assert_eq!(upstream.seen().len(), 0, "no request should have reached the upstream");
    envoy.wait_for_log("a request asked for it");
}

#[test]
fn fail_open_lets_requests_pass_unfiltered_from_the_panic_on() {
    let upstream = Upstream::ok();
    let envoy = envoy(&upstream, "FAIL_OPEN");
    // The request that meets the panic is lost all the same: Envoy looks at the policy for those after it.
    assert_eq!(envoy.get("/").header("x-panic", "1").send().status, 503);
    assert_eq!(upstream.seen().len(), 0);
    for _ in 0..5 {
        assert_eq!(envoy.get("/").send().status, 200);
        assert!(!is_alive(&upstream));
    }
}

#[test]
fn fail_reload_answers_503_once_and_then_filters_again() {
    let upstream = Upstream::ok();
    let envoy = envoy(&upstream, "FAIL_RELOAD");
    assert_eq!(envoy.get("/").header("x-panic", "1").send().status, 503);

    // Envoy waits before it makes a new VM, a second unless told otherwise.
    let begun = Instant::now();
    while envoy.get("/").send().status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(20), "no new VM:\n{}", envoy.log());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(is_alive(&upstream));
}
