//! No client speaks in the service's name, whatever happens.

use super::*;

/// What a client claims under every name that is made here, and what an upstream sees of it.
#[track_caller]
fn assert_nothing_of_the_client(stream: &Stream, path: &str) {
    let request = stream.forwarded();
    for name in ["x-meta", "x-meta-user", "x-meta-host", "x-enrich-status"] {
        for value in request.header_all(name) {
            assert!(!value.contains("forged"), "{path}: {name}: {value}");
        }
    }
    assert_eq!(request.header_all("x-enrich-status").len(), 1, "{path}");
}

fn forged(host: &Host, path: &str) -> Stream {
    let mut request = host.get(path).header("x-tenant", "acme");
    for name in ["x-meta", "X-Meta-User", "x-meta-user", "x-meta-host", "x-enrich-status", "X-ENRICH-STATUS"]
    {
        request = request.header(name, "forged");
    }
    request.send()
}

#[test]
fn on_every_path_a_clients_claims_are_taken_off() {
    let cache = json!({
        "stale_while_revalidate": "5s", "stale_if_error": "60s", "negative_ttl": "1s",
    });
    let host = caching(cache);
    let miss = forged(&host, "/");
    let joined = forged(&host, "/");
    host.callout("metadata").respond_with(Response::ok("{}"));
    assert_nothing_of_the_client(&miss, "miss");
    assert_nothing_of_the_client(&joined, "joined");
    assert_nothing_of_the_client(&forged(&host, "/"), "hit");
    host.advance(11 * SECOND);
    assert_nothing_of_the_client(&forged(&host, "/"), "stale while revalidating");
    host.callout("metadata").reset();
    host.advance(5 * SECOND);
    let stale = forged(&host, "/");
    host.callout("metadata").respond(500, "");
    assert_nothing_of_the_client(&stale, "stale if error");
    let gone = forged(&host, "/");
    host.callout("metadata").respond(404, "");
    assert_nothing_of_the_client(&gone, "404");
    assert_nothing_of_the_client(&forged(&host, "/"), "negative");
    host.advance(2 * SECOND);
    for (path, answer) in [
        ("timeout", Callout::time_out as fn(Callout)),
        ("reset", Callout::reset),
        ("refused", Callout::refuse),
        ("invalid", |callout| callout.respond(200, "{")),
        ("too large", |callout| callout.respond(200, vec![b' '; 2000])),
    ] {
        let stream = forged(&host, "/");
        answer(host.callout("metadata"));
        assert_nothing_of_the_client(&stream, path);
    }
    assert_eq!(host.traps(), [] as [String; 0]);
}

#[test]
fn a_request_that_cannot_be_asked_about_is_stripped_too() {
    assert_nothing_of_the_client(&forged(&plugin(json!({})).start(), "/"), "unknown cluster");
    assert_nothing_of_the_client(
        &forged(&plugin(json!({})).cluster_unhealthy("metadata").start(), "/"),
        "unhealthy",
    );
    assert_nothing_of_the_client(&forged(&with(json!({"sample_percent": 0})), "/"), "not sampled");
    assert_nothing_of_the_client(&forged(&with(json!({"when": {"methods": ["POST"]}})), "/"), "skipped");
    assert_nothing_of_the_client(
        &forged(&with(json!({"call": {"path": "/${header:none}"}})), "/"),
        "unaskable",
    );
    let host = with(json!({"call": {"max_inflight": 1}}));
    forged(&host, "/").paused();
    assert_nothing_of_the_client(&forged(&host, "/"), "over the limit");
}

#[test]
fn when_the_service_is_left_alone_or_fails_twice_a_clients_claims_are_taken_off() {
    let host = with(json!({"breaker": {"consecutive_failures": 1}}));
    forged(&host, "/");
    host.callout("metadata").respond(500, "");
    assert_nothing_of_the_client(&forged(&host, "/"), "left alone");
    host.advance(5 * SECOND);
    assert_nothing_of_the_client(&forged(&host, "/"), "the one that has the service asked again");

    let host = with(json!({"call": {"retry": {"on": ["reset"]}}, "breaker": "off"}));
    let twice = forged(&host, "/");
    host.callout("metadata").reset();
    host.callout("metadata").reset();
    assert_nothing_of_the_client(&twice, "failed twice");
    let unsent = forged(&host, "/");
    host.fail("proxy_http_call", Status::BadArgument, 1);
    host.callout("metadata").reset();
    assert_nothing_of_the_client(&unsent, "not sent once more");
}

#[test]
fn a_request_that_is_left_out_of_a_share_is_stripped_too() {
    for members in [json!({}), json!({"when": {"methods": ["POST"]}})] {
        let mut all = json!({"enforce_percent": 0});
        merge(&mut all, members);
        let request = forged(&with(all), "/").forwarded();
        for name in ["x-meta", "x-meta-user", "x-meta-host", "x-enrich-status"] {
            assert_eq!(request.header_all(name), [] as [String; 0], "{name}");
        }
    }
}

#[test]
fn what_someone_trusted_has_added_is_kept() {
    let host = with(json!({"keep_if": {"headers": [{"name": "x-gateway", "exact": "secret"}]}}));
    let trusted = host.get("/").header("x-gateway", "secret").header("x-meta", "gold").send();
    assert_eq!(trusted.forwarded().header_all("x-meta"), ["gold"]);
    assert_eq!((host.asked().len(), counted(&host, "skipped")), (0, 1));
    let forged = host.get("/").header("x-gateway", "guess").header("x-meta", "gold").send();
    host.callout("metadata").reset();
    assert_eq!(forged.forwarded().header_all("x-meta"), [] as [String; 0]);
}

#[test]
fn without_a_status_header_nothing_is_said_and_nothing_stripped() {
    let host = with(json!({"status_header": false}));
    let stream = host.get("/").header("x-enrich-status", "mine").send();
    host.callout("metadata").respond(200, "{}");
    assert_eq!(stream.forwarded().header_all("x-enrich-status"), ["mine"]);
}
