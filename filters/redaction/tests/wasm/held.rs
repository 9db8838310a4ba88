//! What is held back, for how long, and what becomes of it.

use proxy_wasm_harness::{Chunks, Host, Response, filter, json};
use serde_json::Value;

use super::{built_in, of_type, through, with};

fn head(content_type: &str) -> Response {
    Response::new(200).with_header("content-type", content_type)
}

#[test]
fn what_belongs_to_no_match_leaves_at_once() {
    let host = built_in();
    let stream = host.get("/").send();
    stream.respond_headers(&head("text/plain"), false);
    stream.respond_data("one line\n", false);
    assert_eq!(stream.downstream().unwrap().text(), "one line\n");
    // What may be the beginning of an address waits, with its piece, for the next piece and no longer.
    stream.respond_data("two ada", false);
    assert_eq!(stream.downstream().unwrap().text(), "one line\n");
    stream.respond_data("@example", false);
    assert_eq!(stream.downstream().unwrap().text(), "one line\ntwo ");
    stream.respond_data(".com three and fo", false);
    assert_eq!(stream.downstream().unwrap().text(), "one line\ntwo MAIL three and ");
    stream.respond_data("ur\n", false);
    assert_eq!(stream.downstream().unwrap().text(), "one line\ntwo MAIL three and four\n");
    stream.respond_data("", true);
    assert_eq!(stream.received().text(), "one line\ntwo MAIL three and four\n");
    host.assert_no_findings();
}

#[test]
fn an_event_is_never_held_over_its_end() {
    let host = built_in();
    let stream = host.get("/").send();
    stream.respond_headers(&head("text/event-stream"), false);
    let mut seen = String::new();
    for event in ["data: one\n\n", "data: +1415\n\n", "data: ada@example.com\n\n", "data: password='x\n\n"] {
        stream.respond_data(event, false);
        seen += &event.replace("ada@example.com", "MAIL").replace("'x", "'*");
        assert_eq!(stream.downstream().unwrap().text(), seen, "{event}");
    }
    stream.respond_data("", true);
    host.assert_no_findings();
}

#[test]
fn what_is_held_leaves_with_trailers() {
    let host = built_in();
    for plan in [Chunks::Whole, Chunks::Of(1), Chunks::At(vec![9])] {
        let response = of_type("text/plain", "write to ada@example.com").with_trailer("x-end", "1");
        let received = through(&host, &response, &plan);
        assert_eq!(
            (received.text().as_str(), received.trailer("x-end").as_deref()),
            ("write to MAIL", Some("1"))
        );
    }
    host.assert_no_findings();
}

#[test]
fn a_stream_holds_a_few_kilobytes_however_long_it_is() {
    let host = built_in();
    let stream = host.get("/").send();
    stream.respond_headers(&head("text/plain"), false);
    // Every piece ends within what may be an address, and so is never told of before the next comes.
    let piece = format!("{}ada", "a text of words ".repeat(1000));
    stream.respond_data(piece.clone(), false).respond_data(piece.clone(), false);
    let before = host.memory_bytes();
    for _ in 0..2000 {
        stream.respond_data(piece.clone(), false);
    }
    let sent = piece.len() * 2002;
    let received = stream.downstream().unwrap().body.len();
    assert!(sent - received < 100, "{} bytes are held", sent - received);
    assert!(host.memory_bytes() <= before, "from {before} to {} bytes", host.memory_bytes());
    stream.respond_data("", true);
    assert_eq!(stream.received().body.len(), sent);
    assert!(host.histogram("wasm_redaction_held_bytes").iter().all(|held| *held <= 4096));
}

#[test]
fn a_match_without_an_end_is_held_for_a_few_kilobytes_and_then_taken_for_one() {
    let host = built_in();
    let stream = host.get("/").send();
    stream
        .respond_headers(&head("text/plain"), false)
        .respond_data("key -----BEGIN PRIVATE KEY-----\n", false);
    for _ in 0..500 {
        stream.respond_data(vec![b'M'; 16_000], false);
    }
    stream.respond_data("-----END PRIVATE KEY----- end", true);
    assert_eq!(stream.received().text(), "key PEM end");
    assert!(host.memory_bytes() < 3 << 20);
    host.assert_no_findings();
}

#[test]
fn ten_thousand_streams_leave_nothing_behind() {
    let host = built_in();
    let response = of_type("application/json", r#"{"a": "ada@example.com", "b": "4111111111111111"}"#);
    through(&host, &response, &Chunks::Of(11));
    let before = host.memory_bytes();
    for _ in 0..10_000 {
        through(&host, &response, &Chunks::Of(11));
    }
    assert_eq!(host.memory_bytes(), before);
    host.assert_nothing_leaked();
}

#[test]
fn a_long_run_of_digits_costs_in_proportion() {
    let cost = |length: usize| {
        let host = built_in();
        let stream = host.get("/").send();
        stream.respond_cut(&of_type("text/plain", "1".repeat(length)), &Chunks::Of(4096));
        stream.costs().total().fuel
    };
    let (one, four) = (cost(100_000), cost(400_000));
    assert!(four < 5 * one, "{one} and {four} fuel");
}

#[test]
fn a_buffered_body_leaves_as_a_whole_and_a_larger_one_as_is_said() {
    let body = format!("{} ada@example.com", "x ".repeat(600));
    let redacted = body.replace("ada@example.com", "MAIL");
    let limits = |limit: usize, oversize: &str| json!({"body": {"mode": "buffer", "max_body_bytes": limit, "on_oversize": oversize}});
    for (limit, oversize, expected) in [
        (body.len(), "block", redacted.as_str()),
        (body.len() - 1, "stream", &redacted),
        (body.len() - 1, "skip", &body),
        (body.len() - 1, "block", ""),
    ] {
        for response in [
            of_type("text/plain", body.clone()),
            of_type("text/plain", body.clone()).with_trailer("x-end", "1"),
        ] {
            let host = with(&limits(limit, oversize));
            for plan in [Chunks::Whole, Chunks::Of(100), Chunks::Of(1)] {
                assert_eq!(through(&host, &response, &plan).text(), expected, "{limit} {oversize} {plan:?}");
            }
            assert_eq!(
                host.counter("wasm_redaction_skipped_oversize_total"),
                if limit < body.len() { 3 } else { 0 }
            );
            host.assert_no_findings();
        }
    }
}

#[test]
fn a_blocked_response_ends_before_what_is_not_to_leave() {
    let block = json!({"detectors": [{"name": "card", "kind": "credit_card", "action": {"type": "block"}}]});
    let response = of_type("text/plain", "one two\n4111111111111111\nthree").with_trailer("x-end", "1");
    for plan in [Chunks::Whole, Chunks::Of(1), Chunks::Of(8)] {
        let host = with(&block);
        let received = through(&host, &response, &plan).text();
        assert!("one two\n".starts_with(&received), "{received}");
        assert_eq!(host.counter("wasm_redaction_blocked_total"), 1);
        host.assert_no_findings();
    }
    let mut reset = block.clone();
    reset["on_block"] = json!({"response": "reset"});
    let host = with(&reset);
    let stream = host.get("/").send();
    stream.respond_headers(&head("text/plain"), false).respond_data("one\n4111111111111111\n", false);
    stream.was_reset();
    let mut buffer = block;
    buffer["body"] = json!({"mode": "buffer"});
    assert_eq!(through(&with(&buffer), &response, &Chunks::Of(8)).text(), "");
}

#[test]
fn a_report_counts_and_changes_nothing() {
    let host = with(&json!({"mode": "report"}));
    let request = host.get("/").header("accept-encoding", "gzip").header("range", "bytes=0-4").send();
    assert_eq!(request.forwarded().header("accept-encoding").as_deref(), Some("gzip"));
    for response in [
        of_type("text/plain", "to ada@example.com"),
        of_type("text/plain", "to ada@example.com").with_trailer("x", "1"),
    ] {
        for plan in [Chunks::Whole, Chunks::Of(1)] {
            assert_eq!(through(&host, &response, &plan), response);
        }
    }
    assert_eq!(host.counter("wasm_redaction_matches_mail_total"), 4);
    host.assert_no_findings();
    let host = with(&json!({"mode": "off"}));
    through(&host, &of_type("text/plain", "to ada@example.com"), &Chunks::Whole);
    assert_eq!(host.counter("wasm_redaction_matches_total"), 0);
}

#[test]
fn messages_that_a_condition_is_for_are_left_alone() {
    let host = with(&json!({"skip": [{"paths": [{"prefix": "/health"}]}, {"status": ["5xx"]}]}));
    let response = of_type("text/plain", "to ada@example.com");
    let received =
        |path: &str, response: &Response| host.get(path).send().respond(response.clone()).received().text();
    assert_eq!(received("/health/live", &response), "to ada@example.com");
    assert_eq!(received("/", &response), "to MAIL");
    let mut failed = response;
    failed.headers.replace(":status", "503");
    assert_eq!(received("/", &failed), "to ada@example.com");
}

#[test]
fn two_redactions_in_a_chain_each_do_their_part() {
    let first = json!({"version": 1, "detectors": [{"name": "mail", "kind": "email"}]});
    let second = json!({"version": 1, "detectors": [{"name": "card", "kind": "credit_card"}]});
    let plugin = |name: &str, config: Value| filter("redaction").name(name).json(&config);
    let host = Host::envoy().plugin(plugin("mail", first)).plugin(plugin("card", second)).start();
    let response = of_type("text/plain", "ada@example.com 4111111111111111 end").with_trailer("x", "1");
    Chunks::assert_no_difference(36, |plan| through(&host, &response, plan).text());
    assert_eq!(through(&host, &response, &Chunks::Of(1)).text(), "[REDACTED] [REDACTED] end");
    host.assert_no_findings();
}

#[test]
fn a_reply_of_the_proxy_itself_is_looked_into_as_any_other() {
    let blocks = json!({"version": 1, "direction": ["request"], "detectors": [
        {"name": "card", "kind": "credit_card", "action": {"type": "block"}}]});
    let replaces = json!({"version": 1, "detectors": [
        {"name": "word", "kind": "literal", "literals": ["forwarded"], "action": {"type": "replace", "with": "WORD"}}]});
    let plugin = |name: &str, config: Value| filter("redaction").name(name).json(&config);
    let host = Host::envoy().plugin(plugin("first", replaces)).plugin(plugin("second", blocks)).start();
    let stream = host.post("/").header("content-type", "text/plain").open();
    stream.data("4111111111111111", true);
    assert_eq!(stream.answered().text(), "the request is not WORD\n");
}

#[test]
fn text_in_other_encodings_passes_undamaged() {
    let host = built_in();
    let utf16: Vec<u8> = "caf\u{e9} 4111".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for body in [utf16, b"caf\xe9 na\xefve \0\xff\xfe".to_vec()] {
        for plan in [Chunks::Whole, Chunks::Of(1)] {
            assert_eq!(through(&host, &of_type("text/plain", body.clone()), &plan).body, body);
        }
    }
}
