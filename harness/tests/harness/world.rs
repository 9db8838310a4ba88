//! What VMs share and the host keeps: data, queues, metrics, properties, TCP connections, transcripts, threads.

use std::thread;

use proxy_wasm_harness::{
    Callback, FailurePolicy, Host, Level, Metric, PeerType, Plugin, Response, Status, Value,
};

use super::guest::{host, host_of, module, plugin, said, trap};

#[test]
fn shared_data_is_kept_for_a_vm_id_and_guarded_by_its_cas() {
    let host = Host::envoy().workers_only().plugin(
        plugin("(func $set (param i32)
             (call $number (call $proxy_set_shared_data @\"k\" @\"guest\" (local.get 0))))
           (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
             (call $number (call $proxy_get_shared_data @\"absent\" (i32.const 0) (i32.const 4) (i32.const 8)))
             (call $number (call $proxy_get_shared_data @\"k\" (i32.const 0) (i32.const 4) (i32.const 8)))
             (call $show)
             (call $set (i32.add (i32.load (i32.const 8)) (i32.const 1)))
             (call $set (i32.load (i32.const 8)))
             (call $set (i32.load (i32.const 8)))
             (call $set (i32.const 0)) (i32.const 0))")
        .vm_id("one"),
    );
    let host = host.start();
    host.set_shared_data("one", b"k", b"test", 0).unwrap();
    host.set_shared_data("two", b"k", b"other", 0).unwrap();
    drop(host.get("/").send());
    assert_eq!(said(&host), ["1", "0", "test", "8", "0", "8", "0"]);
    assert_eq!(host.shared_data("one", "k").as_deref(), Some(&b"guest"[..]));
    assert_eq!(host.shared_data("two", "k").as_deref(), Some(&b"other"[..]));
    assert_eq!(host.set_shared_data("one", b"k", b"x", 12345), Err(Status::CasMismatch));
}

#[test]
fn a_queue_carries_items_from_one_vm_to_another() {
    let consumer = plugin(
        "(func (export \"proxy_on_vm_start\") (param i32 i32) (result i32)
         (drop (call $proxy_register_shared_queue @\"jobs\" (i32.const 8))) (i32.const 1))
       (func (export \"proxy_on_queue_ready\") (param i32 i32)
         (drop (call $proxy_dequeue_shared_queue (local.get 1) (i32.const 0) (i32.const 4))) (call $show)
         (call $number (call $proxy_dequeue_shared_queue (i32.const 999) (i32.const 0) (i32.const 4))))",
    )
    .name("consumer")
    .vm_id("consumer");
    let producer = plugin(
        "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
         (call $number (call $proxy_resolve_shared_queue @\"nobody\" @\"jobs\" (i32.const 8)))
         (call $number (call $proxy_resolve_shared_queue @\"consumer\" @\"jobs\" (i32.const 8)))
         (drop (call $proxy_enqueue_shared_queue (i32.load (i32.const 8)) @\"first\"))
         (drop (call $proxy_enqueue_shared_queue (i32.load (i32.const 8)) @\"second\"))
         (call $say @\"sent\") (i32.const 0))",
    )
    .name("producer");
    let host = Host::envoy().workers_only().plugin(consumer).plugin(producer).start();
    drop(host.get("/").send());
    assert_eq!(said(&host), ["1", "0", "sent", "first", "1", "second", "1"]);
}

#[test]
fn metrics_count_rise_fall_and_are_recorded() {
    let host = host(
        "(func $define (param i32 i32 i32) (result i32)
         (drop (call $proxy_define_metric (local.get 0) (local.get 1) (local.get 2) (i32.const 8)))
         (i32.load (i32.const 8)))
       (func (export \"proxy_on_configure\") (param i32 i32) (result i32)
         (i32.store (i32.const 0x8000) (call $define (i32.const 0) @\"requests\"))
         (i32.store (i32.const 0x8004) (call $define (i32.const 1) @\"level\"))
         (i32.store (i32.const 0x8008) (call $define (i32.const 2) @\"sizes\"))
         (call $number (call $proxy_define_metric (i32.const 3) @\"none\" (i32.const 8)))
         (i32.const 1))
       (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
         (drop (call $proxy_increment_metric (i32.load (i32.const 0x8000)) (i64.const 2)))
         (call $number (call $proxy_increment_metric (i32.load (i32.const 0x8000)) (i64.const -1)))
         (drop (call $proxy_increment_metric (i32.load (i32.const 0x8004)) (i64.const -3)))
         (drop (call $proxy_record_metric (i32.load (i32.const 0x8004)) (i64.const 9)))
         (drop (call $proxy_increment_metric (i32.load (i32.const 0x8004)) (i64.const -3)))
         (drop (call $proxy_record_metric (i32.load (i32.const 0x8008)) (i64.const -1)))
         (call $number (call $proxy_get_metric (i32.load (i32.const 0x8008)) (i32.const 8)))
         (call $number (call $proxy_get_metric (i32.const 4000) (i32.const 8)))
         (drop (call $proxy_get_metric (i32.load (i32.const 0x8004)) (i32.const 8)))
         (call $number (i32.load (i32.const 8))) (i32.const 0))",
    );
    drop(host.get("/").send());
    assert_eq!(said(&host), ["2", "2", "2", "1", "6"]);
    assert_eq!(
        (host.counter("requests"), host.gauge("level"), host.histogram("sizes")),
        (2, 6, vec![u64::MAX])
    );
    assert_eq!(host.metric("none"), None);
    assert!(host.metrics().contains(&("requests".to_owned(), Metric::Counter(2))));
    host.assert_no_findings();
}

#[test]
fn a_metric_that_is_defined_for_each_stream_is_found() {
    let host = host(
        "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
         (drop (call $proxy_define_metric (i32.const 0) @\"again\" (i32.const 8))) (i32.const 0))",
    );
    drop(host.get("/").send());
    assert_eq!(host.findings().len(), 1);
}

#[test]
fn properties_are_those_of_the_stream_and_those_that_a_test_gives() {
    let read = |path: &str| {
        format!(
            "(call $number (call $proxy_get_property @\"{path}\" (i32.const 0) (i32.const 4)))
             (if (i32.eqz (i32.eqz (i32.load (i32.const 4)))) (then (call $show)))
             (i64.store (i32.const 0) (i64.const 0))"
        )
    };
    let paths = [
        "request\\00path",
        "request\\00headers\\00x-a",
        "node\\00id",
        "mine",
        "nothing\\00here",
        "plugin_name",
        "",
    ];
    let host = host_of(&format!(
        "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) {} (i32.const 0))",
        paths.map(read).concat()
    ))
    .property("node.id", "test-node")
    .start();
    drop(host.get("/p?q").header("x-a", "1").header("x-a", "2").property("mine", Value::from("yes")).send());
    assert_eq!(said(&host), ["0", "/p?q", "0", "1,2", "0", "test-node", "0", "yes", "1", "0", "guest", "3"]);
}

#[test]
fn what_a_filter_sets_the_next_one_reads() {
    let setter = plugin(
        "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
         (call $number (call $proxy_set_property @\"tenant\" @\"blue\")) (i32.const 0))
       (func (export \"proxy_on_vm_start\") (param i32 i32) (result i32)
         (call $number (call $proxy_set_property @\"tenant\" @\"none\")) (i32.const 1))",
    )
    .name("setter");
    let getter = plugin("(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
         (drop (call $proxy_get_property @\"tenant\" (i32.const 0) (i32.const 4))) (call $show) (i32.const 0))").name("getter");
    let host = Host::envoy().workers_only().plugin(setter).plugin(getter).start();
    drop(host.get("/").send());
    assert_eq!(said(&host), ["1", "0", "blue"]);
}

#[test]
fn a_foreign_function_of_a_test_is_called_with_bytes_and_answers_bytes() {
    let host = host_of(
        "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
         (call $number (call $proxy_call_foreign_function @\"twice\" @\"ab\" (i32.const 16) (i32.const 20)))
         (call $say (i32.load (i32.const 16)) (i32.load (i32.const 20)))
         (call $number (call $proxy_call_foreign_function @\"twice\" @\"ab\" (i32.const 0) (i32.const 0)))
         (call $number (call $proxy_call_foreign_function @\"fails\" @\"\" (i32.const 0) (i32.const 4)))
         (call $number (call $proxy_call_foreign_function @\"unheard of\" @\"\" (i32.const 0) (i32.const 4)))
         (i32.const 0))",
    )
    .foreign_function("twice", |bytes| Ok(bytes.repeat(2)))
    .foreign_function("fails", |_| Err(Status::InternalFailure))
    .start();
    drop(host.get("/").send());
    assert_eq!(said(&host), ["0", "abab", "0", "10", "1"]);
}

#[test]
fn lines_below_the_log_level_are_not_kept() {
    let host = host_of(
        "(func (export \"proxy_on_vm_start\") (param i32 i32) (result i32)
         (drop (call $proxy_log (i32.const 1) @\"debug\")) (drop (call $proxy_log (i32.const 3) @\"warn\"))
         (drop (call $proxy_get_log_level (i32.const 8)))
         (if (i32.ne (i32.load (i32.const 8)) (i32.const 3)) (then unreachable)) (i32.const 1))",
    )
    .log_level(Level::Warn)
    .start();
    assert_eq!(host.log_lines().len(), 1);
}

/// Turns each byte `a` at the beginning of what the client sends into `A`, and answers `!` by closing.
const TCP: &str = "(func (export \"proxy_on_new_connection\") (param i32) (result i32) (call $say @\"new\") (i32.const 0))
   (func (export \"proxy_on_downstream_data\") (param i32 i32 i32) (result i32)
     (if (i32.eqz (local.get 1)) (then (return (i32.const 0))))
     (drop (call $proxy_get_buffer_bytes (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 4)))
     (if (i32.eq (i32.load8_u (i32.load (i32.const 0))) (i32.const 33))
       (then (drop (call $proxy_close_stream (i32.const 2)))))
     (if (i32.eq (i32.load8_u (i32.load (i32.const 0))) (i32.const 63)) (then (return (i32.const 1))))
     (if (i32.eq (i32.load8_u (i32.load (i32.const 0))) (i32.const 88)) (then unreachable))
     (if (i32.eq (i32.load8_u (i32.load (i32.const 0))) (i32.const 97))
       (then (drop (call $proxy_set_buffer_bytes (i32.const 2) (i32.const 0) (i32.const 1) @\"A\"))))
     (i32.const 0))
   (func (export \"proxy_on_upstream_data\") (param i32 i32 i32) (result i32)
     (drop (call $proxy_set_buffer_bytes (i32.const 3) (i32.const -1) (i32.const 0) @\".\")) (i32.const 0))
   (func (export \"proxy_on_downstream_connection_close\") (param i32 i32) (call $say @\"close\") (call $number (local.get 1)))
   (func (export \"proxy_on_log\") (param i32) (call $say @\"log\"))";

#[test]
fn a_connection_passes_its_filters_both_ways() {
    let host = host(TCP);
    let connection = host.connect();
    connection.send("abc", false).upstream_sends("xyz", false).send("?held", false).send("more", false);
    assert_eq!((connection.forwarded(), connection.received()), (b"Abc".to_vec(), b"xyz.".to_vec()));
    connection.reset();
    assert_eq!(connection.closed_by(), Some(PeerType::Remote));
    assert_eq!(said(&host), ["new", "close", "2", "log"]);
    connection.send("late", true).upstream_sends("late", true).close();
    assert_eq!(connection.forwarded(), b"Abc");
    drop(connection);
    host.assert_nothing_leaked();
}

#[test]
fn a_filter_may_close_a_connection_or_fail_on_it() {
    let host = host(TCP);
    assert_eq!(host.connect().send("!", false).closed_by(), Some(PeerType::Local));
    assert_eq!(host.connect().send("X", false).closed_by(), Some(PeerType::Local));
    assert!(trap(&host).starts_with("proxy_on_downstream_data"));
    assert_eq!(host.connect().closed_by(), Some(PeerType::Local), "a failed plugin lets nobody in");
    host.assert_nothing_leaked();
    let open =
        Host::envoy().workers_only().plugin(plugin(TCP).failure_policy(FailurePolicy::FailOpen)).start();
    let _ = open.connect().send("X", false).closed_by();
    assert_eq!(open.connect().send("X", false).forwarded(), b"X");
}

#[test]
fn a_connection_that_the_first_filter_holds_is_forgotten_by_the_second_too() {
    let holder = plugin("(func (export \"proxy_on_new_connection\") (param i32) (result i32) (i32.const 1))");
    let host = Host::envoy().workers_only().plugin(holder).plugin(plugin(TCP).name("second")).start();
    drop(host.connect());
    assert_eq!(said(&host), [""; 0]);
    host.assert_nothing_leaked();
}

#[test]
fn connections_may_end_at_any_point() {
    let host = host(TCP);
    for point in 0..5 {
        let connection = host.connect();
        let steps: [&dyn Fn(); 4] = [
            &|| {
                connection.send("a", false);
            },
            &|| {
                connection.upstream_sends("b", false);
            },
            &|| {
                connection.send("", true);
            },
            &|| {
                connection.upstream_sends("", true);
            },
        ];
        steps.iter().take(point).for_each(|step| step());
    }
    assert!(host.traps().is_empty());
    host.assert_nothing_leaked();
}

/// Counts its streams and answers the count.
const COUNTER: &str = "(global $count (mut i32) (i32.const 0))
   (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
     (global.set $count (i32.add (global.get $count) (i32.const 1)))
     (call $number (global.get $count))
     (drop (call $proxy_get_header_map_value (i32.const 0) @\":path\" (i32.const 0) (i32.const 4)))
     (drop (call $proxy_send_local_response (i32.const 200) @\"\" (i32.load (i32.const 0)) (i32.load (i32.const 4)) @\"\" (i32.const -1)))
     (i32.const 1))";

#[test]
fn the_same_steps_have_the_same_transcript() {
    let run = || {
        let host =
            Host::envoy().workers(2).seed(7).plugin(plugin(COUNTER)).plugin(plugin(TCP).name("tcp")).start();
        let stream = host.get("/a").send();
        let _ = stream.answered();
        drop(host.post("/b").body("x").send());
        host.connect().send("abc", true);
        let _ = host.raw().call(Callback::Tick, &[host.raw().root()]);
        host.shut_down();
        (host.transcript(), host.costs(), host.coverage())
    };
    let first = run();
    assert!(first.0.contains("on_request_headers"));
    assert!((0..5).all(|_| run() == first));
}

#[test]
fn three_hundred_hosts_on_many_threads_know_nothing_of_each_other() {
    let module = module(COUNTER);
    thread::scope(|scope| {
        for thread in 0..10 {
            let module = &module;
            scope.spawn(move || {
                for round in 0..30 {
                    let host = Host::envoy().workers_only().plugin(Plugin::new(module)).start();
                    let path = format!("/{thread}/{round}");
                    assert_eq!(host.get(&path).send().answered().text(), path);
                    assert_eq!(said(&host), ["1"]);
                    host.assert_nothing_leaked();
                }
            });
        }
    });
}

#[test]
fn one_host_serves_streams_of_many_threads() {
    let host = host(COUNTER);
    thread::scope(|scope| {
        for thread in 0..10 {
            let host = host.clone();
            scope.spawn(move || {
                for round in 0..30 {
                    let path = format!("/{thread}/{round}");
                    assert_eq!(host.get(&path).send().answered().text(), path);
                }
            });
        }
    });
    let mut counts: Vec<u32> = said(&host).iter().map(|count| count.parse().unwrap()).collect();
    counts.sort_unstable();
    assert_eq!(counts, (1..=300).collect::<Vec<u32>>());
    host.assert_nothing_leaked();
}

#[test]
fn three_hundred_streams_in_flight_on_one_host_do_not_mix() {
    let host = host(
        "(func (export \"proxy_on_request_body\") (param i32 i32 i32) (result i32)
         (i32.eqz (local.get 2)))",
    );
    let streams: Vec<_> = (0..300).map(|index| host.post(format!("/{index}")).open()).collect();
    for piece in ["a", "b"] {
        streams.iter().for_each(|stream| {
            stream.data(piece, piece == "b");
        });
    }
    for (index, stream) in streams.iter().enumerate().rev() {
        let request = stream.forwarded();
        assert_eq!((request.path(), request.text()), (format!("/{index}"), "ab".to_owned()));
        stream.respond(Response::ok(index.to_string()));
    }
    assert!(streams.iter().enumerate().all(|(index, stream)| stream.received().text() == index.to_string()));
    drop(streams);
    host.assert_nothing_leaked();
}

#[test]
fn an_injected_fault_in_malloc_is_an_invalid_memory_access() {
    let host = host(COUNTER);
    host.fail_malloc_after(0);
    assert_eq!(host.get("/").send().answered().text(), "");
    host.heal();
    assert_eq!(host.get("/").send().answered().text(), "/");
    assert!(
        host.coverage()
            .hostcalls
            .contains_key(&("proxy_get_header_map_value", "InvalidMemoryAccess".to_owned()))
    );
}

#[test]
fn what_a_guest_does_is_counted() {
    let host = host(COUNTER);
    let stream = host.get("/path").send();
    let cost = stream.costs().of(Callback::RequestHeaders);
    assert_eq!((cost.callbacks, cost.hostcalls, cost.allocations, cost.allocated_bytes), (1, 3, 1, 5));
    assert!(cost.fuel > 0 && cost.memory_bytes == 32 << 16);
    assert_eq!(host.costs().of(Callback::RequestHeaders), cost);
}
