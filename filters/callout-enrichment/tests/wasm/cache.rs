//! Which requests share an answer, and for how long.

use super::*;

#[track_caller]
fn answered(host: &Host, tenant: &str, answer: Response) {
    let stream = of(host, tenant);
    stream.paused();
    host.callout("metadata").respond_with(answer);
    assert!(stream.is_forwarded());
}

#[test]
fn a_cached_answer_is_added_at_once() {
    let host = caching(json!({}));
    answered(&host, "acme", user("ada"));
    let hit = of(&host, "acme");
    assert_eq!(seen(&hit), "cache ada");
    assert_eq!(hit.forwarded().header_all("x-meta"), ["1"]);
    of(&host, "other").paused();
    assert_eq!((counted(&host, "cache_hit"), counted(&host, "cache_miss")), (1, 2));
    assert_eq!(host.gauge("wasm_enrich_cache_entries"), 1);
}

#[test]
fn an_answer_ends_exactly_at_its_time() {
    let host = caching(json!({}));
    answered(&host, "acme", user("ada").with_header("cache-control", "max-age=3"));
    host.advance(3 * SECOND - ms(1));
    assert_eq!(seen(&of(&host, "acme")), "cache ada");
    host.advance(ms(1));
    of(&host, "acme").paused();
}

#[test]
fn the_wall_clock_has_no_say_in_it() {
    let host = caching(json!({}));
    answered(&host, "acme", user("ada"));
    host.fail("proxy_get_current_time_nanoseconds", Status::InternalFailure, 1000);
    assert_eq!(seen(&of(&host, "acme")), "cache ada");
    host.advance(10 * SECOND);
    of(&host, "acme").paused();
}

#[test]
fn an_answer_that_is_for_one_request_is_not_kept() {
    for value in ["no-store", "private", "max-age=0", "public, No-Store"] {
        let host = caching(json!({}));
        answered(&host, "acme", user("ada").with_header("cache-control", value));
        of(&host, "acme").paused();
        assert_eq!(host.asked().len(), 2, "{value}");
    }
}

#[test]
fn failures_are_never_kept() {
    let host = with(json!({"cache": {"key": ["all"], "ttl": "10s"}, "breaker": "off"}));
    for (round, fails) in [
        Callout::time_out as fn(Callout),
        Callout::reset,
        Callout::refuse,
        |callout| callout.respond(500, ""),
        |callout| callout.respond(403, ""),
        |callout| callout.respond(404, ""),
        |callout| callout.respond(301, ""),
        |callout| callout.respond(200, "{"),
    ]
    .into_iter()
    .enumerate()
    {
        claim(&host).paused();
        fails(host.callout("metadata"));
        assert_eq!(host.asked().len(), round + 1);
    }
}

#[test]
fn a_404_is_kept_for_a_time_of_its_own() {
    let host = with(json!({
        "cache": {"key": ["all"], "ttl": "10s", "negative_ttl": "2s"}, "on_4xx": {"deny": 403},
    }));
    let stream = claim(&host);
    host.callout("metadata").respond(404, "");
    assert_eq!(stream.answered().status(), 403);
    assert_eq!(claim(&host).answered().status(), 403);
    assert_eq!((host.asked().len(), counted(&host, "cache_negative")), (1, 1));
    host.advance(2 * SECOND);
    claim(&host).paused();
}

#[test]
fn requests_that_ask_different_things_never_share_an_answer() {
    let host = with(json!({
        "call": {"path": "/${header:a}/${header:b}", "forward_headers": ["authorization"]},
        "cache": {"key": ["${header:a}", "${header:b}", "${headers:authorization}"], "ttl": "10s"},
    }));
    let asks = |a: &str, b: &str, tokens: &[&str]| {
        let mut request = host.get("/").header("a", a).header("b", b);
        for token in tokens {
            request = request.header("authorization", token);
        }
        let stream = request.send();
        let asked = stream.paused_in().is_some();
        for callout in host.callouts("metadata") {
            callout.respond_with(user("u"));
        }
        asked
    };
    for (a, b, tokens) in [
        ("a", "bc", &["t"][..]),
        ("ab", "c", &["t"]),
        ("a", "bc", &["u"]),
        ("a", "bc", &[]),
        ("a", "bc", &[""]),
        ("a", "bc", &["t", "u"]),
        ("a", "bc", &["u", "t"]),
    ] {
        assert!(asks(a, b, tokens), "{a} {b} {tokens:?} is another question");
        assert!(!asks(a, b, tokens), "{a} {b} {tokens:?} is known now");
    }
}

#[test]
fn what_was_used_longest_ago_makes_room() {
    let host = caching(json!({"max_entries": 2}));
    for tenant in ["a", "b"] {
        answered(&host, tenant, user(tenant));
    }
    assert_eq!(seen(&of(&host, "a")), "cache a");
    answered(&host, "c", user("c"));
    assert_eq!(seen(&of(&host, "a")), "cache a");
    of(&host, "b").paused();
    assert_eq!(counted(&host, "cache_evicted"), 1);
    assert_eq!(host.gauge("wasm_enrich_cache_entries"), 2);
}

#[test]
fn a_cache_has_no_more_bytes_than_it_may() {
    let host = caching(json!({"max_bytes": 2048, "max_entries": 1_000_000}));
    let before = host.memory_bytes();
    for number in 0..3000 {
        answered(&host, &number.to_string(), user(&"u".repeat(200)));
    }
    host.advance(ms(100));
    let entries = host.gauge("wasm_enrich_cache_entries");
    assert!((2..=8).contains(&entries), "{entries}");
    assert_eq!(counted(&host, "cache_evicted"), 3000 - entries);
    assert!(host.memory_bytes() - before <= 128 << 10, "{} bytes more", host.memory_bytes() - before);
}

#[test]
fn while_it_is_asked_again_a_stale_answer_is_used() {
    let host = caching(json!({"stale_while_revalidate": "5s"}));
    answered(&host, "acme", user("old"));
    host.advance(10 * SECOND);
    let first = of(&host, "acme");
    assert_eq!(seen(&first), "stale old");
    assert_eq!(seen(&of(&host, "acme")), "stale old");
    // The request that had it asked again is over before the answer comes.
    first.respond(Response::ok(""));
    assert!(first.is_over());
    assert_eq!(host.callouts("metadata").len(), 1);
    host.callout("metadata").assert_path("/t/acme").respond_with(user("new"));
    assert_eq!(seen(&of(&host, "acme")), "cache new");
    host.advance(15 * SECOND);
    of(&host, "acme").paused();
}

#[test]
fn if_it_cannot_be_asked_a_stale_answer_is_used() {
    let host = caching(json!({"stale_if_error": "60s"}));
    answered(&host, "acme", user("old"));
    host.advance(10 * SECOND);
    for fails in [Callout::reset as fn(Callout), Callout::refuse, |callout| callout.respond(500, "")] {
        let stream = of(&host, "acme");
        stream.paused();
        fails(host.callout("metadata"));
        assert_eq!(seen(&stream), "stale old");
    }
    let stream = of(&host, "acme");
    host.advance(SECOND);
    assert_eq!(seen(&stream), "stale old");
    host.fail("proxy_http_call", Status::BadArgument, 1);
    assert_eq!(seen(&of(&host, "acme")), "stale old");
    host.advance(60 * SECOND);
    let stream = of(&host, "acme");
    host.callout("metadata").reset();
    assert_eq!(seen(&stream), "error");
}

#[test]
fn while_the_service_is_left_alone_a_stale_answer_is_used() {
    let mut members = json!({
        "call": {"path": "/t/${header:x-tenant}"}, "breaker": {"consecutive_failures": 1},
        "on_error": {"deny": 503, "stale": true},
    });
    merge(
        &mut members,
        json!({"cache": {"key": ["${header:x-tenant}"], "ttl": "1s", "stale_if_error": "60s"}}),
    );
    let host = with(members);
    answered(&host, "acme", user("old"));
    host.advance(SECOND);
    let stream = of(&host, "acme");
    host.callout("metadata").reset();
    assert_eq!(seen(&stream), "stale old");
    assert_eq!(seen(&of(&host, "acme")), "stale old");
    assert_eq!(of(&host, "other").answered().status(), 503);
    assert_eq!(host.asked().len(), 2);
}

#[test]
fn a_new_configuration_begins_with_nothing() {
    let host = caching(json!({}));
    answered(&host, "acme", user("old"));
    let same = configuration(json!({
        "call": {"path": "/t/${header:x-tenant}"}, "cache": {"key": ["${header:x-tenant}"], "ttl": "20s"},
    }));
    host.reconfigure("callout-enrichment", same.to_string()).unwrap();
    of(&host, "acme").paused();
    host.advance(ms(100));
    assert_eq!(host.gauge("wasm_enrich_cache_entries"), 0);
}

#[test]
fn two_plugins_in_one_vm_keep_answers_of_their_own() {
    let cached = |name: &str, to: &str| {
        let cache = json!({"key": ["all"], "ttl": "10s"});
        let map = json!([{"from": "header", "name": "x-user", "to": to}]);
        let status = format!("{to}-status");
        let json = configuration(
            json!({"call": {"cluster": name}, "map": map, "cache": cache, "status_header": status}),
        );
        filter("callout-enrichment").name(name).root_id(name).json(&json)
    };
    let host = Host::envoy()
        .plugin(cached("one", "x-one"))
        .plugin(cached("two", "x-two"))
        .cluster_answering("one", |_| user("of one"))
        .cluster_answering("two", |_| user("of two"))
        .start();
    for word in ["ok", "cache"] {
        let request = host.get("/").send().forwarded();
        assert_eq!(request.header("x-one").as_deref(), Some("of one"));
        assert_eq!(request.header("x-two").as_deref(), Some("of two"));
        assert_eq!(request.header("x-two-status").as_deref(), Some(word));
    }
}
