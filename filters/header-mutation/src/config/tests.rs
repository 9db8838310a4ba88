use super::*;

fn refusal(json: &str) -> Vec<String> {
    Mutations::from_json(json.as_bytes()).unwrap_err().problems().iter().map(ToString::to_string).collect()
}

fn rule(rule: &str) -> String {
    format!(r#"{{"version": 1, "rules": [{rule}]}}"#)
}

fn request(operation: &str) -> String {
    rule(&format!(r#"{{"request": [{operation}]}}"#))
}

fn response(operation: &str) -> String {
    rule(&format!(r#"{{"response": [{operation}]}}"#))
}

#[test]
fn every_mistake_is_named_at_once() {
    assert_eq!(
        refusal(
            r#"{"version": 1, "rules": [
                {"request": [
                    {"op": "sett", "name": "x-a", "value": "b"},
                    {"op": "set", "name": "x a", "value": "b\r\nx-evil: 1"},
                    {"op": "remove", "name": ":path", "value": "x"},
                    {"op": "rename", "name": "Content-Length"}]},
                {"reqest": []}]}"#
        ),
        [
            "config field `rules[0].request[0].op`: found \"sett\", expected one of `set`, `set_if_present`, `add_if_absent`, `add`, `append`, `append_csv`, `remove`, `remove_match`, `rename`, `copy`, `dedupe`, `rewrite`, `map`, `set_cookie`, `remove_cookie`, `query_set`, `query_remove`, `query_rename`",
            "config field `rules[0].request[1].name`: found \"x a\", expected a header name: letters, digits and hyphens, up to 256 of them",
            "config field `rules[0].request[1].value`: found \"b\\r\\nx-evil: 1\", expected a header value: no control bytes, no space at its ends, at most 8192 bytes",
            "config field `rules[0].request[2].value`: unknown field, expected one of `op`, `name`",
            "config field `rules[0].request[2].name`: found \":path\", expected a header that is no pseudo-header: those route the message",
            "config field `rules[0].request[3].name`: found \"Content-Length\", expected a header that Envoy does not own: this one frames or routes the message",
            "config field `rules[0].request[3].to`: missing",
            "config field `rules[1].reqest`: unknown field, expected one of `name`, `when`, `stop`, `request`, `response`, `request_trailers`, `response_trailers`",
            "config field `rules[1]`: changes nothing, expected an operation in `request`, `response`, `request_trailers` or `response_trailers`, or `when` with `stop`",
        ]
    );
}

#[test]
fn a_configuration_that_does_nothing_is_a_mistake() {
    let nothing = "config: changes nothing, expected a rule in `rules` or a pattern in `strip_client`";
    assert_eq!(refusal(""), ["config: no configuration was given, expected a JSON object"]);
    assert_eq!(refusal("{}"), ["config field `version`: missing", nothing]);
    assert_eq!(refusal(r#"{"version": 1, "rules": []}"#), [nothing]);
}

#[test]
fn what_routes_or_is_trusted_is_changed_only_if_that_is_allowed() {
    let with = |allow: &str, rule: &str| format!(r#"{{"version": 1, {allow} "rules": [{{{rule}}}]}}"#);
    let said = |json: &str| match Mutations::from_json(json.as_bytes()) {
        Ok(_) => String::new(),
        Err(refusal) => refusal.to_string(),
    };
    let set = |name: &str, value: &str| format!(r#"{{"op": "set", "name": "{name}", "value": "{value}"}}"#);
    for (side, name, value, allow) in [
        ("request", ":path", "/a", r#""allow_pseudo": [":path"],"#),
        ("request", ":authority", "a.test", r#""allow_pseudo": [":authority"],"#),
        ("request", "Host", "a.test:80", r#""allow_pseudo": [":authority"],"#),
        ("request", ":method", "PUT", r#""allow_pseudo": [":method"],"#),
        ("response", ":status", "404", r#""allow_pseudo": [":status"],"#),
        ("request", "x-envoy-retry-on", "5xx", r#""allow_internal": true,"#),
        ("request", "X-Forwarded-Client-Cert", "a", r#""allow_internal": true,"#),
        ("response", "grpc-status", "0", r#""allow_grpc_trailers": true,"#),
        ("response_trailers", "grpc-message", "a", r#""allow_grpc_trailers": true,"#),
    ] {
        let rule = format!(r#""{side}": [{}]"#, set(name, value));
        assert!(said(&with("", &rule)).contains(&format!("`rules[0].{side}[0].name`: found")), "{name}");
        assert_eq!(said(&with(allow, &rule)), "", "{name}");
    }
    // And never: removed, on the other side, or with a value that could break the message.
    let all = r#""allow_pseudo": [":path", ":authority", ":method", ":status"], "allow_internal": true,"#;
    for rule in [
        r#""request": [{"op": "remove", "name": ":path"}]"#.to_owned(),
        r#""request": [{"op": "remove", "name": "host"}]"#.to_owned(),
        r#""request": [{"op": "rename", "name": ":authority", "to": "x-a"}]"#.to_owned(),
        r#""request": [{"op": "rename", "name": "x-a", "to": ":path"}]"#.to_owned(),
        r#""request": [{"op": "append", "name": ":path", "value": "/a"}]"#.to_owned(),
        format!(r#""request": [{}]"#, set(":status", "200")),
        format!(r#""request": [{}]"#, set(":scheme", "https")),
        format!(r#""response": [{}]"#, set(":path", "/")),
        format!(r#""response": [{}]"#, set("host", "a.test")),
        format!(r#""request_trailers": [{}]"#, set(":path", "/")),
        format!(r#""request": [{}]"#, set(":path", "a")),
        format!(r#""request": [{}]"#, set(":path", "/a b")),
        format!(r#""request": [{}]"#, set(":authority", "a b")),
        format!(r#""request": [{}]"#, set(":method", "CONNECT")),
        format!(r#""response": [{}]"#, set(":status", "100")),
        format!(r#""response": [{}]"#, set(":status", "204")),
        format!(r#""response": [{}]"#, set(":status", "600")),
        format!(r#""request": [{}]"#, set("te", "trailers")),
    ] {
        assert_ne!(said(&with(all, &rule)), "", "{rule}");
    }
}

#[test]
fn what_an_operation_cannot_do_is_refused_with_the_reason() {
    for (json, reason) in [
        (request(r#"{"op": "append_csv", "name": "cookie", "value": "a"}"#), "no list"),
        (response(r#"{"op": "append_csv", "name": "Set-Cookie", "value": "a"}"#), "no list"),
        (request(r#"{"op": "set", "name": "x", "value": "a", "default": "b"}"#), "no source"),
        (request(r#"{"op": "set", "name": "x", "value": "${status}"}"#), "only `response` has"),
        (
            rule(r#"{"response_trailers": [{"op": "set", "name": "x", "value": "${status}"}]}"#),
            "only `response`",
        ),
        (request(r#"{"op": "set", "name": "x", "value": "${user}"}"#), "a source that is known"),
        (request(r#"{"op": "rewrite", "name": "x", "regex": "(", "value": ""}"#), "a regular expression"),
        (
            request(r#"{"op": "rewrite", "name": "x", "regex": "a", "value": "$1"}"#),
            "a group that `regex` has",
        ),
        (request(r#"{"op": "remove_match", "prefix": "a", "suffix": "b"}"#), "only one of"),
        (request(r#"{"op": "remove_match", "except": ["a"]}"#), "is missing"),
        (
            request(
                r#"{"op": "map", "name": "x", "values": [{"from": "a", "to": "b"}, {"from": "a", "to": "c"}]}"#,
            ),
            "twice",
        ),
        (
            response(r#"{"op": "set_cookie", "name": "a", "value": "1", "same_site": "none"}"#),
            "need `secure`",
        ),
        (
            response(r#"{"op": "set_cookie", "name": "__Host-a", "value": "1", "secure": true}"#),
            "`path` \"/\"",
        ),
        (response(r#"{"op": "set_cookie", "name": "__Secure-a", "value": "1"}"#), "needs `secure`"),
        (response(r#"{"op": "set_cookie", "name": "a", "value": "1;Secure"}"#), "a cookie's value"),
        (response(r#"{"op": "cookie_attributes"}"#), "gives nothing"),
        (rule(r#"{"when": {"status": [200]}, "request": [{"op": "remove", "name": "x"}]}"#), "before it"),
        (r#"{"version": 1, "strip_client": ["x-*-id"]}"#.to_owned(), "one `*` at its end"),
        (r#"{"version": 1, "strip_client": ["content-length"]}"#.to_owned(), "frames"),
        (r#"{"version": 1, "strip_client": ["x-envoy-*"]}"#.to_owned(), "`allow_internal`"),
        (r#"{"version": 1, "strip_client": ["x"], "once_header": "te"}"#.to_owned(), "frames"),
    ] {
        let said = refusal(&json).join("\n");
        assert!(said.contains(reason), "{json}: {said}");
    }
}

#[test]
fn the_documents_say_what_is_read() {
    let docs = filter_docs::docs!(Mutations::from_node);
    docs.assert_fresh();
    docs.assert_samples();
    let accepted = [
        request(r#"{"op": "set", "name": "X-A", "value": ""}"#),
        request(r#"{"value": "caf\u00e9 a\tb", "name": "x-a", "op": "append"}"#),
        request(r#"{"op": "add", "name": "x-a", "value": "${header:x}${default:a b} $$5"}"#),
        request(r#"{"op": "rename", "name": "x-a", "to": "x-b"}"#),
        request(r#"{"op": "copy", "name": ":path", "to": "x-path"}"#),
        request(r#"{"op": "query_set", "name": "a b", "value": " ${header:x} "}"#),
        request(r#"{"op": "remove_match", "regex": "^x-(a|b)", "except": ["x-a"]}"#),
        request(r#"{"op": "set", "name": "x-a", "value": "${prop:xds.route_name}", "default": "none"}"#),
        response(r#"{"op": "set_cookie", "name": "a", "value": "${header:x}", "max_age": 60.0, "secure": true}"#),
        response(r#"{"op": "set", "name": "x-a", "value": "${status} ${response_header:x}"}"#),
        rule(r#"{"request": [], "response": [{"op": "remove", "name": "server"}]}"#),
        rule(r#"{"when": {"methods": ["GET"]}, "stop": true}"#),
        rule(r#"{"name": "a", "when": {"status": ["5xx"]}, "response_trailers": [{"op": "remove", "name": "x"}]}"#),
        r#"{"version": 1, "strip_client": ["x-user-*", "x-tenant"]}"#.to_owned(),
        r#"{"version": 1, "mode": "report", "enforce_percent": 0.5, "on_invalid": "deny", "max_value_bytes": "1KiB",
            "once_header": "x-once", "skip_local_replies": true, "access_log": true, "strip_client": ["x"]}"#
            .to_owned(),
    ];
    docs.assert_accepted(&accepted.each_ref().map(String::as_str));
    let refused = [
        "{}".to_owned(),
        r#"{"version": 1, "rules": []}"#.to_owned(),
        rule("{}"),
        rule(r#"{"request": [], "response": []}"#),
        rule(r#"{"reqest": []}"#),
        rule(r#"{"stop": true}"#),
        request("{}"),
        request(r#"{"op": "sett", "name": "x-a", "value": "b"}"#),
        request(r#"{"op": "set", "name": "x-a"}"#),
        request(r#"{"op": "remove", "name": "x-a", "value": "b"}"#),
        request(r#"{"op": "set", "name": "x a", "value": "b"}"#),
        request(r#"{"op": "remove", "name": ":path"}"#),
        request(r#"{"op": "remove", "name": "Content-Length"}"#),
        request(r#"{"op": "set", "name": "Transfer-Encoding", "value": "b"}"#),
        request(r#"{"op": "set", "name": ":status", "value": "200"}"#),
        request(r#"{"op": "set", "name": "x-a", "value": "b\r\nx-evil: 1"}"#),
        request(r#"{"op": "set", "name": "x-a", "value": " b"}"#),
        request(r#"{"op": "set", "name": "x-a", "value": "$b"}"#),
        request(r#"{"op": "set", "name": "x-a", "value": 1}"#),
        request(r#"{"op": "dedupe", "name": "x-a", "keep": "all"}"#),
        request(r#"{"op": "cookie_attributes", "secure": true}"#),
        request(r#"{"op": "set_cookie", "name": "a", "value": "1", "secure": true}"#),
        response(r#"{"op": "query_set", "name": "a", "value": "1"}"#),
        response(r#"{"op": "set_cookie", "name": "a b", "value": "1"}"#),
        rule(r#"{"request_trailers": [{"op": "set_cookie", "name": "a", "value": "1"}]}"#),
        r#"{"version": 1, "strip_client": ["x*y"]}"#.to_owned(),
        r#"{"version": 1, "strip_client": ["x"], "max_value_bytes": 0}"#.to_owned(),
    ];
    docs.assert_refused(&refused.each_ref().map(String::as_str));
    let long = "\u{e9}".repeat(4097);
    let value = request(&format!(r#"{{"op": "set", "name": "x-a", "value": "{long}"}}"#));
    docs.assert_refused_by_reader_alone(&[
        &value,
        &request(r#"{"op": "set", "name": ":path", "value": "/"}"#),
        &request(r#"{"op": "set", "name": "x-a", "value": "${user}"}"#),
    ]);
}

#[test]
fn whatever_is_configured_is_read_or_refused_with_its_place() {
    let docs = filter_docs::docs!(Mutations::from_node);
    docs.assert_each_mistake_is_told(include_str!("../../fuzz/everything.json"));
    docs.assert_survives_anything();
}
