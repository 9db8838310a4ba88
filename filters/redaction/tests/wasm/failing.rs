//! What cannot be decided, and hosts that do not do as they are asked.

use proxy_wasm_harness::{Chunks, Status, json};

use super::{of_type, through, with};

#[test]
fn a_body_that_the_host_does_not_give_or_take_does_not_pass_and_open_it_does() {
    for hostcall in ["proxy_get_buffer_bytes", "proxy_set_buffer_bytes"] {
        for status in [Status::BadArgument, Status::NotFound, Status::InternalFailure] {
            let response = of_type("text/plain", "to ada@example.com and more");
            let host = with(&json!({}));
            let stream = host.get("/").send();
            host.fail("proxy_get_buffer_bytes", status, u64::from(hostcall == "proxy_get_buffer_bytes"));
            host.fail("proxy_set_buffer_bytes", status, 2);
            stream.respond(response.clone()).was_reset();
            assert_eq!(host.counter("wasm_redaction_errors_total"), 1, "{hostcall} {status:?}");

            let host = with(&json!({"fail": "open"}));
            let stream = host.get("/").send();
            host.fail(hostcall, status, 1);
            assert_eq!(stream.respond(response).received().text(), "to ada@example.com and more");
            assert_eq!(host.counter("wasm_redaction_errors_total"), 1, "{hostcall} {status:?}");
            assert_eq!(host.traps(), Vec::<String>::new());
        }
    }
}

#[test]
fn a_body_that_the_host_lets_be_emptied_is_cut_off() {
    let host = with(&json!({}));
    let stream = host.get("/").send();
    host.fail("proxy_get_buffer_bytes", Status::InternalFailure, 1);
    assert_eq!(stream.respond(of_type("text/plain", "to ada@example.com")).received().text(), "");
    assert_eq!(host.counter("wasm_redaction_blocked_total"), 1);
}

#[test]
fn a_request_that_the_host_does_not_let_be_read_is_refused() {
    let host = with(&json!({"direction": ["request"]}));
    let stream = host.post("/").header("content-type", "text/plain").open();
    host.fail("proxy_get_buffer_bytes", Status::InternalFailure, 1);
    host.fail("proxy_set_buffer_bytes", Status::InternalFailure, 1);
    stream.data("to ada@example.com", true);
    assert_eq!(stream.answered().status(), 500);
    assert_eq!(host.counter("wasm_redaction_errors_total"), 1);
}

#[test]
fn headers_that_the_host_does_not_let_be_changed_do_not_leave() {
    let changes = json!({"direction": ["request", "response"], "headers": ["x-note"]});
    let host = with(&changes);
    host.fail("proxy_remove_header_map_value", Status::InternalFailure, 1);
    let stream = host.get("/").header("x-note", "ada@example.com").send();
    assert_eq!(stream.answered().status(), 500);
    let stream = host.get("/").send();
    host.fail("proxy_remove_header_map_value", Status::InternalFailure, 1);
    stream.respond(of_type("text/plain", "x").with_header("x-note", "ada@example.com")).was_reset();
    assert_eq!(host.counter("wasm_redaction_errors_total"), 2);
    assert_eq!(host.traps(), Vec::<String>::new());
}

#[test]
fn a_match_without_an_end_is_let_go_where_what_is_undecided_passes() {
    let token = format!("Bearer {} ada@example.com", "a1".repeat(4000));
    for (fail, expected) in
        [("closed", "Bearer BEARER MAIL".to_owned()), ("open", token.replace("ada@example.com", "MAIL"))]
    {
        let host = with(&json!({"fail": fail}));
        for plan in [Chunks::Whole, Chunks::Of(1000)] {
            assert!(
                through(&host, &of_type("text/plain", token.clone()), &plan).text() == expected,
                "{fail} {plan:?}"
            );
        }
        assert_eq!(host.counter("wasm_redaction_overlong_matches_total"), 2, "{fail}");
    }
}

#[test]
fn json_that_is_none_is_counted_and_looked_into_as_text() {
    let host = with(&json!({}));
    let response = of_type("application/json", "{'a': 'ada@example.com'}");
    assert_eq!(through(&host, &response, &Chunks::Of(3)).text(), "{'a': 'MAIL'}");
    assert_eq!(host.counter("wasm_redaction_invalid_json_total"), 1);
}
