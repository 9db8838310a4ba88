//! Where a request came by, and where it went.

use proxy_wasm_harness::{Host, Response, filter, json};

fn checking(consequence: &str) -> Host {
    filter("blocklist").configure(json!({
        "version": 1, "check_upstream_ip": consequence,
        "lists": [{"name": "inside", "presets": ["private_ips"]}, {"name": "a", "entries": ["a.test"]}],
    }))
}

#[test]
fn a_name_that_leads_to_a_listed_address_is_reset_before_its_response_is_seen() {
    let host = checking("reset");
    let stream = host.get("/").authority("b.test").property("upstream.address", "10.0.0.1:80").send();
    stream.respond(Response::ok("secret")).was_reset();
    assert_eq!(stream.downstream(), None);
    assert_eq!(host.counter("wasm_blocklist_denied_inside_total"), 1);
    let stream = host.get("/").authority("b.test").property("upstream.address", "192.0.2.1:80").send();
    assert_eq!(stream.respond(Response::ok("fine")).received().text(), "fine");
}

#[test]
fn or_it_is_only_reported() {
    let host = checking("report");
    let stream = host.get("/").authority("b.test").property("upstream.address", "[::1]:80").send();
    assert_eq!(stream.respond(Response::ok("seen")).received().text(), "seen");
    assert_eq!(host.counter("wasm_blocklist_reported_inside_total"), 1);
    assert_eq!(host.counter("wasm_blocklist_denied_total"), 0);
}

#[test]
fn its_own_reply_is_not_checked_again() {
    let host = checking("reset");
    let stream = host.get("/").authority("a.test").property("upstream.address", "10.0.0.1:80").send();
    assert_eq!(stream.answered().status(), 451);
    assert_eq!(host.counter("wasm_blocklist_denied_total"), 1);
    assert_eq!(host.counter("wasm_blocklist_denied_inside_total"), 0);
}

#[test]
fn a_request_for_another_host_than_the_server_name_is_answered_421_or_reported() {
    let host = |consequence: &str| {
        filter("blocklist").configure(json!({
            "version": 1, "sni_mismatch": consequence, "lists": [{"name": "a", "entries": ["a.test"]}],
        }))
    };
    let deny = host("deny");
    let ask =
        |host: &Host, authority: &str| host.get("/").authority(authority).tls("TLSv1.3", "b.test").send();
    assert_eq!(ask(&deny, "c.test").answered().status(), 421);
    assert_eq!(ask(&deny, "B.test:443").forwarded().method(), "GET");
    assert_eq!(deny.get("/").authority("c.test").send().forwarded().method(), "GET");
    assert_eq!(deny.counter("wasm_blocklist_sni_mismatch_total"), 1);
    let report = host("report");
    assert_eq!(ask(&report, "c.test").forwarded().method(), "GET");
    assert_eq!(report.counter("wasm_blocklist_sni_mismatch_total"), 1);
    assert_eq!(report.counter("wasm_blocklist_reported_total"), 1);
}

#[test]
fn a_server_name_on_a_list_is_denied_if_it_is_said() {
    let host = filter("blocklist").configure(json!({
        "version": 1, "also_check": ["sni"], "lists": [{"name": "a", "entries": [".a.test"]}],
    }));
    let stream = host.get("/").authority("b.test").tls("TLSv1.3", "x.a.test").send();
    assert_eq!(stream.answered().status(), 451);
}
