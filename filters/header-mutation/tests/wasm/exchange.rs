//! Requests and responses of every kind, as upstream and client see them.

use std::time::Duration;

use proxy_wasm_harness::{Host, Response, Status, TrafficDirection, filter, json};

use super::{configured, hostcalls, values, writes};

#[test]
fn nothing_is_written_where_nothing_changes() {
    let host = configured(
        r#"{"strip_client": ["x-none-*"], "rules": [{
            "request": [{"op": "remove", "name": "x-none"}, {"op": "rename", "name": "x-none", "to": "x-a"},
                {"op": "set", "name": "x-a", "value": "1"}, {"op": "dedupe", "name": "x-a", "keep": "first"},
                {"op": "rewrite", "name": "x-a", "regex": "^2", "value": "3"}, {"op": "query_remove", "name": "q"},
                {"op": "remove_cookie", "name": "c"}],
            "response": [{"op": "remove", "name": "x-none"}]}]}"#,
    );
    let stream = host.get("/a?b").header("x-a", "1").header("cookie", "d=1").send();
    assert_eq!(stream.respond(Response::ok("hello")).received().status(), 200);
    assert_eq!(writes(&host), [""; 0]);
    host.assert_no_findings();
}

#[test]
fn a_request_that_has_the_value_already_is_not_written_to() {
    for operation in [
        r#"{"op": "set", "name": "x-a", "value": "1"}"#,
        r#"{"op": "set_if_present", "name": "x-a", "value": "${header:x-a}"}"#,
    ] {
        let host = configured(&format!(r#"{{"rules": [{{"request": [{operation}]}}]}}"#));
        assert_eq!(host.get("/").header("x-a", "1").send().forwarded().header_all("x-a"), ["1"]);
        assert_eq!(writes(&host), [""; 0], "{operation}");
        // Two lines are not the one that it is to be.
        let forwarded = host.get("/").header("x-a", "1").header("x-a", "1").send().forwarded();
        assert_eq!(forwarded.header_all("x-a"), ["1"], "{operation}");
        assert_eq!(writes(&host).len(), 1, "{operation}");
    }
}

#[test]
fn the_counts_of_the_last_second_are_told_when_the_vm_ends() {
    let host = configured(r#"{"rules": [{"request": [{"op": "set", "name": "x-a", "value": "1"}]}]}"#);
    host.get("/").send().respond(Response::ok("hello"));
    assert_eq!(host.counter("wasm_header_mutation_requests_total"), 0);
    host.shut_down();
    assert_eq!(host.counter("wasm_header_mutation_requests_total"), 1);
    assert_eq!(host.counter("wasm_header_mutation_changed_total"), 1);
}

#[test]
fn a_side_costs_the_calls_that_its_operations_need_and_no_more() {
    let one = r#"[{"op": "set", "name": "x-a", "value": "1"}]"#;
    let when = r#"{"paths": [{"prefix": "/none"}]}"#;
    for (json, expected) in [
        (format!(r#"{{"rules": [{{"request": {one}, "response": {one}}}]}}"#), (2, 1)),
        (format!(r#"{{"rules": [{{"request": {one}}}]}}"#), (2, 0)),
        (format!(r#"{{"rules": [{{"response": {one}}}]}}"#), (0, 1)),
        (format!(r#"{{"rules": [{{"when": {when}, "request": {one}, "response": {one}}}]}}"#), (1, 0)),
        (format!(r#"{{"mode": "off", "rules": [{{"request": {one}, "response": {one}}}]}}"#), (0, 0)),
        (format!(r#"{{"mode": "report", "rules": [{{"request": {one}, "response": {one}}}]}}"#), (1, 1)),
        (format!(r#"{{"strip_client": ["x-a"], "rules": [{{"response": {one}}}]}}"#), (1, 1)),
    ] {
        assert_eq!(hostcalls(&configured(&json)), expected, "{json}");
    }
}

#[test]
fn a_host_is_an_authority() {
    let host = configured(
        r#"{"allow_pseudo": [":authority"], "rules": [{"request": [
            {"op": "copy", "name": "Host", "to": "x-was"}, {"op": "set", "name": "Host", "value": "b.test"},
            {"op": "set", "name": "x-is", "value": "${header:host} ${authority} ${host}"}]}]}"#,
    );
    let request = host.get("/").authority("A.test:80").send().forwarded();
    assert_eq!(request.header(":authority").as_deref(), Some("b.test"));
    assert_eq!(request.header("x-was").as_deref(), Some("A.test:80"));
    assert_eq!(request.header("x-is").as_deref(), Some("b.test b.test b.test"));
    assert_eq!(values(&request.headers, "host").len(), 0);
}

#[test]
fn a_path_and_its_query_are_rewritten() {
    let host = configured(
        r#"{"allow_pseudo": [":path"], "rules": [{"request": [
            {"op": "rewrite", "name": ":path", "regex": "^/v1/", "value": "/v2/"},
            {"op": "query_rename", "name": "user", "to": "u"}, {"op": "query_remove", "name": "debug"},
            {"op": "query_set", "name": "via", "value": "${method} a&b"}]}]}"#,
    );
    let request = host.get("/v1/x?%75ser=a%20b&debug&debug=1").send().forwarded();
    assert_eq!(request.path(), "/v2/x?u=a%20b&via=GET%20a%26b");
    host.assert_no_findings();
}

#[test]
fn an_attribute_is_part_of_a_value() {
    let host = configured(
        r#"{"rules": [{"when": {"direction": "inbound"}, "request": [
            {"op": "set", "name": "x-peer", "value": "<${prop:connection.uri_san_peer_certificate}>",
                "default": "unknown"},
            {"op": "set", "name": "x-route", "value": "${prop:xds.route_name}/${prop:destination.port}"},
            {"op": "set", "name": "x-id", "value": "${uuid}"}]}]}"#,
    );
    let listener =
        |direction| host.get("/").header("x-peer", "forged").traffic_direction(direction).send().forwarded();
    let request = listener(TrafficDirection::Inbound);
    assert_eq!(request.header("x-peer").as_deref(), Some("unknown"));
    assert_eq!(request.header("x-id").unwrap().len(), 36);
    assert_eq!(listener(TrafficDirection::Outbound).header("x-peer").as_deref(), Some("forged"));
}

#[test]
fn what_a_source_has_adds_no_line() {
    let rules = r#""rules": [{"request": [{"op": "set", "name": "x-a", "value": "${prop:test.bad}"},
        {"op": "set_cookie", "name": "c", "value": "${header:x-more}"}]}]}"#;
    for (on_invalid, a, cookie) in
        [("skip", Some("own"), None), ("sanitize", Some("ax-evil: 1"), Some("c=1Secure"))]
    {
        let host = configured(&format!(r#"{{"on_invalid": "{on_invalid}", {rules}"#));
        let request = host
            .get("/")
            .header("x-a", "own")
            .property("test.bad", "a\r\nx-evil: 1")
            .header("x-more", "1; Secure");
        let request = request.send().forwarded();
        assert_eq!(request.header("x-a").as_deref(), a);
        assert_eq!(request.header("cookie").as_deref(), cookie);
        host.advance(Duration::from_secs(1));
        let invalid = if on_invalid == "skip" { 2 } else { 0 };
        assert_eq!(host.counter("wasm_header_mutation_invalid_values_total"), invalid);
    }
    let host = configured(&format!(r#"{{"on_invalid": "deny", {rules}"#));
    let reply = host.get("/").property("test.bad", "a\0").send().answered();
    assert_eq!(
        (reply.status(), reply.text().as_str()),
        (400, "a header of this request cannot be sent on\n")
    );
    host.advance(Duration::from_secs(1));
    assert_eq!(host.counter("wasm_header_mutation_denied_total"), 1);
    host.assert_nothing_leaked();
}

#[test]
fn local_replies_of_the_proxy_and_of_this_filter_are_left_alone_if_that_is_asked_for() {
    let rules = r#""on_invalid": "deny", "rules": [{
        "request": [{"op": "set", "name": "x-a", "value": "${prop:test.bad}"}],
        "response": [{"op": "set", "name": "x-a", "value": "1"}]}]}"#;
    for (skip, expected) in [(false, Some("1")), (true, None)] {
        let host = configured(&format!(r#"{{"skip_local_replies": {skip}, {rules}"#));
        let own = host.get("/").property("test.bad", "\n").send().answered();
        let stream = host.get("/").send();
        stream.upstream_resets();
        let proxys = stream.answered();
        let upstreams = host.get("/").send().respond(Response::ok("hello")).received();
        assert_eq!((own.status(), own.header("x-a").as_deref()), (400, expected));
        assert_eq!((proxys.status(), proxys.header("x-a").as_deref()), (503, expected));
        assert_eq!((upstreams.status(), upstreams.header("x-a").as_deref()), (200, Some("1")));
    }
}

#[test]
fn a_head_an_upgrade_and_a_connect_pass_with_their_headers_changed() {
    let set = r#"[{"op": "set", "name": "x-a", "value": "1"}, {"op": "remove_match", "regex": "^(x-|u|c)"}]"#;
    let host = configured(&format!(r#"{{"rules": [{{"request": {set}, "response": {set}}}]}}"#));
    let head = host.request("HEAD", "/").header("x-b", "1").send();
    let forwarded = head.forwarded();
    assert_eq!((forwarded.method().as_str(), forwarded.header("x-b")), ("HEAD", None));
    assert_eq!(head.respond(Response::new(200).with_header("x-b", "1")).received().header("x-b"), None);
    let headers = [(":method", "CONNECT"), (":authority", "a.test:443"), ("x-b", "1")];
    let connect = host.request("CONNECT", "").headers(headers).open();
    let upstream = connect.upstream().unwrap();
    assert_eq!((upstream.header(":path"), upstream.header("x-b")), (None, None));
    assert_eq!(upstream.header(":authority").as_deref(), Some("a.test:443"));
    let upgrade = host.get("/").header("connection", "Upgrade").header("upgrade", "websocket").send();
    let forwarded = upgrade.forwarded();
    assert_eq!(forwarded.header("upgrade").as_deref(), Some("websocket"));
    assert_eq!(forwarded.header("connection").as_deref(), Some("Upgrade"));
    let response = Response::new(101).with_header("upgrade", "websocket").with_header("x-b", "1");
    let received = upgrade.respond(response).received();
    assert_eq!((received.status(), received.header("upgrade").as_deref()), (101, Some("websocket")));
    assert_eq!(received.header("x-b"), None);
    host.assert_no_findings();
}

#[test]
fn a_request_keeps_the_rules_that_it_began_with() {
    let json = |value: &str| {
        let set = json!([{"op": "set", "name": "x-a", "value": value}]);
        json!({"version": 1, "rules": [{"request": set, "response": set}]}).to_string()
    };
    let host = Host::envoy().plugin(filter("header-mutation").configuration(json("old"))).start();
    let stream = host.get("/").send();
    host.reconfigure("header-mutation", json("new")).unwrap();
    let received = stream.respond(Response::ok("hello")).received();
    assert_eq!(received.header("x-a").as_deref(), Some("old"));
    let received = host.get("/").send().respond(Response::ok("hello")).received();
    assert_eq!(received.header("x-a").as_deref(), Some("new"));
}

#[test]
fn what_was_done_is_counted_once_a_second() {
    let host = configured(
        r#"{"rules": [{"request": [{"op": "set", "name": "x-a", "value": "1"},
            {"op": "set", "name": "x-b", "value": "${header:x-none}"}]}]}"#,
    );
    for _ in 0..3 {
        host.get("/").send().respond(Response::ok("hello"));
    }
    let count = |what: &str| host.counter(&format!("wasm_header_mutation_{what}_total"));
    assert_eq!(count("requests"), 0);
    host.advance(Duration::from_secs(1));
    assert_eq!([count("requests"), count("changed"), count("ops_applied"), count("ops_skipped")], [3; 4]);
    let zero = ["invalid_values", "denied", "reported", "errors", "config_rejects"];
    assert_eq!(zero.map(count), [0; 5]);
    assert!(count("config_loads") >= 1);
    host.advance(Duration::from_secs(5));
    assert_eq!(count("requests"), 3);
}

#[test]
fn a_change_that_the_host_refuses_is_an_error_and_no_trap() {
    for rules in [
        r#"[{"request": [{"op": "set", "name": "x-a", "value": "1"}]}]"#,
        r#"[{"request": [{"op": "copy", "name": ":path", "to": "x-a"}]}]"#,
    ] {
        let host = configured(&format!(r#"{{"rules": {rules}}}"#));
        host.fail("proxy_replace_header_map_value", Status::InternalFailure, 1);
        host.fail("proxy_add_header_map_value", Status::InternalFailure, 1);
        assert_eq!(host.get("/").send().forwarded().header("x-a"), None);
        host.advance(Duration::from_secs(1));
        assert_eq!(host.counter("wasm_header_mutation_errors_total"), 1, "{rules}");
        assert_eq!(host.traps(), [""; 0]);
    }
}

#[test]
fn every_byte_in_every_place_passes_without_a_trap() {
    let host = configured(
        r#"{"strip_client": ["x-z*"], "allow_pseudo": [":path"], "rules": [{"request": [
            {"op": "copy", "name": "x-a", "to": "x-b"}, {"op": "append_csv", "name": "x-a", "value": "${headers:x-a}"},
            {"op": "rewrite", "name": "x-a", "regex": "(.)", "value": "$1"}, {"op": "query_set", "name": "q", "value": "${header:x-b}"},
            {"op": "set_cookie", "name": "c", "value": "${cookie:d}"}, {"op": "set", "name": "x-host", "value": "${host}"}]}]}"#,
    );
    for byte in 0..=u8::MAX {
        let value = [b'a', byte, b'b'];
        let request = host
            .get([b'/', byte])
            .authority(value)
            .header("x-a", value)
            .header("cookie", [b"d=", &value[..]].concat());
        let stream = request.send();
        // Envoy sends on no control byte in a value, whoever put it there.
        let sendable = byte == b'\t' || (byte >= b' ' && byte != 0x7f);
        if sendable {
            assert_eq!(values(&stream.forwarded().headers, "x-b"), [&value[..]], "{byte}");
        }
    }
    assert_eq!(host.traps(), [""; 0]);
}
