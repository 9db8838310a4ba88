//! header-mutation in a real Envoy: what the upstream and the client see.

use meshloom_lab::{Bootstrap, Envoy, Reply, Upstream};

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
