//! Compressed bodies, and parts of bodies.

use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};
use proxy_wasm_harness::{Chunks, Host, Response, filter, json};
use serde_json::Value;

use super::{of_type, plain, through};

const TEXT: &str = "hello, hello, hello SECRET=hunter2 and good bye\n";
const REDACTED: &str = "hello, hello, hello SECRET=[REDACTED] and good bye\n";

fn with(changes: Value) -> Host {
    let mut config =
        json!({"version": 1, "detectors": [{"name": "secrets", "kind": "assignment", "keys": ["SECRET"]}]});
    for (name, value) in changes.as_object().unwrap() {
        config[name] = value.clone();
    }
    filter("redaction").configure(config)
}

fn gzip(text: &[u8]) -> Vec<u8> {
    [b"\x1f\x8b\x08\0\0\0\0\0\0\0", &compress_to_vec(text, 6)[..], &[0; 8]].concat()
}

fn encoded(coding: &str, body: Vec<u8>) -> Response {
    of_type("text/plain", body).with_header("content-encoding", coding).with_header("vary", "accept-encoding")
}

#[test]
fn gzip_and_deflate_are_inflated_wherever_they_are_cut() {
    let host = with(json!({}));
    for (coding, body) in [
        ("gzip", gzip(TEXT.as_bytes())),
        ("x-gzip", [gzip(&TEXT.as_bytes()[..30]), gzip(&TEXT.as_bytes()[30..])].concat()),
        ("deflate", compress_to_vec_zlib(TEXT.as_bytes(), 6)),
        ("deflate", compress_to_vec(TEXT.as_bytes(), 6)),
    ] {
        let response = encoded(coding, body.clone());
        let length = body.len();
        for response in [response.clone(), response.with_trailer("x-end", "1")] {
            Chunks::assert_no_difference(length, |plan| {
                let received = through(&host, &response, plan);
                assert_eq!(
                    (received.header("content-encoding"), received.header("content-length")),
                    (None, None)
                );
                assert_eq!(received.header("vary").as_deref(), Some("accept-encoding"));
                assert_eq!(received.text(), REDACTED, "{coding}");
                received.text()
            });
        }
    }
    host.assert_no_findings();
}

#[test]
fn what_cannot_be_read_does_not_pass_and_open_it_does() {
    for (coding, body) in
        [("br", b"\x0b\x02\x80SECRET=x\x03".to_vec()), ("gzip, gzip", gzip(&gzip(TEXT.as_bytes())))]
    {
        let response = encoded(coding, body);
        let host = with(json!({}));
        let received = through(&host, &response, &Chunks::Whole);
        assert_eq!((received.status(), received.text().as_str()), (502, ""), "{coding}");
        assert_eq!(received.header("content-encoding"), None);
        assert_eq!(host.counter("wasm_redaction_blocked_total"), 1);

        let host = with(json!({"fail": "open"}));
        for plan in [Chunks::Whole, Chunks::Of(1)] {
            assert_eq!(through(&host, &response, &plan), response, "{coding}");
        }
        assert_eq!(host.counter("wasm_redaction_skipped_encoding_total"), 2);
        host.assert_no_findings();
    }
}

#[test]
fn compressed_bodies_pass_or_not_where_that_is_said() {
    let response = encoded("gzip", gzip(TEXT.as_bytes()));
    let host = with(json!({"encoding": {"on_encoded": "skip"}}));
    assert_eq!(through(&host, &response, &Chunks::Of(3)), response);
    let host = with(json!({"encoding": {"on_encoded": "block"}}));
    assert_eq!(through(&host, &response, &Chunks::Of(3)).status(), 502);
}

#[test]
fn a_body_that_is_broken_ends_where_it_breaks() {
    let host = with(json!({}));
    let whole = gzip(TEXT.repeat(100).as_bytes());
    let cut_off = encoded("gzip", whole[..whole.len() - 20].to_vec());
    let corrupt = encoded("gzip", b"SECRET=hunter2 is not compressed".to_vec());
    for response in [cut_off, corrupt] {
        let received = through(&host, &response, &Chunks::Of(10));
        assert!(!received.text().contains("hunter2"));
    }
    assert_eq!(host.counter("wasm_redaction_errors_total"), 2);
    host.assert_no_findings();
}

#[test]
fn a_small_body_that_becomes_a_huge_one_is_stopped() {
    let host = with(json!({}));
    let bomb = encoded("gzip", gzip(&vec![b'a'; 64 << 20]));
    let received = through(&host, &bomb, &Chunks::Of(16_384));
    assert!(received.body.len() < 8 << 20, "{} bytes came", received.body.len());
    assert_eq!(host.counter("wasm_redaction_errors_total"), 1);
    assert!(host.memory_bytes() < 16 << 20, "{} bytes of memory", host.memory_bytes());
}

#[test]
fn parts_are_not_asked_for_and_one_that_comes_does_not_pass() {
    let part = of_type("text/plain", "ET=hunter2").with_header("content-range", "bytes 4-13/14");
    let mut part = part;
    part.headers.replace(":status", "206");
    let host = with(json!({}));
    assert_eq!(host.get("/").header("range", "bytes=4-").send().forwarded().header("range"), None);
    assert_eq!(through(&host, &part, &Chunks::Whole).status(), 502);

    let host = with(json!({"on_range": "skip"}));
    assert_eq!(
        host.get("/").header("range", "bytes=4-").send().forwarded().header("range").as_deref(),
        Some("bytes=4-")
    );
    assert_eq!(through(&host, &part, &Chunks::Whole), part);
    assert_eq!(host.counter("wasm_redaction_skipped_range_total"), 1);

    let host = with(json!({"on_range": "block"}));
    assert_eq!(host.get("/").header("range", "bytes=4-").send().answered().status(), 416);
    assert_eq!(host.get("/").send().forwarded().header("range"), None);
}

#[test]
fn a_length_that_is_kept_is_kept_in_every_byte() {
    let host = with(json!({"preserve_length": true, "detectors": [
        {"name": "secrets", "kind": "assignment", "keys": ["SECRET", "pin"], "action": {"type": "mask"}}]}));
    let body = r#"{"a": "SECRET=hunter2 \u00e9", "pin": 1234, "SECRET": "a\u0041b", "b": [{"pin": [1, 2]}]}"#;
    let response = of_type("application/json", body).with_header("etag", "\"x\"").with_header("digest", "x");
    let received = through(&host, &response, &Chunks::Of(7));
    assert_eq!(received.header("content-length"), Some(body.len().to_string()));
    assert_eq!(received.text().len(), body.len());
    let json: Value = serde_json::from_str(&received.text()).unwrap();
    assert_eq!(
        json,
        json!({"a": "SECRET=******* \u{e9}", "pin": 0, "SECRET": "********", "b": [{"pin": 0}]})
    );
    assert_eq!((received.header("digest"), received.header("etag").as_deref()), (None, Some("W/\"x\"")));
    assert_eq!(plain(received).header("content-type").as_deref(), Some("application/json"));
}

/// Text that becomes some twenty times smaller.
fn lines(count: usize) -> Vec<u8> {
    (0..count)
        .flat_map(|number| format!("a line of words that is number {number} of them\n").into_bytes())
        .collect()
}

#[test]
fn a_large_piece_is_inflated_bit_by_bit() {
    let host = with(json!({}));
    let text = [lines(400_000), b"SECRET=hunter2 end".to_vec()].concat();
    let body = gzip(&text);
    assert!(text.len() > 16 << 20 && body.len() < 4 << 20, "{} become {}", text.len(), body.len());
    for response in [encoded("gzip", body.clone()), encoded("gzip", body).with_trailer("x-end", "1")] {
        let received = through(&host, &response, &Chunks::Whole);
        let expected = [&text[..text.len() - 11], b"[REDACTED] end"].concat();
        assert!(received.body == expected, "{} bytes came", received.body.len());
    }
    assert!(host.memory_bytes() < 12 << 20, "{} bytes of memory", host.memory_bytes());
    host.assert_no_findings();
}

#[test]
fn a_buffered_body_is_as_large_as_what_it_becomes() {
    let text = [b"SECRET=hunter2\n".to_vec(), lines(10_000), b"SECRET=hunter2\n".to_vec()].concat();
    let body = gzip(&text);
    let limit = text.len() / 2;
    assert!(body.len() < limit);
    for (oversize, first, last) in [("stream", false, false), ("skip", false, true), ("block", false, false)]
    {
        for plan in [Chunks::Whole, Chunks::Of(5000)] {
            let host =
                with(json!({"body": {"mode": "buffer", "max_body_bytes": limit, "on_oversize": oversize}}));
            let received = through(&host, &encoded("gzip", body.clone()), &plan).text();
            assert_eq!(received.starts_with("SECRET=hunter2"), first, "{oversize}");
            assert_eq!(received.ends_with("SECRET=hunter2\n"), last, "{oversize}");
            assert_eq!(received.is_empty(), oversize == "block");
            assert_eq!(host.counter("wasm_redaction_skipped_oversize_total"), 1);
        }
    }
    // One that is too large before it is inflated passes inflated: its headers say so.
    let host = with(json!({"body": {"mode": "buffer", "max_body_bytes": 1024, "on_oversize": "skip"}}));
    for plan in [Chunks::Whole, Chunks::Of(700)] {
        assert!(through(&host, &encoded("gzip", body.clone()), &plan).body == text);
    }
}

#[test]
fn a_body_that_is_broken_passes_where_what_is_undecided_does() {
    let host = with(json!({"fail": "open"}));
    let whole = gzip(TEXT.repeat(100).as_bytes());
    let cut_off = encoded("gzip", whole[..whole.len() - 20].to_vec());
    for plan in [Chunks::Whole, Chunks::Of(10)] {
        let received = through(&host, &cut_off, &plan).text();
        assert!(received.starts_with(REDACTED) && !received.contains("hunter2"), "{received}");
        let plain = encoded("gzip", b"SECRET=hunter2 is not compressed".to_vec());
        assert_eq!(
            through(&host, &plain, &plan).text(),
            "SECRET=hunter2 is not compressed",
            "it cannot be looked into"
        );
    }
    assert_eq!(host.counter("wasm_redaction_errors_total"), 4);
    host.assert_no_findings();
}

#[test]
fn several_parts_in_one_response_do_not_pass_either() {
    let mut parts = of_type("multipart/byteranges; boundary=b", "--b\r\n\r\nET=hunter2\r\n--b--\r\n");
    parts.headers.replace(":status", "206");
    assert_eq!(through(&with(json!({})), &parts, &Chunks::Whole).status(), 502);
    let host = with(json!({"fail": "open"}));
    assert_eq!(through(&host, &parts, &Chunks::Whole), parts);
    assert_eq!(host.counter("wasm_redaction_skipped_range_total"), 1);
}
