//! What a fuzzer's bytes do. libFuzzer calls these functions, and so does the test that replays the corpus.

#![allow(dead_code, reason = "each fuzz target is a program that uses one of the functions")]

use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::Duration;

use proxy_wasm_harness::fuzzing::{self, Hostcall};
use proxy_wasm_harness::{Callback, Connection, Host, Module, Plugin, Profile, Response, Status, Stream};

/// Where the guest keeps what its program's pointers point to.
const IMAGE: u64 = 0x1000;
const IMAGE_SIZE: usize = 0x1000;
/// Where the guest keeps its program, and how long it may be.
const PROGRAM: usize = 0x20000;
const PROGRAM_SIZE: usize = 0xc000;
/// The guest's memory, in pages.
const PAGES: u64 = 4;

/// Arguments that random bytes would hardly ever be.
const ODD: [u64; 16] = [
    0,
    0xffff_ffff,
    0xffff_fff0,
    0x7fff_ffff,
    0x8000_0000,
    PAGES * 65_536,
    PAGES * 65_536 - 1,
    PAGES * 65_536 - 4,
    PAGES * 65_536 + 1,
    0x3ffff,
    0x10000,
    1_048_577,
    u64::MAX,
    1 << 63,
    (1 << 63) - 1,
    IMAGE,
];

static TABLE: LazyLock<Vec<Hostcall>> = LazyLock::new(fuzzing::hostcalls);
/// A guest of ABI 0.2.1 and one of 0.1.0, which do the same.
static GUESTS: LazyLock<[Module; 2]> = LazyLock::new(|| {
    ["proxy_abi_version_0_2_1", "proxy_abi_version_0_1_0"]
        .map(|marker| Module::from_bytes(marker, interpreter(marker).as_bytes()).expect("the guest is valid"))
});

/// The text of a guest that does in each callback what its program says next.
fn interpreter(marker: &str) -> String {
    let mut imports = String::new();
    let mut cases = String::new();
    for (index, hostcall) in TABLE.iter().enumerate() {
        let (namespace, name) = (hostcall.namespace, hostcall.name);
        let parameters = hostcall.parameters.join(" ");
        let _ = writeln!(
            imports,
            "(import \"{namespace}\" \"{name}\" (func $h{index} (param {parameters}) (result i32)))"
        );
        let arguments: Vec<String> = hostcall
            .parameters
            .iter()
            .enumerate()
            .map(|(place, kind)| format!("({kind}.load offset={} (local.get $at))", 8 * place))
            .collect();
        let _ = writeln!(
            cases,
            ") (global.set $pc (i32.add (local.get $at) (i32.const {})))
             (drop (call $h{index} {})) (br $next)",
            8 * hostcall.parameters.len(),
            arguments.join(" ")
        );
    }
    let count = TABLE.len();
    let blocks: String = (0..=count).rev().map(|index| format!("(block $b{index} ")).collect();
    let targets: String = (0..=count).map(|index| format!("$b{index} ")).collect();
    let mut callbacks = String::new();
    for callback in Callback::ALL {
        let short = marker.ends_with("0_1_0")
            && matches!(callback, Callback::RequestHeaders | Callback::ResponseHeaders);
        let parameters = "i32 ".repeat(callback.parameters().len() - usize::from(short));
        let (result, after) = match callback {
            Callback::VmStart | Callback::ValidateConfiguration => {
                ("(result i32)", "(drop (call $run)) (i32.const 1)")
            }
            Callback::Configure => ("(result i32)", "(call $load) (drop (call $run)) (i32.const 1)"),
            _ if callback.returns() => ("(result i32)", "(call $run)"),
            _ => ("", "(drop (call $run))"),
        };
        let _ = writeln!(
            callbacks,
            "(func (export \"{}\") (param {parameters}) {result} {after})",
            callback.export()
        );
    }
    format!(
        "(module {imports}
           (memory (export \"memory\") {PAGES})
           (func (export \"{marker}\"))
           (global $pc (mut i32) (i32.const 0))
           (global $end (mut i32) (i32.const 0))
           (global $free (mut i32) (i32.const 0x30000))
           (global $mode (mut i32) (i32.const 0))
           ;; How the host is given memory is up to the input, too.
           (func $malloc (export \"malloc\") (param $size i32) (result i32)
             (if (i32.eq (global.get $mode) (i32.const 1)) (then (return (i32.const 0))))
             (if (i32.eq (global.get $mode) (i32.const 2)) (then (return (i32.const 1))))
             (if (i32.eq (global.get $mode) (i32.const 3)) (then (return (i32.const 0xfffffff0))))
             (if (i32.eq (global.get $mode) (i32.const 4)) (then unreachable))
             (if (i32.eq (global.get $mode) (i32.const 5)) (then (return (i32.const 0x3fffe))))
             (if (i32.eq (global.get $mode) (i32.const 6)) (then (return (call $run))))
             (if (i32.eq (global.get $mode) (i32.const 7)) (then (drop (memory.grow (i32.const 1)))))
             (if (i32.gt_u (i32.add (global.get $free) (local.get $size)) (i32.const 0x40000))
               (then (global.set $free (i32.const 0x30000))))
             (global.get $free)
             (global.set $free (i32.add (global.get $free) (local.get $size))))
           ;; The plugin's configuration: mode, size of the image, size of the program, image, program.
           (func $load (local $from i32)
             (drop {get_configuration})
             (local.set $from (i32.load (i32.const 0)))
             (memory.copy (i32.const {IMAGE}) (i32.add (local.get $from) (i32.const 12)) (i32.load offset=4 (local.get $from)))
             (memory.copy (i32.const {PROGRAM})
               (i32.add (local.get $from) (i32.add (i32.const 12) (i32.load offset=4 (local.get $from))))
               (i32.load offset=8 (local.get $from)))
             (global.set $pc (i32.const {PROGRAM}))
             (global.set $end (i32.add (i32.const {PROGRAM}) (i32.load offset=8 (local.get $from))))
             (global.set $mode (i32.load (local.get $from))))
           (func $run (result i32) (local $at i32)
             (loop $next
               (if (i32.ge_u (global.get $pc) (global.get $end)) (then (return (i32.const 0))))
               (local.set $at (i32.add (global.get $pc) (i32.const 8)))
               {blocks} (br_table {targets} (i32.load (global.get $pc)))
               {cases} )
               (global.set $pc (i32.add (local.get $at) (i32.const 8)))
               (return (i32.load (local.get $at))))
             (i32.const 0))
           {callbacks})",
        get_configuration = if marker.ends_with("0_1_0") {
            let index = TABLE.iter().position(|hostcall| hostcall.name == "proxy_get_configuration");
            format!("(call $h{} (i32.const 0) (i32.const 4))", index.expect("it is in the table"))
        } else {
            let index = TABLE.iter().position(|hostcall| hostcall.name == "proxy_get_buffer_bytes");
            format!(
                "(call $h{} (i32.const 7) (i32.const 0) (i32.const 0x10000) (i32.const 0) (i32.const 4))",
                index.expect("it is in the table")
            )
        },
    )
}

/// The input, read from its beginning; zeros follow it.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn byte(&mut self) -> u8 {
        self.number::<1>() as u8
    }

    fn number<const BYTES: usize>(&mut self) -> u64 {
        let mut bytes = [0; 8];
        let taken = self.take(BYTES);
        bytes[..taken.len()].copy_from_slice(taken);
        u64::from_le_bytes(bytes)
    }

    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// An argument: a small number, a place in the image, an odd one, or any.
    fn argument(&mut self) -> u64 {
        match self.byte() {
            small @ 0..0x80 => u64::from(small),
            0x80..0x90 => IMAGE + self.number::<2>() % IMAGE_SIZE as u64,
            odd @ 0x90..0xa0 => ODD[usize::from(odd & 15)],
            0xa0..0xf0 => self.number::<4>(),
            _ => self.number::<8>(),
        }
    }
}

/// What the test's side does next.
#[derive(Debug)]
struct Step {
    kind: u8,
    with: u8,
}

/// A guest executes hostcalls with the arguments that the input has, in whatever callbacks the input leads to.
///
/// # Panics
///
/// If the harness does, or if a hostcall's answer is no status.
pub(super) fn hostcalls(data: &[u8]) {
    let mut input = Input(data);
    let flags = input.byte();
    let mode = u32::from(flags & 15);
    let size = usize::try_from(input.number::<2>()).unwrap_or_default() % IMAGE_SIZE;
    let image = input.take(size);
    let mut program: Vec<u8> = Vec::new();
    let mut steps = Vec::new();
    while !input.0.is_empty() && program.len() < PROGRAM_SIZE - 128 && steps.len() < 64 {
        let what = input.byte();
        match what {
            0..0xe0 => {
                let index = usize::from(what) % TABLE.len();
                program.extend((index as u64).to_le_bytes());
                for _ in &TABLE[index].parameters {
                    program.extend(input.argument().to_le_bytes());
                }
            }
            // The callback returns.
            0xe0..0xf0 => {
                program.extend((TABLE.len() as u64).to_le_bytes());
                let value = if what == 0xef { input.argument() } else { u64::from(what & 3) };
                program.extend(value.to_le_bytes());
            }
            _ => steps.push(Step { kind: what & 15, with: input.byte() }),
        }
    }
    let mut configuration = Vec::new();
    for number in [mode as usize, image.len(), program.len()] {
        configuration.extend(u32::try_from(number).unwrap_or_default().to_le_bytes());
    }
    configuration.extend([image, &program].concat());
    let module = &GUESTS[usize::from(flags >> 7)];
    let profile = if flags & 0x40 == 0 { Profile::default() } else { Profile::Spec };
    let mut plugin = Plugin::new(module).configuration(configuration);
    if flags & 0x20 != 0 {
        plugin = plugin.allow_on_headers_stop_iteration();
    }
    let mut host = Host::like(profile)
        .workers_only()
        .fuel_limit(300_000)
        .memory_limit(1 << 20)
        .buffer_limit(4096)
        .cluster("a")
        .cluster_answering("b", |_| Response::ok("answer").with_trailer("t", "1"))
        .cluster_refusing("c")
        .cluster_unhealthy("d")
        .property("a.b", "value")
        .foreign_function("a", |bytes| Ok(bytes.repeat(2)))
        .foreign_function("b", |_| Err(Status::InternalFailure))
        .plugin(plugin.clone());
    if flags & 0x10 != 0 {
        // The same VM twice in a chain.
        host = host.plugin(plugin.root_id("second"));
    }
    let Ok(host) = host.try_start() else { return };
    drive(&host, &steps);
    host.shut_down();
    check(&host);
}

/// Takes the steps, with a stream and a connection that each begin when they are first needed.
fn drive(host: &Host, steps: &[Step]) {
    let mut stream: Option<Stream> = None;
    let mut connection: Option<Connection> = None;
    let open = || host.post("/path?query").header("x-a", "1").open();
    // An input without steps has a whole request.
    if steps.is_empty() {
        let stream = host.post("/").body("body").trailer("a", "b").send();
        stream.respond(Response::ok("body").with_trailer("c", "d"));
    }
    for Step { kind, with } in steps {
        let (size, end) = (usize::from(with >> 1) * 64, with & 1 == 1);
        match kind {
            0 => drop(stream.replace(open())),
            1 => {
                let _ = stream.get_or_insert_with(open).data(vec![b'x'; size], end);
            }
            2 => {
                let _ = stream.get_or_insert_with(open).trailers([("t", "1")]);
            }
            3 => {
                let response = Response::ok("response").with_trailer("t", "2");
                let _ = stream.get_or_insert_with(open).respond(response);
            }
            4 => {
                let _ = stream.get_or_insert_with(open).respond_headers(&Response::new(200), end);
            }
            5 => {
                let _ = stream.get_or_insert_with(open).respond_data(vec![b'y'; size], end);
            }
            6 => {
                let _ = stream.get_or_insert_with(open).respond_trailers([("t", "3")]);
            }
            7 => match stream.take() {
                Some(stream) if end => drop(stream),
                Some(stream) => drop(stream.upstream_resets().is_over()),
                None => {}
            },
            8 => host.advance(Duration::from_millis(u64::from(*with) * 10)),
            9 => {
                if let Some(callout) = host.callouts("a").pop() {
                    match with % 5 {
                        0 => callout.time_out(),
                        1 => callout.refuse(),
                        2 => callout.reset(),
                        3 => callout.respond(200, vec![b'z'; size]),
                        _ => callout.respond_with(Response::new(500).with_trailer("t", "4")),
                    }
                }
            }
            10 => grpc(host, *with),
            11 => {
                let connection = connection.get_or_insert_with(|| host.connect());
                let _ = connection.send(vec![b'x'; size], end);
            }
            12 => {
                let connection = connection.get_or_insert_with(|| host.connect());
                let _ = connection.upstream_sends(vec![b'y'; size], end);
            }
            13 => drop(connection.take()),
            14 => {
                let callback = Callback::ALL[usize::from(*with) % Callback::ALL.len()];
                let context = u32::from(with >> 6);
                let _ = host.raw().call(callback, &[context, 1, 2, 3, 4]);
            }
            _ => match with % 4 {
                0 => host.fail_malloc_after(u64::from(with >> 2)),
                1 => host.fail("proxy_log", Status::InternalFailure, u64::from(with >> 2)),
                2 => host.heal(),
                _ => drop(host.reconfigure("proxy_abi_version_0_2_1", vec![0; 12])),
            },
        }
    }
}

/// Looks for an open gRPC callout first: asking for one that is not there fails a test.
fn grpc(host: &Host, with: u8) {
    let Some(callout) = host.grpc_callouts("a").into_iter().next_back() else { return };
    match with % 5 {
        0 => drop(callout.initial_metadata([("i", "1")]).is_over()),
        1 => drop(callout.message(vec![b'm'; usize::from(with)]).is_over()),
        2 => drop(callout.trailing_metadata([("t", "1")]).is_over()),
        3 => drop(callout.close(u32::from(with), "closed").is_over()),
        _ => drop(callout.close(0, "").is_over()),
    }
}

/// What holds whatever a guest does.
fn check(host: &Host) {
    for (name, answer) in host.coverage().hostcalls.keys() {
        let known = answer != "other" || !name.starts_with("proxy_");
        assert!(known, "{name} answers {answer}");
    }
    assert!(host.memory_bytes() <= 1 << 20);
    assert!(host.traps().iter().all(|trap| !trap.is_empty()));
    assert!(host.transcript().len() < 128 << 20);
    let _ = (host.findings(), host.metrics(), host.log_lines(), host.costs());
    // Callouts may be left open, streams not.
    let waiting = |cluster| host.callouts(cluster).len() + host.grpc_callouts(cluster).len();
    let left = host.open() - ["a", "b", "c", "d"].into_iter().map(waiting).sum::<usize>();
    assert_eq!(left, 0, "contexts are left\n{}", host.transcript());
}

/// A guest that hands its configuration over as a header map, and reads back what it became.
const MAPS: &str = r#"(module
  (import "env" "proxy_get_buffer_bytes" (func $buffer (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_header_map_pairs" (func $set (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_pairs" (func $get (param i32 i32 i32) (result i32)))
  (import "env" "proxy_http_call" (func $call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_send_local_response" (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 200)
  (data (i32.const 16) "a")
  (global $free (mut i32) (i32.const 0x10000))
  (global $at (mut i32) (i32.const 0))
  (global $size (mut i32) (i32.const 0))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param $size i32) (result i32)
    (global.get $free)
    (global.set $free (i32.add (global.get $free) (local.get $size))))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $buffer (i32.const 7) (i32.const 0) (local.get 1) (i32.const 0) (i32.const 4)))
    (global.set $at (i32.load (i32.const 0)))
    (global.set $size (i32.load (i32.const 4)))
    (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local $at i32) (local $size i32)
    (drop (call $call (i32.const 16) (i32.const 1) (global.get $at) (global.get $size) (i32.const 0) (i32.const 0)
      (global.get $at) (global.get $size) (i32.const 0) (i32.const 8)))
    (if (call $set (i32.const 0) (global.get $at) (global.get $size)) (then unreachable))
    (if (call $get (i32.const 0) (i32.const 0) (i32.const 4)) (then unreachable))
    (local.set $at (i32.load (i32.const 0)))
    (local.set $size (i32.load (i32.const 4)))
    ;; What is read and written again stays as it is.
    (if (call $set (i32.const 0) (local.get $at) (local.get $size)) (then unreachable))
    (if (call $get (i32.const 0) (i32.const 0) (i32.const 4)) (then unreachable))
    (if (i32.ne (local.get $size) (i32.load (i32.const 4))) (then unreachable))
    (drop (call $reply (i32.const 200) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
      (global.get $at) (global.get $size) (i32.const -1)))
    (i32.const 1)))"#;

/// The input is a serialised map, as guests send them.
///
/// # Panics
///
/// If the harness does, or if a map that was read is another one when it is written and read again.
pub(super) fn pairs(data: &[u8]) {
    static GUEST: LazyLock<Module> =
        LazyLock::new(|| Module::from_bytes("maps", MAPS.as_bytes()).expect("the guest is valid"));
    let plugin = Plugin::new(&GUEST).configuration(data);
    let host = Host::envoy().workers_only().cluster("a").plugin(plugin).start();
    let stream = host.get("/").send();
    assert_eq!(host.traps(), Vec::<String>::new(), "{}", host.transcript());
    assert!(stream.is_over());
    // Nothing at all, if no codec would write it; else it and what the proxy adds.
    assert!(stream.downstream().is_none_or(|response| response.headers.len() <= 1030));
    drop(stream);
    for callout in host.callouts("a") {
        callout.respond(200, "");
    }
    host.assert_nothing_leaked();
}
