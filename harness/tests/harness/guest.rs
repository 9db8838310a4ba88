//! Guests as text, with what every one needs around them.

use std::fmt::Write as _;

use proxy_wasm_harness::{Host, HostBuilder, Level, Module, Plugin, StartError};

/// What a guest may call here, by name and parameters; each returns a status. `i` is i32, `l` is i64.
const IMPORTS: &[(&str, &str)] = &[
    ("proxy_log", "iii"),
    ("proxy_get_log_level", "i"),
    ("proxy_get_current_time_nanoseconds", "i"),
    ("proxy_set_tick_period_milliseconds", "i"),
    ("proxy_get_status", "iii"),
    ("proxy_set_effective_context", "i"),
    ("proxy_done", ""),
    ("proxy_continue_stream", "i"),
    ("proxy_close_stream", "i"),
    ("proxy_send_local_response", "iiiiiiii"),
    ("proxy_get_header_map_size", "ii"),
    ("proxy_get_header_map_pairs", "iii"),
    ("proxy_set_header_map_pairs", "iii"),
    ("proxy_get_header_map_value", "iiiii"),
    ("proxy_add_header_map_value", "iiiii"),
    ("proxy_replace_header_map_value", "iiiii"),
    ("proxy_remove_header_map_value", "iii"),
    ("proxy_get_buffer_bytes", "iiiii"),
    ("proxy_get_buffer_status", "iii"),
    ("proxy_set_buffer_bytes", "iiiii"),
    ("proxy_http_call", "iiiiiiiiii"),
    ("proxy_grpc_call", "iiiiiiiiiiii"),
    ("proxy_grpc_stream", "iiiiiiiii"),
    ("proxy_grpc_send", "iiii"),
    ("proxy_grpc_cancel", "i"),
    ("proxy_grpc_close", "i"),
    ("proxy_set_shared_data", "iiiii"),
    ("proxy_get_shared_data", "iiiii"),
    ("proxy_register_shared_queue", "iii"),
    ("proxy_resolve_shared_queue", "iiiii"),
    ("proxy_enqueue_shared_queue", "iii"),
    ("proxy_dequeue_shared_queue", "iii"),
    ("proxy_define_metric", "iiii"),
    ("proxy_increment_metric", "il"),
    ("proxy_record_metric", "il"),
    ("proxy_get_metric", "ii"),
    ("proxy_get_property", "iiii"),
    ("proxy_set_property", "iiii"),
    ("proxy_call_foreign_function", "iiiiii"),
];

/// What every guest has beside its imports. Hostcalls write an address to 0 and a size to 4; other results go to 8.
const AROUND: &str = r#"
  (memory (export "memory") 32)
  (global $free (mut i32) (i32.const 0x100000))
  (func (export "proxy_abi_version_0_2_1"))
  ;; The second half of the memory, over and over.
  (func $allocate (export "malloc") (param $size i32) (result i32)
    (if (i32.gt_u (i32.add (global.get $free) (local.get $size)) (i32.const 0x200000))
      (then (global.set $free (i32.const 0x100000))))
    (global.get $free)
    (global.set $free (i32.add (global.get $free) (i32.add (local.get $size) (i32.const 8)))))
  (func $say (param $text i32) (param $length i32)
    (drop (call $proxy_log (i32.const 2) (local.get $text) (local.get $length))))
  ;; Logs what a hostcall gave.
  (func $show (call $say (i32.load (i32.const 0)) (i32.load (i32.const 4))))
  ;; Logs a number.
  (func $number (param $number i32) (local $at i32)
    (local.set $at (i32.const 64))
    (loop $digit
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (local.get $at) (i32.add (i32.const 48) (i32.rem_u (local.get $number) (i32.const 10))))
      (local.set $number (i32.div_u (local.get $number) (i32.const 10)))
      (br_if $digit (local.get $number)))
    (call $say (local.get $at) (i32.sub (i32.const 64) (local.get $at))))
"#;

/// The whole text of a module around some functions. In them `@"text"` stands for the address and the length of that
/// text, `@["key=value", ..]` for those of a serialised map.
pub(crate) fn text(functions: &str) -> String {
    let mut whole = String::from("(module\n");
    for (name, parameters) in IMPORTS {
        let parameters: Vec<&str> =
            parameters.chars().map(|kind| if kind == 'l' { "i64" } else { "i32" }).collect();
        let _ = writeln!(
            whole,
            "  (import \"env\" \"{name}\" (func ${name} (param {}) (result i32)))",
            parameters.join(" ")
        );
    }
    whole.push_str(AROUND);
    let mut data: Vec<u8> = Vec::new();
    let mut rest = functions;
    while let Some(at) = rest.find('@') {
        let (before, after) = rest.split_at(at);
        whole.push_str(before);
        let (bytes, after) = if let Some(list) = after.strip_prefix("@[") {
            let (list, after) = list.split_once(']').expect("a map ends with ]");
            let texts: Vec<Vec<u8>> = list.split('"').skip(1).step_by(2).map(unescaped).collect();
            (pairs(&texts), after)
        } else {
            let quoted = after.strip_prefix("@\"").expect("a text or a map after @");
            let (quoted, after) = quoted.split_once('"').expect("a text ends with \"");
            (unescaped(quoted), after)
        };
        let _ = write!(whole, "(i32.const {}) (i32.const {})", 1024 + data.len(), bytes.len());
        data.extend(bytes);
        rest = after;
    }
    whole.push_str(rest);
    let escaped: String = data.iter().map(|byte| format!("\\{byte:02x}")).collect();
    let _ = writeln!(whole, "\n  (data (i32.const 1024) \"{escaped}\"))");
    whole
}

/// `\hh` is a byte.
fn unescaped(text: &str) -> Vec<u8> {
    let mut pieces = text.split('\\');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let (byte, rest) = piece.split_at(2);
        bytes.push(u8::from_str_radix(byte, 16).expect("two digits after a backslash"));
        bytes.extend(rest.as_bytes());
    }
    bytes
}

fn pairs(texts: &[Vec<u8>]) -> Vec<u8> {
    // The equals sign may be the first byte of no key, so pseudo headers are safe.
    let halves: Vec<(&[u8], &[u8])> = texts
        .iter()
        .map(|text| {
            let at = text.iter().position(|byte| *byte == b'=').expect("key=value");
            (&text[..at], &text[at + 1..])
        })
        .collect();
    let mut bytes = u32::try_from(halves.len()).unwrap().to_le_bytes().to_vec();
    for (key, value) in &halves {
        bytes.extend(u32::try_from(key.len()).unwrap().to_le_bytes());
        bytes.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
    }
    for (key, value) in &halves {
        bytes.extend([key, &[0][..], value, &[0]].concat());
    }
    bytes
}

/// A module of some functions.
#[track_caller]
pub(crate) fn module(functions: &str) -> Module {
    raw(&text(functions))
}

/// A module of its whole text.
#[track_caller]
pub(crate) fn raw(text: &str) -> Module {
    Module::from_bytes("guest", text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A plugin of some functions.
#[track_caller]
pub(crate) fn plugin(functions: &str) -> Plugin {
    Plugin::new(&module(functions))
}

/// A host with one guest, on one VM: what the canary and the main thread do is of no interest.
#[track_caller]
pub(crate) fn host_of(functions: &str) -> HostBuilder {
    Host::envoy().workers_only().plugin(plugin(functions))
}

#[track_caller]
pub(crate) fn host(functions: &str) -> Host {
    host_of(functions).start()
}

/// Why a module does not start.
#[track_caller]
pub(crate) fn refused(text: &str) -> StartError {
    let module = raw(text);
    match Host::envoy().plugin(Plugin::new(&module)).try_start() {
        Ok(_) => panic!("expected a module that does not start:\n{text}"),
        Err(error) => error,
    }
}

/// What was logged at `info`.
pub(crate) fn said(host: &Host) -> Vec<String> {
    host.logs(Level::Info)
}

/// The only trap there was.
#[track_caller]
pub(crate) fn trap(host: &Host) -> String {
    match host.traps().as_slice() {
        [one] => one.clone(),
        other => panic!("expected one trap, there are {other:?}\n{}", host.transcript()),
    }
}
