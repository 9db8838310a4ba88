//! HTTP streams: header maps, bodies, trailers, local replies, chains, disconnects.

use proxy_wasm_harness::{Callback, Chunks, Finding, Host, Profile, Response};

use super::guest::{host, host_of, plugin, said};

#[test]
fn each_way_to_change_a_header_does_what_it_says() {
    let host = host("(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
         (drop (call $proxy_add_header_map_value (i32.const 0) @\"X-Added\" @\"2\"))
         (drop (call $proxy_replace_header_map_value (i32.const 0) @\"x-replaced\" @\"new\"))
         (drop (call $proxy_remove_header_map_value (i32.const 0) @\"x-removed\"))
         (call $number (call $proxy_get_header_map_value (i32.const 0) @\"x-absent\" (i32.const 0) (i32.const 4)))
         (call $number (call $proxy_get_header_map_value (i32.const 0) @\"x-empty\" (i32.const 0) (i32.const 4)))
         (call $number (i32.load (i32.const 0)))
         (drop (call $proxy_get_header_map_value (i32.const 0) @\"X-ADDED\" (i32.const 0) (i32.const 4)))
         (call $show)
         (i32.const 0))");
    let request = host.get("/").header("x-added", "1").header("x-replaced", "old").header("x-removed", "x");
    let request = request.header("x-replaced", "older").header("x-empty", "").send().forwarded();
    assert_eq!(request.header_all("x-added"), ["1", "2"]);
    assert_eq!(request.header_all("x-replaced"), ["new"]);
    assert_eq!(request.header("x-removed"), None);
    assert_eq!(said(&host), ["1", "0", "0", "1"]);
}

#[test]
fn a_map_can_be_read_and_replaced_whole() {
    let host = host(
        "(func (export \"proxy_on_response_headers\") (param i32 i32 i32) (result i32)
         (call $number (local.get 1))
         (drop (call $proxy_get_header_map_pairs (i32.const 2) (i32.const 0) (i32.const 4)))
         (call $number (i32.load (i32.load (i32.const 0))))
         (drop (call $proxy_get_header_map_size (i32.const 2) (i32.const 8)))
         (call $number (i32.load (i32.const 8)))
         (drop (call $proxy_set_header_map_pairs (i32.const 2) @[\":status=201\", \"b=2\", \"a=1\", \"b=3\"]))
         (i32.const 0))",
    );
    let stream = host.get("/").send();
    stream.respond(Response::new(200).with_header("x", "y"));
    let headers = stream.received().headers.to_string();
    assert!(headers.starts_with(":status: 201\nb: 2\na: 1\nb: 3\ndate: "), "{headers}");
    assert_eq!(said(&host), ["2", "2", "12"]);
}

#[test]
fn a_map_that_is_not_there_is_a_bad_argument_and_a_finding() {
    let host = host(
        "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
         (call $number (call $proxy_get_header_map_value (i32.const 2) @\"x\" (i32.const 0) (i32.const 4)))
         (call $number (call $proxy_add_header_map_value (i32.const 2) @\"x\" @\"y\"))
         (call $number (call $proxy_get_header_map_pairs (i32.const 2) (i32.const 0) (i32.const 4)))
         (call $number (call $proxy_get_header_map_size (i32.const 9) (i32.const 8)))
         (i32.const 0))
       (func (export \"proxy_on_log\") (param i32)
         (call $number (call $proxy_get_header_map_value (i32.const 3) @\"x\" (i32.const 0) (i32.const 4))))",
    );
    drop(host.get("/").send());
    assert_eq!(said(&host), ["2", "2", "0", "2", "1"]);
    let named =
        |finding: &Finding| matches!(finding, Finding::MapNotThere { callback: "on_request_headers", .. });
    assert_eq!(host.findings().iter().filter(|finding| named(finding)).count(), 3);
}

/// Replaces each chunk of a body by itself in brackets.
const BRACKETS: &str = "(func (export \"proxy_on_request_body\") (param i32 i32 i32) (result i32)
     (drop (call $proxy_set_buffer_bytes (i32.const 0) (i32.const 0) (i32.const 0) @\"[\"))
     (drop (call $proxy_set_buffer_bytes (i32.const 0) (i32.const -1) (i32.const 0) @\"]\"))
     (i32.const 0))
   (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
     (drop (call $proxy_remove_header_map_value (i32.const 0) @\"content-length\")) (i32.const 0))";

/// Holds a body until it is whole, then replaces it by its size.
const SIZE: &str = "(func (export \"proxy_on_response_body\") (param i32 i32 i32) (result i32)
     (if (i32.eqz (local.get 2)) (then (return (i32.const 1))))
     (call $number (local.get 1))
     (drop (call $proxy_set_buffer_bytes (i32.const 1) (i32.const 0) (local.get 1) @\"size\"))
     (i32.const 0))";

#[test]
fn a_body_goes_by_in_pieces_and_each_can_be_changed() {
    let host = host(BRACKETS);
    assert_eq!(host.post("/").pieces(["ab", "c"]).http2().send().forwarded().text(), "[ab][c]");
    // The end of an HTTP/1.1 body comes by itself, and may become something.
    assert_eq!(host.post("/").body("abc").in_chunks_of(2).send().forwarded().text(), "[ab][c][]");
    host.assert_no_findings();
}

#[test]
fn a_body_that_is_held_back_comes_whole_however_it_is_cut() {
    let host = host(SIZE);
    Chunks::assert_no_difference(11, |plan| {
        let stream = host.get("/").send();
        stream.respond_cut(&Response::ok("hello world"), plan);
        stream.received().text()
    });
    assert!(said(&host).iter().all(|size| size == "11"));
    assert_eq!(host.findings(), [Finding::ContentLengthKept { response: true }]);
}

#[test]
fn a_body_that_depends_on_how_it_is_cut_is_told_apart() {
    let host = host(BRACKETS);
    let difference = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        Chunks::assert_no_difference(3, |plan| {
            host.post("/").body("abc").cut(plan.clone()).send().forwarded().text()
        });
    }));
    assert!(difference.is_err());
}

#[test]
fn a_body_may_be_read_from_any_place_and_written_at_its_ends() {
    let host = host("(func $read (param i32 i32)
         (call $number (call $proxy_get_buffer_bytes (i32.const 0) (local.get 0) (local.get 1) (i32.const 0) (i32.const 4)))
         (call $show))
       (func (export \"proxy_on_request_body\") (param i32 i32 i32) (result i32)
         (if (local.get 1) (then
           (call $read (i32.const 1) (i32.const 2)) (call $read (i32.const 3) (i32.const 99))
           (call $read (i32.const 99) (i32.const 1)) (call $read (i32.const 1) (i32.const -1))
           (call $number (call $proxy_set_buffer_bytes (i32.const 0) (i32.const 1) (i32.const 1) @\"X\"))))
         (i32.const 0))");
    assert_eq!(host.post("/").body("abcd").send().forwarded().text(), "abcd");
    assert_eq!(said(&host), ["0", "bc", "0", "d", "0", "", "0", "bcd", "2"]);
}

#[test]
fn a_body_beyond_the_limit_is_answered_413_and_a_response_500() {
    let holding = |callback: &str, action: u32| {
        let callback =
            format!("(func (export \"{callback}\") (param i32 i32 i32) (result i32) (i32.const {action}))");
        host_of(&callback).buffer_limit(10).start()
    };
    let requests = holding("proxy_on_request_body", 1);
    assert_eq!(requests.post("/").body("12345678901").send().answered().status(), 413);
    let fits = requests.post("/").pieces(["12345", "67890"]).send();
    assert_eq!(fits.paused_in(), Some(Callback::RequestBody));

    let late = holding("proxy_on_response_body", 1);
    let stream = late.get("/").send();
    stream.respond(Response::ok("12345678901"));
    // The client has the headers already.
    stream.was_reset();

    let responses = holding("proxy_on_response_headers", 3);
    let stream = responses.get("/").send();
    stream.respond(Response::ok("12345678901"));
    assert_eq!(stream.answered().status(), 500);
}

#[test]
fn trailers_can_be_read_changed_and_added_at_the_end_of_a_body() {
    let host = host(
        "(func (export \"proxy_on_request_trailers\") (param i32 i32) (result i32)
         (drop (call $proxy_add_header_map_value (i32.const 1) @\"more\" @\"1\")) (i32.const 0))
       (func (export \"proxy_on_response_body\") (param i32 i32 i32) (result i32)
         (if (local.get 2) (then (drop (call $proxy_add_header_map_value (i32.const 3) @\"new\" @\"2\"))))
         (i32.const 0))",
    );
    let stream = host.post("/").body("b").trailer("a", "0").send();
    assert_eq!(stream.forwarded().trailers.unwrap().to_string(), "a: 0\nmore: 1\n");
    stream.respond(Response::ok("r"));
    assert_eq!(stream.received().trailer("new").as_deref(), Some("2"));
}

#[test]
fn a_local_reply_has_its_headers_and_passes_the_filter_that_sent_it() {
    let host = host("(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
         (drop (call $proxy_send_local_response (i32.const 429) @\"too fast\" @\"slow down\" @[\"retry-after=7\"] (i32.const 8)))
         (i32.const 0))
       (func (export \"proxy_on_response_headers\") (param i32 i32 i32) (result i32)
         (drop (call $proxy_add_header_map_value (i32.const 2) @\"x-seen\" @\"1\")) (i32.const 0))");
    let stream = host.get("/").send();
    let reply = stream.answered();
    assert_eq!((reply.status(), reply.text().as_str()), (429, "slow down"));
    assert_eq!(reply.header("retry-after").as_deref(), Some("7"));
    assert_eq!(reply.header("content-length").as_deref(), Some("9"));
    assert_eq!(reply.header("content-type").as_deref(), Some("text/plain"));
    assert_eq!(reply.header("x-seen").as_deref(), Some("1"));
    assert_eq!(stream.details().as_deref(), Some("too_fast"));
    assert!(stream.upstream().is_none());
    let grpc = host.post("/").header("content-type", "application/grpc").send().answered();
    assert_eq!((grpc.status(), grpc.header("grpc-status").as_deref()), (200, Some("8")));
    assert_eq!(grpc.header("grpc-message").as_deref(), Some("slow down"));
    assert_eq!(host.request("HEAD", "/").send().answered().text(), "");
}

#[test]
fn a_paused_stream_waits_and_goes_on_from_a_tick() {
    let host = host("(global $stream (mut i32) (i32.const 0))
       (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
         (global.set $stream (local.get 0))
         (drop (call $proxy_set_tick_period_milliseconds (i32.const 50))) (i32.const 1))
       (func (export \"proxy_on_tick\") (param i32)
         (drop (call $proxy_set_effective_context (global.get $stream)))
         (drop (call $proxy_continue_stream (i32.const 0))))
       (func (export \"proxy_on_request_body\") (param i32 i32 i32) (result i32) (call $number (local.get 1)) (i32.const 0))");
    let stream = host.post("/").body("abcdef").in_chunks_of(2).send();
    assert_eq!(stream.paused().paused_in(), Some(Callback::RequestHeaders));
    assert_eq!(said(&host), [""; 0]);
    host.advance(std::time::Duration::from_millis(50));
    assert_eq!(stream.forwarded().text(), "abcdef");
    assert_eq!(said(&host), ["6"]);
}

#[test]
fn a_stream_that_is_never_resumed_is_found() {
    let host =
        host("(func (export \"proxy_on_response_headers\") (param i32 i32 i32) (result i32) (i32.const 1))");
    {
        let stream = host.get("/").send();
        stream.respond(Response::ok("x"));
        stream.paused();
    }
    assert_eq!(host.findings(), [Finding::NeverResumed { callback: "on_response_headers" }]);
}

#[test]
fn requests_meet_a_chain_from_first_to_last_and_responses_from_last_to_first() {
    let link = |name: &str| {
        plugin(&format!(
            "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
               (drop (call $proxy_add_header_map_value (i32.const 0) @\"x-way\" @\"{name}\")) (i32.const 0))
             (func (export \"proxy_on_response_headers\") (param i32 i32 i32) (result i32)
               (drop (call $proxy_add_header_map_value (i32.const 2) @\"x-way\" @\"{name}\")) (i32.const 0))"
        ))
        .name(name)
    };
    let host = Host::envoy().plugin(link("a")).plugin(link("b")).plugin(link("c")).start();
    let stream = host.get("/").send();
    assert_eq!(stream.forwarded().header_all("x-way"), ["a", "b", "c"]);
    stream.respond(Response::new(200));
    assert_eq!(stream.received().header_all("x-way"), ["c", "b", "a"]);
}

#[test]
fn a_reply_of_the_second_filter_is_seen_by_the_first_alone_on_the_way_back() {
    let seen = |name: &str, reply: &str| {
        plugin(&format!(
            "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) (call $say @\"{name} request\") {reply} (i32.const 0))
             (func (export \"proxy_on_response_headers\") (param i32 i32 i32) (result i32) (call $say @\"{name} response\") (i32.const 0))"
        ))
        .name(name)
    };
    let reply = "(drop (call $proxy_send_local_response (i32.const 403) @\"\" @\"\" @\"\" (i32.const -1)))";
    let host =
        Host::envoy().workers_only().plugin(seen("a", "")).plugin(seen("b", reply)).plugin(seen("c", ""));
    let host = host.start();
    assert_eq!(host.get("/").send().answered().status(), 403);
    assert_eq!(said(&host), ["a request", "b request", "b response", "a response"]);
}

#[test]
fn a_client_may_leave_at_any_point() {
    let host = host_of(
        "(func (export \"proxy_on_request_body\") (param i32 i32 i32) (result i32) (i32.const 1))
       (func (export \"proxy_on_response_body\") (param i32 i32 i32) (result i32) (i32.const 1))
       (func (export \"proxy_on_log\") (param i32) (call $say @\"log\"))",
    )
    .start();
    for point in 0..6 {
        let stream = host.post("/").open();
        let steps: [&dyn Fn(); 5] = [
            &|| {
                stream.data("a", false);
            },
            &|| {
                stream.trailers([("t", "1")]);
            },
            &|| {
                stream.respond_headers(&Response::new(200), false);
            },
            &|| {
                stream.respond_data("b", false);
            },
            &|| {
                stream.respond_trailers([("t", "2")]);
            },
        ];
        steps.iter().take(point).for_each(|step| step());
        stream.disconnect();
        assert!(stream.is_over());
        // What still arrives is for nobody.
        steps.iter().for_each(|step| step());
        stream.respond(Response::ok("late")).upstream_resets().disconnect();
    }
    assert_eq!(said(&host), ["log"; 6]);
    assert!(host.traps().is_empty());
    host.assert_nothing_leaked();
}

#[test]
fn an_upstream_may_break_before_and_after_its_headers() {
    let host = host("");
    assert_eq!(host.get("/").send().upstream_resets().answered().status(), 503);
    let stream = host.get("/").send();
    stream.respond_headers(&Response::new(200), false).upstream_resets().was_reset();
}

#[test]
fn steps_out_of_order_harm_nobody() {
    let host =
        host("(func (export \"proxy_on_response_body\") (param i32 i32 i32) (result i32) (i32.const 1))");
    let steps: [&dyn Fn(&proxy_wasm_harness::Stream); 9] = [
        &|stream| {
            stream.data("a", false);
        },
        &|stream| {
            stream.data("b", true);
        },
        &|stream| {
            stream.trailers([("t", "1")]);
        },
        &|stream| {
            stream.respond_headers(&Response::new(200), false);
        },
        &|stream| {
            stream.respond_data("c", false);
        },
        &|stream| {
            stream.respond_data("d", true);
        },
        &|stream| {
            stream.respond_trailers([("t", "2")]);
        },
        &|stream| {
            stream.respond(Response::ok("e"));
        },
        &|stream| {
            stream.upstream_resets();
        },
    ];
    for first in steps {
        for second in steps {
            for third in steps {
                let stream = host.post("/").open();
                [first, second, third].iter().for_each(|step| step(&stream));
            }
        }
    }
    assert!(host.traps().is_empty());
    host.assert_nothing_leaked();
}

#[test]
fn pause_in_headers_lets_bodies_come_only_where_it_is_allowed() {
    let body = "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) (i32.const 1))
       (func (export \"proxy_on_request_body\") (param i32 i32 i32) (result i32) (call $say @\"body\") (i32.const 1))";
    let bodies = |host: Host| {
        drop(host.post("/").body("b").http2().send());
        said(&host).len()
    };
    assert_eq!(bodies(host(body)), 0);
    let allowed = plugin(body).allow_on_headers_stop_iteration();
    assert_eq!(bodies(Host::envoy().workers_only().plugin(allowed).start()), 1);
    assert_eq!(bodies(Host::like(Profile::Spec).workers_only().plugin(plugin(body)).start()), 1);
}

#[test]
fn numbers_that_are_no_actions_are_taken_as_envoy_takes_them() {
    for (value, paused) in
        [(0_u32, false), (1, true), (2, false), (3, true), (4, true), (5, true), (u32::MAX, true)]
    {
        let host = host(&format!(
            "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) (i32.const {value}))"
        ));
        assert_eq!(host.get("/").send().paused_in().is_some(), paused, "{value}");
    }
}
