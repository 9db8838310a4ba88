//! Configurations that change under load, as a control plane changes them, also while a list is being fetched.

use std::time::{Duration, Instant};

use meshloom_lab::{Discovery, Envoy, Reloaded, Reply, Session, Upstream, under_load};
use serde_json::{Value, json};

use super::becomes;
use super::remote::{Lists, with_lists};

const WORKERS: u32 = 2;
const RELOADS: u64 = 24;

/// No two are the same; all deny one host by the configuration and one by a list that is fetched.
fn configuration(n: u64) -> Value {
    json!({
        "version": 1, "reply": {"status": 403},
        "lists": [
            {"name": "here", "entries": ["listed.test", format!("n{n}.test")]},
            {"name": "feed", "remote": {"cluster": "lists", "authority": "lists.test", "path": "/egress.txt",
                "interval": "1s", "on_initial_missing": "open"}},
        ],
    })
}

/// Changes the configuration under load, each time while a list is being fetched, and holds the counts to the requests that
/// were sent. With `keeps` the list that was fetched is in force all the time.
fn reload(keeps: bool, prepare: impl FnOnce(Discovery) -> Discovery) -> Reloaded {
    let upstream = Upstream::as_asked();
    let list = Reply::new(200, "fetched.test\n").header("etag", "\"v2\"").after(Duration::from_secs(1));
    let (_lists, server) = Lists::serving(list);
    let (bootstrap, discovery) = Discovery::of(with_lists(&upstream, &server), "blocklist");
    let mut discovery = prepare(discovery);
    discovery.configure(configuration(0));
    let envoy = Envoy::with(bootstrap).concurrency(WORKERS).start();
    let before = becomes(&envoy, "fetched.test", 403);
    envoy.wait_for_stat("wasm_blocklist_checked_total", before);
    let exchange = |client: usize, session: &mut Session| {
        // Some streams are longer than a reload.
        let path = if client == 0 { "/200/150" } else { "/200/1" };
        assert_eq!(session.send(envoy.get(path).header("host", "free.test")).status, 200);
        assert_eq!(session.send(envoy.get(path).header("host", "listed.test")).status, 403);
        let fetched = session.send(envoy.get("/200").header("host", "fetched.test")).status;
        assert!(fetched == 403 || (fetched == 200 && !keeps), "{fetched}");
    };
    let (answered, reloaded) = under_load(&envoy, exchange, |load| {
        let configurations = (1..=RELOADS).map(|n| {
            let before = server.seen().len();
            let begun = Instant::now();
            while server.seen().len() == before {
                assert!(begun.elapsed() < Duration::from_secs(30), "no list is asked for:\n{}", envoy.log());
                std::thread::sleep(Duration::from_millis(5));
            }
            configuration(n)
        });
        let counters =
            ["denied", "denied_here", "refreshes_feed"].map(|what| format!("wasm_blocklist_{what}_total"));
        let counters = counters.each_ref().map(String::as_str);
        Reloaded::by(&envoy, WORKERS, (&mut discovery, "blocklist"), configurations, &counters, load)
    });
    reloaded.assert_counters_only_grow();
    // Also what was counted in the last second of a VM that is gone.
    envoy.wait_for_stat("wasm_blocklist_checked_total", before + 3 * answered);
    assert_eq!(envoy.stat("wasm_blocklist_denied_here_total"), answered);
    // The last configuration has its list, and fetches it on; what a VM that is gone had asked for harms nobody.
    becomes(&envoy, "fetched.test", 403);
    becomes(&envoy, &format!("n{RELOADS}.test"), 403);
    becomes(&envoy, "n1.test", 200);
    for none in ["config_rejects_total", "refresh_errors_feed_total", "errors_total"] {
        assert_eq!(envoy.stat(&format!("wasm_blocklist_{none}")), 0, "{none}");
    }
    assert!(!envoy.log().contains("[error]") && !envoy.log().contains("[critical]"), "{}", envoy.log());
    println!("{answered} times three requests, {RELOADS} reloads, {reloaded:?}");
    reloaded
}

#[test]
fn configurations_change_under_load_and_no_request_or_count_is_lost() {
    // A VM takes ten times as much as this.
    reload(true, |discovery| discovery).assert_flat(3, 4 * 1024, 2 + u64::from(WORKERS));
}

#[test]
fn so_they_do_where_each_comes_with_new_vms() {
    // Old VMs end with the last of their streams; of every reload one VM that is left behind would be 20 of them.
    reload(false, Discovery::in_new_vms).assert_flat(7, 24 * 1024, 3 * (1 + u64::from(WORKERS)));
}
