//! Guests that mean harm: each ends in an error with a name, and the host goes on.

use std::fmt::Write as _;
use std::time::Duration;

use proxy_wasm_harness::{FailurePolicy, Host, Plugin, Response, fuzzing};

use super::guest::{host, host_of, plugin, raw, said, trap};

/// Arguments that no host expects: nothing, all, and both sides of the end of a memory of one page.
const ODD: [i64; 10] =
    [0, -1, 1, 64, 65_535, 65_536, 65_537, 0x7fff_ffff, 0x8000_0000 - (1 << 32), 0xffff_fff0 - (1 << 32)];

/// A module whose every callback calls that import with odd arguments.
fn attacking(namespace: &str, name: &str, parameters: &[&str], marker: &str) -> String {
    let types = parameters.join(" ");
    let mut calls = String::new();
    let mut call = |arguments: &[i64]| {
        calls.push_str("(call $sane (call $it");
        for (argument, kind) in arguments.iter().zip(parameters) {
            let _ = write!(calls, " ({kind}.const {argument})");
        }
        calls.push_str("))\n");
    };
    for base in ODD {
        call(&vec![base; parameters.len()]);
        for place in 0..parameters.len() {
            for odd in ODD {
                let mut arguments = vec![base; parameters.len()];
                arguments[place] = odd;
                call(&arguments);
            }
        }
    }
    // Small numbers, so that kinds, ids and lengths are such as there are.
    for round in 0..64_i64 {
        let small: Vec<i64> =
            (0..parameters.len() as i64).map(|place| (round * 7 + place * 13) % 9).collect();
        call(&small);
    }
    let callbacks = [
        ("proxy_on_context_create", 2, false),
        ("proxy_on_vm_start", 2, true),
        ("proxy_on_configure", 2, true),
        ("proxy_on_tick", 1, false),
        ("proxy_on_request_headers", if marker.ends_with("0_1_0") { 2 } else { 3 }, true),
        ("proxy_on_request_body", 3, true),
        ("proxy_on_response_headers", if marker.ends_with("0_1_0") { 2 } else { 3 }, true),
        ("proxy_on_new_connection", 1, true),
        ("proxy_on_downstream_data", 3, true),
        ("proxy_on_log", 1, false),
        ("proxy_on_done", 1, true),
        ("proxy_on_delete", 1, false),
    ];
    let mut exports = String::new();
    for (callback, count, returns) in callbacks {
        let result = if returns { "(result i32)" } else { "" };
        let value = match callback {
            "proxy_on_vm_start" | "proxy_on_configure" | "proxy_on_done" => "(i32.const 1)",
            _ if returns => "(i32.const 0)",
            _ => "",
        };
        let _ = writeln!(
            exports,
            "(func (export \"{callback}\") (param {}) {result} (call $attack) {value})",
            "i32 ".repeat(count)
        );
    }
    format!(
        "(module (import \"{namespace}\" \"{name}\" (func $it (param {types}) (result i32)))
          (memory (export \"memory\") 1)
          (func (export \"{marker}\"))
          (func (export \"malloc\") (param i32) (result i32) (i32.const 4096))
          ;; Statuses end at 12, the numbers of WASI that there are at 76.
          (func $sane (param $status i32) (if (i32.gt_u (local.get $status) (i32.const 76)) (then unreachable)))
          (func $attack {calls}) {exports})"
    )
}

#[test]
fn every_hostcall_survives_odd_arguments_in_every_phase() {
    let table = fuzzing::hostcalls();
    assert!(table.len() > 80, "{}", table.len());
    for hostcall in &table {
        // Odd lengths and pointers are quoted in the transcript of each call.
        let text = attacking(hostcall.namespace, hostcall.name, &hostcall.parameters, hostcall.marker);
        let host = Host::envoy().workers_only().cluster("").plugin(Plugin::new(&raw(&text))).try_start();
        let host = host.unwrap_or_else(|error| panic!("{}: {error}", hostcall.name));
        {
            let stream = host.post("/").body("four").trailer("a", "b").send();
            if !stream.is_over() {
                stream.respond(Response::ok("five!"));
            }
            let connection = host.connect();
            connection.send("data", true);
            let _ = host.raw().call(proxy_wasm_harness::Callback::Tick, &[host.raw().root()]);
        }
        host.shut_down();
        assert_eq!(host.traps(), [""; 0], "{}", hostcall.name);
        for (name, answer) in host.coverage().hostcalls.keys() {
            let sane = hostcall.namespace != "env" || answer != "other";
            assert!(sane, "{name} answers {answer}");
        }
    }
}

/// A host whose guest does that when request headers come, and what its request came to.
#[track_caller]
fn attacked(action: &str) -> (Host, String) {
    let functions = format!(
        "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) {action} (i32.const 0))"
    );
    let host = host_of(&functions).fuel_limit(20_000_000).cluster("there").start();
    {
        let stream = host.get("/").send();
        // A guest that also closes its stream before it fails has it closed.
        assert!(stream.is_over(), "{}", host.transcript());
        assert!(action.contains("close_stream") || stream.answered().status() == 503);
    }
    let trap = trap(&host);
    (host, trap)
}

#[test]
fn a_loop_without_end_runs_out_of_fuel() {
    assert!(attacked("(loop $l (br $l))").1.contains("proxy_on_request_headers: out of fuel"));
}

#[test]
fn a_recursion_without_end_runs_out_of_stack() {
    let host = host("(func $f (call $f) (call $f))
        (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) (call $f) (i32.const 0))");
    assert_eq!(host.get("/").send().answered().status(), 503);
    assert!(trap(&host).contains("call stack exhausted"), "{}", trap(&host));
}

#[test]
fn memory_grows_to_its_limit_and_no_further() {
    let host = host_of(
        "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
          (call $number (memory.grow (i32.const 65000)))
          (call $number (memory.grow (i32.const 32)))
          (call $number (memory.grow (i32.const 1)))
          (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
          (call $number (memory.size)) (i32.const 0))",
    )
    .memory_limit(65 << 16)
    .start();
    let _ = host.get("/").send().forwarded();
    assert_eq!(said(&host), ["4294967295", "32", "64", "65"]);
    assert_eq!(host.memory_bytes(), 65 << 16);
}

#[test]
fn a_table_grows_to_its_limit_and_no_further() {
    let host = host(
        "(table $t 1 funcref)
        (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
          (call $number (table.grow $t (ref.null func) (i32.const 1000000)))
          (call $number (table.grow $t (ref.null func) (i32.const 999999)))
          (call $number (table.grow $t (ref.null func) (i32.const 1))) (i32.const 0))",
    );
    let _ = host.get("/").send().forwarded();
    assert_eq!(said(&host), ["4294967295", "1", "4294967295"]);
}

#[test]
fn memory_outside_is_reached_by_no_instruction() {
    for action in [
        "(drop (i32.load (i32.const -1)))",
        "(i64.store (i32.const 0x1ffffc) (i64.const 1))",
        "(memory.fill (i32.const 0) (i32.const 0) (i32.const 0x200001))",
        "(memory.copy (i32.const 0) (i32.const 0x1fffff) (i32.const 2))",
    ] {
        assert!(attacked(action).1.contains("out of bounds memory access"), "{action}");
    }
}

#[test]
fn hostcalls_without_end_in_one_callback_run_out_of_fuel() {
    for hostcall in [
        "(call $proxy_log (i32.const 2) @\"again\")",
        "(call $proxy_log (i32.const 2) (i32.const 0) (i32.const 0x200000))",
        "(call $proxy_set_effective_context (i32.const 1))",
        "(call $proxy_continue_stream (i32.const 0))",
        "(call $proxy_close_stream (i32.const 0))",
        "(call $proxy_send_local_response (i32.const 200) @\"\" (i32.const 0) (i32.const 0x10000) @\"\" (i32.const -1))",
        "(call $proxy_add_header_map_value (i32.const 0) @\"x\" @\"\")",
        "(call $proxy_add_header_map_value (i32.const 0) @\"via\" (i32.const 0) (i32.const 0x1000))",
        "(call $proxy_set_header_map_pairs (i32.const 0) @[\":path=/\"])",
        "(call $proxy_get_header_map_pairs (i32.const 0) (i32.const 0) (i32.const 4))",
        "(call $proxy_set_shared_data (i32.const 0) (i32.const 0x1000) @\"v\" (i32.const 0))",
        "(call $proxy_register_shared_queue @\"q\" (i32.const 8))",
        "(call $proxy_define_metric (i32.const 0) @\"m\" (i32.const 8))",
        "(call $proxy_http_call @\"there\" @[\":path=/\", \":method=GET\", \":authority=a\"] @\"\" @\"\" (i32.const 9) (i32.const 8))",
        "(call $proxy_grpc_stream @\"there\" @\"s\" @\"m\" @\"\" (i32.const 8))",
        "(call $proxy_grpc_send (i32.const 6) @\"message\" (i32.const 0))",
        "(call $proxy_set_property @\"a\" (i32.const 0) (i32.const 0x10000))",
        "(call $proxy_get_property @\"request\" (i32.const 0) (i32.const 4))",
        "(call $proxy_set_tick_period_milliseconds (i32.const 1))",
        "(call $proxy_call_foreign_function @\"none\" @\"\" (i32.const 0) (i32.const 4))",
        "(call $proxy_done)",
    ] {
        let (host, trap) = attacked(&format!("(loop $again (drop {hostcall}) (br $again))"));
        assert!(trap.contains("out of fuel: the callback asked the host"), "{hostcall}: {trap}");
        // The host itself goes on.
        assert_eq!(host.get("/").send().answered().status(), 503);
        host.advance(Duration::from_secs(1));
    }
}

#[test]
fn ever_new_names_in_one_callback_run_out_of_fuel() {
    // A counter in memory makes each name a new one.
    for hostcall in [
        "(call $proxy_set_shared_data (i32.const 100) (i32.const 4) @\"v\" (i32.const 0))",
        "(call $proxy_register_shared_queue (i32.const 100) (i32.const 4) (i32.const 8))",
        "(call $proxy_define_metric (i32.const 0) (i32.const 100) (i32.const 4) (i32.const 8))",
        "(call $proxy_define_metric (i32.const 2) (i32.const 100) (i32.const 0x10000) (i32.const 8))",
        "(call $proxy_set_property (i32.const 100) (i32.const 4) @\"\")",
        "(call $proxy_replace_header_map_value (i32.const 0) (i32.const 100) (i32.const 4) @\"v\")",
    ] {
        let (host, trap) = attacked(&format!(
            "(loop $again (i32.store (i32.const 100) (i32.add (i32.load (i32.const 100)) (i32.const 1)))
               (drop {hostcall}) (br $again))"
        ));
        assert!(trap.contains("out of fuel"), "{hostcall}: {trap}");
        assert!(host.findings().len() <= 1000);
    }
}

#[test]
fn proc_exit_without_end_runs_out_of_fuel() {
    let host = Host::envoy().workers_only().fuel_limit(20_000_000).plugin(Plugin::new(&raw(
        "(module (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
           (import \"env\" \"emscripten_notify_memory_growth\" (func $grown (param i32)))
           (memory (export \"memory\") 1) (func (export \"proxy_abi_version_0_2_1\"))
           (func (export \"malloc\") (param i32) (result i32) (i32.const 1024))
           (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
             (loop $l (call $exit (i32.const 1)) (br $l)) (i32.const 0))
           (func (export \"proxy_on_log\") (param i32) (loop $l (call $grown (i32.const 1)) (br $l))))",
    )));
    let host = host.start();
    assert_eq!(host.get("/").send().answered().status(), 503);
    assert!(trap(&host).contains("out of fuel: the callback asked"), "{}", trap(&host));
}

#[test]
fn proc_exit_in_a_callback_is_a_line_in_the_log_and_the_guest_goes_on() {
    let host = Host::envoy().workers_only().plugin(Plugin::new(&raw(
        "(module (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
           (memory (export \"memory\") 1) (func (export \"proxy_abi_version_0_2_1\"))
           (func (export \"malloc\") (param i32) (result i32) (i32.const 1024))
           (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
             (call $exit (i32.const 7)) (i32.const 0)))",
    )));
    let host = host.start();
    let _ = host.get("/").send().forwarded();
    assert_eq!(host.logs(proxy_wasm_harness::Level::Trace), ["wasi_unstable proc_exit: 7"]);
}

#[test]
fn a_write_of_four_thousand_times_the_whole_memory_is_one_line() {
    let module = raw("(module (import \"wasi_snapshot_preview1\" \"fd_write\" (func $write (param i32 i32 i32 i32) (result i32)))
       (memory (export \"memory\") 1024) (func (export \"proxy_abi_version_0_2_1\"))
       (func (export \"malloc\") (param i32) (result i32) (i32.const 1024))
       (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) (local $i i32)
         (loop $fill
           (i32.store offset=4 (i32.mul (local.get $i) (i32.const 8)) (i32.const 0x3ff0000))
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $fill (i32.lt_u (local.get $i) (i32.const 4096))))
         (call $write (i32.const 1) (i32.const 0) (i32.const 4096) (i32.const 0)))
       )");
    let host = Host::envoy().workers_only().plugin(Plugin::new(&module)).start();
    let _ = host.get("/").send().forwarded();
    // Bytes that are not UTF-8 are replaced, which makes the text a little longer.
    assert!((1 << 20..2 << 20).contains(&said(&host)[0].len()));
}

#[test]
fn a_path_of_a_megabyte_of_segments_is_not_found() {
    let host = host_of("(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
         (call $number (call $proxy_get_property (i32.const 0x2000) (i32.const 0x100000) (i32.const 0) (i32.const 4)))
         (memory.fill (i32.const 0x2000) (i32.const 97) (i32.const 0x100000))
         (call $number (call $proxy_get_property (i32.const 0x2000) (i32.const 0x100000) (i32.const 0) (i32.const 4)))
         (i32.const 0))")
    .property("some.thing", "else")
    .start();
    let _ = host.get("/").send().forwarded();
    assert_eq!(said(&host), ["1", "1"]);
}

#[test]
fn a_guest_that_logs_gigabytes_takes_no_gigabytes() {
    let host = host(
        "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) (local $i i32)
         (memory.fill (i32.const 0x2000) (i32.const 0xff) (i32.const 0x100000))
         (loop $again
           (drop (call $proxy_log (i32.const 2) (i32.const 0x2000) (i32.const 0x100000)))
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $again (i32.lt_u (local.get $i) (i32.const 100))))
         (i32.const 0))",
    );
    let _ = host.get("/").send().forwarded();
    assert!(said(&host).iter().map(String::len).sum::<usize>() <= 64 << 20);
    assert!(host.findings().iter().any(|finding| finding.to_string().contains("log lines were not kept")));
}

#[test]
fn headers_of_a_megabyte_in_each_call_do_not_fill_the_transcript() {
    let host = host(
        "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) (local $i i32)
         (drop (call $proxy_add_header_map_value (i32.const 0) @\"x\" (i32.const 0x2000) (i32.const 0xf0000)))
         (loop $again
           (drop (call $proxy_get_header_map_pairs (i32.const 0) (i32.const 0) (i32.const 4)))
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $again (i32.lt_u (local.get $i) (i32.const 100))))
         (i32.const 0))",
    );
    // Zeros in a value: no codec writes them.
    let _ = host.get("/").send().answered();
    assert!(host.transcript().len() < 100 << 20, "{}", host.transcript().len());
}

/// What a guest gets whose `malloc` is that.
#[track_caller]
fn with_malloc(body: &str) -> Host {
    let module = raw(&format!(
        "(module (import \"env\" \"proxy_get_header_map_value\" (func $get (param i32 i32 i32 i32 i32) (result i32)))
           (import \"env\" \"proxy_log\" (func $log (param i32 i32 i32) (result i32)))
           (import \"env\" \"proxy_get_property\" (func $property (param i32 i32 i32 i32) (result i32)))
           (import \"env\" \"proxy_set_effective_context\" (func $effective (param i32) (result i32)))
           (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))
           (memory (export \"memory\") 1)
           (data (i32.const 16) \":path\")
           (func (export \"proxy_abi_version_0_2_1\"))
           (func $malloc (export \"malloc\") (param $size i32) (result i32) {body})
           (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
             (i32.store8 (i32.const 32)
               (i32.add (i32.const 48) (call $get (i32.const 0) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 4))))
             (drop (call $log (i32.const 2) (i32.const 32) (i32.const 1)))
             (i32.const 0)))"
    ));
    let host = Host::envoy().workers_only().fuel_limit(10_000_000).plugin(Plugin::new(&module)).start();
    drop(host.get("/").send());
    host
}

#[test]
fn a_malloc_that_gives_no_memory_is_an_invalid_memory_access() {
    for body in [
        "(i32.const 0)",
        "(i32.const 0xFFFFFFF0)",
        "(i32.const -1)",
        "(i32.const 65536)",
        "(i32.const 0x7fffffff)",
    ] {
        let host = with_malloc(body);
        assert_eq!(said(&host), ["6"], "{body}");
        assert!(host.traps().is_empty());
    }
}

#[test]
fn a_malloc_that_gives_any_place_inside_is_believed() {
    for body in [
        "(i32.const 1)",
        "(i32.const 65535)",
        "(i32.const 16)",
        "(drop (memory.grow (i32.const 1))) (i32.const 65536)",
    ] {
        assert_eq!(said(&with_malloc(body)), ["0"], "{body}");
    }
}

#[test]
fn a_malloc_that_does_not_return_ends_its_vm() {
    for (body, expected) in [
        ("unreachable", "unreachable"),
        ("(loop $l (br $l)) (i32.const 8)", "out of fuel"),
        ("(drop (call $malloc (i32.const 1))) (call $malloc (i32.const 1))", "call stack exhausted"),
        (
            "(loop $l (drop (call $log (i32.const 2) (i32.const 0) (i32.const 0))) (br $l)) (i32.const 8)",
            "out of fuel",
        ),
    ] {
        let host = with_malloc(body);
        assert!(trap(&host).contains(expected), "{body}: {}", trap(&host));
        assert_eq!(host.get("/").send().answered().status(), 503);
    }
}

#[test]
fn a_malloc_may_log_and_call_nothing_else() {
    assert_eq!(
        said(&with_malloc("(drop (call $log (i32.const 2) (i32.const 16) (i32.const 5))) (i32.const 64)")),
        [":path", "0"]
    );
    for (body, name) in [
        (
            "(call $get (i32.const 0) (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 4))",
            "proxy_get_header_map_value",
        ),
        ("(call $property (i32.const 16) (i32.const 5) (i32.const 0) (i32.const 4))", "proxy_get_property"),
        ("(call $effective (i32.const 1))", "proxy_set_effective_context"),
        ("(call $exit (i32.const 1)) (i32.const 64)", "proc_exit"),
    ] {
        let trap = trap(&with_malloc(body));
        let expected =
            format!("restricted_callback: {name} may not be called while the host asks for memory");
        assert!(trap.contains(&expected), "{trap}");
    }
}

#[test]
fn maps_that_say_more_than_they_hold_are_empty() {
    for map in [
        "\\ff\\ff\\ff\\ff",
        "\\01\\00\\00\\00",
        "\\01\\00\\00\\00\\ff\\ff\\ff\\ff\\ff\\ff\\ff\\ff",
        "\\01\\00\\00\\00\\01\\00\\00\\00\\ff\\ff\\ff\\ffa\\00",
        "\\ff\\ff\\ff\\1f\\00\\00\\00\\00",
        "\\01\\00\\00\\20\\00\\00\\00\\00\\00\\00\\00\\00",
        "",
        "\\00",
    ] {
        let host = host(&format!(
            "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
               (call $number (call $proxy_set_header_map_pairs (i32.const 0) @\"{map}\"))
               (drop (call $proxy_get_header_map_size (i32.const 0) (i32.const 8)))
               (call $number (i32.load (i32.const 8))) (i32.const 0))"
        ));
        let reply = host.get("/").send().answered();
        assert_eq!(said(&host), ["0", "0"], "{map}");
        // A request without a path finds no route.
        assert_eq!(reply.status(), 404);
    }
}

#[test]
fn a_map_of_a_million_pairs_is_empty() {
    let host = host_of("(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
           (drop (memory.grow (i32.const 1000)))
           (i32.store (i32.const 0x200000) (i32.const 0x100000))
           (call $number (call $proxy_set_header_map_pairs (i32.const 0) (i32.const 0x200000) (i32.const 0xa00004)))
           (i32.store (i32.const 0x200000) (i32.const 1025))
           (call $number (call $proxy_set_header_map_pairs (i32.const 0) (i32.const 0x200000) (i32.const 10254)))
           (drop (call $proxy_get_header_map_size (i32.const 0) (i32.const 8)))
           (call $number (i32.load (i32.const 8))) (i32.const 0))")
    .start();
    let _ = host.get("/").send().answered();
    assert_eq!(said(&host), ["0", "0", "0"]);
}

#[test]
fn values_with_zeros_and_line_ends_in_them_are_read_as_they_are_and_not_forwarded() {
    let host = host("(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
         (drop (call $proxy_set_header_map_pairs (i32.const 0) @[\":path=/\", \":method=GET\", \"x=a\\00b\", \"y=\\0d\\0a\"]))
         (drop (call $proxy_get_header_map_value (i32.const 0) @\"x\" (i32.const 0) (i32.const 4)))
         (call $show) (i32.const 0))");
    let reply = host.get("/").send().answered();
    assert_eq!((reply.status(), reply.text().as_str()), (503, "invalid header value for: x"));
    assert_eq!(said(&host), ["a\0b"]);
}

#[test]
fn any_number_may_be_tried_as_an_effective_context() {
    let host = host(
        "(global $root (mut i32) (i32.const 0))
       (func (export \"proxy_on_context_create\") (param i32 i32)
         (if (i32.eqz (local.get 1)) (then (global.set $root (local.get 0)))))
       (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
         (call $number (call $proxy_set_effective_context (i32.const -1)))
         (call $number (call $proxy_set_effective_context (i32.const 999)))
         (call $number (call $proxy_set_effective_context (global.get $root)))
         (call $number (call $proxy_continue_stream (i32.const 0)))
         (call $number (call $proxy_add_header_map_value (i32.const 0) @\"x\" @\"y\"))
         (call $number (call $proxy_set_effective_context (i32.const 0)))
         (call $number (call $proxy_add_header_map_value (i32.const 0) @\"x\" @\"y\"))
         (call $number (call $proxy_set_effective_context (local.get 0)))
         (call $number (call $proxy_add_header_map_value (i32.const 0) @\"x\" @\"y\"))
         (i32.const 0))",
    );
    assert_eq!(host.get("/").send().forwarded().header("x").as_deref(), Some("y"));
    assert_eq!(said(&host)[..5], ["2", "2", "0", "0", "2"]);
    assert_eq!(said(&host)[7..], ["0", "0"]);
}

#[test]
fn the_context_of_a_stream_that_is_gone_is_none() {
    let host = host(
        "(global $last (mut i32) (i32.const 0))
       (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
         (if (global.get $last) (then
           (call $number (call $proxy_set_effective_context (global.get $last)))
           (call $number (call $proxy_close_stream (i32.const 0)))
           (call $number (call $proxy_set_effective_context (i32.add (local.get 0) (i32.const 1))))))
         (global.set $last (local.get 0)) (i32.const 0))
       (func (export \"proxy_on_tick\") (param i32)
         (call $number (call $proxy_set_effective_context (global.get $last)))
         (call $number (call $proxy_continue_stream (i32.const 0))))",
    );
    drop(host.get("/1").send());
    // What was asked for acts on the stream that asks, not on the one that has gone.
    host.get("/2").send().was_reset();
    assert_eq!(said(&host), ["2", "0", "2"]);
    let _ = host.raw().call(proxy_wasm_harness::Callback::Tick, &[host.raw().root()]);
    assert_eq!(said(&host)[3..], ["2", "0"]);
}

#[test]
fn ten_thousand_times_the_same_effect_is_the_effect_once() {
    let repeated = |hostcall: &str, returned: u32| {
        format!(
            "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) (local $i i32)
               (loop $again (drop {hostcall})
                 (local.set $i (i32.add (local.get $i) (i32.const 1)))
                 (br_if $again (i32.lt_u (local.get $i) (i32.const 10000))))
               (i32.const {returned}))"
        )
    };
    let resumed = host(&repeated("(call $proxy_continue_stream (i32.const 0))", 1));
    // Resumed while it runs, it stops afterwards all the same, as in Envoy.
    assert_eq!(resumed.get("/").send().paused().upstream().unwrap().path(), "/");
    let closed = host(&repeated("(call $proxy_close_stream (i32.const 0))", 0));
    closed.get("/").send().was_reset();
    let replied = host(&repeated(
        "(call $proxy_send_local_response (i32.const 403) @\"\" @\"no\" @\"\" (i32.const -1))",
        0,
    ));
    assert_eq!(replied.get("/").send().answered().text(), "no");
    for host in [resumed, closed, replied] {
        assert!(host.traps().is_empty());
        host.assert_nothing_leaked();
    }
}

#[test]
fn a_local_reply_after_the_end_of_a_stream_is_nothing() {
    for (callback, parameters, result) in [
        ("proxy_on_log", "i32", ""),
        ("proxy_on_done", "i32", "(result i32) (i32.const 1)"),
        ("proxy_on_delete", "i32", ""),
    ] {
        let (result, value) = if result.is_empty() { ("", "") } else { ("(result i32)", "(i32.const 1)") };
        let host = host(&format!(
            "(func (export \"{callback}\") (param {parameters}) {result}
               (call $number (call $proxy_send_local_response (i32.const 403) @\"\" @\"no\" @\"\" (i32.const -1)))
               (drop (call $proxy_continue_stream (i32.const 0)))
               (drop (call $proxy_continue_stream (i32.const 1)))
               (drop (call $proxy_close_stream (i32.const 0))) {value})"
        ));
        let response = {
            let stream = host.get("/").send();
            stream.respond(Response::ok("yes"));
            stream.received()
        };
        assert_eq!(response.text(), "yes", "{callback}");
        assert_eq!(said(&host), ["0"], "{callback}");
        assert!(host.traps().is_empty());
    }
}

#[test]
fn a_local_reply_when_the_context_is_made_goes_before_the_request() {
    let host = host(
        "(func (export \"proxy_on_context_create\") (param i32 i32)
         (drop (call $proxy_send_local_response (i32.const 403) @\"\" @\"no\" @\"\" (i32.const -1))))",
    );
    let reply = host.get("/").send().answered();
    assert_eq!((reply.status(), reply.text().as_str()), (403, "no"));
    host.assert_nothing_leaked();
}

#[test]
fn a_local_reply_that_answers_itself_with_a_local_reply_ends() {
    let host = host("(func $no (drop (call $proxy_send_local_response (i32.const 403) @\"\" @\"no\" @\"\" (i32.const -1))))
       (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) (call $no) (i32.const 0))
       (func (export \"proxy_on_response_headers\") (param i32 i32 i32) (result i32) (call $no) (i32.const 0))
       (func (export \"proxy_on_response_body\") (param i32 i32 i32) (result i32) (call $no) (i32.const 0))");
    assert_eq!(host.get("/").send().answered().status(), 403);
    host.assert_nothing_leaked();
}

#[test]
fn a_callout_that_is_made_when_a_stream_ends_is_answered_to_the_root_context() {
    let host = host_of("(func (export \"proxy_on_delete\") (param i32)
         (call $number (call $proxy_http_call @\"there\" @[\":path=/\", \":method=GET\", \":authority=a\"] @\"\" @\"\" (i32.const 9) (i32.const 8))))
       (func (export \"proxy_on_http_call_response\") (param i32 i32 i32 i32 i32) (call $say @\"answered\"))")
    .cluster("there")
    .start();
    drop(host.get("/").send());
    host.callout("there").respond(200, "");
    assert_eq!(said(&host), ["0", "answered"]);
}

#[test]
fn a_tick_each_millisecond_for_ten_minutes_ends() {
    let host = host_of("(func (export \"proxy_on_vm_start\") (param i32 i32) (result i32)
         (drop (call $proxy_set_tick_period_milliseconds (i32.const 1))) (i32.const 1))
       (global $ticks (mut i32) (i32.const 0))
       (func (export \"proxy_on_tick\") (param i32) (global.set $ticks (i32.add (global.get $ticks) (i32.const 1))))
       (func (export \"proxy_on_log\") (param i32) (call $number (global.get $ticks)))")
    .without_transcript()
    .start();
    host.advance(Duration::from_secs(600));
    drop(host.get("/").send());
    assert_eq!(said(&host), ["600000"]);
}

#[test]
fn ticks_for_all_of_time_end_with_their_vm() {
    let host = host_of(
        "(func (export \"proxy_on_vm_start\") (param i32 i32) (result i32)
         (drop (call $proxy_set_tick_period_milliseconds (i32.const 1))) (i32.const 1))
       (func (export \"proxy_on_tick\") (param i32) (local $i i32)
         (loop $busy (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $busy (i32.lt_u (local.get $i) (i32.const 200000)))))",
    )
    .without_transcript()
    .fuel_limit(100_000_000)
    .start();
    host.advance(Duration::MAX);
    assert!(trap(&host).contains("callbacks without an end"), "{}", trap(&host));
}

#[test]
fn setting_the_tick_again_and_again_leaves_one_timer() {
    let host = host(
        "(func (export \"proxy_on_vm_start\") (param i32 i32) (result i32) (local $i i32)
         (loop $again (drop (call $proxy_set_tick_period_milliseconds (i32.const 5)))
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $again (i32.lt_u (local.get $i) (i32.const 1000)))) (i32.const 1))
       (func (export \"proxy_on_tick\") (param i32) (call $say @\"tick\")
         (drop (call $proxy_set_tick_period_milliseconds (i32.const 5))))",
    );
    host.advance(Duration::from_millis(14));
    assert_eq!(said(&host), ["tick", "tick"]);
}

#[test]
fn two_plugins_that_play_ping_pong_without_end_are_stopped() {
    let player = |own: &str, other: &str| {
        let functions = format!(
            "(func (export \"proxy_on_vm_start\") (param i32 i32) (result i32)
               (drop (call $proxy_register_shared_queue @\"{own}\" (i32.const 8))) (i32.const 1))
             (func $hit
               (drop (call $proxy_resolve_shared_queue @\"\" @\"{other}\" (i32.const 12)))
               (drop (call $proxy_enqueue_shared_queue (i32.load (i32.const 12)) @\"ball\")))
             (func (export \"proxy_on_queue_ready\") (param i32 i32)
               (drop (call $proxy_dequeue_shared_queue (local.get 1) (i32.const 0) (i32.const 4)))
               (call $hit))
             (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) (call $hit) (i32.const 0))"
        );
        plugin(&functions).name(own)
    };
    let host = Host::envoy().workers_only().plugin(player("ping", "pong")).plugin(player("pong", "ping"));
    let host = host.without_transcript().start();
    let _ = host.get("/").send().forwarded();
    assert!(trap(&host).contains("events posted without an end"), "{}", trap(&host));
}

#[test]
fn a_callout_whose_answer_makes_the_next_callout_without_end_is_stopped() {
    for refuses in [false, true] {
        let host = host_of("(func $call
             (drop (call $proxy_http_call @\"there\" @[\":path=/\", \":method=GET\", \":authority=a\"] @\"\" @\"\" (i32.const 9) (i32.const 8))))
           (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) (call $call) (i32.const 0))
           (func (export \"proxy_on_http_call_response\") (param i32 i32 i32 i32 i32) (call $call))");
        let host = if refuses {
            host.cluster_refusing("there")
        } else {
            host.cluster_answering("there", |_| Response::new(200))
        };
        let host = host.without_transcript().start();
        let _ = host.get("/").send().forwarded();
        assert!(trap(&host).contains("events posted without an end"), "{}", trap(&host));
    }
}

#[test]
fn a_refused_grpc_stream_that_opens_the_next_without_end_is_stopped() {
    let host = host_of("(func $open (drop (call $proxy_grpc_stream @\"there\" @\"s\" @\"m\" @\"\" (i32.const 8))))
       (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) (call $open) (i32.const 0))
       (func (export \"proxy_on_grpc_close\") (param i32 i32 i32) (call $open))")
    .cluster_refusing("there")
    .without_transcript()
    .start();
    let _ = host.get("/").send().forwarded();
    assert!(trap(&host).contains("events posted without an end"), "{}", trap(&host));
}

#[test]
fn a_body_callback_that_resumes_its_own_stream_does_not_overflow_the_stack() {
    let host = host(
        "(global $stream (mut i32) (i32.const 0))
       (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
         (global.set $stream (local.get 0)) (i32.const 1))
       (func (export \"proxy_on_tick\") (param i32)
         (drop (call $proxy_set_effective_context (global.get $stream)))
         (drop (call $proxy_continue_stream (i32.const 0))))
       (func (export \"proxy_on_request_body\") (param i32 i32 i32) (result i32)
         (drop (call $proxy_continue_stream (i32.const 0))) (i32.const 0))",
    );
    for ends in [true, false] {
        let stream = host.post("/").open();
        stream.data("body", ends);
        let _ = host.raw().call(proxy_wasm_harness::Callback::Tick, &[host.raw().root()]);
        // Whatever comes of it, the guest is told so.
        assert!(stream.is_over() || stream.upstream().is_some(), "{}", host.transcript());
    }
    assert!(trap(&host).contains("goes on with its own stream without an end"), "{}", host.transcript());
}

#[test]
fn a_connection_that_is_resumed_without_end_is_stopped() {
    let host = Host::envoy().workers_only().fuel_limit(50_000_000);
    let busy = "(func (export \"proxy_on_downstream_data\") (param i32 i32 i32) (result i32) (local $i i32)
         (loop $again (drop (call $proxy_continue_stream (i32.const 2)))
           (local.set $i (i32.add (local.get $i) (i32.const 1)))
           (br_if $again (i32.lt_u (local.get $i) (i32.const 10000))))
         (i32.const 1))";
    let first = plugin(busy).name("first");
    let second = plugin(busy).name("second").vm_id("second");
    let third = plugin(busy).name("third").vm_id("third");
    let host = host.plugin(first).plugin(second).plugin(third).without_transcript().start();
    let connection = host.connect();
    connection.send("data", false);
    connection.close();
}

#[test]
fn a_trap_is_the_end_of_one_vm_and_of_no_other() {
    let bad =
        plugin("(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) unreachable)");
    let good = plugin("(func (export \"proxy_on_log\") (param i32) (call $say @\"logged\"))").name("good");
    for (policy, status) in [(FailurePolicy::FailClosed, 503), (FailurePolicy::FailOpen, 200)] {
        let host = Host::envoy().workers_only().upstream(|_| Response::ok("yes"));
        let host = host.plugin(good.clone()).plugin(bad.clone().name("bad").failure_policy(policy)).start();
        // The stream that meets the trap is answered whatever the policy.
        assert_eq!(host.get("/").send().received().status(), 503);
        assert_eq!(host.get("/").send().received().status(), status);
        assert_eq!(said(&host), ["logged", "logged"]);
        assert_eq!(host.traps().len(), 1);
        host.assert_nothing_leaked();
    }
}

#[test]
fn a_trap_anywhere_in_the_life_of_a_stream_leaves_nothing_behind() {
    for (callback, parameters, returns) in [
        ("proxy_on_request_headers", 3, true),
        ("proxy_on_request_body", 3, true),
        ("proxy_on_request_trailers", 2, true),
        ("proxy_on_response_headers", 3, true),
        ("proxy_on_response_body", 3, true),
        ("proxy_on_response_trailers", 2, true),
        ("proxy_on_log", 1, false),
        ("proxy_on_done", 1, true),
        ("proxy_on_delete", 1, false),
    ] {
        let result = if returns { "(result i32)" } else { "" };
        let host = host(&format!(
            "(func (export \"{callback}\") (param {}) {result} unreachable)",
            "i32 ".repeat(parameters)
        ));
        {
            let stream = host.post("/").body("body").trailer("a", "b").send();
            if !stream.is_over() {
                stream.respond(Response::ok("body").with_trailer("c", "d"));
            }
            assert!(stream.is_over(), "{callback}");
        }
        assert!(trap(&host).starts_with(callback), "{}", trap(&host));
        host.assert_nothing_leaked();
        assert_eq!(host.get("/").send().answered().status(), 503);
    }
}
