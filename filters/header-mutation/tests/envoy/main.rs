//! header-mutation in a real Envoy: what the upstream and the client see.

mod chain;
mod messages;
mod reload;

use meshloom_lab::{Bootstrap, Envoy, Reply, Upstream};

/// With this configuration, but for its version.
fn configured(json: &str) -> Bootstrap {
    let json = json.replacen('{', r#"{"version": 1, "#, 1);
    Bootstrap::filter("header-mutation").configure("header-mutation", json)
}

/// Sets `x-a` in either direction.
fn marks() -> &'static str {
    r#"{"rules": [{"request": [{"op": "set", "name": "x-a", "value": "1"}],
        "response": [{"op": "set", "name": "x-a", "value": "1"}]}]}"#
}

fn envoy(upstream: &Upstream, request: &str, response: &str) -> Envoy {
    let rules =
        format!(r#"{{"version": 1, "rules": [{{"request": [{request}], "response": [{response}]}}]}}"#);
    let bootstrap = Bootstrap::filter("header-mutation").configure("header-mutation", rules);
    Envoy::with(bootstrap.upstream(upstream.address())).start()
}

#[test]
fn the_sample_marks_requests_and_responses() {
    let upstream = Upstream::ok();
    let envoy = Envoy::with(Bootstrap::filter("header-mutation").upstream(upstream.address())).start();
    let response = envoy.get("/").header("x-training", "a client's own").send();
    assert_eq!(response.header("x-training").as_deref(), Some("envoy-wasm"));
    assert_eq!(upstream.only_seen().header("x-training").as_deref(), Some("envoy-wasm"));
}

#[test]
fn every_operation_is_seen_by_upstream_and_client_in_listed_order() {
    let upstream = Upstream::answering(|_| {
        Reply::new(200, "")
            .header("x-old", "1")
            .header("x-old", "caf\u{e9}")
            .header("server", "secretive/1.0")
    });
    let operations = r#"
        {"op": "rename", "name": "x-old", "to": "x-new"},
        {"op": "append", "name": "x-new", "value": "last"},
        {"op": "add", "name": "x-new", "value": "not added"},
        {"op": "add", "name": "X-Added", "value": "added"},
        {"op": "remove", "name": "x-gone"},
        {"op": "set", "name": "x-set", "value": "only"}"#;
    let envoy = envoy(&upstream, operations, operations);
    let response = envoy
        .get("/")
        .header("x-old", "1")
        .header("x-old", "caf\u{e9}")
        .header("x-set", "a")
        .header("x-set", "b")
        .header("x-gone", "1")
        .header("x-gone", "2")
        .send();
    let seen = upstream.only_seen();
    for (side, headers) in [("request", &seen.headers), ("response", &response.headers)] {
        let values = |name: &str| -> Vec<Vec<u8>> {
            headers.iter().filter(|(other, _)| other == name).map(|(_, value)| value.clone()).collect()
        };
        assert_eq!(values("x-new"), [&b"1"[..], "caf\u{e9}".as_bytes(), b"last"], "{side}");
        assert_eq!(values("x-added"), [b"added"], "{side}");
        assert_eq!(values("x-set"), [b"only"], "{side}");
        assert!(values("x-old").is_empty() && values("x-gone").is_empty(), "{side}");
    }
}

#[test]
fn a_value_that_is_not_utf_8_is_renamed_byte_for_byte() {
    let upstream = Upstream::answering(|_| Reply::new(200, "").header("x-old", b"caf\xe9"));
    let rename = r#"{"op": "rename", "name": "x-old", "to": "x-new"}"#;
    let response = envoy(&upstream, rename, rename).get("/").header("x-old", b"\xff\xfe").send();
    assert_eq!(response.status, 200);
    assert!(response.headers.contains(&("x-new".to_owned(), b"caf\xe9".to_vec())));
    assert!(upstream.only_seen().headers.contains(&("x-new".to_owned(), b"\xff\xfe".to_vec())));
}

#[test]
fn nothing_that_a_client_sends_stands_beside_what_the_filter_says() {
    let upstream = Upstream::ok();
    let rules = r#"{"strip_client": ["x-user-*"], "allow_pseudo": [":path", ":authority"], "rules": [{"request": [
        {"op": "set", "name": "x-user-id", "value": "${cookie:user}", "default": "nobody"},
        {"op": "rewrite", "name": ":path", "regex": "^/v1/", "value": "/v2/"}, {"op": "query_remove", "name": "user"},
        {"op": "set", "name": "host", "value": "b.test"}]}]}"#;
    let envoy = Envoy::with(configured(rules).upstream(upstream.address())).start();
    let request =
        envoy.get("/v1/a?%75ser=root&b=1").header("x-user-id", "root").header("X-User-Id", b"r\xff");
    assert_eq!(request.header("x-user-role", "admin").header("cookie", "a=1; user=ann").send().status, 200);
    let seen = upstream.only_seen();
    assert_eq!((seen.path.as_str(), seen.header("host").as_deref()), ("/v2/a?b=1", Some("b.test")));
    assert_eq!(seen.header("x-user-id").as_deref(), Some("ann"));
    assert_eq!(seen.header("x-user-role"), None);
}

#[test]
fn cookies_that_the_upstream_sets_stay_apart_and_are_given_attributes() {
    let upstream = Upstream::answering(|_| {
        Reply::new(200, "")
            .header("set-cookie", "a=1; Path=/")
            .header("set-cookie", "a=1; Path=/")
            .header("set-cookie", "b=2; Secure")
    });
    let operations = r#"
        {"op": "dedupe", "name": "set-cookie", "keep": "unique"},
        {"op": "cookie_attributes", "secure": true, "same_site": "lax"},
        {"op": "set_cookie", "name": "c", "value": "${status}", "path": "/", "http_only": true}"#;
    let envoy = envoy(&upstream, "", operations);
    let response = envoy.get("/").send();
    let cookies: Vec<String> = response
        .headers
        .iter()
        .filter(|(name, _)| name == "set-cookie")
        .map(|(_, value)| String::from_utf8(value.clone()).unwrap())
        .collect();
    assert_eq!(
        cookies,
        ["a=1; Path=/; Secure; SameSite=Lax", "b=2; Secure; SameSite=Lax", "c=200; Path=/; HttpOnly"]
    );
}
