//! Modules that are none, or are not what the ABI asks for: each is refused by a name.

use proxy_wasm_harness::{Host, Module, Plugin, StartFailure, Unloadable};

use super::guest::{host_of, raw, refused, said, text};

/// The least that starts.
const LEAST: &str = r#"(func (export "proxy_abi_version_0_2_1"))
    (func (export "malloc") (param i32) (result i32) (i32.const 1024))
    (memory (export "memory") 1)"#;

fn with(more: &str) -> String {
    format!("(module {more} {LEAST})")
}

/// A sequence that looks random and is the same each time.
fn noise(seed: u64) -> impl FnMut() -> u8 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    }
}

#[test]
fn the_least_module_starts() {
    assert!(Host::envoy().plugin(Plugin::new(&raw(&with("")))).try_start().is_ok());
}

#[test]
fn bytes_that_are_no_module_are_not_loaded() {
    for bytes in [
        &b""[..],
        b"\0",
        b"\0asm",
        b"\0asm\x01\0\0",
        b"\0asm\x02\0\0\0",
        b"\0asm\x0d\0\x01\0",
        b"(module",
        b"\xff\xfe",
        b"(((((((((",
        b"GIF89a",
    ] {
        let result = Module::from_bytes("bytes", bytes);
        assert!(matches!(result, Err(Unloadable::Invalid { .. })), "{bytes:?}");
    }
    let deep = "(".repeat(100_000);
    assert!(matches!(Module::from_bytes("deep", deep.as_bytes()), Err(Unloadable::Invalid { .. })));
    assert!(matches!(Module::from_file("/nowhere/to/be.wasm"), Err(Unloadable::Unread { .. })));
}

#[test]
fn a_module_that_is_cut_short_is_refused_wherever_it_is_cut() {
    let whole = wat::parse_str(text("")).unwrap();
    let starts = |end: &usize| {
        Module::from_bytes("cut", &whole[..*end])
            .is_ok_and(|module| Host::envoy().workers_only().plugin(Plugin::new(&module)).try_start().is_ok())
    };
    // It is whole without the names of its functions, which stand last, and without its data before them.
    assert_eq!((0..whole.len()).filter(starts).count(), 2);
}

#[test]
fn random_bytes_and_random_changes_end_in_an_error_or_in_a_guest() {
    let whole = wat::parse_str(text("(func (export \"_initialize\"))")).unwrap();
    for seed in 0..300 {
        let mut next = noise(seed);
        let mut bytes = whole.clone();
        for _ in 0..1 + seed % 4 {
            let place = usize::from(next()) << 8 | usize::from(next());
            let length = bytes.len();
            bytes[8 + place % (length - 8)] = next();
        }
        if let Ok(module) = Module::from_bytes("changed", &bytes) {
            let host = Host::envoy().workers_only().fuel_limit(100_000).memory_limit(8 << 20);
            if let Ok(host) = host.plugin(Plugin::new(&module)).try_start() {
                let _ = host.get("/").send();
            }
        }
        let noise: Vec<u8> = b"\0asm\x01\0\0\0".iter().copied().chain((0..200).map(|_| next())).collect();
        if let Ok(module) = Module::from_bytes("noise", &noise) {
            assert!(Host::envoy().plugin(Plugin::new(&module)).try_start().is_err());
        }
    }
}

#[test]
fn a_module_without_an_abi_version_is_refused() {
    let error = refused("(module (memory (export \"memory\") 1))");
    assert!(matches!(error.failure(), StartFailure::NoAbiVersion { .. }), "{error}");
    assert!(error.to_string().contains("proxy_abi_version_0_1_0"), "{error}");
}

#[test]
fn the_first_abi_version_counts_if_there_are_several() {
    let module = raw(&with(
        "(func (export \"proxy_abi_version_0_1_0\")) (func (export \"proxy_abi_version_0_2_0\"))
        (func (export \"proxy_on_request_headers\") (param i32 i32) (result i32) (i32.const 0))",
    ));
    assert_eq!(module.description().abi_versions.len(), 3);
    let host = Host::envoy().plugin(Plugin::new(&module)).start();
    let _ = host.get("/").send().forwarded();
    assert_eq!(host.coverage().callbacks["proxy_on_request_headers"], 1);
}

#[test]
fn a_marker_that_is_no_function_is_still_a_marker() {
    let module = raw(
        "(module (global (export \"proxy_abi_version_0_2_1\") i32 (i32.const 0))
        (func (export \"malloc\") (param i32) (result i32) (i32.const 1024)) (memory (export \"memory\") 1))",
    );
    // Envoy looks at the names of exports alone.
    assert!(Host::envoy().plugin(Plugin::new(&module)).try_start().is_ok());
}

#[test]
fn a_module_without_a_memory_under_that_name_is_refused() {
    for memory in
        ["", "(memory 1)", "(memory (export \"mem\") 1)", "(global (export \"memory\") i32 (i32.const 0))"]
    {
        let error = refused(&format!(
            "(module (func (export \"proxy_abi_version_0_2_1\"))
              (func (export \"malloc\") (param i32) (result i32) (i32.const 1024)) {memory})"
        ));
        assert!(matches!(error.failure(), StartFailure::NoMemory { .. }), "{memory}: {error}");
    }
}

#[test]
fn a_module_that_cannot_allocate_is_refused() {
    let error =
        refused("(module (func (export \"proxy_abi_version_0_2_1\")) (memory (export \"memory\") 1))");
    assert!(matches!(error.failure(), StartFailure::NoMalloc { .. }), "{error}");
}

#[test]
fn an_export_of_the_wrong_type_is_refused_by_its_name() {
    for (export, signature) in [
        ("proxy_on_request_headers", "(param i32)"),
        ("proxy_on_request_headers", "(param i32 i32 i64) (result i32)"),
        ("proxy_on_request_headers", "(param i32 i32) (result i32)"),
        ("proxy_on_request_headers", "(param i32 i32 i32)"),
        ("proxy_on_log", "(param f32)"),
        ("proxy_on_log", "(param i32) (result i32)"),
        ("proxy_on_http_call_response", "(param i32 i32 i32 i32)"),
        ("proxy_on_vm_start", ""),
        ("_initialize", "(param i32)"),
    ] {
        let function = format!("(func (export \"{export}\") {signature} unreachable)");
        match refused(&with(&function)).failure() {
            StartFailure::BadSignature { export: named, .. } => assert_eq!(named, export),
            other => panic!("{export} {signature}: {other}"),
        }
    }
    let malloc = "(module (func (export \"proxy_abi_version_0_2_1\")) (memory (export \"memory\") 1)
        (func (export \"malloc\") (param i64) (result i32) (i32.const 0)))";
    assert!(
        matches!(refused(malloc).failure(), StartFailure::BadSignature { export, .. } if export == "malloc")
    );
}

#[test]
fn an_export_that_is_no_function_is_as_if_it_were_not_there() {
    let module = raw(&with(
        "(global (export \"proxy_on_log\") i32 (i32.const 0)) (table (export \"_initialize\") 0 funcref)",
    ));
    let host = Host::envoy().plugin(Plugin::new(&module)).start();
    let _ = host.get("/").send().forwarded();
}

#[test]
fn an_export_that_stands_twice_makes_no_module() {
    let twice =
        with("(func (export \"proxy_on_log\") (param i32)) (func (export \"proxy_on_log\") (param i32))");
    assert!(matches!(Module::from_bytes("twice", twice.as_bytes()), Err(Unloadable::Invalid { .. })));
}

#[test]
fn an_import_that_is_unknown_traps_only_when_it_is_called_and_says_its_name() {
    let module = raw(&with(
        "(import \"env\" \"proxy_make_coffee\" (func $coffee (param i32) (result i64)))
        (import \"elsewhere\" \"nothing\" (func))
        (func (export \"proxy_on_log\") (param i32) (drop (call $coffee (i32.const 1))))",
    ));
    let unknown: Vec<String> =
        module.unknown_imports().iter().map(|import| format!("{}.{}", import.module, import.name)).collect();
    assert_eq!(unknown, ["env.proxy_make_coffee", "elsewhere.nothing"]);
    let host = Host::envoy().plugin(Plugin::new(&module)).start();
    let _ = host.get("/").send().respond(proxy_wasm_harness::Response::new(200)).received();
    assert!(
        host.traps()[0].contains("env.proxy_make_coffee, which this host does not provide"),
        "{:?}",
        host.traps()
    );
    let strict = Host::envoy().strict_link().plugin(Plugin::new(&module)).try_start().unwrap_err();
    assert!(
        matches!(strict.failure(), StartFailure::UnknownImports { imports, .. } if imports.len() == 2),
        "{strict}"
    );
}

#[test]
fn an_import_of_another_abi_version_is_unknown() {
    let module = raw(&with("(import \"env\" \"proxy_continue_request\" (func (result i32)))"));
    assert_eq!(module.unknown_imports().len(), 1);
}

#[test]
fn an_import_with_the_wrong_type_is_not_linked() {
    for import in [
        "(import \"env\" \"proxy_log\" (func (param i32) (result i32)))",
        "(import \"env\" \"proxy_log\" (func (param i32 i32 i32)))",
        "(import \"wasi_snapshot_preview1\" \"proc_exit\" (func (param i32) (result i32)))",
        "(import \"env\" \"proxy_log\" (global i32))",
        "(import \"env\" \"proxy_log\" (memory 1))",
    ] {
        let error = refused(&format!("(module {import} (func (export \"proxy_abi_version_0_2_1\")))"));
        assert!(matches!(error.failure(), StartFailure::NotLinked { .. }), "{import}: {error}");
        assert!(
            error.to_string().contains("proxy_log") || error.to_string().contains("proc_exit"),
            "{error}"
        );
    }
}

#[test]
fn an_unknown_import_of_two_types_is_not_linked() {
    let error = refused(&with("(import \"env\" \"x\" (func)) (import \"env\" \"x\" (func (param i32)))"));
    assert!(matches!(error.failure(), StartFailure::NotLinked { .. }), "{error}");
}

#[test]
fn an_import_that_is_no_function_is_not_linked() {
    for import in ["(memory 1)", "(global i32)", "(global (mut i64))", "(table 1 funcref)", "(tag)"] {
        let text =
            format!("(module (import \"env\" \"x\" {import}) (func (export \"proxy_abi_version_0_2_1\")))");
        let Ok(module) = Module::from_bytes("imports", text.as_bytes()) else { continue };
        let error = Host::envoy().plugin(Plugin::new(&module)).try_start().unwrap_err();
        assert!(matches!(error.failure(), StartFailure::NotLinked { .. }), "{import}: {error}");
        let error = Host::envoy().strict_link().plugin(Plugin::new(&module)).try_start().unwrap_err();
        assert!(matches!(error.failure(), StartFailure::UnknownImports { .. }), "{import}: {error}");
    }
}

#[test]
fn an_imported_memory_that_is_exported_again_is_not_linked() {
    let error = refused(
        "(module (import \"env\" \"memory\" (memory 1)) (export \"memory\" (memory 0))
        (func (export \"proxy_abi_version_0_2_1\"))
        (func (export \"malloc\") (param i32) (result i32) (i32.const 1024)))",
    );
    assert!(matches!(error.failure(), StartFailure::NotLinked { .. }), "{error}");
}

#[test]
fn a_memory_that_begins_beyond_the_limit_is_refused() {
    let error = refused(
        "(module (memory (export \"memory\") 16385) (func (export \"proxy_abi_version_0_2_1\"))
        (func (export \"malloc\") (param i32) (result i32) (i32.const 1024)))",
    );
    assert!(matches!(error.failure(), StartFailure::Trapped { at: "instantiation", .. }), "{error}");
    assert!(error.to_string().contains("memory"), "{error}");
}

#[test]
fn memories_of_other_kinds_are_refused_or_run_within_their_limits() {
    for memory in [
        "(memory (export \"memory\") i64 1)",
        "(memory (export \"memory\") i64 65537)",
        "(memory (export \"memory\") i64 0xffff_ffff_ffff)",
        "(memory (export \"memory\") i64 1 0x1_0000_0000_0000)",
        "(memory (export \"memory\") 1 2 shared)",
        "(memory (export \"memory\") 1) (memory 1) (memory 1)",
        "(memory 16000) (memory 16000) (memory 16000) (memory 16000) (memory (export \"memory\") 1)",
        "(memory (export \"memory\") 0)",
        "(memory (export \"memory\") 1 (pagesize 1))",
    ] {
        let text = format!(
            "(module (func (export \"proxy_abi_version_0_2_1\")) {memory}
            (func (export \"malloc\") (param i32) (result i32) (i32.const 1024)))"
        );
        let Ok(module) = Module::from_bytes("memory", text.as_bytes()) else { continue };
        match Host::envoy().plugin(Plugin::new(&module)).try_start() {
            Ok(host) => {
                let _ = host.get("/").send().forwarded();
                assert!(host.memory_bytes() <= 1 << 30, "{memory}");
            }
            Err(error) => assert!(
                matches!(
                    error.failure(),
                    StartFailure::NotLinked { .. }
                        | StartFailure::Trapped { .. }
                        | StartFailure::NoMemory { .. }
                ),
                "{memory}: {error}"
            ),
        }
    }
}

#[test]
fn a_table_that_begins_beyond_the_limit_is_refused() {
    let error = refused(&with("(table 1000001 funcref)"));
    assert!(matches!(error.failure(), StartFailure::Trapped { at: "instantiation", .. }), "{error}");
}

#[test]
fn many_memories_and_tables_share_their_limits() {
    let tables = with(&"(table 1000000 funcref)".repeat(90));
    let Ok(module) = Module::from_bytes("tables", tables.as_bytes()) else { return };
    let error = Host::envoy().plugin(Plugin::new(&module)).try_start().unwrap_err();
    assert!(
        matches!(
            error.failure(),
            StartFailure::Trapped { at: "instantiation", .. } | StartFailure::NotLinked { .. }
        ),
        "{error}"
    );
    let memories = with(&"(memory 16384)".repeat(90));
    let Ok(module) = Module::from_bytes("memories", memories.as_bytes()) else { return };
    let error = Host::envoy().plugin(Plugin::new(&module)).try_start().unwrap_err();
    assert!(
        matches!(
            error.failure(),
            StartFailure::Trapped { at: "instantiation", .. } | StartFailure::NotLinked { .. }
        ),
        "{error}"
    );
}

#[test]
fn a_trap_before_the_module_is_ready_says_where() {
    let trap = "(func $trap unreachable)";
    for (functions, place) in [
        ("(start $trap)", "instantiation"),
        ("(export \"_initialize\" (func $trap))", "_initialize"),
        ("(export \"_start\" (func $trap))", "_start"),
        (
            "(func (export \"_initialize\")) (func (export \"main\") (param i32 i32) (result i32) unreachable)",
            "main",
        ),
        (
            "(func (export \"_initialize\")) (func (export \"__main_void\") (result i32) unreachable)",
            "__main_void",
        ),
        (
            "(func (export \"proxy_on_context_create\") (param i32 i32) unreachable)",
            "proxy_on_context_create",
        ),
        (
            "(func (export \"proxy_on_vm_start\") (param i32 i32) (result i32) unreachable)",
            "proxy_on_vm_start",
        ),
        (
            "(func (export \"proxy_on_configure\") (param i32 i32) (result i32) unreachable)",
            "proxy_on_configure",
        ),
    ] {
        match refused(&with(&format!("{trap} {functions}"))).failure() {
            StartFailure::Trapped { at, message, .. } => {
                assert_eq!(*at, place);
                assert!(message.contains("unreachable"), "{message}");
            }
            other => panic!("{functions}: {other}"),
        }
    }
}

#[test]
fn a_loop_or_a_recursion_before_the_module_is_ready_ends() {
    for (functions, said) in [
        ("(func $f (loop $l (br $l))) (start $f)", "out of fuel"),
        ("(func (export \"_initialize\") (loop $l (br $l)))", "out of fuel"),
        ("(func (export \"_start\") (loop $l (br $l)))", "out of fuel"),
        ("(func $f (export \"_initialize\") (call $f) (call $f))", "call stack exhausted"),
        ("(func $f (call $f) (call $f)) (start $f)", "call stack exhausted"),
        (
            "(func (export \"proxy_on_vm_start\") (param i32 i32) (result i32) (loop $l (br $l)) (i32.const 1))",
            "out of fuel",
        ),
        (
            "(func (export \"proxy_on_configure\") (param i32 i32) (result i32) (loop $l (br $l)) (i32.const 1))",
            "out of fuel",
        ),
    ] {
        let module = raw(&with(functions));
        let error = Host::envoy().fuel_limit(1_000_000).plugin(Plugin::new(&module)).try_start().unwrap_err();
        assert!(matches!(error.failure(), StartFailure::Trapped { .. }), "{functions}: {error}");
        assert!(error.to_string().contains(said), "{functions}: {error}");
    }
}

#[test]
fn proc_exit_while_the_module_starts_is_restricted() {
    for start in
        ["(start $exit)", "(export \"_start\" (func $exit))", "(export \"_initialize\" (func $exit))"]
    {
        let error = refused(&with(&format!(
            "(import \"wasi_snapshot_preview1\" \"proc_exit\" (func $proc_exit (param i32)))
             (func $exit (call $proc_exit (i32.const 3))) {start}"
        )));
        assert!(error.to_string().contains("restricted_callback: proc_exit"), "{start}: {error}");
    }
}

#[test]
fn hostcalls_are_restricted_while_the_module_starts() {
    for (start, at) in
        [("(start $f)", "instantiation"), ("(export \"_initialize\" (func $f))", "_initialize")]
    {
        let error = refused(&text(&format!("(func $f (drop (call $proxy_done))) {start}")));
        assert!(
            matches!(error.failure(), StartFailure::Trapped { at: place, .. } if *place == at),
            "{error}"
        );
        assert!(error.to_string().contains("restricted_callback: proxy_done"), "{error}");
    }
}

#[test]
fn a_start_section_may_log() {
    // There is no memory to read from yet while the module is made, so what it logs is lost, and nothing else.
    let host = host_of("(func $f (call $say @\"early\")) (start $f)").start();
    assert!(host.traps().is_empty());
    assert!(said(&host).len() <= 1);
    let host = host_of("(func (export \"_initialize\") (call $say @\"early\"))").start();
    assert_eq!(said(&host), ["early"]);
}

#[test]
fn refusals_carry_what_the_guest_logged() {
    for (callback, expected) in [("proxy_on_vm_start", "on_vm_start"), ("proxy_on_configure", "on_configure")]
    {
        let error = refused(&text(&format!(
            "(func (export \"{callback}\") (param i32 i32) (result i32) (call $say @\"no such tenant\") (i32.const 0))"
        )));
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.to_string().contains("no such tenant"), "{error}");
        assert_eq!(error.logs().len(), 1);
    }
}

#[test]
fn a_host_without_plugins_does_not_start() {
    assert!(matches!(Host::envoy().try_start().unwrap_err().failure(), StartFailure::NoPlugin));
}
