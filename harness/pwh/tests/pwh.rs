//! The command as it is used: what it prints, what it writes, how it exits.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, also in what several tests call"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What a run of pwh came to.
struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn pwh(arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_pwh"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Ran { code: output.status.code().unwrap(), out: text(&output.stdout), err: text(&output.stderr) }
}

impl Ran {
    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, code, "\n{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    fn says(self, part: &str) -> Self {
        assert!(self.out.contains(part), "no {part:?} in\n{}", self.out);
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in\n{}", self.out))
    }
}

const GREETER: &str = "examples/greeter.pwh.yaml";

/// A folder with the guest and a scenario of these tests.
fn scenario(tests: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(manifest().join("examples/greeter.wat"), folder.path().join("greeter.wat")).unwrap();
    let path = folder.path().join("a.pwh.yaml");
    std::fs::write(&path, format!("plugin: {{module: greeter.wat}}\n{tests}")).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

fn manifest() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_scenario_whose_tests_hold_exits_with_0() {
    pwh(&["run", GREETER])
        .exits(0)
        .says("examples/greeter.pwh.yaml (envoy-1.40)\n")
        .says("  ok     some paths are denied\n")
        .says("a body passes as it came, however it is cut (6")
        .says("\n6 passed, 0 failed\n");
}

#[test]
fn tests_are_chosen_by_name_and_run_under_several_profiles() {
    let ran = pwh(&["run", GREETER, "--filter", "DENIED", "--profile", "envoy-1.36,spec"]).exits(0);
    assert_eq!(
        ran.out.lines().filter(|line| !line.starts_with("  ")).collect::<Vec<_>>(),
        ["examples/greeter.pwh.yaml (envoy-1.36)", "examples/greeter.pwh.yaml (spec)", "2 passed, 0 failed"]
    );
    assert!(pwh(&["run", GREETER, "--filter", "nothing"]).exits(2).err.contains("no test has \"nothing\""));
    let ran = pwh(&["run", GREETER, "--profile", "envoy-1.1"]).exits(2);
    assert!(ran.err.contains("envoy-1.36"), "{}", ran.err);
}

#[test]
fn a_failure_says_where_what_was_expected_and_what_was_got() {
    let (_folder, path) = scenario(
        "tests:
  - name: it goes wrong
    request: {path: /hello}
    expect:
      forwarded:
        headers:
          x-guest: go
          x-one: {regex: ^a}
      answered: {status: 403}
      logs: [{warn: {regex: req}}]
      metrics: {greeter_requests: 2, other: 1}
      callouts: [{cluster: users}]
      costs: {max_hostcalls: 1}
",
    );
    let ran = pwh(&["run", &path]).exits(1);
    let failures: Vec<&str> = ran.out.lines().skip(1).map(|line| line.trim_start()).collect();
    let short: Vec<String> = failures.iter().map(|line| line.replace(&path, "a.yaml")).collect();
    assert_eq!(
        short,
        [
            "FAILED it goes wrong",
            "a.yaml:8: forwarded header x-guest",
            "expected \"go\"",
            "got      \"wat\"",
            "a.yaml:9: forwarded header x-one",
            "expected something that /^a/ matches",
            "got      nothing",
            "a.yaml:10: answered",
            "expected an answer in the upstream's place",
            "got      the upstream's response has reached the client: 200 (via_upstream)",
            "a.yaml:11: a line of the log at warn",
            "expected something that /req/ matches",
            "got      info: \"request\"",
            "a.yaml:12: metric greeter_requests",
            "expected a counter or gauge at 2",
            "got      a counter at 1",
            "a.yaml:12: metric other",
            "expected a counter or gauge at 1",
            "got      none of that name; there are greeter_requests",
            "a.yaml:13: callouts so far",
            "expected 1",
            "got      none",
            "a.yaml:14: hostcalls",
            "expected at most 1",
            "got      4",
            "0 passed, 1 failed",
            "-v prints what went back and forth",
        ]
    );
    pwh(&["run", &path, "-v"])
        .exits(1)
        .says("    transcript\n")
        .says("proxy_add_header_map_value(HttpRequestHeaders, \"x-guest\", \"wat\") -> Ok\n");
}

#[test]
fn an_outcome_that_depends_on_the_cut_is_found_with_its_plan() {
    let (_folder, path) = scenario(
        "tests:
  - name: three bytes are nothing special
    request: {body: hello world, chunks: any}
    expect: {logs: [{any: {not: {contains: three}}}]}
",
    );
    pwh(&["run", &path])
        .exits(1)
        .says("with the body of line 4 cut as {at: [3]}; the whole body passes")
        .says("a.pwh.yaml:5: a line of the log\n");
}

#[test]
fn a_trap_fails_a_test_that_does_not_expect_it() {
    let (_folder, path) = scenario(
        "tests:
  - name: unexpected
    request: {path: /trap}
    expect: {answered: {status: 503}}
  - name: expected
    request: {path: /trap}
    expect: {answered: {status: 503}, traps: [{contains: unreachable}]}
  - name: expected and not there
    request: {path: /}
    expect: {traps: [{contains: unreachable}]}
",
    );
    let ran = pwh(&["run", &path]).exits(1).says("1 passed, 2 failed").says("  ok     expected\n");
    assert!(ran.out.contains("a.pwh.yaml:3: the VM\n      expected that it does not trap\n"), "{}", ran.out);
}

#[test]
fn steps_send_and_answer_piece_by_piece() {
    let (_folder, path) = scenario(
        "clusters: {users: asked}
tests:
  - name: a request and a response in parts
    steps:
      - request: {method: POST, body: one, end: false}
        expect: {forwarded: false}
        stream: a
      - send: {body: two, trailers: {x-t: '1'}}
      - response: {status: 206, body: three, end: false}
        expect: {received: false}
  - name: parts arrive
    steps:
      - request: {method: POST, body: one, end: false, http2: true}
        response: nothing
        expect: {received: false}
      - send: {body: two, trailers: {x-t: '1'}}
        expect: {forwarded: {body: onetwo, trailers: {x-t: '1'}}, received: false}
      - response: {status: 206, body: three, end: false}
      - reply: {body: four}
        expect: {received: {status: 206, body: threefour}}
  - name: two streams and a callout by hand
    steps:
      - request: {path: /call}
        stream: first
      - request: {path: /deny}
        stream: second
        expect: {answered: {status: 403}}
      - expect: {paused_in: request_headers}
        stream: first
      - callout: {cluster: users, fail: refuse}
        stream: first
        expect: {forwarded: {headers: {x-answer: '503'}}}
  - name: a client that leaves, an upstream that breaks, a hostcall that fails
    steps:
      - request: {path: /call}
      - disconnect: true
        expect: {forwarded: false, received: false, reset: false, paused_in: none}
      - request: {}
        response: reset
        expect: {answered: {status: 503, body: {contains: reset}}}
      - fail: {hostcall: proxy_add_header_map_value, status: InternalFailure}
      - request: {}
        expect: {forwarded: {headers: {x-guest: {absent: true}}}}
      - reconfigure: longer
      - request: {}
        expect: {forwarded: {headers: {x-guest: wat}}, metrics: {greeter_requests: 4}}
",
    );
    let ran = pwh(&["run", &path]).exits(1).says("3 passed, 1 failed");
    // The first one: headers go on at once, and a response that has begun was received in part.
    assert!(
        ran.out.contains("a.pwh.yaml:7: forwarded\n      expected that nothing reaches the upstream\n"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("got      a part of the request has reached the upstream"), "{}", ran.out);
}

#[test]
fn every_problem_of_every_file_is_found_before_anything_runs() {
    let (_folder, first) = scenario(
        "plugins: []
tets: []
tests:
  - request: {pth: /, headers: {':path': /}}
    response: {status: 99}
    expect: {forwarded: {headers: {a: {regex: '('}}}, logs: [{inf: a}], paused_in: headers}
  - name: b
    steps:
      - {advance: 10, expect: {reset: no}}
      - {send: {}, reply: {}}
      - {request: {body: {json: 1, text: a}, chunks: all}}
clusters:
  users: {respond: {}, fail: later}
",
    );
    let (_other, second) = scenario("tests: [\n");
    let ran = pwh(&["run", GREETER, &first, &second]).exits(2);
    assert_eq!(ran.out, "");
    let short = ran.err.replace(&first, "a.yaml").replace(&second, "b.yaml");
    for (line, part) in [
        ("a.yaml:2:1", "`plugin` and `plugins` are both there"),
        ("a.yaml:3:1", "unknown field `tets` (`tests`?) in a scenario file, expected `plugin`"),
        ("a.yaml:5:5", "`name` is missing"),
        ("a.yaml:5:15", "unknown field `pth` (`path`?) in a request"),
        ("a.yaml:5:33", "`:path` is no header"),
        ("a.yaml:6:24", "found 99, expected a status from 100 to 599"),
        ("a.yaml:7:", "no regular expression: \"(\": error: unclosed group"),
        ("a.yaml:7:", "unknown field `inf` (`info`?) in a log line"),
        ("a.yaml:7:", "found \"headers\", expected `request_headers`"),
        ("a.yaml:10:19", "found 10, expected a time such as 250ms"),
        ("a.yaml:11:9", "`send`, `reply` in one step, expected one"),
        ("a.yaml:12:26", "expected one of `text`, `json`"),
        ("a.yaml:12:", "found \"all\", expected `whole`, `any`"),
        ("a.yaml:14:10", "expected either `respond` or `fail`"),
        ("b.yaml:", ""),
    ] {
        let found = short.lines().any(|found| found.starts_with(line) && found.contains(part));
        assert!(found, "no {line} .. {part} in\n{short}");
    }
    assert_eq!(short.lines().count(), 16, "{short}");
    assert!(short.lines().last().unwrap().starts_with("error: "), "{short}");
}

#[test]
fn a_module_that_is_not_there_is_a_problem_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    std::fs::write(
        &path,
        "plugin: {module: no.wasm}\ntests: [{name: a, request: {}, expect: {forwarded: true}}]\n",
    )
    .unwrap();
    let path = path.to_str().unwrap();
    let ran = pwh(&["run", path]).exits(2);
    assert!(ran.err.contains("a.yaml:1:18: ") && ran.err.contains("has it been built?"), "{}", ran.err);
    pwh(&["run", path, "--module", "examples/greeter.wat"]).exits(0);
}

#[test]
fn junit_has_a_suite_for_each_file_and_a_case_for_each_test() {
    let (folder, path) = scenario(
        "tests:
  - {name: good, request: {}, expect: {forwarded: true}}
  - {name: 'bad & <ugly>', request: {}, expect: {forwarded: {headers: {x-guest: \"a\\x01\"}}}}
",
    );
    let to = folder.path().join("junit.xml");
    pwh(&["run", &path, "--junit", to.to_str().unwrap()]).exits(1).says("1 passed, 1 failed");
    let xml = std::fs::read_to_string(to).unwrap();
    for part in [
        "<testsuites name=\"pwh\" tests=\"2\" skipped=\"0\" failures=\"1\" errors=\"0\"",
        "(envoy-1.40)\" tests=\"2\" skipped=\"0\" errors=\"0\" failures=\"1\"",
        "<testcase name=\"good\" classname=\"a\"",
        "<testcase name=\"bad &amp; &lt;ugly&gt;\" classname=\"a\"",
        "line=\"4\"",
        "<failure message=\"forwarded header x-guest: expected",
        "<system-out>",
        "on_request_headers(",
    ] {
        assert!(xml.contains(part), "no {part} in\n{xml}");
    }
    assert!(!xml.contains('\x01'), "{xml}");
}

#[test]
fn json_has_everything_and_may_go_to_standard_output() {
    let (_folder, path) = scenario(
        "tests:
  - {name: good, request: {}, expect: {forwarded: true}}
  - {name: bad, request: {}, expect: {forwarded: false}}
",
    );
    let report = pwh(&["run", &path, "--json", "-"]).exits(1).json();
    assert_eq!((&report["passed"], &report["failed"]), (&Value::from(1), &Value::from(1)));
    let tests = &report["suites"][0]["tests"];
    assert_eq!(report["suites"][0]["profile"], "envoy-1.40");
    assert_eq!((&tests[0]["name"], &tests[0]["passed"]), (&Value::from("good"), &Value::from(true)));
    assert_eq!(tests[0]["cost"]["hostcalls"], 4);
    assert!(tests[0].get("transcript").is_none());
    let failure = &tests[1]["failures"][0];
    assert_eq!((&failure["line"], &failure["what"]), (&Value::from(4), &Value::from("forwarded")));
    assert!(tests[1]["transcript"].as_str().unwrap().contains("on_request_headers("));
}

#[test]
fn a_good_module_is_described_and_started() {
    pwh(&["inspect", "examples/greeter.wat"])
        .exits(0)
        .says("ABI          0.2.1\n")
        .says("allocator    proxy_on_memory_allocate\n")
        .says("memory       131072 bytes to begin with, at most 1048576\n")
        .says("  env.proxy_continue_stream                      (i32) -> i32                             ABI 0.2.0 and later\n")
        .says("started: it runs")
        .says("Envoy would load it\n");
    let json = pwh(&["inspect", "examples/greeter.wat", "--json", "--no-start"]).exits(0).json();
    assert_eq!(json["problems"], Value::Array(Vec::new()));
    assert!(json.get("started").is_none());
    assert_eq!(json["imports"][0]["name"], "proxy_log");
    let capabilities = json["capabilities"].as_array().unwrap();
    assert!(capabilities.contains(&Value::from("proxy_on_http_call_response")));
    assert!(capabilities.contains(&Value::from("proxy_http_call")));
    assert!(!capabilities.contains(&Value::from("proxy_abi_version_0_2_1")));
}

#[test]
fn a_configuration_is_tried() {
    let ran = pwh(&["inspect", "examples/greeter.wat", "--configuration", "abc", "--json"]).exits(1).json();
    assert_eq!(ran["started"]["ok"], false);
    assert!(
        ran["started"]["logs"][0].as_str().unwrap().ends_with("three bytes are no configuration"),
        "{ran}"
    );
    assert!(ran["problems"][0].as_str().unwrap().contains("on_configure returned false"), "{ran}");
    pwh(&["inspect", "examples/greeter.wat", "--configuration", "@examples/greeter.wat"]).exits(0);
    let ran = pwh(&["inspect", "examples/greeter.wat", "--configuration", "@no"]).exits(2);
    assert!(ran.err.contains("reading no"), "{}", ran.err);
}

#[test]
fn what_envoy_would_refuse_is_listed_with_what_would_be_right() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.wat");
    let module = r#"(module
      (import "env" "proxy_unheard_of" (func (param i32)))
      (import "env" "proxy_log" (func (param i32)))
      (import "env" "proxy_get_configuration" (func (param i32 i32) (result i32)))
      (import "env" "a_global" (global i32))
      (import "env" "proxy_done" (func (result i32)))
      (func (export "proxy_abi_version_0_2_0"))
      (func (export "proxy_abi_version_0_2_1"))
      (func (export "proxy_on_context_create") (param i32 i32))
      (func (export "proxy_on_request_headers") (param i32) (result i32) i32.const 0)
      (func (export "proxy_on_grpc_trailing_metadata") (param i32 i32 i32))
      (func (export "proxy_on_tik") (param i32))
      (func $tail (export "tail") return_call $tail)
      (func (export "_initialize") (param i32)))"#;
    std::fs::write(&path, module).unwrap();
    let json = pwh(&["inspect", path.to_str().unwrap(), "--json"]).exits(1).json();
    let texts = |field: &str| -> Vec<String> {
        let items = json[field].as_array().unwrap();
        items.iter().map(|item| item.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        texts("problems"),
        [
            "imports env.proxy_unheard_of, which Envoy does not provide",
            "imports env.proxy_log as (i32), expected (i32 i32 i32) -> i32, for (level, message, message_size)",
            "imports env.proxy_get_configuration, which is in ABI 0.1.0, and exports the marker of 0.2.0",
            "imports the global env.a_global, Envoy provides functions only",
            "exports proxy_on_request_headers as (i32) -> i32, expected (i32 i32 i32) -> i32, for (context_id, \
             num_headers, end_of_stream)",
            "exports _initialize as (i32), expected ()",
            "no allocator is exported, expected malloc or proxy_on_memory_allocate, (i32) -> i32",
            "no memory is exported, expected one of the name \"memory\"",
        ]
    );
    assert_eq!(
        texts("warnings"),
        [
            "2 ABI versions are exported, Envoy takes one of them (0.2.0 here): export one",
            "exports proxy_on_grpc_trailing_metadata, which Envoy never calls \
             (proxy_on_grpc_receive_trailing_metadata?)",
            "exports proxy_on_tik, which Envoy never calls (proxy_on_tick?)",
            "proxy_on_context_create is exported and proxy_on_delete is not: what a stream's context takes is never \
             given back",
            "uses tail-call, which is newer than WebAssembly 2.0: try it in the Envoy that is to run it",
        ]
    );
    assert_eq!(texts("features"), ["tail-call"]);
    assert_eq!(json["imports"][4]["provided"], true);
    assert!(json.get("started").is_none());
    pwh(&["inspect", path.to_str().unwrap()])
        .exits(1)
        .says("Envoy would refuse it\n")
        .says("  not provided\n");
}

#[test]
fn what_is_no_module_is_refused_and_what_is_not_there_is_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wasm");
    std::fs::write(&path, b"\0asm\x01\0\0\0\xff").unwrap();
    let ran = pwh(&["inspect", path.to_str().unwrap()]).exits(1);
    assert!(ran.err.contains("not a valid WebAssembly module"), "{}", ran.err);
    pwh(&["inspect", "no.wasm"]).exits(2);
    std::fs::write(&path, wat::parse_str("(module)").unwrap()).unwrap();
    pwh(&["inspect", path.to_str().unwrap()])
        .exits(1)
        .says("no ABI version is exported, expected")
        .says("no callback of a stream is exported");
}

#[test]
fn a_bench_weighs_each_test_that_sends_a_request() {
    let ran = pwh(&["bench", GREETER, "--seconds", "0.05", "--json"]).exits(0);
    let weights = ran.json();
    let names: Vec<&str> = weights.as_array().unwrap().iter().map(|w| w["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 5, "{names:?}");
    assert!(
        ran.err.contains("\"a configuration of three bytes is refused\" sends no request"),
        "{}",
        ran.err
    );
    let first = &weights[0];
    assert!(first["requests_per_second"].as_f64().unwrap() > 0.0, "{first}");
    assert_eq!((&first["hostcalls"], &first["allocations"]), (&Value::from(4.0), &Value::from(1.0)));
    assert_eq!(first["allocated_bytes"], 6.0);
    assert_eq!(
        (&first["memory_bytes"], &first["memory_growth_bytes"]),
        (&Value::from(131_072), &Value::from(0))
    );

    pwh(&["bench", "examples/greeter.wat", "--seconds", "0.05", "--configuration", "longer"])
        .exits(0)
        .says("greeter: a GET answered 200 ");
    let ran = pwh(&["bench", "examples/greeter.wat", "--seconds", "0.05", "--configuration", "abc"]).exits(1);
    assert!(ran.err.contains("cannot be weighed: greeter: on_configure returned false"), "{}", ran.err);
}

fn schema() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(&pwh(&["schema"]).exits(0).out).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

/// The scenario files of the repository, and the folder of the filter that each is of.
fn of_filters() -> Vec<(String, PathBuf)> {
    let filters = manifest().join("../../filters");
    let mut found = Vec::new();
    for folder in std::fs::read_dir(filters).unwrap().map(|entry| entry.unwrap().path()) {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let Ok(tests) = std::fs::read_dir(folder.join("tests")) else { continue };
        for path in tests.map(|entry| entry.unwrap().path()) {
            if path.to_str().unwrap().ends_with(".pwh.yaml") {
                found.push((name.clone(), path));
            }
        }
    }
    found
}

#[test]
fn the_schema_takes_every_scenario_file_here_and_refuses_what_pwh_refuses() {
    let schema = schema();
    let mut files: Vec<PathBuf> = of_filters().into_iter().map(|(_, path)| path).collect();
    assert!(files.len() >= 2, "{files:?}");
    files.push(manifest().join(GREETER));
    for path in files {
        let document = yaml(&std::fs::read_to_string(&path).unwrap());
        let errors: Vec<String> = schema
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert_eq!(errors, [""; 0], "{}", path.display());
    }
    let good = "{name: a, request: {}, expect: {forwarded: true}}";
    assert!(schema.is_valid(&yaml(&format!("tests: [{good}]"))));
    for bad in [
        "{request: {}, expect: {forwarded: true}}",
        "{name: a, request: {pth: /}, expect: {forwarded: true}}",
        "{name: a, request: {}, expect: {}}",
        "{name: a, request: {}, expect: {forwarded: {headers: {a: {regexp: a}}}}}",
        "{name: a, steps: [{advance: 10}]}",
        "{name: a, steps: [{disconnect: false}]}",
        "{name: a, request: {chunks: all}, expect: {forwarded: true}}",
    ] {
        assert!(!schema.is_valid(&yaml(&format!("tests: [{bad}]"))), "{bad}");
        let (_folder, path) = scenario(&format!("tests: [{bad}]\n"));
        pwh(&["run", &path]).exits(2);
    }
}

#[test]
fn the_scenarios_of_the_filters_hold_for_the_modules_that_are_built_of_them() {
    let target = Path::new(env!("CARGO_BIN_EXE_pwh")).parent().unwrap().parent().unwrap();
    for (filter, path) in of_filters() {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--release", "--target", "wasm32-unknown-unknown", "-p", &filter])
            .arg("--target-dir")
            .arg(target)
            .current_dir(manifest())
            .status()
            .unwrap();
        assert!(built.success(), "{filter} cannot be built");
        let module = format!("wasm32-unknown-unknown/release/{}.wasm", filter.replace('-', "_"));
        let module = target.join(module);
        pwh(&["run", path.to_str().unwrap(), "--module", module.to_str().unwrap()]).exits(0);
        pwh(&["inspect", module.to_str().unwrap(), "--no-start"]).exits(0);
    }
}

#[test]
fn the_commands_of_the_readme_print_what_it_says() {
    let root = manifest().join("../..");
    let binary = Path::new(env!("CARGO_BIN_EXE_pwh")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path =
        std::env::join_paths([binary.to_owned()].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let output = Command::new("bash")
        .args(["scripts/readme.sh", "pwh", "harness/pwh/README.md"])
        .current_dir(root)
        .env("PATH", path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn help_names_every_subcommand() {
    let ran = pwh(&["--help"]).exits(0);
    for verb in ["inspect", "run", "bench", "schema"] {
        assert!(ran.out.contains(&format!("  {verb} ")), "{}", ran.out);
        pwh(&[verb, "--help"]).exits(0).says("Usage: pwh ");
    }
}
