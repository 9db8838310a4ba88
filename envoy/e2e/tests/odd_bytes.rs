//! Bytes that are not UTF-8 harm nothing, in whatever header they stand and whoever sends them.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use meshloom_lab::{Bootstrap, Envoy, Reply, Upstream};

/// Names that some filter reads or changes, and some that none does.
const NAMES: [&str; 14] = [
    "x-odd",
    "x-training",
    "x-meta",
    "x-meta-host",
    "accept-encoding",
    "range",
    "if-range",
    "content-type",
    "content-encoding",
    "etag",
    "server",
    "user-agent",
    "cookie",
    "set-cookie",
];

/// Every byte that a header value may have by RFC 9110, and a valid beginning for those that are parsed.
fn odd() -> Vec<u8> {
    let mut value = b"x".to_vec();
    value.extend(0x80..=0xff);
    value
}

#[test]
fn in_any_request_header() {
    let upstream = Upstream::ok();
    let envoy = Envoy::with(Bootstrap::all().upstream(upstream.address())).start();
    for name in NAMES {
        let response = envoy.get("/").header(name, odd()).send();
        assert_eq!(response.status, 200, "{name}:\n{}", envoy.log());
        // Had a VM trapped, its filter would be gone from here on.
        let next = envoy.get("/").send();
        assert_eq!((next.status, next.header("x-training").as_deref()), (200, Some("envoy-wasm")), "{name}");
    }
    assert!(!envoy.log().contains("panicked"), "{}", envoy.log());
}

#[test]
fn in_any_response_header() {
    let upstream = Upstream::answering(|seen| {
        let reply = Reply::new(200, "SECRET=hunter2 x");
        match seen.path.strip_prefix('/') {
            Some(name) if !name.is_empty() && name != "headers" => reply.header(name, odd()),
            _ => reply,
        }
    });
    let envoy = Envoy::with(Bootstrap::all().upstream(upstream.address())).start();
    for name in NAMES {
        let response = envoy.get(&format!("/{name}")).send();
        // A body in a coding that nobody knows cannot be looked at.
        let status = if name == "content-encoding" { 502 } else { 200 };
        assert_eq!(response.status, status, "{name}:\n{}", envoy.log());
        assert!(status == 200 || !response.text().contains("hunter2"), "{name}");
        // Those two are set on the way.
        if status == 200 && !["x-training", "server"].contains(&name) {
            assert!(
                response.headers.contains(&(name.to_owned(), odd())),
                "{name} should come through: {response:?}"
            );
        }
        assert_eq!(envoy.get("/").send().text(), "SECRET=[REDACTED] x", "after {name}");
    }
    assert!(!envoy.log().contains("panicked"), "{}", envoy.log());
}

#[test]
fn in_the_answer_to_a_callout() {
    let upstream = Upstream::answering(|seen| {
        let reply = Reply::new(200, "{\"headers\": {\"Host\": \"caf\u{e9}\"}}");
        if seen.path == "/headers" { reply.header("x-odd", odd()) } else { reply }
    });
    let envoy = Envoy::with(Bootstrap::all().upstream(upstream.address())).start();
    assert_eq!(envoy.get("/").send().status, 200);
    let enriched = upstream.seen().into_iter().find(|seen| seen.path == "/").unwrap();
    assert_eq!(enriched.header("x-meta-host").as_deref(), Some("caf\u{e9}"));
}

/// Sends `request` as it is and answers whatever came back until the connection was closed.
fn raw(envoy: &Envoy, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(envoy.proxy()).unwrap();
    stream.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    stream.write_all(request).unwrap();
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response); // a reset is an answer as well
    response
}

#[test]
fn requests_that_no_library_would_send_leave_the_filters_working() {
    let upstream = Upstream::ok();
    let envoy = Envoy::with(Bootstrap::all().upstream(upstream.address())).start();
    let requests: [&[u8]; 9] = [
        b"GET / HTTP/1.1\r\nhost: caf\xe9\r\nconnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nx-\xff\xfe: 1\r\nconnection: close\r\n\r\n",
        b"GET /\xff\xfe?\xe9 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        b"\xff\xfe / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET http://b.example.com/ HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nhost: b.example.com\r\nconnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nx-odd: a\0b\r\nconnection: close\r\n\r\n",
    ];
    for request in requests {
        let response = raw(&envoy, request);
        let shown = (request.escape_ascii().to_string(), response.escape_ascii().to_string());
        assert!(!response.starts_with(b"HTTP/1.1 503"), "{shown:?}");
        let next = envoy.get("/").send();
        assert_eq!(
            (next.status, next.header("x-training").as_deref()),
            (200, Some("envoy-wasm")),
            "after {shown:?}"
        );
    }
    assert!(!envoy.log().contains("panicked"), "{}", envoy.log());
}

#[test]
fn a_response_header_name_that_is_not_utf_8_leaves_the_filters_working() {
    // No server library sends such a name, so this one writes its bytes by itself.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap();
            let odd = if request[..read].starts_with(b"GET /odd") { &b"x-\xff\xfe: 1\r\n"[..] } else { b"" };
            let head =
                [b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n", odd, b"connection: close\r\n\r\nok"].concat();
            stream.write_all(&head).unwrap();
        }
    });
    let envoy = Envoy::with(Bootstrap::all().upstream(address)).start();
    // Envoy itself may refuse such a response; what matters is that the next one is filtered.
    let status = envoy.get("/odd").send().status;
    assert!(matches!(status, 200 | 502 | 503), "{status}");
    let next = envoy.get("/").send();
    assert_eq!((next.status, next.header("x-training").as_deref()), (200, Some("envoy-wasm")));
    assert!(!envoy.log().contains("panicked"), "{}", envoy.log());
}
