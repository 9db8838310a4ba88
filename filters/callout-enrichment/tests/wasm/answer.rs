//! What is made of an answer.

use super::*;

#[test]
fn a_2xx_answer_is_added_in_place_of_what_the_client_claimed() {
    let host = sample();
    let stream = claim(&host);
    assert_eq!(stream.paused().paused_in(), Some(Callback::RequestHeaders));
    let callout =
        host.callout("metadata").assert_path("/headers").assert_header(":authority", "metadata.local");
    assert_eq!((callout.request().method().as_str(), callout.timeout_ms()), ("GET", 997));
    let answer =
        Response::new(203).with_header("x-user", b"ad\xe4").with_body(r#"{"headers": {"Host": "h"}}"#);
    callout.respond_with(answer);
    let request = stream.forwarded();
    assert_eq!(request.headers.get("x-meta-user"), Some(&b"ad\xe4"[..]));
    assert_eq!(
        ["x-meta", "x-meta-host", "x-enrich-status"].map(|name| request.header_all(name)),
        [vec!["1".to_owned()], vec!["h".into()], vec!["ok".into()]]
    );
    assert_eq!(stream.respond(Response::ok("hello")).received().text(), "hello");
    assert_eq!(counted(&host, "call_ok"), 1);
    host.assert_no_findings();
    host.assert_nothing_leaked();
}

#[test]
fn an_answer_without_a_body_has_nothing_to_look_into_and_is_one() {
    for status in [200, 204] {
        let host = sample();
        let stream = claim(&host);
        host.callout("metadata").respond_with(Response::new(status));
        let expected = [vec!["1".to_owned()], vec![], vec![]];
        assert_eq!((claims(&stream.forwarded()), seen(&stream).as_str()), (expected, "ok"));
    }
}

#[test]
fn any_other_answer_adds_nothing() {
    for (status, word, cause) in [
        (100, "error", "other_status"),
        (301, "error", "other_status"),
        (404, "4xx", "4xx"),
        (500, "error", "5xx"),
        (504, "error", "5xx"),
        (599, "error", "5xx"),
    ] {
        let host = sample();
        let stream = claim(&host);
        host.callout("metadata").respond(status, r#"{"headers": {"Host": "h"}}"#);
        assert_unenriched(&host, &stream, word, &format!("call_{cause}"));
    }
}

#[test]
fn another_status_can_be_an_answer() {
    let host = with(json!({"call": {"ok_status": [404]}}));
    let stream = claim(&host);
    host.callout("metadata").respond_with(Response::new(404).with_header("x-user", "nobody"));
    assert_eq!(seen(&stream), "ok nobody");
    let stream = claim(&host);
    host.callout("metadata").respond_with(user("somebody"));
    assert_eq!(seen(&stream), "error");
}

#[test]
fn an_answer_without_a_status_adds_nothing() {
    let host = sample();
    let stream = claim(&host);
    host.callout("metadata").respond_with(Response::default().with_body("{}"));
    assert_unenriched(&host, &stream, "error", "call_reset");
}

#[test]
fn an_answer_that_is_too_large_adds_nothing() {
    for size in [1001, 1 << 20] {
        let host = sample();
        let stream = claim(&host);
        host.callout("metadata").respond(200, vec![b' '; size]);
        assert_unenriched(&host, &stream, "error", "call_too_large");
    }
}

#[test]
fn an_answer_that_is_not_what_is_looked_into_adds_nothing() {
    let deep = "[".repeat(900);
    for body in [&b"\xff\xfe\0"[..], b"{", deep.as_bytes(), b"{\"headers\": {\"Host\": \"h\"}", b"<html>"] {
        let host = sample();
        let stream = claim(&host);
        host.callout("metadata").respond(200, body.to_vec());
        assert_eq!(claims(&stream.forwarded()), NOTHING, "{}", body.escape_ascii());
        assert_eq!(seen(&stream), "invalid");
        assert_eq!((counted(&host, "invalid"), counted(&host, "call_ok")), (1, 1));
        host.assert_no_findings();
    }
}

#[test]
fn a_value_that_cannot_be_a_header_is_left_out_and_counted() {
    for value in
        [r#""a\r\nx-admin: 1""#, "{}", "[1]", r#"" a""#, "\"\u{0}\"", &format!("{:?}", "a".repeat(257))]
    {
        let host = sample();
        let stream = claim(&host);
        host.callout("metadata")
            .respond(200, format!(r#"{{"headers": {{"Host": {value}}}}}"#).replace('\0', "\\u0000"));
        let request = stream.forwarded();
        assert_eq!(claims(&request), [vec!["1".to_owned()], vec![], vec![]], "{value}");
        assert_eq!(request.header("x-admin"), None);
        assert_eq!((counted(&host, "invalid"), seen(&stream).as_str()), (1, "ok"));
        host.assert_no_findings();
    }
}

#[test]
fn a_value_has_its_type_its_default_and_its_place() {
    let host = with(json!({"map": [
        {"from": "json_pointer", "path": "/groups", "to": "x-groups", "type": "csv"},
        {"from": "json_pointer", "path": "/limits", "to": "x-limits", "type": "json"},
        {"from": "json_pointer", "path": "/seats", "to": "x-seats", "type": "int", "required": true},
        {"from": "json_pointer", "path": "/plan", "to": "x-plan", "default": "free"},
        {"from": "status", "to_response": "x-asked"},
        {"from": "json_pointer", "path": "/plan", "to_filter_state": "plan", "default": "free"},
    ]}));
    let stream = host.get("/").header("x-asked", "by a client").send();
    host.callout("metadata").respond(200, r#"{"groups": ["a", "b"], "limits": {"rps": 10}, "seats": 7}"#);
    let request = stream.forwarded();
    for (name, value) in [
        ("x-groups", "a,b"),
        ("x-limits", r#"{"rps":10}"#),
        ("x-seats", "7"),
        ("x-plan", "free"),
        ("x-asked", "by a client"),
    ] {
        assert_eq!(request.header(name).as_deref(), Some(value), "{name}");
    }
    let response = stream.respond(Response::ok("").with_header("x-asked", "by the upstream")).received();
    assert_eq!(response.header_all("x-asked"), ["200"]);
    let stream = host.get("/").send();
    host.callout("metadata").respond(200, r#"{"seats": "many"}"#);
    assert_eq!(seen(&stream), "invalid");
    assert_eq!(stream.forwarded().header("x-plan"), None, "an answer that is invalid has no defaults");
    assert_eq!(stream.respond(Response::ok("")).received().header("x-asked"), None);
    host.assert_no_findings();
}

#[test]
fn a_request_body_waits_for_the_answer_and_arrives_whole() {
    let host = sample();
    let body = vec![b'x'; 300_000];
    for size in [1000, 300_000] {
        let stream = host.post("/").body(body.clone()).in_chunks_of(size).trailer("x-t", "1").send();
        assert_eq!(stream.paused().upstream(), None);
        host.callout("metadata").respond(200, "{}");
        let request = stream.forwarded();
        assert_eq!(request.header("x-meta").as_deref(), Some("1"));
        assert!(request.body == body, "{} bytes arrived", request.body.len());
        assert_eq!(request.trailer("x-t").as_deref(), Some("1"));
    }
}

#[test]
fn grpc_connect_and_upgrades_are_requests_like_others() {
    let host = sample();
    let grpc =
        host.post("/pkg.Service/Method").header("content-type", "application/grpc").header("te", "trailers");
    let connect = host.request("CONNECT", "");
    let upgrade = host.get("/chat").header("connection", "upgrade").header("upgrade", "websocket");
    for request in [grpc, connect, upgrade] {
        let stream = request.http2().body("frames").send();
        host.callout("metadata").respond(200, "{}");
        assert_eq!(seen(&stream), "ok");
    }
    host.assert_no_findings();
}
