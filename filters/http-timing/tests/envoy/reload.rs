//! Configurations that change under load, as a control plane changes them.

use meshloom_lab::{Discovery, Reloaded, under_load};

use super::*;

const WORKERS: u32 = 2;
const RELOADS: u64 = 24;

/// No two are the same, and some of the metrics are in one of two alone.
fn configuration(n: u64) -> Value {
    json!({
        "version": 1, "direction": "inbound",
        "metrics": {"requests": true, "inflight": true, "ttfb": n.is_multiple_of(2), "sizes": true},
        "slices": [{"name": format!("s{}", n % 3), "when": {"paths": [{"prefix": "/"}, {"exact": format!("/{n}")}]}}],
        "slo": [{"name": "fast", "latency": "5s"}],
        "log": {"enabled": true, "only_status": ["5xx"], "max_path": 100 + n},
    })
}

/// Changes the configuration under load, and holds the counts to the requests that were sent.
fn reload(prepare: impl FnOnce(Discovery) -> Discovery) -> (Envoy, u64, Reloaded) {
    let upstream = Upstream::as_asked();
    let (bootstrap, discovery) =
        Discovery::of(bootstrap("INBOUND").upstream(upstream.address()), "http-timing");
    let mut discovery = prepare(discovery);
    discovery.configure(configuration(0));
    let envoy = Envoy::with(bootstrap).concurrency(WORKERS).start();
    let exchange = |client: usize, session: &mut meshloom_lab::Session| {
        // Some streams are longer than a reload.
        let path = if client == 0 { "/200/150" } else { "/200/1" };
        assert_eq!(session.send(envoy.get(path)).status, 200);
    };
    let (answered, reloaded) = under_load(&envoy, exchange, |load| {
        let configurations = (1..=RELOADS).map(configuration);
        let counters = ["wasm_http_inbound_responses_total_2xx", "wasm_http_inbound_requests_total"];
        Reloaded::by(&envoy, WORKERS, (&mut discovery, "http_timing"), configurations, &counters, load)
    });
    reloaded.assert_counters_only_grow();
    envoy.wait_for_stat("wasm_http_inbound_inflight", 0);
    for name in ["requests_total", "responses_total_2xx", "slo_fast_total", "slo_fast_good_total"] {
        envoy.wait_for_stat(&format!("wasm_http_inbound_{name}"), answered);
    }
    for name in ["duration_ms_count", "request_bytes_count"] {
        envoy.wait_for_stat(&format!("wasm_http_inbound_{name}"), answered);
    }
    assert_eq!(envoy.stat("wasm_http_timing_config_rejects_total"), 0);
    // A metric that was defined again would be there twice.
    let text = envoy.prometheus();
    let once = text.lines().filter(|line| line.starts_with("wasm_http_inbound_requests_total")).count();
    assert_eq!(once, 1);
    assert!(!envoy.log().contains("[error]") && !envoy.log().contains("[critical]"), "{}", envoy.log());
    println!("{answered} requests, {RELOADS} reloads, {reloaded:?}");
    (envoy, answered, reloaded)
}

/// Requests in each slice: every configuration has one of the three.
fn in_slices(envoy: &Envoy) -> [u64; 3] {
    [0, 1, 2].map(|n| envoy.stat(&format!("wasm_http_inbound_s{n}_requests_total")))
}

#[test]
fn configurations_change_under_load_and_no_request_or_count_is_lost() {
    let (envoy, answered, reloaded) = reload(|discovery| discovery);
    // A VM takes ten times as much as this.
    reloaded.assert_flat(3, 4 * 1024, 2 + u64::from(WORKERS));
    // Also of metrics that a configuration did without and the next had again.
    assert_eq!(in_slices(&envoy).iter().sum::<u64>(), answered);
}

#[test]
fn so_they_do_where_each_comes_with_new_vms() {
    // Old VMs end with the last of their streams; of every reload one VM that is left behind would be 20 of them.
    let (envoy, answered, reloaded) = reload(Discovery::in_new_vms);
    reloaded.assert_flat(7, 24 * 1024, 3 * (1 + u64::from(WORKERS)));
    let in_slices = in_slices(&envoy);
    let is_kept = in_slices.iter().sum::<u64>() == answered;
    // A metric that no VM has any more is forgotten since some version after 1.36, and begins anew.
    let begins_anew = in_slices[1..] == [0, 0] && (1..answered / 3).contains(&in_slices[0]);
    let as_it_was_seen = match Envoy::version().as_str() {
        "1.36" => is_kept,
        "1.40" => begins_anew,
        _ => is_kept || begins_anew,
    };
    assert!(as_it_was_seen, "{in_slices:?} of {answered}");
}

#[test]
fn a_configuration_that_is_refused_changes_nothing() {
    let upstream = Upstream::as_asked();
    let (bootstrap, mut discovery) =
        Discovery::of(bootstrap("INBOUND").upstream(upstream.address()), "http-timing");
    discovery.configure(json!({"version": 1}));
    let envoy = Envoy::with(bootstrap).start();
    envoy.get("/200").send();
    discovery.configure(json!({"version": 1, "slices": "all"}));
    envoy.wait_for_log("config field `slices`");
    envoy.get("/200").send();
    envoy.wait_for_stat("wasm_http_inbound_responses_total_2xx", 2);
    assert_eq!(envoy.stat("wasm_http_timing_config_rejects_total"), 1);
}
