//! Lists that are fetched from a real server.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use meshloom_lab::{Bootstrap, Envoy, Reply, Seen, Upstream};
use serde_json::json;

use super::becomes;

/// A server of lists that answers as it is told at the time.
#[derive(Clone)]
pub(crate) struct Lists(Arc<Mutex<Reply>>);

impl Lists {
    pub(crate) fn serving(reply: Reply) -> (Self, Upstream) {
        let lists = Self(Arc::new(Mutex::new(reply)));
        let now = lists.clone();
        let upstream = Upstream::answering(move |seen: &Seen| match seen.header("if-none-match") {
            Some(etag) if etag == "\"v1\"" => Reply::new(304, ""),
            _ => now.0.lock().unwrap().clone(),
        });
        (lists, upstream)
    }

    pub(crate) fn serve(&self, reply: Reply) {
        *self.0.lock().unwrap() = reply;
    }
}

fn envoy(upstream: &Upstream, lists: &Upstream, more: &str) -> Envoy {
    let json = format!(
        r#"{{"version": 1, "reply": {{"status": 403}}, "lists": [{{"name": "feed", "remote": {{"cluster": "lists",
            "authority": "lists.test", "path": "/egress.txt", "interval": "1s" {more}}}}}]}}"#
    );
    Envoy::with(with_lists(upstream, lists).configure("blocklist", json)).start()
}

/// With a second cluster, that has the lists.
pub(crate) fn with_lists(upstream: &Upstream, lists: &Upstream) -> Bootstrap {
    Bootstrap::filter("blocklist")
        .edit(|tree| {
            let clusters = tree["static_resources"]["clusters"].as_array_mut().unwrap();
            let mut cluster = clusters[0].clone();
            cluster["name"] = json!("lists");
            clusters.push(cluster);
        })
        .upstream(upstream.address())
        .cluster("lists", lists.address())
}

/// Waits until the counter has grown.
#[track_caller]
fn grows(envoy: &Envoy, counter: &str) {
    let (begun, before) = (Instant::now(), envoy.stat(counter));
    while envoy.stat(counter) == before {
        assert!(begun.elapsed() < Duration::from_secs(15), "{counter} is {before} still:\n{}", envoy.log());
        std::thread::sleep(Duration::from_millis(50));
    }
}

const DONE: &str = "wasm_blocklist_refreshes_feed_total";
const FAILED: &str = "wasm_blocklist_refresh_errors_feed_total";

#[test]
fn a_list_is_fetched_kept_while_it_is_unchanged_and_replaced_when_it_is_not() {
    let upstream = Upstream::ok();
    let (lists, server) = Lists::serving(Reply::new(200, "# feed\n.a.test\n").header("etag", "\"v1\""));
    let envoy = envoy(&upstream, &server, "");
    becomes(&envoy, "x.a.test", 403);
    becomes(&envoy, "b.test", 200);
    server.forget();
    grows(&envoy, DONE);
    let seen = server.seen();
    assert!(seen.iter().all(|seen| seen.path == "/egress.txt"));
    assert_eq!(seen[0].header("host").as_deref(), Some("lists.test"));
    assert_eq!(seen[0].header("if-none-match").as_deref(), Some("\"v1\""));
    assert_eq!(envoy.get("/").header("host", "x.a.test").send().status, 403);
    assert_eq!(envoy.stat(FAILED), 0);
    drop(lists);
}

#[test]
fn before_the_first_fetch_nothing_passes_and_afterwards_what_is_not_listed() {
    let upstream = Upstream::ok();
    let (lists, server) = Lists::serving(Reply::new(500, "a.test\n"));
    let envoy = envoy(&upstream, &server, "");
    assert_eq!(envoy.get("/").header("host", "b.test").send().status, 503);
    grows(&envoy, FAILED);
    assert_eq!(envoy.get("/").header("host", "b.test").send().status, 503);
    assert_eq!(upstream.seen().len(), 0);
    lists.serve(Reply::new(200, "a.test\n"));
    becomes(&envoy, "b.test", 200);
    assert_eq!(envoy.get("/").header("host", "a.test").send().status, 403);
}

#[test]
fn whatever_goes_wrong_the_last_good_list_stays() {
    let upstream = Upstream::ok();
    let (lists, server) = Lists::serving(Reply::new(200, "a.test\n"));
    let envoy = envoy(&upstream, &server, r#", "max_bytes": 1000, "timeout": "300ms""#);
    becomes(&envoy, "a.test", 403);
    for bad in [
        Reply::new(500, "b.test\n"),
        Reply::reset(),
        Reply::new(200, "b.test\n".repeat(200)),
        Reply::new(200, "b.test\nhttp://c.test/\n"),
        Reply::new(200, ""),
        Reply::new(200, "b.test\n").after(Duration::from_secs(2)),
        // Cut off: less than it says that there is.
        Reply::new(200, "b.test\n").without_header("content-length").header("content-length", "1000"),
    ] {
        lists.serve(bad);
        grows(&envoy, FAILED);
        grows(&envoy, FAILED);
        assert_eq!(envoy.get("/").header("host", "a.test").send().status, 403);
        assert_eq!(envoy.get("/").header("host", "b.test").send().status, 200);
    }
    lists.serve(Reply::new(200, "b.test\n"));
    becomes(&envoy, "b.test", 403);
    becomes(&envoy, "a.test", 200);
}

#[test]
fn a_list_in_small_pieces_is_read_whole() {
    let upstream = Upstream::ok();
    let names: String = (0..20_000).map(|number| format!(".n{number}.test\n")).collect();
    let (_lists, server) = Lists::serving(Reply::new(200, names).in_chunks_of(9_973));
    let envoy = envoy(&upstream, &server, "");
    becomes(&envoy, "a.n19999.test", 403);
    becomes(&envoy, "n20000.test", 200);
    assert_eq!(envoy.stat("wasm_blocklist_entries_feed"), 20_000);
}
