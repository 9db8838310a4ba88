//! How a request is answered.

use proxy_wasm_harness::{Host, Level, filter, json};

use super::{URI, sample};

fn replying(reply: impl std::fmt::Display) -> Host {
    let lists = r#"[{"name": "ads", "entries": ["a.test"]}]"#;
    filter("blocklist").configure(format!(r#"{{"version": 1, "lists": {lists}, "reply": {reply}}}"#))
}

#[test]
fn a_451_says_who_blocks_and_is_kept_by_no_cache() {
    let reply = sample().get("/").authority("example.com").send().answered();
    assert_eq!(reply.header("content-type").as_deref(), Some("text/plain"));
    assert_eq!(reply.header("cache-control").as_deref(), Some("no-store"));
    assert_eq!(reply.header("link").as_deref(), Some("<https://example.com/policy>; rel=\"blocked-by\""));
    let warns = |reply: &str| replying(reply).logs(Level::Warn).len();
    assert!(warns("{}") > 0);
    assert_eq!((warns(r#"{"status": 403}"#), warns(&json!({"blocked_by_uri": URI}).to_string())), (0, 0));
}

#[test]
fn a_body_of_json_has_what_was_found_and_nothing_that_breaks_out_of_it() {
    let host = replying(json!({
        "status": 403, "content_type": "application/json", "headers": [{"name": "x-policy", "value": "egress"}],
        "body": "{\"host\":\"${host}\",\"rule\":\"${rule}\",\"why\":\"${reason}\",\"id\":\"${request_id}\"}",
    }));
    let text = |id: &str| host.get("/").authority("A.test.:443").header("x-request-id", id).send().answered();
    let reply = text("3f2a-1");
    assert_eq!(reply.text(), r#"{"host":"a.test","rule":"ads","why":"listed","id":"3f2a-1"}"#);
    assert_eq!(reply.header("x-policy").as_deref(), Some("egress"));
    assert_eq!(reply.header("content-type").as_deref(), Some("application/json"));
    assert_eq!(text("\",\"admin\":\"1").text(), r#"{"host":"a.test","rule":"ads","why":"listed","id":""}"#);
}

#[test]
fn html_shows_no_host_but_in_the_form_in_which_hosts_are_compared() {
    let host = filter("blocklist").configure(json!({
        "version": 1, "default": "deny", "lists": [{"name": "ok", "action": "allow", "entries": ["a.test"]}],
        "reply": {"content_type": "text/html", "body": "<p>${host} ${request_id}</p>"},
    }));
    let reply = |authority: &str| {
        host.get("/").authority(authority).header("x-request-id", "<b>").send().answered().text()
    };
    assert_eq!(reply("B.test:80"), "<p>b.test </p>");
    assert_eq!(reply("<script>alert(1)</script>"), "malformed host\n");
}

#[test]
fn a_grpc_call_is_answered_by_a_grpc_status() {
    let host = sample();
    let call = |authority: &str, media: &str| {
        host.post("/a.B/C").authority(authority).header("content-type", media).send().answered()
    };
    for media in ["application/grpc", "application/grpc+proto"] {
        let reply = call("example.com", media);
        assert_eq!((reply.status(), reply.header("grpc-status").as_deref()), (200, Some("7")), "{media}");
        assert_eq!(reply.header("grpc-message").as_deref(), Some("blocked by wasm: listed"));
        assert_eq!(reply.body.len(), 0);
    }
    assert_eq!(call("a b", "application/grpc").header("grpc-status").as_deref(), Some("3"));
    for media in ["application/grpc-web", "application/grpc;charset=utf-8"] {
        assert_eq!(call("example.com", media).status(), 451, "{media}");
    }
    assert_eq!(call("example.com", "application/json").status(), 451);
}

#[test]
fn a_head_request_is_answered_without_a_body() {
    let reply = sample().request("HEAD", "/").authority("example.com").send().answered();
    assert_eq!((reply.status(), reply.body.len()), (451, 0));
}

#[test]
fn a_reply_passes_the_filters_before_this_one_and_not_those_after_it() {
    let marks = |name: &str| {
        let rule = json!([{"op": "set", "name": format!("x-{name}"), "value": "1"}]);
        filter("header-mutation")
            .name(name)
            .vm_id(name)
            .json(&json!({"version": 1, "rules": [{"response": rule}]}))
    };
    let blocklist =
        filter("blocklist").json(&json!({"version": 1, "lists": [{"name": "a", "entries": ["a.test"]}]}));
    let host = Host::envoy().plugin(marks("before")).plugin(blocklist).plugin(marks("after")).start();
    let reply = host.get("/").authority("a.test").send().answered();
    assert_eq!(reply.status(), 451);
    assert_eq!(reply.header("x-before").as_deref(), Some("1"));
    assert_eq!(reply.header("x-after"), None);
}

#[test]
fn the_rest_of_a_blocked_request_goes_nowhere() {
    let host = sample();
    let stream = host.post("/").authority("example.com").open();
    assert_eq!(stream.answered().status(), 451);
    stream.data("too", false).data("late", true);
    assert_eq!(stream.upstream(), None);
    assert_eq!(host.traps(), [] as [String; 0]);
}
