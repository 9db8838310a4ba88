//! redaction in a real Envoy: what the client sees of a body.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "all of this is a test: clippy knows only the functions marked so"
)]

mod decisions;
mod every_cut;
mod forms;
mod large;
mod raw;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use meshloom_lab::{Bootstrap, Envoy, Reply, Upstream, read_head, serving};

const SECRETS: &str =
    r#"{"user": "ada", "password": "hunter2", "url": "/?SECRET=abc&x=1", "pin": {"SECRET": [1, 2]}}"#;
const REDACTED: &str = r#"{"user": "ada", "password": "[REDACTED]", "url": "/?SECRET=[REDACTED]&x=1", "pin": {"SECRET": "[REDACTED]"}}"#;

/// The sample with another configuration, in front of an upstream with one answer.
fn configured(config: &str, reply: Reply) -> (Upstream, Envoy) {
    let upstream = Upstream::answering(move |_| reply.clone());
    let bootstrap =
        Bootstrap::filter("redaction").configure("redaction", config).upstream(upstream.address());
    (upstream, Envoy::with(bootstrap).start())
}

fn envoy(reply: Reply) -> (Upstream, Envoy) {
    let upstream = Upstream::answering(move |_| reply.clone());
    let envoy = Envoy::with(Bootstrap::filter("redaction").upstream(upstream.address())).start();
    (upstream, envoy)
}

fn json(body: &'static str) -> Reply {
    Reply::new(200, body).header("content-type", "application/json")
}

#[test]
fn values_go_and_the_length_is_no_longer_claimed() {
    let (_upstream, envoy) = envoy(json(SECRETS).header("content-md5", "x").header("accept-ranges", "bytes"));
    let response = envoy.get("/").send();
    assert_eq!(response.text(), REDACTED);
    for name in ["content-length", "content-md5", "accept-ranges"] {
        assert_eq!(response.header(name), None, "{name}");
    }
    assert_eq!(envoy.stat("wasm_redaction_matches_total"), 3);
}

#[test]
fn a_body_of_one_byte_chunks_is_redacted_alike_in_http_1_and_2_with_and_without_trailers() {
    for trailers in [false, true] {
        let mut reply = json(SECRETS).in_chunks_of(1);
        if trailers {
            reply = reply.trailer("x-end", "1");
        }
        let upstream = Upstream::answering(move |_| reply.clone());
        let bootstrap = Bootstrap::filter("redaction").upstream(upstream.address()).http2_upstream();
        let envoy = Envoy::with(bootstrap).start();
        for http2 in [false, true] {
            let request = envoy.get("/");
            let response = if http2 { request.http2() } else { request }.send();
            assert_eq!(response.text(), REDACTED, "http2 {http2}, trailers {trailers}");
            assert!(
                response.parts.len() > 20,
                "the chunks should have come one by one: {}",
                response.parts.len()
            );
            if trailers && http2 {
                assert_eq!(response.trailers, [("x-end".to_owned(), b"1".to_vec())]);
            }
        }
    }
}

#[test]
fn a_stream_is_not_held_back() {
    let parts = ["one\n\n", "SECR", "ET=hun", "ter2\n\n", "two\n\n"];
    let reply = Reply::new(200, "").header("content-type", "text/event-stream").chunks(parts);
    let (_upstream, envoy) = envoy(reply.pausing(Duration::from_millis(100)));
    let response = envoy.get("/").send();
    let parts: Vec<&[u8]> = response.parts.iter().map(|part| &part[..]).collect();
    // Only a word that may become a name or an address waits for its end.
    assert_eq!(parts, [&b"one\n\n"[..], b"SECRET", b"=[REDACTED]\n\n", b"two\n\n"]);
}

#[test]
fn an_image_passes_undamaged() {
    let (_upstream, envoy) = envoy(Reply::new(200, "SECRET=abc").header("content-type", "image/png"));
    let response = envoy.get("/").send();
    assert_eq!(response.text(), "SECRET=abc");
    assert_eq!(response.header("content-length").as_deref(), Some("10"));
}

#[test]
fn the_upstream_is_asked_for_whole_and_plain_bodies() {
    let (upstream, envoy) = envoy(json("{}"));
    envoy
        .get("/")
        .header("accept-encoding", "gzip, br")
        .header("range", "bytes=0-4")
        .header("if-range", "x")
        .send();
    let seen = upstream.only_seen();
    assert_eq!(seen.header("accept-encoding").as_deref(), Some("identity"));
    assert_eq!((seen.header("range"), seen.header("if-range")), (None, None));
}

#[test]
fn responses_without_a_body_keep_their_length() {
    for (method, status, length) in [("HEAD", 200, Some("10")), ("GET", 304, Some("10")), ("GET", 204, None)]
    {
        let reply =
            Reply::new(status, "").without_header("content-length").header("content-type", "text/plain");
        let reply = if let Some(length) = length { reply.header("content-length", length) } else { reply };
        let (_upstream, envoy) = envoy(reply);
        let response = envoy.request(method, "/").send();
        assert_eq!((response.status, response.body().len()), (status, 0), "{method} {status}");
        assert_eq!(response.header("content-length").as_deref(), length, "{method} {status}");
    }
}

#[test]
fn a_megabyte_is_redacted_to_its_end() {
    let line = "0123456789 password=hunter2 and so on\n";
    let body = line.repeat(30_000);
    let (_upstream, envoy) = envoy(Reply::new(200, body.clone()).header("content-type", "text/plain"));
    assert_eq!(envoy.get("/").send().text(), body.replace("hunter2", "[REDACTED]"));
    assert_eq!(envoy.stat("wasm_redaction_matches_total"), 30_000);
}

/// An upstream that answers any request with `head` and then speaks a protocol of its own.
fn switching(head: &'static str) -> SocketAddr {
    serving(move |mut stream| {
        read_head(&mut stream);
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(b"SECRET=abc password=def").unwrap();
    })
}

#[test]
fn another_protocol_is_not_touched_after_an_upgrade_or_a_connect() {
    for (kind, request, answer) in [
        (
            "websocket",
            "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        ),
        ("CONNECT", "CONNECT a:80 HTTP/1.1\r\nhost: a:80\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"),
    ] {
        let bootstrap =
            Bootstrap::filter("redaction").upstream(switching(answer)).connection_manager(|manager| {
                manager["upgrade_configs"] = serde_json::json!([{ "upgrade_type": kind }]);
                let host = &mut manager["route_config"]["virtual_hosts"][0];
                let route = &mut host["routes"][0];
                if kind == "CONNECT" {
                    route["match"] = serde_json::json!({ "connect_matcher": {} });
                }
            });
        let envoy = Envoy::with(bootstrap).start();
        let mut stream = TcpStream::connect(envoy.proxy()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"password=def") {
            let mut byte = [0];
            let read = stream.read_exact(&mut byte);
            assert!(read.is_ok(), "{kind}: {}", seen.escape_ascii());
            seen.extend(byte);
        }
        assert!(seen.ends_with(b"\r\n\r\nSECRET=abc password=def"), "{kind}: {}", seen.escape_ascii());
    }
}
