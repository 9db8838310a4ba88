//! What a request costs, in numbers that are the same on every machine.

use super::*;

#[test]
fn a_request_costs_no_more_than_its_budget() {
    let host = sample();
    let cost = |answer: fn(Callout)| {
        let before = host.costs();
        let stream = claim(&host);
        answer(host.callout("metadata"));
        stream.respond(Response::ok("hello"));
        host.costs().since(&before)
    };
    let enriched = |callout: Callout| {
        callout.respond(200, r#"{"headers": {"Accept": "*/*", "Host": "metadata.local"}}"#);
    };
    // A first request makes memory ready that others find ready.
    cost(enriched);
    budget!("enriched").assert(&cost(enriched));
    budget!("reset").assert(&cost(Callout::reset));
}

#[test]
fn a_cached_answer_costs_no_more_than_its_budget() {
    let host = with(json!({
        "call": {"path": "/t/${header:x-tenant}"},
        "map": [{"from": "header", "name": "x-user", "to": "x-meta-user"}],
        "cache": {"key": ["${header:x-tenant}"], "ttl": "1m"},
    }));
    of(&host, "acme").paused();
    host.callout("metadata").respond_with(user("ada"));
    let hit = || {
        let before = host.costs();
        assert_eq!(seen(of(&host, "acme").respond(Response::ok(""))), "cache ada");
        host.costs().since(&before)
    };
    hit();
    let cost = hit();
    // The key's header, the time, two headers set: nothing else is asked of the host.
    assert_eq!(cost.of(Callback::RequestHeaders).hostcalls, 4);
    budget!("cache_hit").assert(&cost);
}

#[test]
fn memory_stays_where_it_is_over_many_requests() {
    let host = caching(json!({"max_entries": 50}));
    let mut memory = 0;
    for round in 0..3000 {
        let stream = of(&host, &(round % 100).to_string());
        for callout in host.callouts("metadata") {
            callout.respond_with(user("ada"));
        }
        stream.respond(Response::ok(""));
        if round == 500 {
            memory = host.memory_bytes();
        }
    }
    assert_eq!(host.memory_bytes(), memory);
    host.assert_nothing_leaked();
}
