//! Trailers, and gRPC.

use proxy_wasm_harness::{HeaderMap, Response, json};

use super::{configured, values, writes};

const RULES: &str = r#"{"rules": [{
    "request_trailers": [{"op": "set", "name": "x-path", "value": "${path}"}, {"op": "remove", "name": "x-cost"}],
    "response_trailers": [{"op": "set", "name": "x-path", "value": "${path}"}, {"op": "remove", "name": "x-cost"}]}]}"#;

#[test]
fn trailers_are_changed_where_there_are_any_and_none_are_made_where_there_are_none() {
    let host = configured(RULES);
    let stream = host.post("/a").body("b").trailer("x-cost", "1").trailer("x-other", "2").send();
    let sent = stream.forwarded().trailers.unwrap();
    assert_eq!(sent, HeaderMap::from([("x-other", "2"), ("x-path", "/a")]));
    let response = Response::ok("hello").with_trailer("x-cost", "1");
    let received = stream.respond(response).received().trailers.unwrap();
    assert_eq!(received, HeaderMap::from([("x-path", "/a")]));

    let before = writes(&host).len();
    let stream = host.post("/").body("b").send();
    assert_eq!(stream.forwarded().trailers, None);
    assert_eq!(stream.respond(Response::ok("hello")).received().trailers, None);
    assert_eq!(writes(&host).len(), before);
    host.assert_no_findings();
    host.assert_nothing_leaked();
}

#[test]
fn how_a_grpc_call_went_is_said_by_the_upstream_alone() {
    // A pattern passes over it; by name it is refused.
    let host = configured(
        r#"{"rules": [{"response": [{"op": "remove_match", "regex": "."}],
            "response_trailers": [{"op": "remove_match", "prefix": "grpc"}]}]}"#,
    );
    // A response of trailers alone has them as headers.
    let response = Response::new(200).with_header("grpc-status", "5").with_header("x-a", "1");
    let stream = host.post("/s/m").header("content-type", "application/grpc").body("b").send();
    let received = stream.respond(response).received();
    assert_eq!(received.header("grpc-status").as_deref(), Some("5"));
    assert_eq!(received.header("x-a"), None);
    let response = Response::ok("m").with_trailer("grpc-status", "0").with_trailer("grpc-message", "m");
    let received = host.post("/s/m").body("b").send().respond(response).received();
    assert_eq!(received.trailer("grpc-status").as_deref(), Some("0"));
    host.assert_no_findings();

    let allowed = json!({"version": 1, "allow_grpc_trailers": true,
        "rules": [{"response_trailers": [{"op": "remove", "name": "grpc-message"}]}]});
    let host = proxy_wasm_harness::filter("header-mutation").configure(allowed);
    let response = Response::ok("m").with_trailer("grpc-status", "0").with_trailer("grpc-message", "m");
    let received = host.post("/s/m").body("b").send().respond(response).received();
    assert_eq!(values(&received.trailers.unwrap(), "grpc-message").len(), 0);
}

#[test]
fn a_value_that_may_not_be_sent_is_left_out_of_trailers_also_where_requests_are_denied_for_it() {
    let host = configured(
        r#"{"on_invalid": "deny", "rules": [{"request_trailers": [
            {"op": "set", "name": "x-bad", "value": "${header:x-long}"}]}], "max_value_bytes": 4}"#,
    );
    let stream = host.post("/").header("x-long", "12345").body("b").trailer("x-end", "1").send();
    assert_eq!(stream.forwarded().trailers.unwrap(), HeaderMap::from([("x-end", "1")]));
}
