//! Callouts, and time: what filters ask of others, and how each answer comes.

use std::time::Duration;

use proxy_wasm_harness::{Finding, Host, HostBuilder, Response, Status};

use super::guest::{host_of, said};

/// Asks, pauses, and logs what it is answered.
const ASKING: &str = "(global $stream (mut i32) (i32.const 0))
   (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
     (global.set $stream (local.get 0))
     (call $number (call $proxy_http_call @\"auth\" @[\":path=/check\", \":method=POST\", \":authority=a\", \"x=y\"] @\"body\" @[\"t=1\"] (i32.const 200) (i32.const 8)))
     (i32.const 1))
   (func (export \"proxy_on_http_call_response\") (param i32 i32 i32 i32 i32)
     (call $number (local.get 2))
     (if (local.get 2) (then
       (drop (call $proxy_get_header_map_value (i32.const 6) @\":status\" (i32.const 0) (i32.const 4))) (call $show)
       (drop (call $proxy_get_buffer_bytes (i32.const 4) (i32.const 0) (local.get 3) (i32.const 0) (i32.const 4))) (call $show))
     (else
       (drop (call $proxy_get_status (i32.const 8) (i32.const 0) (i32.const 4))) (call $number (i32.load (i32.const 8)))))
     (drop (call $proxy_set_effective_context (global.get $stream)))
     (drop (call $proxy_continue_stream (i32.const 0))))";

fn asking() -> HostBuilder {
    host_of(ASKING)
}

#[test]
fn a_callout_is_answered_and_the_stream_goes_on() {
    let host = asking().cluster("auth").start();
    let stream = host.get("/").send();
    stream.paused();
    let callout = host.callout("auth").assert_path("/check").assert_header("x", "y");
    assert_eq!(callout.request().text(), "body");
    assert_eq!(callout.request().header("content-length").as_deref(), Some("4"));
    assert_eq!(callout.request().trailers, None, "Envoy takes trailers and sends none");
    assert_eq!(callout.timeout_ms(), 200);
    callout.respond(200, "fine");
    assert_eq!(said(&host), ["0", "3", "200", "fine"]);
    let _ = stream.forwarded();
    host.assert_no_findings();
}

#[test]
fn each_way_to_fail_looks_to_the_filter_as_it_does_in_envoy() {
    type Failure<'a> = (&'a str, &'a dyn Fn(&Host), &'a [&'a str]);
    let failures: [Failure<'_>; 5] = [
        ("refuse", &|host| host.callout("auth").refuse(), &["0", "3", "503"]),
        ("time_out", &|host| host.callout("auth").time_out(), &["0", "3", "504", "upstream request timeout"]),
        ("advance", &|host| host.advance(Duration::from_millis(200)), &["0", "3", "504"]),
        ("reset", &|host| host.callout("auth").reset(), &["0", "0", "11"]),
        (
            "trailers",
            &|host| {
                host.callout("auth").respond_with(Response::ok("x").with_trailer("t", "1"));
            },
            &["0", "3", "200", "x"],
        ),
    ];
    for (how, fail, expected) in failures {
        let host = asking().cluster("auth").start();
        let stream = host.get("/").send();
        fail(&host);
        assert_eq!(said(&host)[..expected.len()], *expected, "{how}");
        let _ = stream.forwarded();
        assert!(host.callouts("auth").is_empty());
        assert_eq!(host.open(), 1);
    }
}

#[test]
fn a_cluster_that_refuses_answers_503_and_one_without_hosts_fails_the_call() {
    let refusing = asking().cluster_refusing("auth").start();
    let _ = refusing.get("/").send().forwarded();
    assert_eq!(said(&refusing)[..3], ["0", "3", "503"]);
    let unhealthy = asking().cluster_unhealthy("auth").start();
    unhealthy.get("/").send().paused();
    assert_eq!(said(&unhealthy), ["10"]);
    let unknown = asking().start();
    unknown.get("/").send().paused();
    assert_eq!(said(&unknown), ["2"]);
}

#[test]
fn a_cluster_may_answer_by_itself() {
    let host = asking().cluster_answering("auth", |request| Response::ok(request.body.clone())).start();
    let _ = host.get("/").send().forwarded();
    assert_eq!(said(&host), ["0", "3", "200", "body"]);
}

#[test]
fn a_call_without_what_a_request_needs_is_a_bad_argument() {
    let host = host_of("(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
         (call $number (call $proxy_http_call @\"auth\" @[\":path=/\", \":method=GET\"] @\"\" @\"\" (i32.const 9) (i32.const 8)))
         (call $number (call $proxy_http_call @\"auth\" @\"\" @\"\" @\"\" (i32.const 9) (i32.const 8)))
         (call $number (call $proxy_http_call @\"auth\" @[\":path=/\", \":method=GET\", \":authority=a\"] @\"\" @\"\" (i32.const -1) (i32.const 8)))
         (call $number (call $proxy_http_call @\"auth\" @[\":path=/\", \":method=GET\", \":authority=a\"] @\"\" @\"\" (i32.const 9) (i32.const -2)))
         (i32.const 0))")
    .cluster("auth")
    .start();
    drop(host.get("/").send());
    assert_eq!(said(&host), ["2", "2", "2", "6"]);
    assert!(host.callouts("auth").is_empty(), "nothing is sent whose id cannot be told");
}

#[test]
fn a_grpc_call_is_sent_even_if_its_id_cannot_be_told() {
    let host = host_of("(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
         (call $number (call $proxy_grpc_call @\"auth\" @\"s\" @\"m\" @\"\" @\"\" (i32.const 9) (i32.const -2)))
         (call $number (call $proxy_grpc_stream @\"auth\" @\"s\" @\"m\" @\"\" (i32.const -2)))
         (i32.const 0))")
    .cluster("auth")
    .start();
    drop(host.get("/").send());
    // Unlike HTTP callouts, as in Envoy.
    assert_eq!(said(&host), ["6", "6"]);
    assert_eq!(host.open(), 2);
}

#[test]
fn an_answer_after_the_stream_is_gone_reaches_the_root_and_is_found() {
    let host = asking().cluster("auth").start();
    drop(host.get("/").send());
    let callout = host.callout("auth");
    // Another stream, which has nothing to do with it.
    let other = host.get("/other").open();
    callout.respond(200, "late");
    assert_eq!(said(&host)[2..], ["3", "200", "late"]);
    assert!(
        host.findings().contains(&Finding::AnswerAfterStream { cluster: "auth".to_owned() }),
        "{:?}",
        host.findings()
    );
    drop(other);
}

#[test]
fn callouts_are_answered_in_any_order_and_once() {
    let host = asking().cluster("auth").start();
    let streams = [host.get("/1").send(), host.get("/2").send(), host.get("/3").send()];
    let mut callouts = host.callouts("auth");
    assert_eq!(callouts.len(), 3);
    callouts.pop().unwrap().respond(200, "c");
    callouts.remove(0).respond(200, "a");
    host.advance(Duration::from_secs(1));
    assert_eq!(host.callouts("auth").len(), 0);
    callouts.pop().unwrap().respond(200, "too late");
    assert_eq!(said(&host).iter().filter(|line| *line == "too late").count(), 0);
    assert_eq!(said(&host).iter().filter(|line| *line == "504").count(), 1);
    drop(streams);
    host.assert_nothing_leaked();
}

/// Opens a gRPC stream or makes a call when a request comes, and logs what comes of it.
fn grpc(open: &str) -> HostBuilder {
    host_of(&format!(
        "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) (call $number {open}) (i32.const 0))
         (func (export \"proxy_on_tick\") (param i32)
           (call $number (call $proxy_grpc_send (i32.load (i32.const 8)) @\"more\" (i32.const 1)))
           (call $number (call $proxy_grpc_close (i32.load (i32.const 8)))))
         (func (export \"proxy_on_grpc_receive_initial_metadata\") (param i32 i32 i32)
           (drop (call $proxy_get_header_map_value (i32.const 4) @\"a\" (i32.const 0) (i32.const 4))) (call $show))
         (func (export \"proxy_on_grpc_receive\") (param i32 i32 i32)
           (drop (call $proxy_get_buffer_bytes (i32.const 5) (i32.const 0) (local.get 2) (i32.const 0) (i32.const 4))) (call $show))
         (func (export \"proxy_on_grpc_receive_trailing_metadata\") (param i32 i32 i32)
           (drop (call $proxy_get_header_map_value (i32.const 5) @\"b\" (i32.const 0) (i32.const 4))) (call $show))
         (func (export \"proxy_on_grpc_close\") (param i32 i32 i32)
           (call $say @\"closed\") (call $number (local.get 2))
           (drop (call $proxy_get_status (i32.const 16) (i32.const 0) (i32.const 4))) (call $show))"
    ))
}

const CALL: &str = "(call $proxy_grpc_call @\"rls\" @\"service\" @\"method\" @[\"k=v\"] @\"message\" (i32.const 100) (i32.const 8))";
const STREAM: &str = "(call $proxy_grpc_stream @\"rls\" @\"service\" @\"method\" @[\"k=v\"] (i32.const 8))";

#[test]
fn a_grpc_call_ends_with_its_message_or_with_a_status() {
    let host = grpc(CALL).cluster("rls").start();
    let _stream = host.get("/").send();
    let call = host.grpc_callout("rls");
    assert_eq!((call.service().as_str(), call.method().as_str()), ("service", "method"));
    assert_eq!((call.sent(), call.metadata().get("k")), (vec![b"message".to_vec()], Some(&b"v"[..])));
    call.initial_metadata([("a", "1")]).message("answer").message("again").close(0, "");
    assert!(call.is_over());
    assert_eq!(said(&host), ["0", "answer"]);

    let failed = grpc(CALL).cluster("rls").start();
    let _stream = failed.get("/").send();
    failed.grpc_callout("rls").close(7, "denied").close(7, "denied");
    assert_eq!(said(&failed), ["0", "closed", "7", "denied{via_upstream}"]);

    let late = grpc(CALL).cluster("rls").start();
    let _stream = late.get("/").send();
    late.advance(Duration::from_millis(100));
    assert_eq!(said(&late)[..3], ["0", "closed", "14"]);
    assert_eq!(late.open(), 1);
}

#[test]
fn a_grpc_stream_goes_both_ways_until_both_have_closed_it() {
    let host = grpc(STREAM).cluster("rls").start();
    let _stream = host.get("/").send();
    let call = host.grpc_callout("rls");
    call.initial_metadata([("a", "1")]).message("one").message("two").trailing_metadata([("b", "2")]);
    assert!(!call.is_half_closed());
    let _ = host.raw().call(proxy_wasm_harness::Callback::Tick, &[host.raw().root()]);
    assert_eq!(call.sent(), [b"more"]);
    assert!(call.is_half_closed() && !call.is_over());
    call.close(0, "bye");
    assert!(call.is_over());
    assert_eq!(said(&host), ["0", "1", "one", "two", "2", "0", "0", "closed", "0", "via_upstream"]);
}

#[test]
fn ids_that_are_no_calls_are_told_apart() {
    let host = host_of(
        "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
         (call $number (call $proxy_grpc_send (i32.const 5) @\"\" (i32.const 0)))
         (call $number (call $proxy_grpc_send (i32.const 6) @\"\" (i32.const 0)))
         (call $number (call $proxy_grpc_cancel (i32.const 4)))
         (call $number (call $proxy_grpc_cancel (i32.const 5)))
         (call $number (call $proxy_grpc_close (i32.const -1)))
         (call $number (call $proxy_grpc_close (i32.const 6)))
         (call $number (call $proxy_grpc_stream @\"nowhere\" @\"s\" @\"m\" @\"\" (i32.const 8)))
         (i32.const 0))",
    )
    .start();
    drop(host.get("/").send());
    assert_eq!(said(&host), ["2", "1", "2", "1", "2", "1", "4"]);
}

#[test]
fn a_cancelled_grpc_call_is_over() {
    let host = grpc(&format!("(i32.add {CALL} (call $proxy_grpc_cancel (i32.load (i32.const 8))))"))
        .cluster("rls")
        .start();
    let _stream = host.get("/").send();
    assert_eq!(said(&host), ["0"]);
    assert_eq!(host.open(), 1);
}

#[test]
fn a_refused_grpc_call_is_closed_with_unavailable() {
    let host = grpc(CALL).cluster_refusing("rls").start();
    drop(host.get("/").send());
    assert_eq!(said(&host)[..3], ["0", "closed", "14"]);
}

#[test]
fn ticks_come_at_their_time_and_stop_when_they_are_stopped() {
    let host = host_of("(global $left (mut i32) (i32.const 3))
       (func (export \"proxy_on_vm_start\") (param i32 i32) (result i32)
         (drop (call $proxy_set_tick_period_milliseconds (i32.const 100))) (i32.const 1))
       (func (export \"proxy_on_tick\") (param i32)
         (drop (call $proxy_get_current_time_nanoseconds (i32.const 8)))
         (call $number (i32.wrap_i64 (i64.div_u (i64.load (i32.const 8)) (i64.const 1000000))))
         (global.set $left (i32.sub (global.get $left) (i32.const 1)))
         (if (i32.eqz (global.get $left)) (then (drop (call $proxy_set_tick_period_milliseconds (i32.const 0))))))")
    .starting_at(Duration::from_millis(5))
    .start();
    host.advance(Duration::from_millis(99));
    assert!(said(&host).is_empty());
    host.advance(Duration::from_millis(1));
    host.advance(Duration::from_secs(60));
    assert_eq!(said(&host), ["105", "205", "305"]);
}

#[test]
fn each_callout_times_out_at_its_time() {
    let host = asking().cluster("auth").start();
    let timeouts = |host: &Host| said(host).iter().filter(|line| *line == "504").count();
    let _first = host.get("/").send();
    host.advance(Duration::from_millis(150));
    let second = host.get("/").send();
    host.advance(Duration::from_millis(50));
    assert_eq!(timeouts(&host), 1);
    host.advance(Duration::from_millis(149));
    assert_eq!(timeouts(&host), 1);
    host.advance(Duration::from_millis(1));
    assert_eq!(timeouts(&host), 2);
    let _ = second.forwarded();
}

#[test]
fn the_nth_call_fails_if_a_test_wants_it_to() {
    let host = asking().cluster("auth").start();
    host.fail_after("proxy_http_call", 1, Status::InternalFailure, 1);
    for _ in 0..3 {
        drop(host.get("/").send());
    }
    assert_eq!(said(&host), ["0", "10", "0"]);
    host.fail("proxy_http_call", Status::Unimplemented, u64::MAX);
    drop(host.get("/").send());
    host.heal();
    drop(host.get("/").send());
    assert_eq!(said(&host)[3..], ["12", "0"]);
}
