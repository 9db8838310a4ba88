//! Calls under way: who waits for them, and who may go away.

use super::*;

#[test]
fn a_thousand_requests_of_one_key_make_one_call() {
    let host = caching(json!({}));
    let streams: Vec<Stream> = (0..1000).map(|_| of(&host, "acme")).collect();
    assert_eq!(host.asked().len(), 1);
    host.callout("metadata").respond_with(user("ada"));
    for stream in &streams {
        assert_eq!(seen(stream), "ok ada");
    }
    assert_eq!(
        (counted(&host, "calls"), counted(&host, "joined"), counted(&host, "cache_miss")),
        (1, 999, 1000)
    );
    host.assert_no_findings();
    drop(streams);
    assert_eq!(host.callouts("metadata").len(), 0);
}

#[test]
fn a_thousand_requests_of_one_key_make_one_call_in_each_worker() {
    let cache = json!({"key": ["all"], "ttl": "10s"});
    let host = plugin(json!({ "cache": cache })).cluster("metadata").workers(4).start();
    let streams: Vec<Stream> = (0..1000).map(|_| claim(&host)).collect();
    let callouts = host.callouts("metadata");
    assert_eq!(callouts.len(), 4);
    for callout in callouts {
        callout.respond_with(user("ada"));
    }
    for stream in &streams {
        assert_eq!(seen(stream), "ok ada");
    }
    assert_eq!((counted(&host, "calls"), counted(&host, "joined")), (4, 996));
    host.assert_no_findings();
}

#[test]
fn each_worker_makes_a_call_of_its_own() {
    let cache = json!({"key": ["all"], "ttl": "10s"});
    let host = plugin(json!({ "cache": cache })).cluster("metadata").workers(3).start();
    for _ in 0..30 {
        claim(&host).paused();
    }
    assert_eq!(host.asked().len(), 3);
    host.advance(ms(100));
    assert_eq!(host.gauge("wasm_enrich_inflight"), 3);
}

#[test]
fn those_who_wait_outlive_the_one_who_asked() {
    let host = caching(json!({}));
    let leader = of(&host, "acme");
    let others = [of(&host, "acme"), of(&host, "acme"), of(&host, "acme")];
    leader.disconnect();
    host.advance(ms(500));
    for stream in &others {
        stream.paused();
    }
    others[1].disconnect();
    host.callout("metadata").respond_with(user("ada"));
    assert_eq!(seen(&others[0]), "ok ada");
    assert_eq!(seen(&others[2]), "ok ada");
    assert_eq!((leader.upstream(), others[1].upstream()), (None, None));
    assert_eq!(seen(&of(&host, "acme")), "cache ada", "the answer was worth keeping");
    assert_eq!(host.traps(), [] as [String; 0]);
}

#[test]
fn those_who_wait_are_let_go_in_time_though_the_one_who_asked_is_gone() {
    let host = caching(json!({}));
    let leader = of(&host, "acme");
    host.advance(ms(400));
    let late = of(&host, "acme");
    leader.disconnect();
    host.advance(ms(600));
    assert_eq!(seen(&late), "timeout");
    assert_eq!(host.histogram("wasm_enrich_added_latency_ms"), [597]);
}

#[test]
fn a_client_that_leaves_harms_nobody_and_its_answer_nobody_else() {
    let host = sample();
    let gone = claim(&host);
    gone.disconnect();
    let next = claim(&host);
    let callouts = host.callouts("metadata");
    assert_eq!(callouts.len(), 2);
    for (callout, name) in callouts.into_iter().zip(["of the first", "of the second"]) {
        callout.respond_with(user(name));
    }
    assert_eq!(seen(&next), "ok of the second");
    assert_eq!(gone.upstream(), None);
    assert_eq!(host.traps(), [] as [String; 0]);
    next.respond(Response::ok(""));
    host.assert_nothing_leaked();
}

#[test]
fn answers_that_come_in_another_order_find_their_requests() {
    let host = sample();
    let streams = [claim(&host), claim(&host), claim(&host)];
    for (index, callout) in host.callouts("metadata").into_iter().enumerate().rev() {
        callout.respond_with(user(&index.to_string()));
    }
    for (index, stream) in streams.iter().enumerate() {
        assert_eq!(stream.forwarded().header("x-meta-user"), Some(index.to_string()));
    }
}

#[test]
fn two_attempts_for_those_who_wait_are_one_wait() {
    let host = with(json!({"call": {"retry": {"on": ["reset"]}}, "cache": {"key": ["all"], "ttl": "10s"}}));
    let leader = claim(&host);
    let follower = claim(&host);
    leader.disconnect();
    host.callout("metadata").reset();
    let late = claim(&host);
    host.callout("metadata").respond_with(user("ada"));
    assert_eq!((seen(&follower), seen(&late)), ("ok ada".into(), "ok ada".into()));
    assert_eq!(host.asked().len(), 2);
}

#[test]
fn a_configuration_that_is_replaced_gets_the_answers_it_asked_for() {
    let host = caching(json!({}));
    let (before, joined) = (of(&host, "acme"), of(&host, "acme"));
    let other = configuration(json!({"map": [{"from": "status", "to": "x-meta-user"}]}));
    host.reconfigure("callout-enrichment", other.to_string()).unwrap();
    let after = of(&host, "acme");
    let callouts = host.callouts("metadata");
    assert_eq!(callouts.len(), 2);
    for callout in callouts {
        callout.respond_with(user("ada"));
    }
    assert_eq!(
        (seen(&before), seen(&joined), seen(&after)),
        ("ok ada".into(), "ok ada".into(), "ok 200".into())
    );
    host.assert_no_findings();
}

#[test]
fn a_thousand_configurations_leave_nothing_behind() {
    let host = caching(json!({}));
    let mut memory = 0;
    for round in 0..1000_u32 {
        let stream = of(&host, "acme");
        let json = configuration(json!({"call": {"timeout": 100 + round % 7}}));
        host.reconfigure("callout-enrichment", json.to_string()).unwrap();
        for callout in host.callouts("metadata") {
            callout.respond_with(user("ada"));
        }
        stream.respond(Response::ok(""));
        if round == 100 {
            memory = host.memory_bytes();
        }
    }
    assert!(host.memory_bytes() <= memory + (64 << 10), "{memory} and then {}", host.memory_bytes());
    assert_eq!(host.gauge("wasm_enrich_inflight"), 0);
}

#[test]
fn an_answer_that_cannot_be_read_is_none() {
    let host = sample();
    let stream = claim(&host);
    host.fail("proxy_get_header_map_pairs", Status::InternalFailure, 1);
    host.callout("metadata").respond_with(user("ada"));
    assert_eq!(seen(&stream), "error");
}

#[test]
fn a_call_that_the_host_forgets_holds_nobody_for_ever() {
    let host = with(json!({"cache": {"key": ["all"], "ttl": "10s"}}));
    let streams = [claim(&host), claim(&host)];
    // A clock that is far ahead at the next tick: by then the host should have answered long ago.
    host.fail("clock_time_get", Status::InternalFailure, 1);
    host.advance(ms(100));
    for stream in &streams {
        assert_eq!(seen(stream), "timeout");
    }
    assert_eq!((counted(&host, "call_timeout"), host.gauge("wasm_enrich_inflight")), (1, 0));
    // What it answers after all is of no use to anybody.
    host.callout("metadata").respond_with(user("ada"));
    claim(&host).paused();
    assert_eq!(host.traps(), [] as [String; 0]);
}

/// A filter before ours that answers 408 after 200 ms, and holds back the headers of every response.
const IMPATIENT: &str = r#"(module
    (import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))
    (import "env" "proxy_set_effective_context" (func $act_on (param i32) (result i32)))
    (import "env" "proxy_send_local_response" (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (global $stream (mut i32) (i32.const 0))
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) (i32.const 1024))
    (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (global.set $stream (local.get 0))
        (drop (call $tick (i32.const 200)))
        (i32.const 0))
    (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (i32.const 1))
    (func (export "proxy_on_tick") (param i32)
        (drop (call $tick (i32.const 0)))
        (drop (call $act_on (global.get $stream)))
        (drop (call $reply (i32.const 408) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
            (i32.const 64) (i32.const 4) (i32.const -1)))))"#;

#[test]
fn an_answer_that_comes_after_another_filters_reply_does_nothing() {
    let impatient = Module::from_bytes("impatient", &wat::parse_str(IMPATIENT).unwrap()).unwrap();
    for answer in [200, 403] {
        let ours = filter("callout-enrichment").json(&configuration(json!({"on_4xx": {"deny": 403}})));
        let host = Host::envoy().plugin(Plugin::new(&impatient)).plugin(ours).cluster("metadata").start();
        let stream = claim(&host);
        host.advance(ms(300));
        assert_eq!(stream.paused_in(), Some(Callback::ResponseHeaders));
        let late = host.callout("metadata");
        late.respond(answer, "{}");
        assert_eq!(stream.paused_in(), Some(Callback::ResponseHeaders), "{answer}");
        assert!(!stream.is_reset() && !stream.has_reached_upstream(), "{answer}");
        assert_eq!(host.histogram("wasm_enrich_added_latency_ms"), [] as [u64; 0]);
        assert_eq!((counted(&host, "denied"), host.traps()), (0, Vec::new()));
    }
}

#[test]
fn when_nothing_happens_nothing_ticks() {
    let host = caching(json!({}));
    let stream = of(&host, "acme");
    host.callout("metadata").respond_with(user("ada"));
    stream.respond(Response::ok(""));
    host.advance(SECOND);
    let before = host.costs();
    host.advance(3600 * SECOND);
    assert_eq!(host.costs().since(&before).total().callbacks, 0);
}
