//! What Envoy could not run is said before it sees it, all of it at once.

use std::io::Write as _;
use std::path::PathBuf;

use meshloom_agent::Reason;
use meshloom_agent::trust::{Policy, Trust, TrustOptions};

use crate::registry::module;

fn file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn problems(text: &str) -> Vec<String> {
    let file = file(&wat::parse_str(text).unwrap());
    Trust::new(&TrustOptions::default()).unwrap().inspect(file.path()).unwrap().problems
}

fn around(text: &str) -> String {
    format!(
        r#"(module {text}
            (memory (export "memory") 1)
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i32) (result i32) local.get 0))"#
    )
}

#[test]
fn a_module_that_envoy_can_run_has_no_problem() {
    let file = file(&module("a"));
    let found = Trust::new(&TrustOptions::default()).unwrap().inspect(file.path()).unwrap();
    assert_eq!(found.problems, Vec::<String>::new());
    assert_eq!(found.description.unwrap().imports[0].name, "proxy_log");
}

#[test]
fn all_problems_are_told_at_once() {
    let found = problems(
        r#"(module
            (import "env" "proxy_log" (func (param i32)))
            (import "env" "proxy_unheard_of" (func))
            (import "env" "proxy_get_configuration" (func (param i32 i32) (result i32)))
            (import "other" "table" (table 1 funcref))
            (memory 20000))"#,
    );
    let all = found.join("\n");
    assert_eq!(found.len(), 6, "{all}");
    for expected in [
        "no Proxy-Wasm module: it exports none of proxy_abi_version_0_1_0",
        "env.proxy_unheard_of, env.proxy_get_configuration (of ABI 0.1.0 to 0.1.0), other.table (a table)",
        "env.proxy_log as (i32), which Envoy has as (i32 i32 i32) -> i32",
        "does not export its memory",
        "exports neither \"malloc\" nor \"proxy_on_memory_allocate\"",
        "asks for 1310720000 bytes of memory at its start, more than 1073741824",
    ] {
        assert!(all.contains(expected), "{expected:?} is not in {all}");
    }
}

#[test]
fn of_many_imports_ten_are_named_and_the_others_counted() {
    let imports: String =
        (0..25).map(|number| format!(r#"(import "env" "wrong_{number}" (func))"#)).collect();
    let found = problems(&around(&imports));
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("env.wrong_9 and 15 more"), "{found:?}");
    assert!(!found[0].contains("wrong_10"), "{found:?}");
}

#[test]
fn versions_of_the_abi_that_are_unknown_or_too_many_are_told() {
    let unknown = problems(
        r#"(module (memory (export "memory") 1) (func (export "proxy_abi_version_9_0_0"))
            (func (export "proxy_on_memory_allocate") (param i32) (result i32) local.get 0))"#,
    );
    assert_eq!(unknown.len(), 1);
    assert!(unknown[0].starts_with("unknown ABI version \"proxy_abi_version_9_0_0\""), "{unknown:?}");
    let several = problems(&around(r#"(func (export "proxy_abi_version_0_1_0"))"#));
    assert!(several[0].starts_with("several ABI versions"), "{several:?}");
}

#[test]
fn exports_of_another_signature_are_told() {
    let found = problems(
        r#"(module (memory (export "memory") 1) (func (export "proxy_abi_version_0_2_0"))
            (func (export "_start") (param i32))
            (func (export "malloc") (param i64) (result i32) i32.const 0))"#,
    );
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("allocator as (i64) -> i32") && found[1].contains("\"_start\" as (i32)"));
}

#[test]
fn precompiled_code_is_noted_and_hinders_nothing() {
    let text = around("").replacen("(module", r#"(module (@custom "envoy.wasm.precompiled_x" "code")"#, 1);
    let file = file(&wat::parse_str(text).unwrap());
    let found = Trust::new(&TrustOptions::default()).unwrap().inspect(file.path()).unwrap();
    assert_eq!(found.problems, Vec::<String>::new());
    assert!(found.notes[0].contains("precompiled"), "{:?}", found.notes);
}

#[test]
fn a_warning_lets_a_flawed_module_pass_and_never_what_is_none() {
    let trust = |check| Trust::new(&TrustOptions { check, ..TrustOptions::default() }).unwrap();
    let flawed = file(&wat::parse_str("(module)").unwrap());
    let none = file(b"<html>");
    for (check, passes) in [(Policy::Enforce, false), (Policy::Warn, true), (Policy::Off, true)] {
        assert_eq!(trust(check).admit(flawed.path(), "a").is_ok(), passes, "{check:?}");
        assert_eq!(trust(check).admit(none.path(), "a").unwrap_err().reason, Reason::NotAModule, "{check:?}");
    }
}

#[test]
fn a_file_that_is_not_there_is_trouble_with_the_disk() {
    let trust = Trust::new(&TrustOptions::default()).unwrap();
    assert_eq!(trust.admit(&PathBuf::from("/nonexistent"), "a").unwrap_err().reason, Reason::Disk);
}

/// A module whose custom section and data make it large, and as many functions as make its code so.
fn large() -> tempfile::NamedTempFile {
    let leb = |mut value: usize| {
        let mut bytes = Vec::new();
        loop {
            let low = (value & 0x7f) as u8;
            value >>= 7;
            if value == 0 {
                bytes.push(low);
                return bytes;
            }
            bytes.push(low | 0x80);
        }
    };
    const COUNT: usize = 250;
    const BODY: usize = 40_000;
    let section = |id: u8, content: &[u8]| [&[id][..], &leb(content.len()), content].concat();
    let mut file = std::io::BufWriter::new(tempfile::NamedTempFile::new().unwrap());
    file.write_all(b"\0asm\x01\0\0\0").unwrap();
    file.write_all(&section(1, b"\x02\x60\0\0\x60\x01\x7f\x01\x7f")).unwrap();
    let mut functions = leb(COUNT);
    functions.push(1);
    functions.resize(functions.len() + COUNT - 1, 0);
    file.write_all(&section(3, &functions)).unwrap();
    file.write_all(&section(5, b"\x01\0\x01")).unwrap();
    let exports = b"\x03\x06malloc\0\0\x06memory\x02\0\x17proxy_abi_version_0_2_1\0\x01";
    file.write_all(&section(7, exports)).unwrap();
    let first = [&leb(4)[..], b"\0\x20\0\x0b"].concat();
    // No locals, `nop`s, `end`.
    let other = [&leb(BODY + 2)[..], b"\0", &vec![1; BODY], b"\x0b"].concat();
    let size = leb(COUNT).len() + first.len() + (COUNT - 1) * other.len();
    file.write_all(&[&[10][..], &leb(size), &leb(COUNT), &first].concat()).unwrap();
    for _ in 1..COUNT {
        file.write_all(&other).unwrap();
    }
    const DATA: usize = 95_000_000;
    let head = [&b"\x01\0\x41\0\x0b"[..], &leb(DATA)].concat();
    file.write_all(&[&[11][..], &leb(head.len() + DATA), &head].concat()).unwrap();
    file.write_all(&vec![7; DATA]).unwrap();
    file.write_all(&[&[0][..], &leb(DATA + 5), b"\x04note"].concat()).unwrap();
    file.write_all(&vec![7; DATA]).unwrap();
    file.into_inner().unwrap()
}

#[test]
#[ignore = "run by the test below, in a process of its own"]
fn child_that_inspects() {
    let path = PathBuf::from(std::env::var("MESHLOOM_TEST_FILE").unwrap());
    let found = Trust::new(&TrustOptions::default()).unwrap().inspect(&path).unwrap();
    assert_eq!(found.problems, Vec::<String>::new());
}

#[test]
fn a_module_of_200_mb_is_validated_in_less_than_30_mb() {
    let file = large();
    assert!(file.as_file().metadata().unwrap().len() > 199_000_000);
    // The bound is on the child's data, which is what it allocates.
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -d 30000 && exec \"$0\" \"$@\""]);
    command.arg(std::env::current_exe().unwrap());
    command.args(["--exact", "trust::child_that_inspects", "--ignored"]);
    let done = command.env("MESHLOOM_TEST_FILE", file.path()).output().unwrap();
    assert!(
        done.status.success(),
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(String::from_utf8_lossy(&done.stdout).contains("1 passed"));
}
