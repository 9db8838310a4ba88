//! What each operation does to lines, on both sides; the table is the one of the crate.

use std::rc::Rc;

use proptest::prelude::*;

use crate::testing::{Proxy, Written};
use crate::{Count, Mutations, Side};

/// The lines of one name after `operations`, on a request and on a response.
#[track_caller]
fn assert_after(operations: &str, before: Written<'_>, name: &str, expected: &[&str]) {
    let json =
        format!(r#"{{"version": 1, "rules": [{{"request": [{operations}], "response": [{operations}]}}]}}"#);
    let mutations = Rc::new(Mutations::from_json(json.as_bytes()).unwrap());
    for side in [Side::Request, Side::Response] {
        let proxy = Proxy::default();
        let lines = proxy.pass(&mut proxy.exchange(&mutations), side, before).unwrap();
        let prefix = format!("{name}: ");
        let values: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix(&prefix)).collect();
        assert_eq!(values, expected, "{side:?}: {lines:?}");
    }
}

/// A header three times, one of them no UTF-8; and one that is empty.
const THREE: Written<'_> =
    &[("x-a", b"1"), ("x-b", b"other"), ("x-a", b"caf\xe9"), ("x-a", b"1"), ("x-empty", b"")];

#[test]
fn each_operation_treats_a_header_that_stands_three_times() {
    for (operation, name, expected) in [
        (r#"{"op": "set", "name": "X-A", "value": "v"}"#, "x-a", &["v"][..]),
        (r#"{"op": "set_if_present", "name": "x-a", "value": "v"}"#, "x-a", &["v"]),
        (r#"{"op": "add_if_absent", "name": "x-a", "value": "v"}"#, "x-a", &["1", r"caf\xe9", "1"]),
        (r#"{"op": "append", "name": "x-a", "value": "v"}"#, "x-a", &["1", r"caf\xe9", "1", "v"]),
        (r#"{"op": "append_csv", "name": "x-a", "value": "v"}"#, "x-a", &[r"1, caf\xe9, 1, v"]),
        (r#"{"op": "remove", "name": "x-a"}"#, "x-a", &[]),
        (r#"{"op": "remove_match", "prefix": "X-"}"#, "x-a", &[]),
        (r#"{"op": "remove_match", "suffix": "-a"}"#, "x-b", &["other"]),
        (r#"{"op": "remove_match", "regex": "^x-[ab]$", "except": ["X-A"]}"#, "x-a", &["1", r"caf\xe9", "1"]),
        (r#"{"op": "rename", "name": "x-a", "to": "x-b"}"#, "x-b", &["1", r"caf\xe9", "1"]),
        (r#"{"op": "copy", "name": "x-a", "to": "x-b"}"#, "x-b", &["1", r"caf\xe9", "1"]),
        (r#"{"op": "copy", "name": "x-a", "to": "x-b"}"#, "x-a", &["1", r"caf\xe9", "1"]),
        (r#"{"op": "dedupe", "name": "x-a", "keep": "first"}"#, "x-a", &["1"]),
        (r#"{"op": "dedupe", "name": "x-a", "keep": "last"}"#, "x-a", &["1"]),
        (r#"{"op": "dedupe", "name": "x-a", "keep": "unique"}"#, "x-a", &["1", r"caf\xe9"]),
        (r#"{"op": "rewrite", "name": "x-a", "regex": "1", "value": "2"}"#, "x-a", &["2", r"caf\xe9", "2"]),
        (
            r#"{"op": "map", "name": "x-a", "values": [{"from": "1", "to": "one"}], "default": "many"}"#,
            "x-a",
            &["one", "many", "one"],
        ),
    ] {
        assert_after(operation, THREE, name, expected);
    }
}

#[test]
fn a_header_that_is_not_there_is_not_one_that_is_empty() {
    for (operation, name, expected) in [
        (r#"{"op": "set_if_present", "name": "x-none", "value": "v"}"#, "x-none", &[][..]),
        (r#"{"op": "set_if_present", "name": "x-empty", "value": "v"}"#, "x-empty", &["v"]),
        (r#"{"op": "add_if_absent", "name": "x-empty", "value": "v"}"#, "x-empty", &[""]),
        (r#"{"op": "add_if_absent", "name": "x-none", "value": ""}"#, "x-none", &[""]),
        (r#"{"op": "append_csv", "name": "x-none", "value": "v"}"#, "x-none", &["v"]),
        (r#"{"op": "append_csv", "name": "x-empty", "value": "v"}"#, "x-empty", &["v"]),
        (r#"{"op": "rename", "name": "x-none", "to": "x-b"}"#, "x-b", &["other"]),
        (r#"{"op": "rename", "name": "x-empty", "to": "x-b"}"#, "x-b", &[""]),
        (r#"{"op": "copy", "name": "x-none", "to": "x-b"}"#, "x-b", &["other"]),
        (r#"{"op": "set", "name": "x-b", "value": "${header:x-none}"}"#, "x-b", &["other"]),
        (r#"{"op": "set", "name": "x-b", "value": "${header:x-none}", "default": "d"}"#, "x-b", &["d"]),
        (r#"{"op": "rewrite", "name": "x-b", "regex": "none", "value": "v"}"#, "x-b", &["other"]),
        (
            r#"{"op": "map", "name": "x-none", "values": [{"from": "a", "to": "b"}], "default": "d"}"#,
            "x-none",
            &[],
        ),
    ] {
        assert_after(operation, THREE, name, expected);
    }
}

#[test]
fn a_header_renamed_to_its_own_name_stays() {
    assert_after(r#"{"op": "rename", "name": "x-a", "to": "X-A"}"#, THREE, "x-a", &["1", r"caf\xe9", "1"]);
}

#[test]
fn cookies_that_a_response_sets_are_never_joined() {
    let before: Written<'_> =
        &[("set-cookie", b"a=1"), ("set-cookie", b"b=1; Expires=Wed, 21 Oct"), ("set-cookie", b"a=1")];
    let dedupe = |keep| format!(r#"{{"op": "dedupe", "name": "set-cookie", "keep": "{keep}"}}"#);
    assert_after(&dedupe("unique"), before, "set-cookie", &["a=1", "b=1; Expires=Wed, 21 Oct"]);
    assert_after(&dedupe("last"), before, "set-cookie", &["a=1"]);
}

#[test]
fn what_routes_or_frames_is_passed_over_by_every_pattern() {
    let before: Written<'_> = &[
        (":path", b"/"),
        (":authority", b"a.test"),
        ("content-length", b"1"),
        ("transfer-encoding", b"chunked"),
        ("te", b"trailers"),
        ("x-envoy-internal", b"true"),
        ("x-forwarded-client-cert", b"a"),
        ("x-a", b"1"),
    ];
    let json = r#"{"version": 1, "strip_client": ["x-e*", "c*", "t-*"], "rules": [
        {"request": [{"op": "remove_match", "regex": ""}, {"op": "remove_match", "regex": "."}]}]}"#;
    let json = json.replace(r#"{"op": "remove_match", "regex": ""}, "#, "");
    let mutations = Rc::new(Mutations::from_json(json.as_bytes()).unwrap());
    let proxy = Proxy::default();
    let after = proxy.pass(&mut proxy.exchange(&mutations), Side::Request, before).unwrap();
    let kept: Vec<&str> = after.iter().map(|line| line.rsplit_once(": ").unwrap().0).collect();
    assert_eq!(kept, before[..7].iter().map(|(name, _)| *name).collect::<Vec<_>>());
}

#[test]
fn a_value_that_is_too_long_is_neither_rewritten_nor_made() {
    let long = "v".repeat(8192);
    let json = r#"{"version": 1, "rules": [{"request": [
        {"op": "rewrite", "name": "x-long", "regex": "v", "value": "w"},
        {"op": "append_csv", "name": "x-long", "value": "w"},
        {"op": "set", "name": "x-made", "value": "${header:x-long}w"},
        {"op": "copy", "name": "x-long", "to": "x-copy"}]}]}"#;
    let mutations = Rc::new(Mutations::from_json(json.as_bytes()).unwrap());
    let proxy = Proxy::default();
    let longer = [long.as_bytes(), b"v"].concat();
    let lines = proxy.pass(&mut proxy.exchange(&mutations), Side::Request, &[("x-long", &longer)]).unwrap();
    let long = format!("{long}v");
    assert_eq!(lines, [format!("x-long: {long}"), format!("x-copy: {long}")]);
    assert_eq!(proxy.tally.get(Count::InvalidValues), 3);
}

const OPERATIONS: [&str; 14] = [
    r#"{"op": "set", "name": "x-a", "value": "${headers:x-b}"}"#,
    r#"{"op": "set_if_present", "name": "x-b", "value": "${header:x-a}${default:d}"}"#,
    r#"{"op": "add_if_absent", "name": "x-c", "value": "${path}"}"#,
    r#"{"op": "append", "name": "x-a", "value": "v"}"#,
    r#"{"op": "append_csv", "name": "x-b", "value": "v"}"#,
    r#"{"op": "remove", "name": "x-a"}"#,
    r#"{"op": "remove_match", "suffix": "b"}"#,
    r#"{"op": "rename", "name": "x-a", "to": "x-c"}"#,
    r#"{"op": "copy", "name": "x-c", "to": "x-b"}"#,
    r#"{"op": "dedupe", "name": "x-a", "keep": "unique"}"#,
    r#"{"op": "rewrite", "name": "x-b", "regex": "[a-z]", "value": "<$0>"}"#,
    r#"{"op": "map", "name": "x-c", "values": [{"from": "", "to": "e"}]}"#,
    r#"{"op": "query_set", "name": "q", "value": "${header:x-a}"}"#,
    r#"{"op": "set_cookie", "name": "c", "value": "${header:x-b}"}"#,
];

proptest! {
    /// Whatever came, what goes on can be sent, and it costs no call that changes anything if nothing changed.
    #[test]
    fn what_goes_on_can_be_sent(
        chosen in proptest::collection::vec(0_usize..14, 1..8),
        headers in proptest::collection::vec((0_usize..3, "[ -\\[\\]-~]{0,6}"), 0..6),
        path in "/[a-z?&=%]{0,8}",
    ) {
        let operations: Vec<&str> = chosen.iter().map(|at| OPERATIONS[*at]).collect();
        let json = format!(r#"{{"version": 1, "strip_client": ["none"], "rules": [{{"request": [{}]}}]}}"#, operations.join(","));
        let mutations = Rc::new(Mutations::from_json(json.as_bytes()).unwrap());
        let mut before: Vec<(&str, &[u8])> = vec![(":path", path.as_bytes())];
        let trimmed: Vec<(usize, &str)> = headers.iter().map(|(name, value)| (*name, value.trim())).collect();
        before.extend(trimmed.iter().map(|(name, value)| (["x-a", "x-b", "x-c"][*name], value.as_bytes())));
        let proxy = Proxy::default();
        let after = proxy.pass(&mut proxy.exchange(&mutations), Side::Request, &before).unwrap();
        for line in &after {
            let value = line.split_once(": ").unwrap().1;
            prop_assert!(!value.contains("\\r") && !value.contains("\\n") && value.trim() == value, "{}", line);
        }
        let mut shown: Vec<String> = before
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.escape_ascii()))
            .collect();
        let mut sorted = after;
        shown.sort();
        sorted.sort();
        let calls = proxy.calls.borrow();
        let writes = calls.iter().filter(|call| ["add", "replace", "remove"].iter().any(|verb| call.starts_with(verb)));
        if writes.count() == 0 {
            prop_assert_eq!(shown, sorted);
        } else {
            prop_assert_eq!(proxy.tally.get(Count::Changed), 1);
        }
    }
}
