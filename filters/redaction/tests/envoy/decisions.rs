//! What a message becomes that must not go on, that is another protocol, or that tells what was found in it.

use std::io::{Read, Write};
use std::net::SocketAddr;

use meshloom_lab::{Bootstrap, Envoy, Reply, Upstream, read_head, serving};
use serde_json::json;

use super::{configured, raw};

fn text(body: impl Into<bytes::Bytes>) -> Reply {
    Reply::new(200, body).header("content-type", "text/plain")
}

const BLOCKS: &str = r#"{"name": "card", "kind": "credit_card", "action": {"type": "block"}}"#;

#[test]
fn a_blocked_body_whose_length_was_said_is_broken_off_in_http_1_and_2() {
    for (config, body) in [
        (
            format!(r#"{{"version": 1, "preserve_length": true, "detectors": [{BLOCKS}]}}"#),
            "one 4111111111111111 two".to_owned(),
        ),
        (
            format!(
                r#"{{"version": 1, "preserve_length": true, "detectors": [{BLOCKS}], "body": {{"mode": "buffer", "max_body_bytes": 1024, "on_oversize": "block"}}}}"#
            ),
            "nothing ".repeat(500),
        ),
    ] {
        let (_upstream, envoy) = configured(&config, text(body));
        for http2 in [false, true] {
            let request = envoy.get("/");
            // It may be broken off before its headers have left.
            let response = if http2 { request.http2() } else { request }.try_send();
            if let Ok(response) = response {
                // Envoy 1.36 resets a stream of HTTP/2 without an error; then the length that was said tells.
                let said = response.header("content-length").and_then(|length| length.parse().ok());
                let is_short = said.is_some_and(|length: usize| length > response.body().len());
                assert!(!response.complete || is_short, "http2 {http2}: a client can tell");
                assert!(!response.text().contains("4111"), "http2 {http2}");
            }
        }
        assert_eq!(envoy.stat("wasm_redaction_blocked_total"), 2);
    }
}

#[test]
fn what_is_in_a_header_blocks_a_message() {
    let config = format!(
        r#"{{"version": 1, "direction": ["request", "response"], "headers": ["x-note"], "detectors": [{BLOCKS}]}}"#
    );
    let (upstream, envoy) = configured(&config, text("a body").header("x-note", "4111111111111111"));
    for http2 in [false, true] {
        let request = |envoy: &Envoy| if http2 { envoy.get("/").http2() } else { envoy.get("/") };
        let refused = request(&envoy).header("x-note", "4111111111111111").send();
        assert_eq!((refused.status, refused.complete), (403, true), "http2 {http2}");
        assert_eq!(upstream.seen().len(), 0);
        let response = request(&envoy).send();
        assert_eq!(
            (response.status, response.text().as_str(), response.complete),
            (502, "", true),
            "http2 {http2}"
        );
        assert_eq!(response.header("x-note"), None);
        upstream.forget();
    }
    assert_eq!(envoy.stat("wasm_redaction_blocked_total"), 4);
}

/// An upstream that agrees to switch protocols, and then sends back what it gets.
fn echo() -> SocketAddr {
    serving(|mut stream| {
        read_head(&mut stream);
        stream
            .write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
            )
            .unwrap();
        let mut bytes = [0; 64];
        while let Ok(length @ 1..) = stream.read(&mut bytes) {
            stream.write_all(bytes.get(..length).unwrap()).unwrap();
        }
    })
}

#[test]
fn a_client_may_say_what_it_likes_once_protocols_are_switched() {
    let config = r#"{"version": 1, "direction": ["request", "response"], "detectors": [{"name": "mail", "kind": "email"}]}"#;
    let bootstrap = Bootstrap::filter("redaction")
        .configure("redaction", config)
        .upstream(echo())
        .connection_manager(|manager| manager["upgrade_configs"] = json!([{ "upgrade_type": "websocket" }]));
    let envoy = Envoy::with(bootstrap).start();
    let mut stream = std::net::TcpStream::connect(envoy.proxy()).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
        .unwrap();
    let mut seen = Vec::new();
    let mut until = |stream: &mut std::net::TcpStream, end: &[u8]| {
        while !seen.ends_with(end) {
            let mut byte = [0];
            let read = stream.read_exact(&mut byte);
            assert!(read.is_ok(), "{}", seen.escape_ascii());
            seen.extend(byte);
        }
    };
    until(&mut stream, b"\r\n\r\n");
    // The end of this would wait for more, if it was looked into.
    for frame in ["from ada@example.com", "bob@exam"] {
        stream.write_all(frame.as_bytes()).unwrap();
        until(&mut stream, frame.as_bytes());
    }
    drop(stream);
    // A body before that is one that nobody would look into.
    let head = b"POST / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\ncontent-length: 15\r\n\r\nada@example.com";
    let answer = raw::exchange(envoy.proxy(), &[head]);
    assert!(answer.starts_with(b"HTTP/1.1 415"), "{}", answer.escape_ascii());
}

#[test]
fn what_was_found_is_told_in_the_access_log_and_in_a_trailer() {
    let config = r#"{"version": 1, "dlp_trailer": "x-dlp", "direction": ["request", "response"], "detectors": [
        {"name": "mail", "kind": "email"}, {"name": "card", "kind": "credit_card"}]}"#;
    let log = std::env::temp_dir().join(format!("redaction-access-{}", std::process::id()));
    let path = log.to_str().unwrap().to_owned();
    for trailers in [false, true] {
        let reply = text("").chunks(["4111111111111111 ada@exam", "ple.com"]);
        let reply = if trailers { reply.trailer("x-end", "1") } else { reply };
        let upstream = Upstream::answering(move |_| reply.clone());
        let bootstrap = Bootstrap::filter("redaction")
            .configure("redaction", config)
            .upstream(upstream.address())
            .http2_upstream()
            .connection_manager(|manager| {
                manager["http_protocol_options"] = json!({"enable_trailers": true});
                manager["access_log"] = json!([{"name": "file", "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                    "path": path,
                    "log_format": {"text_format_source": {"inline_string": "<%FILTER_STATE(wasm.redaction:PLAIN)%>\n"}}}}]);
            });
        let envoy = Envoy::with(bootstrap).start();
        for http2 in [false, true] {
            let request =
                envoy.request("POST", "/").header("content-type", "text/plain").body("eve@example.com");
            let response = if http2 { request.http2() } else { request }.send();
            assert_eq!(response.text(), "[REDACTED] [REDACTED]");
            let told =
                response.trailers.iter().find(|(name, _)| name == "x-dlp").map(|(_, value)| value.clone());
            assert_eq!(told.as_deref(), Some(&b"mail=2,card=1"[..]), "http2 {http2}, trailers {trailers}");
        }
        drop(envoy);
        let lines = std::fs::read_to_string(&log).unwrap();
        assert!(lines.lines().count() >= 2 && lines.lines().all(|line| line == "<mail=2,card=1>"), "{lines}");
    }
    std::fs::remove_file(log).unwrap();
}

#[test]
fn tokens_come_back_in_http_1_and_2() {
    let config = r#"{"version": 1, "direction": ["request"], "detectors": [{"name": "mail", "kind": "email", "action": {"type": "tokenize"}}]}"#;
    let upstream = Upstream::answering(|request| {
        let body = String::from_utf8(request.body.clone()).unwrap();
        assert!(!body.contains("example.com"), "{body}");
        let cut = body.len() / 2;
        text("").chunks([format!("{body}, {}", &body[..cut]), body[cut..].to_owned()])
    });
    for h2_upstream in [false, true] {
        let mut bootstrap =
            Bootstrap::filter("redaction").configure("redaction", config).upstream(upstream.address());
        if h2_upstream {
            bootstrap = bootstrap.http2_upstream();
        }
        let envoy = Envoy::with(bootstrap).start();
        for http2 in [false, true] {
            let request =
                envoy.request("POST", "/").header("content-type", "text/plain").body("to ada@example.com");
            let response = if http2 { request.http2() } else { request }.send();
            assert_eq!(response.text(), "to ada@example.com, to ada@example.com", "http2 {http2}");
        }
    }
}

#[test]
fn two_redactions_in_a_chain_each_do_their_part() {
    let upstream = Upstream::answering(|_| {
        text("").chunks(["4111 1111 1111 11", "11 and ada@exam", "ple.com"]).trailer("x", "1")
    });
    let cards = r#"{"version": 1, "detectors": [{"name": "card", "kind": "credit_card"}]}"#;
    let mails =
        r#"{"version": 1, "detectors": [{"name": "mail", "kind": "email", "action": {"type": "mask"}}]}"#;
    let bootstrap = Bootstrap::filter("redaction")
        .configure("redaction", cards)
        .upstream(upstream.address())
        .http2_upstream();
    let bootstrap = bootstrap.connection_manager(|manager| {
        let filters = manager["http_filters"].as_array_mut().unwrap();
        let mut second = filters[0].clone();
        second["name"] = json!("second");
        second["typed_config"]["config"]["name"] = json!("second");
        second["typed_config"]["config"]["configuration"]["value"] = json!(mails);
        filters.insert(0, second);
    });
    let envoy = Envoy::with(bootstrap).start();
    for http2 in [false, true] {
        let request = envoy.get("/");
        let response = if http2 { request.http2() } else { request }.send();
        assert_eq!(response.text(), "[REDACTED] and ***@*******.***", "http2 {http2}");
    }
}

/// An upstream of HTTP/1.1 that answers 411 to a request whose length it is not told.
fn wants_lengths() -> SocketAddr {
    serving(|mut stream| {
        let head = read_head(&mut stream).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let (status, body) = match length {
            Some(length) => {
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                ("200 OK", String::from_utf8(body).unwrap())
            }
            None => ("411 Length Required", String::new()),
        };
        write!(
            stream,
            "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
    })
}

#[test]
fn an_upstream_that_takes_no_chunks_gets_a_length_where_that_is_kept() {
    for (keeps, status, body) in [(false, 411, ""), (true, 200, "to ***@*******.***")] {
        let config = format!(
            r#"{{"version": 1, "direction": ["request"], "preserve_length": {keeps}, "detectors": [{{"name": "mail", "kind": "email", "action": {{"type": "mask"}}}}]}}"#
        );
        let bootstrap =
            Bootstrap::filter("redaction").configure("redaction", config).upstream(wants_lengths());
        let envoy = Envoy::with(bootstrap).start();
        let request =
            envoy.request("POST", "/").header("content-type", "text/plain").body("to ada@example.com");
        let response = request.send();
        assert_eq!((response.status, response.text().as_str()), (status, body), "preserve_length {keeps}");
    }
}

/// An upstream of HTTP/1.1 that says these bytes to every request.
fn saying(answer: &'static str) -> SocketAddr {
    serving(move |mut stream| {
        read_head(&mut stream);
        stream.write_all(answer.as_bytes()).unwrap();
    })
}

#[test]
fn a_content_length_that_is_wrong_hides_nothing() {
    let config = r#"{"version": 1, "detectors": [{"name": "mail", "kind": "email"}]}"#;
    for (answer, complete) in [
        // Shorter than it was said: the upstream breaks off.
        (
            "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 99\r\n\r\nto ada@example.com",
            false,
        ),
        // Longer: the rest is no part of it.
        (
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: 18\r\n\r\nto ada@example.com eve@example.com",
            true,
        ),
    ] {
        let envoy = Envoy::with(
            Bootstrap::filter("redaction").configure("redaction", config).upstream(saying(answer)),
        )
        .start();
        let response = envoy.get("/").send();
        assert!(
            !response.text().contains("ada@example.com") && !response.text().contains("eve@"),
            "{}",
            response.text()
        );
        assert_eq!(response.complete, complete, "{answer}");
    }
}

#[test]
fn ranges_of_several_parts_do_not_pass() {
    let parts =
        "--b\r\ncontent-type: text/plain\r\ncontent-range: bytes 0-8/20\r\n\r\n4111 1111\r\n--b--\r\n";
    let reply = Reply::new(206, parts).header("content-type", "multipart/byteranges; boundary=b");
    for (rest, status) in [("", 502), (r#", "fail": "open""#, 206), (r#", "on_range": "skip""#, 206)] {
        let config =
            format!(r#"{{"version": 1, "detectors": [{{"name": "card", "kind": "credit_card"}}]{rest}}}"#);
        let (_upstream, envoy) = configured(&config, reply.clone());
        let response = envoy.get("/").send();
        assert_eq!(response.status, status, "{rest}");
        assert_eq!(response.text(), if status == 206 { parts } else { "" });
    }
}
