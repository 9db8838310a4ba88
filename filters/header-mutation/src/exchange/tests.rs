use filter_kit::reads::Reads;
use filter_kit::testing::Given;

use super::*;
use crate::testing::{Proxy, Written};

fn mutations(json: &str) -> Rc<Mutations> {
    let json = json.replacen('{', r#"{"version": 1, "#, 1);
    Rc::new(Mutations::from_json(json.as_bytes()).unwrap_or_else(|refusal| panic!("{json}: {refusal}")))
}

const REQUEST: Written<'_> = &[
    (":method", b"GET"),
    (":path", b"/a?q=1"),
    (":authority", b"a.test"),
    ("x-user", b"ann"),
    ("x-user", b"bob"),
    ("x-tier", b"gold"),
];
const RESPONSE: Written<'_> = &[(":status", b"200"), ("server", b"x")];

fn calls(proxy: &Proxy) -> Vec<String> {
    std::mem::take(&mut *proxy.calls.borrow_mut())
}

#[test]
fn a_side_that_no_rule_is_about_costs_no_call_at_all() {
    let mutations = mutations(r#"{"rules": [{"request": [{"op": "set", "name": "x-a", "value": "1"}]}]}"#);
    let proxy = Proxy::default();
    let mut exchange = proxy.exchange(&mutations);
    proxy.pass(&mut exchange, Side::Request, REQUEST);
    assert_eq!(calls(&proxy), ["compare x-a", "replace x-a"]);
    for side in [Side::Response, Side::RequestTrailers, Side::ResponseTrailers] {
        proxy.pass(&mut exchange, side, RESPONSE);
        assert_eq!(calls(&proxy), [""; 0], "{side:?}");
    }
}

#[test]
fn few_reads_are_asked_one_by_one_and_many_at_once() {
    for (operations, expected) in [
        (r#"{"op": "remove", "name": "x-none"}"#, &["get x-none"][..]),
        (r#"{"op": "remove", "name": "x-tier"}"#, &["get x-tier", "remove x-tier"]),
        (r#"{"op": "add", "name": "x-new", "value": "1"}"#, &["get x-new", "add x-new"]),
        (
            r#"{"op": "set", "name": "x-a", "value": "${header:x-tier}"}"#,
            &["get x-tier", "compare x-a", "replace x-a"],
        ),
        (r#"{"op": "set", "name": "x-tier", "value": "gold"}"#, &["compare x-tier"]),
        (r#"{"op": "set", "name": "x-user", "value": "ann"}"#, &["compare x-user", "replace x-user"]),
        (r#"{"op": "set_if_present", "name": "x-tier", "value": "gold"}"#, &["compare x-tier"]),
        (
            r#"{"op": "set_if_present", "name": "x-tier", "value": "iron"}"#,
            &["compare x-tier", "replace x-tier"],
        ),
        (r#"{"op": "set_if_present", "name": "x-none", "value": "1"}"#, &["compare x-none"]),
        (
            r#"{"op": "set_if_present", "name": "x-none", "value": "${header:x-none}"}"#,
            &["get x-none", "get x-none"],
        ),
        (
            r#"{"op": "remove", "name": "x-1"}, {"op": "remove", "name": "x-2"}, {"op": "remove", "name": "x-3"}"#,
            &["lines "],
        ),
        (r#"{"op": "rename", "name": "x-tier", "to": "x-new"}"#, &["lines ", "remove x-tier", "add x-new"]),
        (r#"{"op": "rewrite", "name": "x-tier", "regex": "gold", "value": "gold"}"#, &["lines "]),
        (
            r#"{"op": "set", "name": "x-user", "value": "1"}, {"op": "rename", "name": "x-user", "to": "x-tier"},
               {"op": "set", "name": "x-tier", "value": "gold"}, {"op": "append", "name": "x-user", "value": "ann"},
               {"op": "append", "name": "x-user", "value": "bob"}"#,
            &["lines "],
        ),
    ] {
        let mutations = mutations(&format!(r#"{{"rules": [{{"request": [{operations}]}}]}}"#));
        let proxy = Proxy::default();
        proxy.pass(&mut proxy.exchange(&mutations), Side::Request, REQUEST);
        assert_eq!(calls(&proxy), expected, "{operations}");
    }
}

#[test]
fn what_is_in_force_already_is_neither_written_nor_counted() {
    let mutations = mutations(
        r#"{"rules": [{"request": [{"op": "set", "name": "x-tier", "value": "gold"},
            {"op": "set_if_present", "name": "x-none", "value": "${header:x-none}"}]}]}"#,
    );
    let proxy = Proxy::default();
    let after = proxy.pass(&mut proxy.exchange(&mutations), Side::Request, REQUEST).unwrap();
    assert_eq!(after.len(), REQUEST.len());
    for count in [Count::Changed, Count::OpsApplied, Count::OpsSkipped] {
        assert_eq!(proxy.tally.get(count), 0, "{count:?}");
    }
}

#[test]
fn stripping_comes_first_and_takes_every_line() {
    let mutations = mutations(
        r#"{"strip_client": ["x-us*", "x-tier"], "rules": [{"when": {"headers": [{"name": "x-user"}]}, "request":
            [{"op": "set", "name": "x-seen", "value": "1"}]},
            {"request": [{"op": "add", "name": "x-user", "value": "ours"}]}]}"#,
    );
    let proxy = Proxy::default();
    let after = proxy.pass(&mut proxy.exchange(&mutations), Side::Request, REQUEST).unwrap();
    assert_eq!(after[3..], ["x-user: ours"]);
    assert_eq!(calls(&proxy), ["lines ", "replace x-user", "remove x-tier"]);
}

#[test]
fn a_condition_on_the_request_is_decided_as_it_passes() {
    let mutations = mutations(
        r#"{"rules": [
            {"when": {"paths": [{"prefix": "/a"}]}, "request": [{"op": "query_set", "name": "r", "value": "2"}],
                "response": [{"op": "set", "name": "x-first", "value": "1"}], "stop": true},
            {"response": [{"op": "set", "name": "x-second", "value": "${header:x-tier}"}]}]}"#,
    );
    let proxy = Proxy::default();
    let mut exchange = proxy.exchange(&mutations);
    let request = proxy.pass(&mut exchange, Side::Request, REQUEST).unwrap();
    assert!(request.contains(&":path: /a?q=1&r=2".to_owned()));
    let response = proxy.pass(&mut exchange, Side::Response, RESPONSE).unwrap();
    assert_eq!(response[2..], ["x-first: 1"]);

    let other = [(":path", &b"/b"[..]), ("x-tier", b"gold")];
    let mut exchange = proxy.exchange(&mutations);
    assert_eq!(proxy.pass(&mut exchange, Side::Request, &other).unwrap().len(), 2);
    let response = proxy.pass(&mut exchange, Side::Response, RESPONSE).unwrap();
    assert_eq!(response[2..], ["x-second: gold"]);
}

#[test]
fn a_condition_on_the_response_sees_the_request_as_it_was_sent_on() {
    let mutations = mutations(
        r#"{"rules": [
            {"request": [{"op": "set", "name": "x-tier", "value": "iron"}]},
            {"when": {"status": ["2xx"], "headers": [{"name": "x-tier", "exact": "iron"}]},
                "response": [{"op": "set", "name": "x-a", "value": "${status} ${header:host}"}],
                "response_trailers": [{"op": "set", "name": "x-end", "value": "${header:x-tier}"}]}]}"#,
    );
    for (status, expected) in [("200", true), ("404", false)] {
        let proxy = Proxy::default();
        let mut exchange = proxy.exchange(&mutations);
        proxy.pass(&mut exchange, Side::Request, REQUEST);
        let response = proxy.pass(&mut exchange, Side::Response, &[(":status", status.as_bytes())]).unwrap();
        assert_eq!(response.contains(&"x-a: 200 a.test".to_owned()), expected);
        let trailers = proxy.pass(&mut exchange, Side::ResponseTrailers, &[("x-1", b"1")]).unwrap();
        assert_eq!(trailers.contains(&"x-end: iron".to_owned()), expected);
    }
}

#[test]
fn report_counts_and_changes_nothing() {
    let rules = r#""strip_client": ["x-user"], "on_invalid": "deny", "rules": [{"request": [
        {"op": "set", "name": "x-a", "value": "${header:x-bad}"}], "response": [
        {"op": "remove", "name": "server"}]}]}"#;
    let request: Written<'_> = &[("x-user", b"1"), ("x-bad", b"\n")];
    for mode in [r#""mode": "report""#, r#""enforce_percent": 0"#, r#""mode": "off""#] {
        let mutations = mutations(&format!("{{{mode}, {rules}"));
        let proxy = Proxy::default();
        let mut exchange = proxy.exchange(&mutations);
        assert_eq!(proxy.pass(&mut exchange, Side::Request, request).unwrap().len(), 2);
        assert_eq!(proxy.pass(&mut exchange, Side::Response, RESPONSE).unwrap().len(), 2);
        let reads = ["lines ", "get x-bad", "lines "];
        let counted = mode != r#""mode": "off""#;
        assert!(calls(&proxy).iter().all(|call| counted && reads.contains(&call.as_str())));
        let count = |count| proxy.tally.get(count);
        assert_eq!((count(Count::Changed), count(Count::Denied)), (0, 0));
        assert_eq!(count(Count::Reported), if counted { 3 } else { 0 }, "{mode}");
    }
}

#[test]
fn a_share_of_requests_is_enforced_both_ways_or_not_at_all() {
    // Chance is 0x0f0e..00 here, which leaves 2,320 of 10,000.
    let share = u128::from_le_bytes(Given::default().random()) % 10_000;
    assert_eq!(share, 2320);
    for (percent, enforced) in [(23.20, false), (23.21, true)] {
        let mutations = mutations(&format!(
            r#"{{"enforce_percent": {percent}, "rules": [{{"request": [{{"op": "set", "name": "x-a", "value": "1"}}],
                "response": [{{"op": "set", "name": "x-a", "value": "1"}}]}}]}}"#
        ));
        let proxy = Proxy::default();
        let mut exchange = proxy.exchange(&mutations);
        for (side, before) in [(Side::Request, REQUEST), (Side::Response, RESPONSE)] {
            let after = proxy.pass(&mut exchange, side, before).unwrap();
            assert_eq!(after.contains(&"x-a: 1".to_owned()), enforced);
        }
    }
}

#[test]
fn a_value_that_may_not_be_sent_is_skipped_cleaned_or_refused() {
    let run = |on_invalid: &str| {
        let mutations = mutations(&format!(
            r#"{{"on_invalid": "{on_invalid}", "rules": [{{"request": [
                {{"op": "remove", "name": "x-tier"}},
                {{"op": "set", "name": "x-a", "value": "<${{header:x-bad}}>"}}],
            "response": [{{"op": "set", "name": "x-a", "value": "<${{response_header:x-bad}}>"}}]}}]}}"#
        ));
        let proxy = Proxy::default();
        let mut exchange = proxy.exchange(&mutations);
        let bad: Written<'_> = &[("x-bad", b"a\r\nb"), ("x-tier", b"gold")];
        let request = proxy.pass(&mut exchange, Side::Request, bad);
        let response = proxy.pass(&mut exchange, Side::Response, bad).unwrap();
        assert_eq!(proxy.tally.get(Count::Denied), u64::from(request.is_none()));
        (request, response.last().unwrap().clone())
    };
    let bad = r"x-bad: a\r\nb".to_owned();
    assert_eq!(run("skip"), (Some(vec![bad.clone()]), "x-tier: gold".to_owned()));
    assert_eq!(run("sanitize"), (Some(vec![bad, "x-a: <ab>".to_owned()]), "x-a: <ab>".to_owned()));
    assert_eq!(run("deny"), (None, "x-tier: gold".to_owned()));
}

#[test]
fn a_request_that_comes_again_is_changed_once() {
    let mutations = mutations(
        r#"{"once_header": "x-once", "strip_client": ["x-tier"], "rules": [{"request": [
            {"op": "append", "name": "x-tier", "value": "ours"}]}]}"#,
    );
    let proxy = Proxy::default();
    let forged: Written<'_> = &[("x-tier", b"forged"), ("x-once", b"forged"), ("x-once", b"")];
    let first = proxy.pass(&mut proxy.exchange(&mutations), Side::Request, forged).unwrap();
    let mark = "0f0e0d0c0b0a09080706050403020100";
    assert_eq!(first, ["x-tier: ours", &format!("x-once: {mark}")]);
    let sent_on: Written<'_> = &[("x-tier", b"ours"), ("x-once", mark.as_bytes())];
    calls(&proxy);
    assert_eq!(proxy.pass(&mut proxy.exchange(&mutations), Side::Request, sent_on).unwrap(), first);
    assert_eq!(calls(&proxy), ["lines "]);
    // Another VM knows nothing of that mark.
    let other = Proxy::default();
    let forged: Written<'_> = &[("x-tier", b"ours"), ("x-once", b"00000000000000000000000000000000")];
    let after = other.pass(&mut other.exchange(&mutations), Side::Request, forged).unwrap();
    assert_eq!(after, first);
}

#[test]
fn local_replies_are_left_alone_if_that_is_asked_for() {
    let rules = r#""rules": [{"response": [{"op": "set", "name": "x-a", "value": "1"}]}]}"#;
    for (skip, details, expected) in [
        (true, Some("via_upstream"), true),
        (true, Some("route_not_found"), false),
        (true, None, false),
        (false, Some("route_not_found"), true),
    ] {
        let given = Given::default();
        let given = match details {
            Some(details) => given.attribute("response\0code_details", details.as_bytes()),
            None => given,
        };
        let proxy = Proxy::knowing(given);
        let mutations = mutations(&format!(r#"{{"skip_local_replies": {skip}, {rules}"#));
        let mut exchange = proxy.exchange(&mutations);
        proxy.pass(&mut exchange, Side::Request, REQUEST);
        let after = proxy.pass(&mut exchange, Side::Response, RESPONSE).unwrap();
        assert_eq!(after.contains(&"x-a: 1".to_owned()), expected, "{skip} {details:?}");
    }
}

#[test]
fn the_rules_that_changed_something_are_named_once() {
    let mutations = mutations(
        r#"{"access_log": true, "rules": [
            {"name": "one", "request": [{"op": "set", "name": "x-a", "value": "1"}],
                "response": [{"op": "set", "name": "x-a", "value": "1"}]},
            {"name": "none", "request": [{"op": "remove", "name": "x-none"}]},
            {"name": "two", "response": [{"op": "set", "name": "x-b", "value": "1"}]}]}"#,
    );
    let proxy = Proxy::default();
    let mut exchange = proxy.exchange(&mutations);
    proxy.pass(&mut exchange, Side::Request, REQUEST);
    proxy.pass(&mut exchange, Side::Response, RESPONSE);
    let kept: Vec<String> = calls(&proxy).into_iter().filter(|call| call.starts_with("keep")).collect();
    assert_eq!(kept, ["keep header_mutation one", "keep header_mutation one,two"]);
}

#[test]
fn a_connect_has_no_path_and_keeps_its_method() {
    let mutations = mutations(
        r#"{"allow_pseudo": [":path", ":method", ":authority"], "rules": [{"request": [
            {"op": "set", "name": ":path", "value": "/"}, {"op": "query_set", "name": "a", "value": "1"},
            {"op": "set", "name": ":method", "value": "GET"}, {"op": "set", "name": "host", "value": "b.test"},
            {"op": "set", "name": "x-path", "value": "${path}"}]}]}"#,
    );
    let proxy = Proxy::default();
    let connect: Written<'_> = &[(":method", b"CONNECT"), (":authority", b"a.test:443")];
    let after = proxy.pass(&mut proxy.exchange(&mutations), Side::Request, connect).unwrap();
    assert_eq!(after, [":method: CONNECT", ":authority: b.test"]);
    assert_eq!(proxy.tally.get(Count::OpsSkipped), 4);
    assert_eq!(proxy.tally.get(Count::InvalidValues), 0);
}
