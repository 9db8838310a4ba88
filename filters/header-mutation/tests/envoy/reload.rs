//! Configurations that change under load, as a control plane changes them.

use meshloom_lab::{Discovery, Envoy, Reloaded, Session, Upstream, under_load};
use serde_json::{Value, json};

use super::configured;

const WORKERS: u32 = 2;
const RELOADS: u64 = 24;

/// Each marks requests and responses with its number; no two are the same.
fn configuration(n: u64) -> Value {
    json!({
        "version": 1, "access_log": true, "strip_client": [format!("x-none-{n}-*")],
        "rules": [{
            "name": "mark", "when": {"paths": [{"prefix": "/"}, {"exact": format!("/{n}")}]},
            "request": [{"op": "set", "name": "x-mark", "value": n.to_string()}],
            "response": [{"op": "set", "name": "x-mark", "value": n.to_string()}],
        }],
    })
}

/// Changes the configuration under load, and holds the counts to the requests that were sent.
fn reload(prepare: impl FnOnce(Discovery) -> Discovery) -> Reloaded {
    let upstream = Upstream::as_asked();
    let (bootstrap, discovery) =
        Discovery::of(configured("{}").upstream(upstream.address()), "header-mutation");
    let mut discovery = prepare(discovery);
    discovery.configure(configuration(0));
    let envoy = Envoy::with(bootstrap).concurrency(WORKERS).start();
    let exchange = |client: usize, session: &mut Session| {
        // Some streams are longer than a reload.
        let path = if client == 0 { "/200/150" } else { "/200/1" };
        let response = session.send(envoy.get(path).header("x-mark", "a client's own"));
        assert_eq!(response.status, 200);
        // It was marked by one configuration or by the next, and as one that is known.
        let mark = response.header("x-mark").and_then(|mark| mark.parse::<u64>().ok());
        assert!(mark.is_some_and(|mark| mark <= RELOADS), "{mark:?}");
    };
    let (answered, reloaded) = under_load(&envoy, exchange, |load| {
        let configurations = (1..=RELOADS).map(configuration);
        let counters =
            ["requests", "changed", "ops_applied"].map(|what| format!("wasm_header_mutation_{what}_total"));
        let counters = counters.each_ref().map(String::as_str);
        Reloaded::by(&envoy, WORKERS, (&mut discovery, "header_mutation"), configurations, &counters, load)
    });
    reloaded.assert_counters_only_grow();
    // Also what was counted in the last second of a VM that is gone.
    envoy.wait_for_stat("wasm_header_mutation_requests_total", answered);
    envoy.wait_for_stat("wasm_header_mutation_changed_total", 2 * answered);
    envoy.wait_for_stat("wasm_header_mutation_ops_applied_total", 2 * answered);
    for none in ["config_rejects", "errors", "ops_skipped", "denied"] {
        assert_eq!(envoy.stat(&format!("wasm_header_mutation_{none}_total")), 0, "{none}");
    }
    let seen = upstream.seen();
    assert_eq!(seen.len() as u64, answered);
    assert!(seen.iter().all(|seen| seen.header("x-mark").is_some_and(|mark| mark.parse::<u64>().is_ok())));
    assert!(!envoy.log().contains("[error]") && !envoy.log().contains("[critical]"), "{}", envoy.log());
    println!("{answered} requests, {RELOADS} reloads, {reloaded:?}");
    reloaded
}

#[test]
fn configurations_change_under_load_and_no_request_or_count_is_lost() {
    // A VM takes ten times as much as this.
    reload(|discovery| discovery).assert_flat(3, 4 * 1024, 2 + u64::from(WORKERS));
}

#[test]
fn so_they_do_where_each_comes_with_new_vms() {
    // Old VMs end with the last of their streams; of every reload one VM that is left behind would be 20 of them.
    reload(Discovery::in_new_vms).assert_flat(7, 24 * 1024, 3 * (1 + u64::from(WORKERS)));
}
