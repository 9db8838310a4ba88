//! Who passes.

use std::time::Duration;

use proxy_wasm_harness::{Host, Level, Response, Status, filter, json};

use super::{URI, sample};

#[test]
fn a_listed_host_is_answered_451_and_never_reaches_the_upstream() {
    let host = sample();
    for authority in [
        "example.com",
        "a.example.com",
        "A.EXAMPLE.COM.",
        "a.b.example.com:8443",
        "192.0.2.1:80",
        "0xc0000201",
    ] {
        let stream = host.get("/").authority(authority).send();
        let reply = stream.answered();
        assert_eq!((reply.status(), reply.text().as_str()), (451, "blocked by wasm\n"), "{authority}");
        assert_eq!(stream.upstream(), None, "{authority}");
    }
    assert_eq!(host.counter("wasm_blocklist_denied_total"), 6);
    assert_eq!(host.counter("wasm_blocklist_denied_ads_total"), 6);
    assert_eq!(host.counter("wasm_blocklist_denied_more_total"), 0);
    host.assert_no_findings();
    host.assert_nothing_leaked();
}

#[test]
fn any_other_host_is_forwarded_untouched() {
    let host = sample();
    for authority in ["example.org", "notexample.com", "example.com.evil.test", "tracker.test", "[::1]:443"] {
        let stream =
            host.post("/a?b").authority(authority).header("x-odd", b"caf\xe9").body("as it is").send();
        let request = stream.forwarded();
        assert_eq!(request.header(":authority").as_deref(), Some(authority));
        assert_eq!(request.headers.get("x-odd"), Some(&b"caf\xe9"[..]));
        assert_eq!(request.text(), "as it is");
        let response = stream.respond(Response::ok("hello").with_header("x-odd", b"\xff")).received();
        assert_eq!((response.text().as_str(), response.headers.get("x-odd")), ("hello", Some(&b"\xff"[..])));
    }
    assert_eq!(host.counter("wasm_blocklist_denied_total"), 0);
    host.assert_no_findings();
    host.assert_nothing_leaked();
}

#[test]
fn requests_are_counted_within_a_second() {
    let host = sample();
    for authority in ["example.org", "example.com", "a b"] {
        let _ = host.get("/").authority(authority).send();
    }
    assert_eq!(host.counter("wasm_blocklist_checked_total"), 0);
    host.advance(Duration::from_secs(1));
    assert_eq!(host.counter("wasm_blocklist_checked_total"), 3);
    let _ = host.get("/").authority("example.org").send();
    host.shut_down();
    assert_eq!(host.counter("wasm_blocklist_checked_total"), 4);
}

#[test]
fn an_exception_passes_and_is_counted() {
    let host = sample();
    assert_eq!(host.get("/").authority("ok.example.com").send().forwarded().method(), "GET");
    assert_eq!(host.counter("wasm_blocklist_allowed_by_exception_total"), 1);
    assert_eq!(host.counter("wasm_blocklist_allowed_by_exception_ok_total"), 1);
}

#[test]
fn what_is_no_host_is_answered_400_whatever_its_bytes_are() {
    let host = sample();
    let long = vec![b'a'; 1 << 20];
    let odd: [&[u8]; 6] = [b"\xff\xfe", b"ex\xe4mple.com", b"user@example.org", b"a b", b"a\0b", &long];
    for authority in odd {
        let reply = host.get("/").authority(authority).send().answered();
        let shown = authority.iter().take(20).copied().collect::<Vec<u8>>();
        assert_eq!((reply.status(), reply.text().as_str()), (400, "malformed host\n"), "{shown:?}");
    }
    assert_eq!(host.counter("wasm_blocklist_malformed_host_total"), 6);
    host.assert_no_findings();
    host.assert_nothing_leaked();
}

#[test]
fn every_byte_in_a_host_is_judged_and_none_ends_the_vm() {
    let host = filter("blocklist").configure(json!({
        "version": 1, "lists": [{"name": "a", "entries": [".a.test"]}], "also_check": ["x-forwarded-host", "sni"],
    }));
    for byte in 0..=255_u8 {
        let odd = [b'a', byte, b'b', b'.', b'a', b'.', b't', b'e', b's', b't'];
        let _ =
            host.get("/").authority(odd).header("x-forwarded-host", odd).header("x-request-id", odd).send();
    }
    assert_eq!(host.traps(), [] as [String; 0]);
}

#[test]
fn a_request_without_a_host_is_answered_400_unless_it_is_said() {
    let bare = [(":method", "GET"), (":path", "/")];
    let host = sample();
    assert_eq!(host.get("/").headers(bare).send().answered().text(), "missing host\n");
    assert_eq!(host.get("/").authority("").send().answered().status(), 400);
    assert_eq!(host.counter("wasm_blocklist_missing_host_total"), 2);
    let open = filter("blocklist").configure(json!({
        "version": 1, "on_missing_host": "allow", "lists": [{"name": "a", "entries": ["a.test"]}],
    }));
    assert_eq!(open.get("/").headers(bare).send().forwarded().method(), "GET");
}

#[test]
fn two_hosts_are_none() {
    let host = sample();
    let stream = host.get("/").authority("allowed.test").header("host", "example.com").send();
    assert_eq!(stream.answered().status(), 400);
}

#[test]
fn a_tunnel_is_judged_by_its_host_and_port() {
    let host = filter("blocklist").configure(json!({
        "version": 1, "default": "deny",
        "lists": [{"name": "ok", "action": "allow", "entries": [".example.com:443"]}],
    }));
    let connect = |authority: &str| {
        let headers = [(":method", "CONNECT"), (":authority", authority)];
        host.request("CONNECT", "").headers(headers).open()
    };
    assert!(connect("a.example.com:443").upstream().is_some());
    assert_eq!(connect("a.example.com:22").answered().status(), 451);
    assert_eq!(connect("a.example.com").answered().status(), 400);
    assert_eq!(connect("other.test:443").answered().status(), 451);
}

#[test]
fn an_upgrade_to_a_websocket_is_judged_like_any_request() {
    let host = sample();
    let upgrade = |authority: &str| {
        host.get("/")
            .authority(authority)
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .open()
    };
    assert_eq!(upgrade("a.example.com").answered().status(), 451);
    assert!(upgrade("example.org").upstream().is_some());
}

#[test]
fn report_changes_nothing_and_tells_metrics_and_the_access_log() {
    let host = filter("blocklist").configure(json!({
        "version": 1, "lists": [{"name": "try", "mode": "report", "entries": [".a.test"]}], "reply": {"blocked_by_uri": URI},
    }));
    let stream = host.post("/x").authority("A.a.test:80").header("x-odd", b"\xff").body("b").send();
    let request = stream.forwarded();
    assert_eq!(request.header(":authority").as_deref(), Some("A.a.test:80"));
    assert_eq!((request.headers.get("x-odd"), request.text().as_str()), (Some(&b"\xff"[..]), "b"));
    assert_eq!(host.counter("wasm_blocklist_reported_total"), 1);
    assert_eq!(host.counter("wasm_blocklist_reported_try_total"), 1);
    assert_eq!(host.counter("wasm_blocklist_denied_total"), 0);
    assert!(stream.transcript().contains("report:listed:try"), "{}", stream.transcript());
}

#[test]
fn the_decision_is_filter_state_without_a_byte_of_the_request() {
    let host = sample();
    for (authority, state) in [
        ("secret.example.com", "\"deny:listed:ads\""),
        ("user@secret.example.com", "\"deny:malformed_host\""),
        ("ok.example.com", "\"allow:listed:ok\""),
    ] {
        let transcript = host.get("/").authority(authority).send().transcript();
        let set = transcript.lines().find(|line| line.contains("proxy_set_property")).unwrap();
        assert!(set.contains(state) && !set.contains("secret"), "{set}");
    }
    let transcript = host.get("/").authority("free.test").send().transcript();
    assert!(!transcript.contains("proxy_set_property"), "{transcript}");
}

#[test]
fn a_list_is_for_those_whose_attributes_match_whatever_their_type() {
    let of = |attribute: &str, comparison: &str, value: &str| {
        json!({"version": 1, "lists": [{"name": "a", "entries": ["a.test"],
            "sources": [{"attribute": attribute, comparison: value}]}], "reply": {"status": 403}})
    };
    let start = |configuration| {
        let node = json!({"LABELS": {"app": "shop", "app.kubernetes.io/name": "cart"}});
        Host::envoy().plugin(filter("blocklist").json(&configuration)).node("me", "us", node).start()
    };
    for (attribute, comparison, value, is_for) in [
        ("destination.port", "exact", "8443", true),
        ("destination.port", "exact", "8444", false),
        ("destination.port", "prefix", "84", true),
        ("source.port", "exact", "40000", true),
        ("connection.mtls", "exact", "true", true),
        ("connection.mtls", "exact", "false", false),
        ("connection.uri_san_peer_certificate", "suffix", "/cart", true),
        ("xds.node.metadata.LABELS.app", "exact", "shop", true),
        ("xds.node.metadata.LABELS.app", "exact", "cart", false),
        ("xds.node.metadata.LABELS.app\\.kubernetes\\.io/name", "exact", "cart", true),
        ("xds.node.metadata.LABELS.none", "contains", "c", false),
    ] {
        let host = start(of(attribute, comparison, value));
        let request = host.get("/").authority("a.test").property("destination.port", 8443_i64);
        let request = request.property("source.port", 40_000_i64).property("connection.mtls", true);
        let stream =
            request.property("connection.uri_san_peer_certificate", "spiffe://x/ns/shop/sa/cart").send();
        assert_eq!(stream.is_answered(), is_for, "{attribute} {comparison} {value}");
        assert_eq!(host.counter("wasm_blocklist_denied_total"), u64::from(is_for), "{attribute} {value}");
        host.assert_no_findings();
    }
    for (attribute, value, expected) in [
        ("connection.mtls", "yes", "\"true\" or \"false\""),
        ("destination.port", "https", "a whole number such as"),
    ] {
        let refusal = filter("blocklist").refuses(of(attribute, "exact", value));
        refusal.assert_logged(
            Level::Error,
            &format!("config field `lists[0].sources[0]`: `exact` is \"{value}\", expected {expected}"),
        );
    }
}

#[test]
fn a_host_that_cannot_be_read_is_refused_unless_it_is_said() {
    for (fail, answered) in [("closed", true), ("open", false)] {
        let host = filter("blocklist").configure(json!({
            "version": 1, "fail": fail, "lists": [{"name": "a", "entries": ["a.test"]}], "reply": {"status": 403},
        }));
        host.fail("proxy_get_header_map_value", Status::InternalFailure, 1);
        let stream = host.get("/").authority("a.test").send();
        assert_eq!(stream.is_answered(), answered, "{fail}");
        if answered {
            assert_eq!(stream.answered().text(), "missing host\n");
        }
        assert_eq!(host.counter("wasm_blocklist_missing_host_total"), 1, "{fail}");
        assert_eq!(host.get("/").authority("a.test").send().answered().status(), 403, "{fail}");
        assert_eq!(host.traps(), [] as [String; 0]);
    }
}

#[test]
fn a_decision_that_the_access_log_is_not_told_stands_all_the_same() {
    let host = sample();
    host.fail("proxy_set_property", Status::InternalFailure, 1);
    assert_eq!(host.get("/").authority("example.com").send().answered().status(), 451);
    assert_eq!(host.counter("wasm_blocklist_errors_total"), 1);
}

#[test]
fn a_share_of_requests_is_enforced_and_the_others_are_reported() {
    let share = |percent: u32| {
        filter("blocklist").configure(json!({
            "version": 1, "enforce_percent": percent, "reply": {"status": 403},
            "lists": [{"name": "a", "entries": ["a.test"]}],
        }))
    };
    for (percent, few, many) in [(0, 0, 0), (50, 60, 140), (100, 200, 200)] {
        let host = share(percent);
        let denied = (0..200).filter(|_| host.get("/").authority("a.test").send().is_answered()).count();
        assert!((few..=many).contains(&denied), "{percent}: {denied} of 200");
        assert_eq!(host.counter("wasm_blocklist_denied_a_total"), denied as u64);
        assert_eq!(host.counter("wasm_blocklist_reported_a_total"), 200 - denied as u64);
        // What no list denies is not left to chance.
        assert!(!host.get("/").authority("b.test").send().is_answered());
    }
}

#[test]
fn names_of_metrics_say_the_filter_if_that_is_asked_for() {
    let host = filter("blocklist").configure(json!({
        "version": 1, "metrics": {"tag_style": "istio"}, "lists": [{"name": "a", "entries": ["a.test"]}],
    }));
    let _ = host.get("/").authority("a.test").send().answered();
    for name in ["denied_total", "denied_a_total"] {
        assert_eq!(host.counter(&format!("wasm_filter.blocklist.wasm_blocklist_{name}")), 1, "{name}");
    }
    assert!(host.counter("wasm_filter.blocklist.wasm_blocklist_config_loads_total") >= 1);
    assert_eq!(host.gauge("wasm_filter.blocklist.wasm_blocklist_entries_a"), 1);
}

#[test]
fn what_is_less_severe_than_the_level_is_not_logged() {
    let warnings = |level: &str| {
        let host = filter("blocklist").configure(json!({
            "version": 1, "log_level": level, "lists": [{"name": "a", "entries": ["a.test"]}],
        }));
        host.logs(Level::Warn).len()
    };
    assert!(warnings("info") > 0 && warnings("warn") > 0);
    assert_eq!(warnings("error"), 0);
    let wrong = json!({"version": 1, "log_level": "error", "lists": []});
    filter("blocklist").refuses(wrong).assert_logged(Level::Error, "list at least one");
}

#[test]
fn clients_do_not_write_the_log() {
    let host = sample();
    for authority in [&b"example.com"[..], b"\n[critical] fire", b""] {
        let _ = host.get("/").authority(authority).send().answered();
    }
    assert_eq!(host.log_lines(), []);
}

#[test]
fn every_mistake_of_a_configuration_is_named() {
    let refusal = filter("blocklist").refuses(json!({
        "lists": [{"name": "A", "entries": ["http://a.test/"]}], "reply": {"status": 200}, "list": [],
    }));
    for field in ["list", "version", "lists[0].name", "lists[0].entries[0]", "reply.status"] {
        refusal.assert_logged(Level::Error, &format!("config field `{field}`: "));
    }
    assert_eq!(refusal.logged(Level::Error).len(), 5);
}

#[test]
fn what_would_block_nothing_is_refused() {
    for configuration in ["", "{", "\u{0}\u{1}", r#"{"version": 1}"#, r#"{"version": 1, "lists": []}"#] {
        filter("blocklist").refuses(configuration).assert_says("config");
    }
}

#[test]
fn a_configuration_nested_without_end_is_refused_and_overflows_no_stack() {
    for nest in ["[", "{\"lists\":", "{\"lists\":[{\"entries\":["] {
        filter("blocklist").refuses(nest.repeat(50_000)).assert_says("not valid JSON");
    }
    let not = "{\"not\":".repeat(110);
    let json =
        format!(r#"{{"version": 1, "lists": [{{"name": "a", "when": {not}{{}}{}}}]}}"#, "}".repeat(110));
    filter("blocklist").refuses(json).assert_says("config field");
}

#[test]
fn a_list_that_grows_is_in_force_for_the_next_request() {
    let host = sample();
    let before = host.get("/").authority("new.test").open();
    let json = json!({"version": 1, "lists": [{"name": "ads", "entries": ["new.test"]}]});
    host.reconfigure("blocklist", json.to_string()).unwrap();
    assert_eq!(host.get("/").authority("new.test").send().answered().status(), 451);
    assert_eq!(host.get("/").authority("example.com").send().forwarded().method(), "GET");
    before.data("", true);
    assert_eq!(before.forwarded().method(), "GET");
}

#[test]
fn a_hundred_configurations_take_no_more_memory_than_two() {
    let host = sample();
    let json = |number: usize| {
        let entries: Vec<String> = (0..500).map(|entry| format!(".e{entry}.n{number}.test")).collect();
        json!({"version": 1, "lists": [{"name": "ads", "entries": entries}]}).to_string()
    };
    host.reconfigure("blocklist", json(0)).unwrap();
    host.reconfigure("blocklist", json(1)).unwrap();
    let before = host.memory_bytes();
    for number in 2..100 {
        host.reconfigure("blocklist", json(number)).unwrap();
    }
    assert_eq!(host.get("/").authority("a.e7.n99.test").send().answered().status(), 451);
    assert!(host.memory_bytes() <= before + (1 << 16), "{} after {before}", host.memory_bytes());
}

#[test]
fn it_stands_behind_a_filter_that_decides_who_may_ask() {
    let denies = json!({"version": 1, "lists": [{"name": "who", "entries": ["first.test"]}], "reply": {"status": 403}});
    let first = filter("blocklist").name("authz").vm_id("authz").json(&denies);
    let second = filter("blocklist")
        .json(&json!({"version": 1, "lists": [{"name": "a", "entries": ["second.test"]}]}));
    let host = proxy_wasm_harness::Host::envoy().plugin(first).plugin(second).start();
    assert_eq!(host.get("/").authority("first.test").send().answered().status(), 403);
    assert_eq!(host.get("/").authority("second.test").send().answered().status(), 451);
    assert_eq!(
        host.get("/").authority("third.test").send().respond(Response::ok("x")).received().status(),
        200
    );
}
