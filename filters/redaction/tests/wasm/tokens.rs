//! Tokens: what they stand for comes back in the response of the same exchange, and in no other.

use proxy_wasm_harness::{Chunks, Host, Response, filter, json};
use serde_json::Value;

use super::of_type;

fn host(changes: &Value) -> Host {
    let mut config = json!({"version": 1, "direction": ["request"], "headers": ["x-user", "location"], "detectors": [
        {"name": "mail", "kind": "email", "action": {"type": "tokenize"}}]});
    for (name, value) in changes.as_object().unwrap() {
        config[name] = value.clone();
    }
    filter("redaction").configure(config)
}

/// Sends a request with two addresses, one in a header; answers the tokens that the upstream has seen.
fn tokens(stream: &proxy_wasm_harness::Stream) -> [String; 2] {
    stream.data(r#"{"to": "ada@exam"#, false).data(r#"ple.com", "cc": "bob@example.com"}"#, true);
    let seen = stream.forwarded();
    let body: Value = serde_json::from_str(&seen.text()).unwrap();
    let [to, cc] = ["to", "cc"].map(|name| body[name].as_str().unwrap().to_owned());
    assert_eq!(seen.header("x-user").as_deref(), Some(to.as_str()), "the same has the same token");
    assert_eq!(seen.header("accept-encoding").as_deref(), Some("identity"));
    [to, cc]
}

fn open(host: &Host) -> proxy_wasm_harness::Stream {
    let request = host.post("/").header("content-type", "application/json").header("accept-encoding", "gzip");
    request.header("x-user", "ada@example.com").open()
}

#[test]
fn what_a_token_stands_for_comes_back_wherever_the_response_is_cut() {
    for changes in [json!({}), json!({"direction": ["request", "response"]})] {
        let host = host(&changes);
        for (kind, trailers) in
            [("application/json", false), ("text/plain", true), ("text/event-stream", false)]
        {
            for cut in 0..40 {
                let stream = open(&host);
                let [to, cc] = tokens(&stream);
                assert!(to.starts_with("[mail_") && cc.starts_with("[mail_") && to != cc, "{to} {cc}");
                let body = format!("\"{cc} wrote to {to}, and {to}x [mail_9]\"");
                let mut response = of_type(kind, body).with_header("location", format!("/?{to}"));
                if trailers {
                    response = response.with_trailer("x-end", "1");
                }
                let received = stream.respond_cut(&response, &Chunks::At(vec![cut])).received();
                let restored = "\"bob@example.com wrote to ada@example.com, and ada@example.comx [mail_9]\"";
                assert_eq!(received.text(), restored, "{kind} cut at {cut}");
                assert_eq!(received.header("location").as_deref(), Some("/?ada@example.com"));
            }
        }
        host.assert_no_findings();
        assert_eq!(host.counter("wasm_redaction_matches_mail_total"), 3 * 3 * 40);
    }
}

#[test]
fn a_token_means_nothing_in_another_exchange() {
    let host = host(&json!({}));
    let stream = open(&host);
    let [to, _] = tokens(&stream);
    stream.respond(Response::ok("x").with_header("content-type", "text/plain"));
    let other = host.get("/").send().respond(of_type("text/plain", to.clone())).received();
    assert_eq!(other.text(), to);
    host.assert_nothing_leaked();
}

#[test]
fn a_report_gives_no_tokens() {
    let host = host(&json!({"mode": "report"}));
    let stream = open(&host);
    stream.data(r#"{"to": "ada@example.com"}"#, true);
    assert_eq!(stream.forwarded().text(), r#"{"to": "ada@example.com"}"#);
    assert_eq!(host.counter("wasm_redaction_matches_mail_total"), 2);
}
