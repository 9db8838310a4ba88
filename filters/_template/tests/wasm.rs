//! filter-template as the proxy runs it: what the client and the upstream see.

use proxy_wasm_harness::{Host, Level, Response, budget, filter, json};

fn sample() -> Host {
    filter("filter-template").configure(json!({"version": 1, "header": "x-tenant"}))
}

#[test]
fn a_request_with_the_header_is_forwarded_untouched() {
    let host = sample();
    let stream = host.get("/orders").header("x-tenant", b"caf\xe9").send();
    assert_eq!(stream.forwarded().headers.get("x-tenant"), Some(&b"caf\xe9"[..]));
    assert_eq!(stream.respond(Response::ok("hello")).received().text(), "hello");
    host.assert_no_findings();
    host.assert_nothing_leaked();
}

#[test]
fn a_request_without_it_is_answered_400_and_never_reaches_the_upstream() {
    let host = sample();
    let stream = host.get("/orders").header("x-tenant", "").send();
    let reply = stream.answered();
    assert_eq!((reply.status(), reply.text().as_str()), (400, "the header x-tenant is missing\n"));
    assert_eq!(stream.upstream(), None);
}

#[test]
fn every_mistake_of_a_configuration_is_named() {
    let refusal = filter("filter-template").refuses(json!({"header": ":path", "extra": 1}));
    for field in ["extra", "version", "header"] {
        refusal.assert_logged(Level::Error, &format!("config field `{field}`: "));
    }
}

#[test]
fn a_request_costs_no_more_than_its_budget() {
    let host = sample();
    // A first request makes memory ready that others find ready.
    let _ = host.get("/").header("x-tenant", "acme").send();
    let forwarded = host.get("/").header("x-tenant", "acme").send();
    forwarded.respond(Response::ok("hello"));
    budget!("forwarded").assert(&forwarded.costs());
    budget!("answered").assert(&host.get("/").send().costs());
}
