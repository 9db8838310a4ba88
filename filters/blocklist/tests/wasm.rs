//! blocklist as the proxy runs it: what the client and the upstream see.

use proxy_wasm_harness::{Host, Level, Response, budget, filter, json};

fn sample() -> Host {
    filter("blocklist").configure(json!({
        "version": 1,
        "lists": [
            {"name": "ads", "entries": [".example.com", "192.0.2.1"]},
            {"name": "more", "entries": ["*.tracker.test"]},
        ],
    }))
}

#[test]
fn a_listed_host_is_answered_451_and_never_reaches_the_upstream() {
    let host = sample();
    for authority in
        ["example.com", "a.example.com", "A.EXAMPLE.COM.", "a.b.example.com:8443", "192.0.2.1:80"]
    {
        let stream = host.get("/").authority(authority).send();
        let reply = stream.answered();
        assert_eq!((reply.status(), reply.text().as_str()), (451, "blocked by wasm\n"), "{authority}");
        assert_eq!(reply.header("content-type").as_deref(), Some("text/plain"));
        assert_eq!(reply.header("cache-control").as_deref(), Some("no-store"));
        assert_eq!(stream.upstream(), None, "{authority}");
    }
    assert_eq!(host.counter("wasm_blocklist_denied_total"), 5);
    assert_eq!(host.counter("wasm_blocklist_denied_ads_total"), 5);
    assert_eq!(host.counter("wasm_blocklist_denied_more_total"), 0);
    host.assert_no_findings();
    host.assert_nothing_leaked();
}

#[test]
fn any_other_host_is_forwarded_untouched() {
    let host = sample();
    for authority in ["example.org", "notexample.com", "example.com.evil.test", "tracker.test", "[::1]:443"] {
        let stream =
            host.post("/a?b").authority(authority).header("x-odd", b"caf\xe9").body("as it is").send();
        let request = stream.forwarded();
        assert_eq!(request.header(":authority").as_deref(), Some(authority));
        assert_eq!(request.headers.get("x-odd"), Some(&b"caf\xe9"[..]));
        assert_eq!(request.text(), "as it is");
        let response = stream.respond(Response::ok("hello").with_header("x-odd", b"\xff")).received();
        assert_eq!((response.text().as_str(), response.headers.get("x-odd")), ("hello", Some(&b"\xff"[..])));
    }
    assert_eq!(host.counter("wasm_blocklist_denied_total"), 0);
    host.assert_no_findings();
    host.assert_nothing_leaked();
}

#[test]
fn what_is_no_host_is_answered_400_whatever_its_bytes_are() {
    let host = sample();
    let long = vec![b'a'; 1 << 20];
    let odd: [&[u8]; 7] = [b"", b"\xff\xfe", b"ex\xe4mple.com", b"user@example.org", b"a b", b"a\0b", &long];
    for authority in odd {
        let reply = host.get("/").authority(authority).send().answered();
        let shown = authority.iter().take(20).copied().collect::<Vec<u8>>();
        assert_eq!((reply.status(), reply.text().as_str()), (400, "malformed host\n"), "{shown:?}");
    }
    assert_eq!(host.counter("wasm_blocklist_malformed_host_total"), 7);
    host.assert_no_findings();
    host.assert_nothing_leaked();
}

#[test]
fn a_request_without_a_host_is_answered_400() {
    let host = sample();
    let reply = host.get("/").headers([(":method", "GET"), (":path", "/")]).send().answered();
    assert_eq!(reply.status(), 400);
}

#[test]
fn clients_do_not_write_the_log() {
    let host = sample();
    for authority in [&b"example.com"[..], b"\n[critical] fire", b""] {
        let _ = host.get("/").authority(authority).send().answered();
    }
    assert_eq!(host.log_lines(), []);
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

#[test]
fn a_head_request_is_answered_without_a_body() {
    let reply = sample().request("HEAD", "/").authority("example.com").send().answered();
    assert_eq!((reply.status(), reply.body.len()), (451, 0));
}

#[test]
fn the_reply_is_as_configured() {
    let host = filter("blocklist").configure(json!({
        "version": 1,
        "lists": [{"name": "a", "entries": ["a.test"]}],
        "reply": {"status": 403, "content_type": "application/json", "body": "{}"},
    }));
    let reply = host.get("/").authority("a.test").send().answered();
    assert_eq!((reply.status(), reply.text().as_str()), (403, "{}"));
    assert_eq!(reply.header("content-type").as_deref(), Some("application/json"));
}

#[test]
fn every_mistake_of_a_configuration_is_named() {
    let refusal = filter("blocklist").refuses(json!({
        "lists": [{"name": "A", "entries": ["http://a.test/"]}],
        "reply": {"status": 200},
        "list": [],
    }));
    for field in ["list", "version", "lists[0].name", "lists[0].entries[0]", "reply.status"] {
        refusal.assert_logged(Level::Error, &format!("config field `{field}`: "));
    }
    assert_eq!(refusal.logged(Level::Error).len(), 5);
}

#[test]
fn what_would_block_nothing_is_refused() {
    for configuration in ["", "{", "\u{0}\u{1}", r#"{"version": 1}"#, r#"{"version": 1, "lists": []}"#] {
        filter("blocklist").refuses(configuration).assert_says("config");
    }
}

#[test]
fn a_list_that_grows_is_in_force_for_the_next_request() {
    let host = sample();
    let before = host.get("/").authority("new.test").open();
    let json = json!({"version": 1, "lists": [{"name": "ads", "entries": ["new.test"]}]});
    host.reconfigure("blocklist", json.to_string()).unwrap();
    assert_eq!(host.get("/").authority("new.test").send().answered().status(), 451);
    assert_eq!(host.get("/").authority("example.com").send().forwarded().method(), "GET");
    before.data("", true);
    assert_eq!(before.forwarded().method(), "GET");
}

#[test]
fn a_request_costs_no_more_than_its_budget() {
    let host = sample();
    // The first is slower: memory is made ready, which others find ready.
    let _ = host.get("/").authority("example.com").send();
    let listed = host.get("/").authority("a.b.example.com:8443").send();
    budget!("a_listed_host").assert(&listed.costs());
    let unlisted = host.get("/").authority("www.allowed.example:443").send();
    unlisted.respond(Response::ok("hello"));
    budget!("an_unlisted_host").assert(&unlisted.costs());
}
