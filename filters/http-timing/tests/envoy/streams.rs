//! Streams that are meant to last.

use std::io::{Read, Write};
use std::net::SocketAddr;

use super::*;

/// Long enough to be long-lived here.
const LONG: Duration = Duration::from_millis(400);

/// Echoes what comes after `answer`.
fn echo(answer: &'static str) -> SocketAddr {
    serving(move |mut stream| {
        if !answer.is_empty() {
            read_head(&mut stream);
            stream.write_all(answer.as_bytes()).unwrap();
        }
        let mut bytes = [0; 64];
        while let Ok(read @ 1..) = stream.read(&mut bytes) {
            stream.write_all(&bytes[..read]).unwrap();
        }
    })
}

/// Speaks to the upstream through a tunnel that this request opens, for a while.
fn tunnel(envoy: &Envoy, head: &str, expected: &str) {
    let mut client = envoy.connect();
    client.write_all(head.as_bytes()).unwrap();
    let answer = read_head(&mut client);
    assert!(answer.starts_with(expected), "{answer}");
    envoy.wait_for_stat("wasm_http_inbound_inflight", 1);
    std::thread::sleep(LONG);
    client.write_all(b"hello").unwrap();
    let mut echoed = [0; 5];
    client.read_exact(&mut echoed).unwrap();
    assert_eq!(&echoed, b"hello");
    drop(client);
    envoy.wait_for_stat("wasm_http_inbound_inflight", 0);
}

#[test]
fn a_web_socket_is_a_stream_by_itself_and_a_101() {
    let upstream =
        echo("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n");
    let bootstrap = bootstrap("INBOUND").upstream(upstream).configure("http-timing", EXTENDED);
    let envoy = Envoy::with(bootstrap.connection_manager(|manager| {
        manager["upgrade_configs"] = json!([{"upgrade_type": "websocket"}]);
    }))
    .start();
    let head = "GET /chat HTTP/1.1\r\nhost: shop.test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    tunnel(&envoy, head, "HTTP/1.1 101");
    envoy.wait_for_stat("wasm_http_inbound_stream_duration_ms_count", 1);
    assert_eq!(counts(&envoy, ["requests_total", "responses_total_1xx", "slo_fast_good_total"]), [1; 3]);
    assert_eq!(envoy.stat("wasm_http_inbound_duration_ms_count"), 0);
}

#[test]
fn a_tunnel_by_connect_is_a_stream_by_itself_and_a_200() {
    let upstream = echo("");
    let bootstrap = bootstrap("INBOUND").upstream(upstream).configure("http-timing", EXTENDED);
    let envoy = Envoy::with(bootstrap.connection_manager(|manager| {
        manager["upgrade_configs"] = json!([{"upgrade_type": "CONNECT"}]);
        manager["route_config"]["virtual_hosts"][0]["routes"] = json!([{
            "match": {"connect_matcher": {}},
            "route": {
                "cluster": "httpbin",
                "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}],
            },
        }]);
    }))
    .start();
    tunnel(&envoy, "CONNECT shop.test:443 HTTP/1.1\r\nhost: shop.test:443\r\n\r\n", "HTTP/1.1 200");
    envoy.wait_for_stat("wasm_http_inbound_stream_duration_ms_count", 1);
    assert_eq!(counts(&envoy, ["requests_total", "responses_total_2xx"]), [1; 2]);
    assert_eq!(envoy.stat("wasm_http_inbound_duration_ms_count"), 0);
}

#[test]
fn server_sent_events_are_a_stream_by_themselves_and_a_slow_response_is_none() {
    let upstream = Upstream::answering(|seen| {
        let kind = if seen.path == "/events" { "text/event-stream; charset=utf-8" } else { "text/plain" };
        let reply = Reply::new(200, "").chunks(["data: a\n\n", "data: b\n\n"]).pausing(LONG);
        reply.header("content-type", kind)
    });
    let envoy = extended(&upstream, json!({})).start();
    envoy.get("/events").send();
    envoy.get("/slow").send();
    // A client that leaves in the middle.
    envoy.get("/events").send_and_leave(LONG + LONG / 2);
    envoy.wait_for_stat("wasm_http_inbound_stream_duration_ms_count", 2);
    envoy.wait_for_stat("wasm_http_inbound_duration_ms_count", 1);
    assert_eq!(counts(&envoy, ["responses_total_2xx", "resets_total_downstream", "inflight"]), [3, 1, 0]);
}
