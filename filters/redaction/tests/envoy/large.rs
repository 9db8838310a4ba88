//! Bodies that are larger than any buffer, and the build for vectors.

use std::io::{Read, Write};
use std::net::TcpStream;

use meshloom_lab::{Bootstrap, Envoy, Reply, Upstream, root};

use super::{REDACTED, SECRETS, json};

/// Reads a response to its end, without keeping it; answers its length, headers and framing included.
fn drained(envoy: &Envoy, mut meanwhile: impl FnMut(u64)) -> u64 {
    let mut stream = TcpStream::connect(envoy.proxy()).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").unwrap();
    let (mut room, mut length) = (vec![0; 1 << 16], 0);
    loop {
        match stream.read(&mut room).unwrap() {
            0 => return length,
            read => {
                length += read as u64;
                meanwhile(length);
            }
        }
    }
}

fn passes_with_flat_memory(bytes: usize) {
    let line = r#"{"id": 1234, "name": "a name that is not secret", "mail": "ada@example.com", "tags": ["one", "two"]}"#;
    let piece = bytes::Bytes::from(format!("{line}\n").repeat(640));
    let count = bytes / piece.len();
    let upstream = Upstream::answering(move |_| {
        Reply::new(200, "")
            .header("content-type", "application/json")
            .chunks(std::iter::repeat_n(piece.clone(), count))
    });
    let config =
        r#"{"version": 1, "detectors": [{"name": "mail", "kind": "email", "action": {"type": "mask"}}]}"#;
    let bootstrap = Bootstrap::filter("redaction")
        .configure("redaction", config)
        .upstream(upstream.address())
        // By itself Envoy ends a response after 15 s.
        .connection_manager(|manager| {
            manager["route_config"]["virtual_hosts"][0]["routes"][0]["route"]["timeout"] = "0s".into();
        });
    let envoy = Envoy::with(bootstrap).start();
    let (mut first, mut most) = (None, 0);
    // What a process has ready is had after the first tenth.
    let mut next = bytes as u64 / 10;
    let length = drained(&envoy, |length| {
        if length > next {
            next = length + (4 << 20);
            let now = envoy.resident_kib();
            first.get_or_insert(now);
            most = most.max(now);
        }
    });
    assert!(length > bytes as u64 / 100 * 99, "{length} bytes came");
    assert_eq!(envoy.stat("wasm_redaction_matches_total"), 640 * count as u64);
    let first = first.unwrap();
    println!("{length} bytes came, and Envoy went from {first} to {most} KiB");
    assert!(most < first + (16 << 10), "from {first} to {most} KiB");
}

#[test]
fn a_body_of_sixty_megabytes_passes_with_flat_memory() {
    passes_with_flat_memory(60 << 20);
}

#[test]
#[ignore = "takes a minute: `make test-large` runs it"]
fn a_body_of_a_gigabyte_passes_with_flat_memory() {
    passes_with_flat_memory(1 << 30);
}

#[test]
fn the_build_for_vectors_does_the_same() {
    let upstream = Upstream::answering(|_| json(SECRETS));
    let module = root().join("dist/simd128/redaction.wasm");
    let bootstrap = Bootstrap::filter("redaction").module("redaction", module).upstream(upstream.address());
    let envoy = Envoy::with(bootstrap).start();
    assert_eq!(envoy.get("/").send().text(), REDACTED);
    assert_eq!(envoy.stat("wasm_redaction_matches_total"), 3);
}
