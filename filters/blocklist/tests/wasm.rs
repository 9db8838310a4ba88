//! blocklist as the proxy runs it: what the client and the upstream see.

#[path = "support/names.rs"]
mod names;

#[path = "wasm/decision.rs"]
mod decision;
#[path = "wasm/large.rs"]
mod large;
#[path = "wasm/remote.rs"]
mod remote;
#[path = "wasm/reply.rs"]
mod reply;
#[path = "wasm/upstream.rs"]
mod upstream;

use proxy_wasm_harness::{Host, Response, budget, filter, json};

/// Who blocks: without it each configuration warns.
const URI: &str = "https://example.com/policy";

fn sample() -> Host {
    filter("blocklist").configure(json!({
        "version": 1,
        "lists": [
            {"name": "ads", "entries": [".example.com", "192.0.2.1"]},
            {"name": "more", "entries": ["*.tracker.test"]},
            {"name": "ok", "action": "allow", "entries": ["ok.example.com"]},
        ],
        "reply": {"blocked_by_uri": URI},
    }))
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

#[test]
fn a_request_is_read_once_and_nothing_is_asked_that_no_list_needs() {
    let stream = sample().get("/").authority("www.allowed.example").send();
    stream.respond(Response::ok("hello"));
    assert_eq!(stream.costs().total().hostcalls, 1, "{}", stream.transcript());
}
