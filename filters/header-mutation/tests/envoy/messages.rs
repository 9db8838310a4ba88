//! Messages that are not like most.

use meshloom_lab::{Envoy, Reply, Upstream, answering_once};
use serde_json::json;

use super::{configured, marks};

#[test]
fn http_1_0_without_a_host_is_given_one_and_passes() {
    let upstream = Upstream::ok();
    let bootstrap =
        configured(r#"{"rules": [{"request": [{"op": "set", "name": "x-a", "value": "${authority}"}]}]}"#)
            .upstream(upstream.address())
            .connection_manager(|manager| {
                manager["http_protocol_options"] =
                    json!({ "accept_http_10": true, "default_host_for_http_10": "default.test" });
            });
    let answer = Envoy::with(bootstrap).start().raw("GET / HTTP/1.0\r\n\r\n");
    assert!(answer.contains(" 200 OK"), "{answer}");
    assert_eq!(upstream.only_seen().header("x-a").as_deref(), Some("default.test"));
}

#[test]
fn a_head_request_and_its_response_are_changed() {
    let upstream = Upstream::ok();
    let envoy = Envoy::with(configured(marks()).upstream(upstream.address())).start();
    let response = envoy.request("HEAD", "/").send();
    assert_eq!((response.status, response.header("x-a").as_deref()), (200, Some("1")));
    assert_eq!(upstream.only_seen().header("x-a").as_deref(), Some("1"));
}

#[test]
fn an_upgrade_and_its_response_are_changed_and_stay_one() {
    let (address, served) = answering_once(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nhello",
    );
    let bootstrap = configured(marks())
        .upstream(address)
        .connection_manager(|manager| manager["upgrade_configs"] = json!([{ "upgrade_type": "websocket" }]));
    let envoy = Envoy::with(bootstrap).start();
    let request = "GET / HTTP/1.1\r\nhost: a.test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    let answer = envoy.raw(request);
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(answer.contains("x-a: 1\r\n") && answer.contains("upgrade: websocket\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
    let seen = served.join().unwrap();
    assert!(seen.contains("x-a: 1\r\n") && seen.contains("upgrade: websocket\r\n"), "{seen}");
}

#[test]
fn a_connect_passes_without_a_path() {
    let (address, served) = answering_once("HTTP/1.1 200 OK\r\n\r\nhello");
    let rules = r#"{"allow_pseudo": [":path", ":method"], "rules": [{"request": [
        {"op": "set", "name": "x-a", "value": "1"}, {"op": "set", "name": ":path", "value": "/"},
        {"op": "set", "name": ":method", "value": "GET"}, {"op": "query_set", "name": "a", "value": "1"}],
        "response": [{"op": "set", "name": "x-a", "value": "1"}]}]}"#;
    let bootstrap = configured(rules).upstream(address).connection_manager(|manager| {
        manager["upgrade_configs"] = json!([{ "upgrade_type": "CONNECT" }]);
        manager["route_config"]["virtual_hosts"][0]["routes"] =
            json!([{ "match": { "connect_matcher": {} }, "route": { "cluster": "httpbin" } }]);
    });
    let envoy = Envoy::with(bootstrap).start();
    let answer = envoy.raw("CONNECT a.test:443 HTTP/1.1\r\nhost: a.test:443\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("x-a: 1\r\n"), "{answer}");
    assert!(answer.ends_with("hello"), "{answer}");
    let seen = served.join().unwrap();
    assert!(seen.starts_with("CONNECT ") && seen.contains("x-a: 1\r\n"), "{seen}");
}

#[test]
fn a_1xx_is_not_shown_to_the_filter_and_the_response_after_it_is() {
    let (address, served) = answering_once(
        "HTTP/1.1 100 Continue\r\nx-early: 1\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
    );
    let bootstrap = configured(marks())
        .upstream(address)
        .connection_manager(|manager| manager["proxy_100_continue"] = json!(true));
    let envoy = Envoy::with(bootstrap).start();
    let request = "GET / HTTP/1.1\r\nhost: a.test\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n";
    let answer = envoy.raw(request);
    let (early, last) = answer.split_once("\r\n\r\n").unwrap();
    assert!(early.starts_with("HTTP/1.1 100 ") && !early.contains("x-a"), "{answer}");
    assert!(last.starts_with("HTTP/1.1 200 ") && last.contains("x-a: 1\r\n"), "{answer}");
    served.join().unwrap();
}

#[test]
fn trailers_of_a_request_are_changed_where_there_are_any_and_never_made() {
    let upstream = Upstream::ok();
    let rules = r#"{"rules": [{"request_trailers": [{"op": "remove", "name": "x-cost"},
        {"op": "set", "name": "x-path", "value": "${path}"}]}]}"#;
    let envoy = Envoy::with(configured(rules).upstream(upstream.address()).http2_upstream()).start();
    let request = envoy.request("POST", "/a").body("hello").trailer("x-cost", "1").trailer("x-end", "1");
    assert_eq!(request.send().status, 200);
    let seen = upstream.only_seen();
    assert_eq!(seen.body, b"hello");
    let mut trailers = seen.trailers;
    trailers.sort();
    let line = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    assert_eq!(trailers, [line("x-end", "1"), line("x-path", "/a")]);

    upstream.forget();
    assert_eq!(envoy.request("POST", "/a").body("hello").http2().send().status, 200);
    assert_eq!(upstream.only_seen().trailers, []);
}

#[test]
fn trailers_are_changed() {
    let upstream =
        Upstream::answering(|_| Reply::new(200, "hello").trailer("x-cost", "1").trailer("x-end", "1"));
    let rules = r#"{"rules": [{"response_trailers": [{"op": "remove", "name": "x-cost"},
        {"op": "set", "name": "x-path", "value": "${path}"}]}]}"#;
    let envoy = Envoy::with(configured(rules).upstream(upstream.address()).http2_upstream()).start();
    let response = envoy.get("/a").http2().send();
    let trailer = |name: &str| response.trailers.iter().find(|(other, _)| other == name);
    assert!(trailer("x-cost").is_none() && trailer("x-end").is_some());
    assert_eq!(trailer("x-path").map(|(_, value)| value.as_slice()), Some(&b"/a"[..]));
}

#[test]
fn a_grpc_response_of_trailers_alone_is_a_response() {
    let upstream = Upstream::answering(|_| {
        Reply::new(200, "")
            .without_header("content-length")
            .header("content-type", "application/grpc")
            .header("grpc-status", "5")
    });
    let rules = r#"{"rules": [{"response": [{"op": "set", "name": "x-a", "value": "1"}, {"op": "remove_match", "prefix": "grpc"}],
        "response_trailers": [{"op": "set", "name": "x-trailer", "value": "1"}]}]}"#;
    let envoy = Envoy::with(configured(rules).upstream(upstream.address()).http2_upstream()).start();
    let response =
        envoy.request("POST", "/s/m").header("content-type", "application/grpc").body("b").http2().send();
    assert_eq!(response.header("grpc-status").as_deref(), Some("5"));
    assert_eq!(response.header("x-a").as_deref(), Some("1"));
    assert_eq!((response.header("x-trailer"), response.trailers.len()), (None, 0));
}
