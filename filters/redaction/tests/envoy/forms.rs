//! What is known by its form, and what is held back until it is: in bodies of HTTP/1.1 and HTTP/2.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use meshloom_lab::{Bootstrap, Envoy, Reply, Upstream};

use super::configured;

const CONFIG: &str = r#"{"version": 1, "detectors": [
    {"name": "card", "kind": "credit_card", "action": {"type": "replace", "with": "CARD"}},
    {"name": "mail", "kind": "email", "action": {"type": "replace", "with": "MAIL"}},
    {"name": "v4", "kind": "ipv4", "action": {"type": "replace", "with": "V4"}},
    {"name": "iban", "kind": "iban", "action": {"type": "replace", "with": "IBAN"}},
    {"name": "jwt", "kind": "jwt", "action": {"type": "replace", "with": "JWT"}},
    {"name": "secret", "kind": "assignment", "keys": ["password"], "action": {"type": "mask"}}]}"#;

const TEXT: &str = "4111 1111 1111 1111, DE89370400440532013000 10.0.0.1 password=hunter2 \
    eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w write to ada@example.com";
const REDACTED: &str = "CARD, IBAN V4 password=******* JWT write to MAIL";

fn text(body: impl Into<bytes::Bytes>) -> Reply {
    Reply::new(200, body).header("content-type", "text/plain")
}

#[test]
fn wherever_a_token_is_cut_it_does_not_come_through_in_http_1_and_2_with_and_without_trailers() {
    for h2_upstream in [false, true] {
        let upstream = Upstream::answering(|request| {
            let mut words = request.path.trim_start_matches('/').split('-');
            let cut: usize = words.next().unwrap().parse().unwrap();
            let reply = if cut == 0 {
                text(TEXT).in_chunks_of(1)
            } else {
                text("").chunks([TEXT[..cut].to_owned(), TEXT[cut..].to_owned()])
            };
            if words.next() == Some("t") { reply.trailer("x-end", "1") } else { reply }
        });
        let mut bootstrap =
            Bootstrap::filter("redaction").configure("redaction", CONFIG).upstream(upstream.address());
        if h2_upstream {
            bootstrap = bootstrap.http2_upstream();
        }
        let envoy = Envoy::with(bootstrap).start();
        for cut in 0..TEXT.len() {
            for trailers in ["", "-t"] {
                for http2 in [false, true] {
                    let request = envoy.get(&format!("/{cut}{trailers}"));
                    let response = if http2 { request.http2() } else { request }.send();
                    assert_eq!(
                        response.text(),
                        REDACTED,
                        "cut at {cut}{trailers}, http2 {http2}, upstream http2 {h2_upstream}"
                    );
                    if !trailers.is_empty() && http2 && h2_upstream {
                        assert_eq!(response.trailers, [("x-end".to_owned(), b"1".to_vec())]);
                    }
                }
            }
        }
    }
}

#[test]
fn a_body_of_many_megabytes_of_which_every_piece_ends_undecided_passes() {
    // Envoy would answer 500 if more than its buffer of 1 MiB was held.
    let piece = format!("{} ada", "words and words ".repeat(1000));
    for trailers in [false, true] {
        let piece = piece.clone();
        let upstream = Upstream::answering(move |_| {
            let reply =
                text("").chunks(std::iter::repeat_n(piece.clone(), 600)).pausing(std::time::Duration::ZERO);
            if trailers { reply.trailer("x-end", "1") } else { reply }
        });
        let bootstrap = Bootstrap::filter("redaction")
            .configure("redaction", CONFIG)
            .upstream(upstream.address())
            .http2_upstream();
        let envoy = Envoy::with(bootstrap).start();
        let response = envoy.get("/").http2().send();
        assert!(response.complete && response.status == 200, "{}", response.status);
        assert_eq!(
            response.body().len(),
            600 * "words and words ".len() * 1000 + 600 * 4,
            "trailers {trailers}"
        );
    }
}

#[test]
fn compressed_bodies_are_inflated() {
    let body = format!("{TEXT}\n").repeat(1000);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(body.as_bytes()).unwrap();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(body.as_bytes()).unwrap();
    for (coding, bytes) in [("gzip", gzip.finish().unwrap()), ("deflate", zlib.finish().unwrap())] {
        let reply = text(bytes).header("content-encoding", coding);
        for reply in [reply.clone(), reply.in_chunks_of(100)] {
            let (_upstream, envoy) = configured(CONFIG, reply);
            let response = envoy.get("/").send();
            assert_eq!(response.header("content-encoding"), None);
            assert!(response.text() == body.replace(TEXT, REDACTED), "{coding}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_answered_502_without_a_body() {
    let (_upstream, envoy) =
        configured(CONFIG, text(&b"\x0b\x02\x80secret\x03"[..]).header("content-encoding", "br"));
    for http2 in [false, true] {
        let request = envoy.get("/");
        let response = if http2 { request.http2() } else { request }.send();
        assert_eq!(
            (response.status, response.body().len(), response.complete),
            (502, 0, true),
            "http2 {http2}"
        );
    }
}

#[test]
fn a_blocked_body_ends_before_what_is_not_to_leave_or_is_broken_off() {
    let detector = r#"{"name": "card", "kind": "credit_card", "action": {"type": "block"}}"#;
    let reply = text("").chunks(["one\n", "two 4111111111111111 three", "four\n"]);
    let (_upstream, envoy) =
        configured(&format!(r#"{{"version": 1, "detectors": [{detector}]}}"#), reply.clone());
    let response = envoy.get("/").send();
    assert_eq!((response.text().as_str(), response.complete), ("one\n", true));
    let reset =
        format!(r#"{{"version": 1, "detectors": [{detector}], "on_block": {{"response": "reset"}}}}"#);
    let (_upstream, envoy) = configured(&reset, reply);
    let response = envoy.get("/").send();
    assert_eq!((response.text().as_str(), response.complete), ("one\n", false));
    let request = format!(r#"{{"version": 1, "direction": ["request"], "detectors": [{detector}]}}"#);
    let (upstream, envoy) = configured(&request, text("ok"));
    let response =
        envoy.request("POST", "/").header("content-type", "text/plain").body("4111 1111 1111 1111").send();
    assert_eq!(response.status, 403);
    assert_eq!(upstream.seen().len(), 0);
}

#[test]
fn a_buffered_body_leaves_as_a_whole_and_a_larger_one_goes_on() {
    let config = |oversize: &str| {
        CONFIG.replacen(
            "1,",
            &format!(
                r#"1, "body": {{"mode": "buffer", "max_body_bytes": 2000, "on_oversize": "{oversize}"}},"#
            ),
            1,
        )
    };
    for (times, oversize, passes) in [(10, "block", true), (100, "stream", true), (100, "block", false)] {
        let (_upstream, envoy) =
            configured(&config(oversize), text(format!("{TEXT}\n").repeat(times)).in_chunks_of(500));
        let body = if passes { format!("{REDACTED}\n").repeat(times) } else { String::new() };
        assert!(envoy.get("/").send().text() == body, "{times} {oversize}");
    }
}

#[test]
fn requests_are_redacted_and_arrive_whole() {
    let config = CONFIG.replacen("1,", r#"1, "direction": ["request", "response"],"#, 1);
    for http2 in [false, true] {
        let (upstream, envoy) = configured(&config, text("ok"));
        let request = envoy.request("POST", "/").header("content-type", "text/plain").body(TEXT);
        let response = if http2 { request.http2() } else { request }.send();
        assert_eq!(response.text(), "ok");
        assert_eq!(String::from_utf8(upstream.only_seen().body).unwrap(), REDACTED, "http2 {http2}");
    }
}
