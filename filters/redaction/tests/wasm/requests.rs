//! Requests, headers, and what the access log is told.

use proxy_wasm_harness::{Host, Response, filter, json};

fn both() -> Host {
    filter("redaction").configure(json!({
        "version": 1, "direction": ["request", "response"], "headers": ["location", "set-cookie", "x-note"],
        "detectors": [
            {"name": "mail", "kind": "email", "action": {"type": "replace", "with": "MAIL"}},
            {"name": "card", "kind": "credit_card", "action": {"type": "block"}},
        ],
    }))
}

#[test]
fn requests_are_looked_into_where_that_is_said() {
    let host = both();
    let body = r#"{"to": "ada@example.com"}"#;
    for cut in 0..=body.len() {
        let length = body.len().to_string();
        let stream =
            host.post("/").header("content-type", "application/json").header("content-length", length).open();
        stream.data(&body.as_bytes()[..cut], false).data(&body.as_bytes()[cut..], true);
        let seen = stream.forwarded();
        assert_eq!(
            (seen.text().as_str(), seen.header("content-length")),
            (r#"{"to": "MAIL"}"#, None),
            "cut at {cut}"
        );
    }
    let stream = host.post("/").header("content-type", "text/plain").open();
    stream.data("to ada@exam", false).data("ple.com", false).trailers([("x-end", "1")]);
    assert_eq!(stream.forwarded().text(), "to MAIL");
    drop(stream);
    host.assert_no_findings();
    host.assert_nothing_leaked();
}

#[test]
fn a_request_that_is_blocked_is_answered_and_nothing_of_it_is_forwarded() {
    let host = both();
    let stream = host.post("/").header("content-type", "text/plain").open();
    stream.data("4111 1111 1111 1111", true);
    assert_eq!(stream.answered().status(), 403);
    assert_eq!(host.counter("wasm_redaction_blocked_total"), 1);
    host.assert_no_findings();
}

#[test]
fn a_request_that_cannot_be_read_is_answered_415() {
    let host = both();
    let stream = host.post("/").header("content-type", "text/plain").header("content-encoding", "br").open();
    stream.data("x", true);
    assert_eq!(stream.answered().status(), 415);
}

#[test]
fn each_value_of_a_listed_header_is_looked_into() {
    let host = both();
    let stream = host
        .get("/")
        .header("x-note", b"caf\xe9 ada@example.com")
        .header("x-other", "ada@example.com")
        .send();
    let seen = stream.forwarded();
    assert_eq!(seen.headers.get("x-note"), Some(&b"caf\xe9 MAIL"[..]));
    assert_eq!(seen.header("x-other").as_deref(), Some("ada@example.com"));
    let response = Response::new(302)
        .with_header("location", "/login?user=ada@example.com")
        .with_header("set-cookie", "a=1")
        .with_header("set-cookie", "user=bob@example.com");
    let received = stream.respond(response).received();
    assert_eq!(received.header("location").as_deref(), Some("/login?user=MAIL"));
    assert_eq!(received.header_all("set-cookie"), ["a=1", "user=MAIL"]);
    assert_eq!(host.counter("wasm_redaction_matches_mail_total"), 3);
    host.assert_no_findings();
}

#[test]
fn nothing_that_was_found_is_logged() {
    let host = both();
    let stream = host.get("/").send();
    stream.respond(Response::ok("to ada@example.com").with_header("content-type", "text/plain"));
    assert_eq!(stream.received().text(), "to MAIL");
    assert!(host.log_lines().iter().all(|line| !format!("{line:?}").contains("ada@")));
}
