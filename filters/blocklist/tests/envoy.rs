//! blocklist in a real Envoy: what the client sees, and whether the upstream hears of it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "all of this is a test: clippy knows only the functions marked so"
)]

#[path = "envoy/connection.rs"]
mod connection;
#[path = "envoy/reload.rs"]
mod reload;
#[path = "envoy/remote.rs"]
mod remote;

use std::time::{Duration, Instant};

use meshloom_lab::{Bootstrap, Envoy, Upstream};
use serde_json::{Value, json};

fn sample() -> (Upstream, Envoy) {
    let upstream = Upstream::ok();
    let envoy = Envoy::with(Bootstrap::filter("blocklist").upstream(upstream.address())).start();
    (upstream, envoy)
}

fn configured(upstream: &Upstream, json: &Value) -> Bootstrap {
    Bootstrap::filter("blocklist").upstream(upstream.address()).configure("blocklist", json.to_string())
}

/// Sends requests for `host` until one has that status, and answers how many it sent.
#[track_caller]
fn becomes(envoy: &Envoy, host: &str, status: u16) -> u64 {
    let (begun, mut sent) = (Instant::now(), 1);
    while envoy.get("/").header("host", host).send().status != status {
        assert!(begun.elapsed() < Duration::from_secs(30), "{host} is not {status}:\n{}", envoy.log());
        std::thread::sleep(Duration::from_millis(50));
        sent += 1;
    }
    sent
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
        let link = "<https://example.com/egress-policy>; rel=\"blocked-by\"";
        assert_eq!(response.header("link").as_deref(), Some(link));
    }
    assert_eq!(upstream.seen().len(), 0);
    assert_eq!(envoy.stat("wasm_blocklist_denied_total"), 4);
    assert_eq!(envoy.stat("wasm_blocklist_denied_sample_total"), 4);
    envoy.wait_for_stat("wasm_blocklist_checked_total", 4);
    assert_eq!(envoy.stat("wasm_blocklist_entries_sample"), 1);
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
fn a_grpc_call_is_answered_by_a_grpc_status() {
    let (upstream, envoy) = sample();
    let call = |host: &str| {
        envoy
            .request("POST", "/a.B/C")
            .header("host", host)
            .header("content-type", "application/grpc")
            .http2()
            .send()
    };
    let response = call("example.com");
    assert_eq!((response.status, response.body().len()), (200, 0));
    assert_eq!(response.header("grpc-status").as_deref(), Some("7"));
    assert_eq!(response.header("grpc-message").as_deref(), Some("blocked by wasm: listed"));
    assert_eq!(response.header("content-type").as_deref(), Some("application/grpc"));
    assert_eq!(upstream.seen().len(), 0);
}

#[test]
fn the_reply_is_as_configured() {
    let upstream = Upstream::ok();
    let json = json!({"version": 1, "lists": [{"name": "a", "entries": ["a.test"]}],
        "reply": {"status": 403, "content_type": "application/json", "body": "{\"host\": \"${host}\", \"rule\": \"${rule}\"}",
            "headers": [{"name": "x-policy", "value": "egress"}]}});
    let envoy = Envoy::with(configured(&upstream, &json)).start();
    let response = envoy.get("/").header("host", "A.test.:80").send();
    assert_eq!((response.status, response.text().as_str()), (403, r#"{"host": "a.test", "rule": "a"}"#));
    assert_eq!(response.header("content-type").as_deref(), Some("application/json"));
    assert_eq!(response.header("x-policy").as_deref(), Some("egress"));
}

#[test]
fn the_access_log_has_the_decision() {
    let upstream = Upstream::ok();
    let json = json!({"version": 1, "lists": [
        {"name": "ads", "entries": [".example.com"]}, {"name": "try", "mode": "report", "entries": ["b.test"]},
        {"name": "ok", "action": "allow", "entries": ["ok.example.com"]}], "reply": {"status": 403}});
    let bootstrap = configured(&upstream, &json).connection_manager(|manager| {
        manager["access_log"] = json!([{"name": "envoy.access_loggers.stderr", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StderrAccessLog",
            "log_format": {"text_format_source": {"inline_string": "<%FILTER_STATE(wasm.blocklist:PLAIN)%>\n"}}}}]);
    });
    let envoy = Envoy::with(bootstrap).start();
    for host in ["a.example.com", "b.test", "ok.example.com", "user@example.com", "free.test"] {
        let _ = envoy.get("/").header("host", host).send();
    }
    // Envoy writes what it has every ten seconds.
    let begun = Instant::now();
    while !envoy.log().contains("<->") && begun.elapsed() < Duration::from_secs(30) {
        std::thread::sleep(Duration::from_millis(100));
    }
    let log = envoy.log();
    let logged: Vec<&str> = log.lines().filter(|line| line.starts_with('<')).collect();
    let expected =
        ["<deny:listed:ads>", "<report:listed:try>", "<allow:listed:ok>", "<deny:malformed_host>", "<->"];
    assert_eq!(logged, expected);
    assert_eq!(envoy.stat("wasm_blocklist_errors_total"), 0);
}

#[test]
fn a_refused_configuration_keeps_envoy_from_starting_and_names_each_mistake() {
    let upstream = Upstream::ok();
    let json = json!({"version": 1, "lists": [{"name": "a", "entries": ["http://a.test/", "b.test", "api.*.test"]}]});
    let log = Envoy::with(configured(&upstream, &json)).refused().log;
    for field in ["lists[0].entries[0]", "lists[0].entries[2]"] {
        assert!(log.contains(&format!("config field `{field}`: ")), "{log}");
    }
}
