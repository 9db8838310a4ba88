//! What streams hold of the module's memory, however many there are and however long they are.

use proxy_wasm_harness::{Host, Response, filter};

use super::{built_in, config};

fn head(content_type: &str) -> Response {
    Response::new(200).with_header("content-type", content_type)
}

/// How much more memory the module has for each of many streams that have come this far and no further.
fn held_by_each(content_type: &str, pieces: &[&[u8]]) -> u64 {
    const STREAMS: u64 = 600;
    let host = built_in();
    let park = || {
        let stream = host.get("/").send();
        stream.respond_headers(&head(content_type), false);
        for piece in pieces {
            stream.respond_data(piece.to_vec(), false);
        }
        stream
    };
    let first: Vec<_> = (0..20).map(|_| park()).collect();
    let before = host.memory_bytes();
    let streams: Vec<_> = (0..STREAMS).map(|_| park()).collect();
    let each = (host.memory_bytes() - before) / STREAMS;
    drop((first, streams));
    each
}

#[test]
fn a_stream_holds_at_most_8_kib_wherever_it_stands() {
    let key = b"-----BEGIN PRIVATE KEY-----\n";
    let deep: Vec<u8> = [&b"[{\"a\":".repeat(60)[..], b"\"", key].concat();
    let broken: Vec<u8> = [&b"[{\"a\":".repeat(60)[..], b"!", key].concat();
    // The first piece stays with the proxy. What is not decided of the second is with the module.
    let undecided = [b'M'; 3900];
    let long = b"words and words ".repeat(4096);
    for (what, content_type, pieces) in [
        ("a key without an end", "text/plain", vec![&key[..], &undecided]),
        ("the same deep in JSON", "application/json", vec![&deep[..], &undecided]),
        ("the same in what turned out to be no JSON", "application/json", vec![&broken[..], &undecided]),
        ("the same in an event", "text/event-stream", vec![&key[..], &undecided]),
        ("the same after a long text", "text/plain", vec![&long[..], key, &undecided]),
        ("a text", "text/plain", vec![&long[..], &long]),
    ] {
        let each = held_by_each(content_type, &pieces);
        println!("{what}: {each} bytes for each stream");
        assert!(each <= 8 << 10, "{what}: {each} bytes for each stream");
    }
}

/// A response of so many bytes passes, and the module's memory is what it was after its first megabyte.
fn passes(host: &Host, bytes: usize) {
    let line = br#"{"id": 1234, "name": "a name that is not secret", "tags": ["one", "two"], "at": "2024-03-17T10:22:31Z"}"#;
    let piece = bytes::Bytes::from([&line[..], b"\n"].concat().repeat(600));
    let dirty = bytes::Bytes::from_static(b"{\"mail\": \"ada@example.com\"}\n");
    let stream = host.get("/").send();
    stream.respond_headers(&head("application/json"), false);
    let (mut sent, mut secrets, mut memory) = (0, 0, None);
    while sent < bytes {
        // One in a hundred pieces is changed.
        for piece in std::iter::once(&dirty).chain(std::iter::repeat_n(&piece, 99)) {
            stream.respond_data(piece.clone(), false);
            sent += piece.len();
        }
        secrets += 1;
        let now = host.memory_bytes();
        assert_eq!(*memory.get_or_insert(now), now, "after {sent} bytes");
    }
    stream.respond_data("", true);
    let received = stream.received().body.len();
    assert_eq!(received, sent - secrets * ("ada@example.com".len() - "MAIL".len()));
    host.assert_nothing_leaked();
}

fn unmetered() -> Host {
    Host::envoy().plugin(filter("redaction").json(&config())).unmetered().start()
}

#[test]
fn a_body_of_a_hundred_megabytes_takes_no_more_memory_than_its_first() {
    passes(&unmetered(), 100 << 20);
}

#[test]
#[ignore = "takes a minute: `make test-large` runs it"]
fn a_body_of_ten_gigabytes_takes_no_more_memory_than_its_first_megabytes() {
    passes(&unmetered(), 10 << 30);
}
