//! How plugins begin and end: contexts, configurations, VMs that are shared, failures and new beginnings.

use proxy_wasm_harness::{
    Callback, FailurePolicy, Finding, Host, Level, Plugin, Profile, Response, Role, StartFailure,
};
use std::time::Duration;

use super::guest::{host, host_of, module, plugin, raw, said, trap};

/// Logs the name of each callback.
const NARRATOR: &str = "
    (func (export \"proxy_on_context_create\") (param i32 i32) (call $say @\"create\"))
    (func (export \"proxy_on_vm_start\") (param i32 i32) (result i32) (call $say @\"start\") (i32.const 1))
    (func (export \"proxy_on_configure\") (param i32 i32) (result i32) (call $say @\"configure\") (i32.const 1))
    (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32) (call $say @\"headers\") (i32.const 0))
    (func (export \"proxy_on_log\") (param i32) (call $say @\"log\"))
    (func (export \"proxy_on_done\") (param i32) (result i32) (call $say @\"done\") (i32.const 1))
    (func (export \"proxy_on_delete\") (param i32) (call $say @\"delete\"))";

/// Logs its configuration when it is configured, and the bytes of the VM's at its start.
const CONFIGURED: &str = "
    (func (export \"proxy_on_vm_start\") (param i32 i32) (result i32)
      (drop (call $proxy_get_buffer_bytes (i32.const 6) (i32.const 0) (local.get 1) (i32.const 0) (i32.const 4)))
      (call $show) (i32.const 1))
    (func (export \"proxy_on_configure\") (param i32 i32) (result i32)
      (drop (call $proxy_get_buffer_bytes (i32.const 7) (i32.const 0) (local.get 1) (i32.const 0) (i32.const 4)))
      (call $show)
      (i32.ne (i32.load8_u (i32.load (i32.const 0))) (i32.const 33)))
    (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
      (call $number (call $proxy_get_buffer_bytes (i32.const 7) (i32.const 0) (i32.const 99) (i32.const 0) (i32.const 4)))
      (i32.const 0))";

#[test]
fn a_stream_ends_in_envoys_order_or_in_that_of_the_specification() {
    for (profile, end) in
        [(Profile::Envoy1_40, ["log", "done", "delete"]), (Profile::Spec, ["done", "log", "delete"])]
    {
        let host = Host::like(profile).workers_only().plugin(plugin(NARRATOR)).start();
        host.get("/").send().respond(Response::new(200));
        let expected = [&["create", "start", "configure", "create", "headers"][..], &end].concat();
        assert_eq!(said(&host), expected, "{profile}");
    }
}

#[test]
fn a_root_context_ends_when_the_host_shuts_down_and_only_once() {
    let host = host(NARRATOR);
    host.shut_down();
    host.shut_down();
    assert_eq!(said(&host)[3..], ["done", "delete"]);
}

#[test]
fn a_root_context_that_is_not_done_waits_for_proxy_done() {
    let host = host(
        "(func (export \"proxy_on_done\") (param i32) (result i32) (i32.const 0))
       (func (export \"proxy_on_tick\") (param i32) (call $number (call $proxy_done)))
       (func (export \"proxy_on_vm_start\") (param i32 i32) (result i32)
         (drop (call $proxy_set_tick_period_milliseconds (i32.const 10))) (i32.const 1))
       (func (export \"proxy_on_delete\") (param i32) (call $say @\"delete\"))",
    );
    host.advance(Duration::from_millis(10));
    assert_eq!(said(&host), ["1"], "nothing is done yet");
    host.shut_down();
    assert_eq!(said(&host), ["1"]);
    host.advance(Duration::from_millis(10));
    assert_eq!(said(&host), ["1", "0", "delete"]);
    host.advance(Duration::from_secs(1));
    assert_eq!(said(&host).len(), 3, "what is deleted does not tick");
}

#[test]
fn a_plugin_is_tried_in_a_canary_and_configured_on_each_thread() {
    let host = Host::envoy().workers(2).plugin(plugin(NARRATOR)).start();
    let roles: Vec<Role> =
        host.log_lines().iter().filter(|line| line.message == "configure").map(|line| line.role).collect();
    assert_eq!(roles, [Role::Canary, Role::Main, Role::Worker(0), Role::Worker(1)]);
}

#[test]
fn workers_only_configures_a_plugin_once() {
    assert_eq!(host(NARRATOR).log_lines().len(), 3);
}

#[test]
fn streams_go_to_workers_in_turn() {
    let host = Host::envoy().workers_only().workers(3).plugin(plugin(NARRATOR)).start();
    for _ in 0..4 {
        drop(host.get("/").send());
    }
    let roles: Vec<Role> =
        host.log_lines().iter().filter(|line| line.message == "headers").map(|line| line.role).collect();
    assert_eq!(roles, [0, 1, 2, 0].map(Role::Worker));
}

#[test]
fn the_plugins_configuration_is_there_in_on_configure_alone_and_the_vms_everywhere() {
    let host = Host::envoy()
        .workers_only()
        .plugin(plugin(CONFIGURED).configuration("mine").vm_configuration("ours"));
    let host = host.start();
    drop(host.get("/").send());
    assert_eq!(said(&host), ["ours", "mine", "1"]);
}

#[test]
fn a_configuration_of_any_bytes_arrives_as_it_is() {
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let configured = plugin("(func (export \"proxy_on_configure\") (param i32 i32) (result i32)
         (drop (call $proxy_get_buffer_bytes (i32.const 7) (i32.const 0) (local.get 1) (i32.const 0) (i32.const 4)))
         (drop (call $proxy_set_shared_data @\"got\" (i32.load (i32.const 0)) (i32.load (i32.const 4)) (i32.const 0)))
         (i32.const 1))");
    let host = Host::envoy().workers_only().plugin(configured.configuration(bytes.clone())).start();
    assert_eq!(host.shared_data("", "got"), Some(bytes));
}

#[test]
fn plugins_of_one_vm_id_share_a_vm_and_others_do_not() {
    let counter = "(global $count (mut i32) (i32.const 0))
       (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
         (global.set $count (i32.add (global.get $count) (i32.const 1)))
         (call $number (global.get $count)) (i32.const 0))";
    let module = module(counter);
    let pair = |first: &str, second: &str| {
        let host = Host::envoy().workers_only();
        let host = host.plugin(Plugin::new(&module).name("a").root_id("a").vm_id(first));
        let host = host.plugin(Plugin::new(&module).name("b").root_id("b").vm_id(second)).start();
        drop(host.get("/").send());
        said(&host)
    };
    assert_eq!(pair("one", "one"), ["1", "2"]);
    assert_eq!(pair("one", "two"), ["1", "1"]);
}

#[test]
fn a_new_configuration_serves_new_streams_and_the_old_one_those_in_flight() {
    let answering = "
       (global $mine (mut i32) (i32.const 0))
       (func (export \"proxy_on_configure\") (param i32 i32) (result i32)
         (drop (call $proxy_get_buffer_bytes (i32.const 7) (i32.const 0) (local.get 1) (i32.const 0) (i32.const 4)))
         (if (i32.eq (i32.load8_u (i32.load (i32.const 0))) (i32.const 33)) (then (return (i32.const 0))))
         (i32.store8 (i32.add (i32.const 0x8000) (local.get 0)) (i32.load8_u (i32.load (i32.const 0))))
         (i32.const 1))
       (func (export \"proxy_on_context_create\") (param i32 i32)
         (i32.store8 (i32.add (i32.const 0x9000) (local.get 0)) (local.get 1)))
       (func (export \"proxy_on_request_body\") (param i32 i32 i32) (result i32)
         (call $say (i32.add (i32.const 0x8000) (i32.load8_u (i32.add (i32.const 0x9000) (local.get 0)))) (i32.const 1))
         (i32.const 0))
       (func (export \"proxy_on_delete\") (param i32)
         (if (i32.eqz (i32.load8_u (i32.add (i32.const 0x9000) (local.get 0)))) (then (call $say @\"root deleted\"))))";
    let host = Host::envoy().plugin(plugin(answering).name("p").configuration("a")).start();
    let old = host.post("/").open();
    host.reconfigure("p", "b").unwrap();
    let new = host.post("/").open();
    old.data("x", true);
    new.data("x", true);
    assert_eq!(said(&host), ["a", "b"], "the old root context lives as long as its stream");
    let _ = old.forwarded();
    drop(old);
    assert!(said(&host).contains(&"root deleted".to_owned()));
    let refused = host.reconfigure("p", "!").unwrap_err();
    assert!(matches!(refused.failure(), StartFailure::ConfigurationRefused { .. }), "{refused}");
    assert!(matches!(host.reconfigure("nobody", "c").unwrap_err().failure(), StartFailure::NoPlugin));
    let still = host.post("/").open();
    still.data("x", true);
    assert_eq!(said(&host)[3..], ["b"]);
    let _ = (new.forwarded(), still.forwarded());
    drop((new, still));
    host.assert_nothing_leaked();
}

#[test]
fn the_canary_of_a_refused_configuration_does_not_tick() {
    let host = Host::envoy()
        .plugin(
            plugin(
                "
       (func (export \"proxy_on_configure\") (param i32 i32) (result i32)
         (drop (call $proxy_set_tick_period_milliseconds (i32.const 10)))
         (i32.eqz (local.get 1)))
       (func (export \"proxy_on_tick\") (param i32) (call $say @\"tick\"))",
            )
            .name("p"),
        )
        .start();
    assert!(host.reconfigure("p", "refused").is_err());
    host.advance(Duration::from_millis(10));
    let roles: Vec<Role> = host.log_lines().iter().map(|line| line.role).collect();
    assert_eq!(roles, [Role::Main, Role::Worker(0)]);
}

#[test]
fn a_failed_vm_is_made_anew_when_its_policy_says_so_and_its_time_has_come() {
    let host = Host::envoy().workers_only().upstream(|_| Response::ok("yes")).plugin(
        plugin(
            "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
             (drop (call $proxy_get_header_map_value (i32.const 0) @\":path\" (i32.const 0) (i32.const 4)))
             (if (i32.eq (i32.load (i32.const 4)) (i32.const 4)) (then unreachable)) (i32.const 0))",
        )
        .failure_policy(FailurePolicy::FailReload),
    );
    let host = host.reload_backoff(Duration::from_secs(5)).start();
    let status = |path: &str| host.get(path).send().received().status();
    assert_eq!(status("/"), 200);
    assert_eq!(status("/bad"), 503);
    assert_eq!(status("/"), 503, "the first load counts as well");
    host.advance(Duration::from_secs(5));
    assert_eq!(status("/"), 200);
    assert_eq!(status("/bad"), 503);
    assert_eq!(status("/"), 503, "the second new VM waits for its time");
    host.advance(Duration::from_secs(5));
    assert_eq!(status("/"), 200);
    assert_eq!(host.traps().len(), 2);
}

#[test]
fn a_failed_vm_does_not_tick_and_takes_no_answers() {
    let host = host_of("(func (export \"proxy_on_vm_start\") (param i32 i32) (result i32)
         (drop (call $proxy_set_tick_period_milliseconds (i32.const 10))) (i32.const 1))
       (func (export \"proxy_on_tick\") (param i32) (call $say @\"tick\"))
       (func (export \"proxy_on_http_call_response\") (param i32 i32 i32 i32 i32) (call $say @\"answer\"))
       (func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
         (drop (call $proxy_http_call @\"there\" @[\":path=/\", \":method=GET\", \":authority=a\"] @\"\" @\"\" (i32.const 9) (i32.const 8)))
         unreachable)")
    .cluster("there")
    .start();
    drop(host.get("/").send());
    for callout in host.callouts("there") {
        callout.respond(200, "late");
    }
    host.advance(Duration::from_secs(1));
    assert_eq!(said(&host), [""; 0]);
    assert!(trap(&host).starts_with("proxy_on_request_headers: "));
    host.assert_nothing_leaked();
}

#[test]
fn what_the_capabilities_leave_out_is_refused_and_what_is_denied_to_be_called_is_absent() {
    let host = Host::envoy().workers_only().plugin(
        plugin(
            "(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
             (call $number (call $proxy_add_header_map_value (i32.const 0) @\"x\" @\"y\")) (i32.const 0))
           (func (export \"proxy_on_log\") (param i32) (call $say @\"log\"))",
        )
        .allow_capability("proxy_on_request_headers")
        .allow_capability("proxy_log"),
    );
    let host = host.start();
    assert_eq!(host.get("/").send().forwarded().header("x"), None);
    assert_eq!(said(&host), ["10"]);
    assert!(
        host.logs(Level::Trace)[0].contains("proxy_add_header_map_value"),
        "{:?}",
        host.logs(Level::Trace)
    );
}

#[test]
fn environment_variables_are_there_while_the_module_starts() {
    let module = raw("(module
       (import \"env\" \"proxy_log\" (func $log (param i32 i32 i32) (result i32)))
       (import \"wasi_snapshot_preview1\" \"environ_sizes_get\" (func $sizes (param i32 i32) (result i32)))
       (import \"wasi_snapshot_preview1\" \"environ_get\" (func $get (param i32 i32) (result i32)))
       (memory (export \"memory\") 1) (func (export \"proxy_abi_version_0_2_1\"))
       (func (export \"malloc\") (param i32) (result i32) (i32.const 4096))
       (func (export \"_initialize\")
         (drop (call $sizes (i32.const 0) (i32.const 4)))
         (drop (call $get (i32.const 16) (i32.const 256)))
         (drop (call $log (i32.const 2) (i32.const 256) (i32.load (i32.const 4))))))");
    let plugin = Plugin::new(&module).environment("COLOUR", "red").environment("EMPTY", "");
    let host = Host::envoy().workers_only().plugin(plugin).start();
    assert_eq!(host.log_lines()[0].message, "COLOUR=red\0EMPTY=\0");
}

#[test]
fn an_environment_that_does_not_fit_is_a_fault_and_no_trap() {
    let module = raw("(module
       (import \"wasi_snapshot_preview1\" \"environ_get\" (func $get (param i32 i32) (result i32)))
       (memory (export \"memory\") 1) (func (export \"proxy_abi_version_0_2_1\"))
       (func (export \"malloc\") (param i32) (result i32) (i32.const 4096))
       (func (export \"_initialize\")
         (if (i32.ne (call $get (i32.const 65532) (i32.const 0)) (i32.const 21)) (then unreachable))
         (if (i32.ne (call $get (i32.const 0) (i32.const 65530)) (i32.const 21)) (then unreachable))
         (if (i32.ne (call $get (i32.const -4) (i32.const -1)) (i32.const 21)) (then unreachable))))");
    let plugin = Plugin::new(&module).environment("COLOUR", "red").environment("SIZE", "large");
    assert!(Host::envoy().workers_only().plugin(plugin).try_start().is_ok());
}

#[test]
fn a_module_without_on_delete_is_found() {
    let host = host("(func (export \"proxy_on_context_create\") (param i32 i32))");
    assert_eq!(host.findings(), [Finding::UnbalancedContexts]);
}

#[test]
fn a_context_that_is_still_open_is_a_leak() {
    let host = host(NARRATOR);
    let stream = host.get("/").send();
    assert_eq!(host.open(), 1);
    drop(stream);
    host.assert_nothing_leaked();
}

#[test]
fn a_context_whose_plugin_never_saw_the_request_is_no_leak() {
    for profile in [Profile::Envoy1_40, Profile::Spec] {
        let denier = plugin("(func (export \"proxy_on_request_headers\") (param i32 i32 i32) (result i32)
             (drop (call $proxy_send_local_response (i32.const 403) @\"\" @\"\" @\"\" (i32.const -1))) (i32.const 1))");
        let host =
            Host::like(profile).workers_only().plugin(denier).plugin(plugin(NARRATOR).name("second")).start();
        drop(host.get("/").send());
        host.assert_nothing_leaked();
    }
}

#[test]
fn a_single_callback_can_be_called_with_anything() {
    let host = host(NARRATOR);
    for callback in Callback::ALL {
        for arguments in [&[][..], &[0], &[u32::MAX; 5], &[u32::MAX; 9], &[host.raw().root(), 1, 2, 3, 4]] {
            let _ = host.raw().call(*callback, arguments);
        }
    }
    assert!(host.traps().is_empty());
}
