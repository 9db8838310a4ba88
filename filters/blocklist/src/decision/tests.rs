use filter_kit::testing::Given;
use proptest::prelude::*;

use super::*;

fn blocklist(json: &str) -> Blocklist {
    Blocklist::from_json(json.as_bytes()).unwrap()
}

/// What lists say of a host, by their names.
fn said(blocklist: &Blocklist, host: &str) -> String {
    match blocklist.admit(Some(host.as_bytes())) {
        Ok(()) => "passes".to_owned(),
        Err(Denial::Listed(list)) => blocklist.lists[list].name.clone(),
        Err(other) => other.as_str().to_owned(),
    }
}

fn get(host: &[u8]) -> Given {
    Given::request("GET", "/").header(":authority", host)
}

#[test]
fn each_form_of_entry_covers_what_it_says() {
    let hosts = [
        "example.com",
        "EXAMPLE.com.",
        "example.com:80",
        "example.com:",
        "notexample.com",
        "example.com.evil.test",
        "a.b.example.com",
        "10.1.2.3",
        "[::1]:80",
    ];
    for (entry, denied) in [
        ("example.com", [1, 1, 1, 1, 0, 0, 0, 0, 0]),
        ("*.example.com", [0, 0, 0, 0, 0, 0, 1, 0, 0]),
        (".example.com", [1, 1, 1, 1, 0, 0, 1, 0, 0]),
        ("||example.com^", [1, 1, 1, 1, 0, 0, 1, 0, 0]),
        ("Example.COM.", [1, 1, 1, 1, 0, 0, 0, 0, 0]),
        ("example.com:80", [1, 1, 1, 1, 0, 0, 0, 0, 0]),
        ("example.com:443", [0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("*.example.com:80", [0, 0, 0, 0, 0, 0, 1, 0, 0]),
        ("10.0.0.0/8", [0, 0, 0, 0, 0, 0, 0, 1, 0]),
        ("10.1.2.3", [0, 0, 0, 0, 0, 0, 0, 1, 0]),
        ("::1/128", [0, 0, 0, 0, 0, 0, 0, 0, 1]),
        ("[::1]:80", [0, 0, 0, 0, 0, 0, 0, 0, 1]),
        ("[::1]:443", [0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ] {
        let list =
            blocklist(&format!(r#"{{"version": 1, "lists": [{{"name": "a", "entries": ["{entry}"]}}]}}"#));
        let found = hosts.map(|host| u8::from(list.admit(Some(host.as_bytes())).is_err()));
        assert_eq!(found, denied, "{entry}");
    }
}

#[test]
fn no_spelling_of_a_listed_host_gets_through() {
    let label = "a".repeat(63);
    let long = [label.as_str(), &label, &label, &label[..61]].join(".");
    assert_eq!(long.len(), 253);
    let list = blocklist(&format!(
        r#"{{"version": 1, "lists": [{{"name": "a",
            "entries": [".example.com", "xn--bcher-kva.example", "_dmarc.test", "127.0.0.0/8", "10.0.0.0/8", "{long}"]}}]}}"#
    ));
    for host in [
        "xn--bcher-kva.example",
        "XN--BCHER-KVA.example",
        "_dmarc.test",
        "a_b.example.com",
        "127.1",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "[::ffff:10.0.0.1]",
        "[::FFFF:a00:1]:443",
        &long,
    ] {
        assert_eq!(said(&list, host), "a", "{host}");
    }
}

#[test]
fn what_is_no_host_is_not_let_through_unless_it_is_said() {
    let json =
        |fail: &str| format!(r#"{{"version": 1, {fail} "lists": [{{"name": "a", "entries": ["a.test"]}}]}}"#);
    let (closed, open) = (blocklist(&json("")), blocklist(&json(r#""fail": "open","#)));
    for host in [
        &b"."[..],
        b"a b",
        b"a..b",
        b"user@a.test",
        b"a/b",
        b"ex\xe4mple.com",
        b"a:b:c",
        b"[::1",
        b"x:99999",
        b"a.test,b.test",
        b"a%2etest",
    ] {
        assert!(matches!(closed.admit(Some(host)), Err(Denial::Malformed(_))), "{host:?}");
        assert_eq!(open.admit(Some(host)), Ok(()), "{host:?}");
        assert!(open.judge(&get(host)).malformed);
    }
    for host in [None, Some(&b""[..])] {
        assert_eq!(closed.admit(host), Err(Denial::Missing));
        assert_eq!(open.admit(host), Ok(()));
    }
    let mixed = blocklist(&json(r#""fail": "open", "on_missing_host": "deny","#));
    assert_eq!(mixed.admit(None), Err(Denial::Missing));
}

#[test]
fn the_narrowest_entry_decides_and_of_two_as_narrow_the_one_that_denies() {
    let list = blocklist(
        r#"{"version": 1, "lists": [
            {"name": "deny", "entries": [".example.com", "same.test", "port.test", "10.0.0.0/8", "10.1.1.1", "x.ok.example.com"]},
            {"name": "allow", "action": "allow",
                "entries": ["ok.example.com", ".ok.example.com", "same.test", "port.test:443", "10.1.0.0/16", "free.test"]}]}"#,
    );
    for (host, expected) in [
        ("example.com", "deny"),
        ("a.example.com", "deny"),
        ("ok.example.com", "passes"),
        ("a.ok.example.com", "passes"),
        ("x.ok.example.com", "deny"),
        ("same.test", "deny"),
        ("port.test", "deny"),
        ("port.test:443", "passes"),
        ("port.test:444", "deny"),
        ("10.2.0.1", "deny"),
        ("10.1.2.3", "passes"),
        ("10.1.1.1", "deny"),
        ("free.test", "passes"),
        ("other.test", "passes"),
    ] {
        assert_eq!(said(&list, host), expected, "{host}");
    }
    assert_eq!(list.judge(&get(b"ok.example.com")).excepted, Some(1));
    assert_eq!(list.judge(&get(b"free.test")), Verdict::default());
}

#[test]
fn a_default_of_deny_makes_an_allowlist() {
    let list = blocklist(
        r#"{"version": 1, "default": "deny", "lists": [
            {"name": "ok", "action": "allow", "entries": [".example.com", "192.0.2.0/24"]},
            {"name": "not", "entries": ["bad.example.com"]}]}"#,
    );
    for (host, expected) in [
        ("example.com", "passes"),
        ("a.example.com:8443", "passes"),
        ("bad.example.com", "not"),
        ("192.0.2.7", "passes"),
        ("198.51.100.1", "unlisted"),
        ("other.test", "unlisted"),
    ] {
        assert_eq!(said(&list, host), expected, "{host}");
    }
}

#[test]
fn what_only_reports_changes_no_decision() {
    let list = blocklist(
        r#"{"version": 1, "lists": [
            {"name": "try", "mode": "report", "entries": [".a.test"]},
            {"name": "off", "mode": "off", "entries": [".b.test"]},
            {"name": "on", "entries": [".c.test"]},
            {"name": "tryallow", "mode": "report", "action": "allow", "entries": ["ok.c.test"]}]}"#,
    );
    let judge = |host: &str| list.judge(&get(host.as_bytes()));
    assert_eq!(judge("a.test"), Verdict { reported: Some(Denial::Listed(0)), ..Verdict::default() });
    assert_eq!(judge("b.test"), Verdict::default());
    assert_eq!(judge("c.test").denied, Some(Denial::Listed(2)));
    assert_eq!(judge("ok.c.test").denied, Some(Denial::Listed(2)));
    let list = blocklist(
        r#"{"version": 1, "mode": "report", "default": "deny", "lists": [{"name": "a", "entries": ["a.test"]}]}"#,
    );
    for (host, denial) in
        [(&b"a.test"[..], Denial::Listed(0)), (b"b.test", Denial::Unlisted), (b"", Denial::Missing)]
    {
        let verdict = list.judge(&get(host));
        assert_eq!((verdict.denied, verdict.reported), (None, Some(denial)), "{host:?}");
    }
    let list = blocklist(r#"{"version": 1, "mode": "off", "lists": [{"name": "a", "entries": ["a.test"]}]}"#);
    assert_eq!(list.judge(&get(b"a b")), Verdict::default());
}

#[test]
fn a_request_that_is_left_alone_is_so_until_its_response_has_passed() {
    // Chance is 2,320 of 10,000 here.
    let judge = |percent: &str| {
        let list = blocklist(&format!(
            r#"{{"version": 1, "enforce_percent": {percent}, "check_upstream_ip": "reset",
                "lists": [{{"name": "a", "entries": ["a.test", "10.0.0.1"]}}]}}"#
        ));
        let verdict = list.judge(&get(b"a.test"));
        let upstream = get(b"b.test").attribute("upstream\0address", b"10.0.0.1:80");
        let [spared, drawn] = [true, false].map(|spared| list.judge_upstream(&upstream, spared).denied);
        (verdict.denied, verdict.reported, verdict.spared, spared, drawn)
    };
    let denied = Some(Denial::Listed(0));
    assert_eq!(judge("23.20"), (None, denied, true, None, None));
    assert_eq!(judge("23.21"), (denied, None, false, None, denied));
}

#[test]
fn a_list_may_be_for_some_requests_alone() {
    let list = blocklist(
        r#"{"version": 1, "lists": [
            {"name": "post", "entries": [".a.test"], "when": {"methods": ["POST"]}},
            {"name": "team", "entries": [".b.test"],
                "sources": [{"attribute": "connection.uri_san_peer_certificate", "prefix": "spiffe://x/team/"}]},
            {"name": "all", "action": "allow", "entries": ["ok.a.test"]}]}"#,
    );
    let denied = |given: Given| list.judge(&given).denied;
    let host = |method: &str, host: &str| Given::request(method, "/").header(":authority", host.as_bytes());
    assert_eq!(denied(host("POST", "a.test")), Some(Denial::Listed(0)));
    assert_eq!(denied(host("GET", "a.test")), None);
    assert_eq!(denied(host("POST", "ok.a.test")), None);
    let san = "connection\0uri_san_peer_certificate";
    assert_eq!(denied(host("GET", "b.test").attribute(san, b"spiffe://x/team/one")), Some(Denial::Listed(1)));
    assert_eq!(denied(host("GET", "b.test").attribute(san, b"spiffe://x/other")), None);
    assert_eq!(denied(host("GET", "b.test")), None);
}

#[test]
fn conditions_are_asked_of_lists_that_cover_the_host_alone() {
    let list = blocklist(
        r#"{"version": 1, "lists": [{"name": "post", "entries": [".a.test", "b.a.test"], "when": {"methods": ["POST"]}}]}"#,
    );
    let given = get(b"x.test");
    list.judge(&given);
    assert_eq!(given.asked(), [":authority"]);
    let given = get(b"b.a.test");
    list.judge(&given);
    assert_eq!(given.asked(), [":authority", ":method"]);
}

#[test]
fn a_host_without_a_port_has_that_of_its_scheme() {
    let list = blocklist(
        r#"{"version": 1, "lists": [{"name": "http", "entries": ["a.test:80"]}, {"name": "https", "entries": ["a.test:443"]}]}"#,
    );
    let denied = |scheme: &str, host: &str| {
        list.judge(&get(host.as_bytes()).header(":scheme", scheme.as_bytes())).denied
    };
    assert_eq!(denied("http", "a.test"), Some(Denial::Listed(0)));
    assert_eq!(denied("https", "a.test"), Some(Denial::Listed(1)));
    assert_eq!(denied("https", "a.test:80"), Some(Denial::Listed(0)));
    assert_eq!(denied("https", "a.test:8080"), None);
    let connect = |host: &[u8]| list.judge(&Given::request("CONNECT", "").header(":authority", host)).denied;
    assert_eq!(connect(b"a.test:443"), Some(Denial::Listed(1)));
    assert_eq!(connect(b"a.test:22"), None);
    assert_eq!(connect(b"a.test"), Some(Denial::Malformed(Malformed::Port)));
}

#[test]
fn the_server_name_is_held_to_the_lists_and_to_the_host_if_it_is_said() {
    let sni = "connection\0requested_server_name";
    let json = |more: &str| {
        format!(r#"{{"version": 1, {more} "lists": [{{"name": "a", "entries": [".a.test"]}}]}}"#)
    };
    let judge = |more: &str, host: &str, name: &[u8]| {
        blocklist(&json(more)).judge(&get(host.as_bytes()).attribute(sni, name))
    };
    assert_eq!(judge("", "b.test", b"a.test"), Verdict::default());
    let check = r#""also_check": ["sni"],"#;
    assert_eq!(judge(check, "b.test", b"a.test").denied, Some(Denial::Listed(0)));
    assert_eq!(judge(check, "b.test", b"b.test"), Verdict::default());
    assert_eq!(judge(check, "b.test", b""), Verdict::default());
    assert!(matches!(judge(check, "b.test", b"\xff").denied, Some(Denial::Malformed(_))));
    let deny = r#""sni_mismatch": "deny","#;
    assert_eq!(judge(deny, "b.test", b"c.test").denied, Some(Denial::Misdirected));
    assert_eq!(judge(deny, "B.test.:443", b"b.test"), Verdict::default());
    assert_eq!(judge(deny, "10.0.0.1", b"b.test").denied, Some(Denial::Misdirected));
    let report = judge(r#""sni_mismatch": "report","#, "b.test", b"c.test");
    assert_eq!((report.denied, report.reported, report.misdirected), (None, Some(Denial::Misdirected), true));
    assert_eq!(blocklist(&json(deny)).judge(&get(b"b.test")), Verdict::default());
}

#[test]
fn every_forwarded_host_is_held_to_the_lists_if_it_is_said() {
    let json = |more: &str| {
        format!(r#"{{"version": 1, {more} "lists": [{{"name": "a", "entries": [".a.test"]}}]}}"#)
    };
    let (on, off) = (blocklist(&json(r#""also_check": ["x-forwarded-host"],"#)), blocklist(&json("")));
    let given = |values: &[&[u8]]| {
        values.iter().fold(get(b"b.test"), |given, value| given.header("x-forwarded-host", value))
    };
    for (values, denied) in [
        (&[&b"b.test"[..]][..], None),
        (&[b"a.test"], Some(Denial::Listed(0))),
        (&[b"b.test, a.test"], Some(Denial::Listed(0))),
        (&[b"b.test", b"a.test"], Some(Denial::Listed(0))),
        (&[b"", b" , "], None),
        (&[b"a b"], Some(Denial::Malformed(Malformed::Space))),
    ] {
        assert_eq!(on.judge(&given(values)).denied, denied, "{values:?}");
        assert_eq!(off.judge(&given(values)).denied, None, "{values:?}");
    }
}

#[test]
fn an_upstream_at_a_listed_address_is_found_out_whatever_the_host_was() {
    let json = |more: &str| {
        format!(
            r#"{{"version": 1, "check_upstream_ip": "reset", {more} "lists": [
                {{"name": "inside", "presets": ["private_ips"]}},
                {{"name": "ok", "action": "allow", "entries": ["10.1.0.0/16"]}},
                {{"name": "try", "mode": "report", "entries": ["192.0.2.0/24"]}}]}}"#
        )
    };
    let reset = blocklist(&json(""));
    let judge = |list: &Blocklist, address: &[u8]| {
        let verdict = list.judge_upstream(&get(b"a.test").attribute("upstream\0address", address), false);
        (verdict.denied, verdict.reported)
    };
    let first = Some(Denial::Listed(0));
    assert_eq!(judge(&reset, b"10.0.0.1:80"), (first, None));
    assert_eq!(judge(&reset, b"[::1]:80"), (first, None));
    assert_eq!(judge(&reset, b"10.1.0.1:80"), (None, None));
    assert_eq!(judge(&reset, b"192.0.2.1:80"), (None, Some(Denial::Listed(2))));
    assert_eq!(judge(&reset, b"/tmp/socket"), (None, None));
    assert_eq!(judge(&reset, b"198.51.100.1:80"), (None, None));
    assert_eq!(judge(&blocklist(&json(r#""default": "deny","#)), b"198.51.100.1:80"), (None, None));
    assert_eq!(judge(&blocklist(&json(r#""mode": "report","#)), b"10.0.0.1:80"), (None, first));
    let text = json("").replace("\"reset\"", "\"report\"");
    assert_eq!(judge(&blocklist(&text), b"10.0.0.1:80"), (None, first));
    let text = json("").replace("\"reset\"", "\"off\"");
    assert_eq!(judge(&blocklist(&text), b"10.0.0.1:80"), (None, None));
}

#[test]
fn before_its_first_fetch_a_list_is_closed_unless_it_is_said() {
    let json = |action: &str, before: &str, default: &str| {
        blocklist(&format!(
            r#"{{"version": 1, "default": "{default}", "lists": [{{"name": "feed", "action": "{action}", "entries": [".a.test"],
                "remote": {{"cluster": "c", "authority": "a", "path": "/", "on_initial_missing": "{before}"}}}}]}}"#
        ))
    };
    for (action, before, default, a, b) in [
        ("deny", "closed", "allow", Some(Denial::Awaited(0)), Some(Denial::Awaited(0))),
        ("deny", "open", "allow", Some(Denial::Listed(0)), None),
        ("allow", "closed", "deny", None, Some(Denial::Unlisted)),
        ("allow", "open", "deny", None, None),
    ] {
        let list = json(action, before, default);
        assert_eq!(list.judge(&get(b"a.test")).denied, a, "{action} {before}");
        assert_eq!(list.judge(&get(b"b.test")).denied, b, "{action} {before}");
    }
}

/// The same decision, made slowly: each entry by itself, in the order of the rule.
fn slowly(lists: &[(bool, Vec<String>)], deny_others: bool, host: &str) -> bool {
    use filter_kit::host::{Entry, Pattern};
    let mut room = Room::new();
    let authority = Authority::parse(host.as_bytes(), &mut room).unwrap();
    let authority = Authority { port: authority.port.or(Some(80)), ..authority };
    let mut best: Option<(usize, bool, bool)> = None;
    for (denies, entries) in lists {
        for typed in entries {
            let entry = Entry::parse(typed).unwrap();
            if !entry.covers(&authority) {
                continue;
            }
            let length = match &entry.pattern {
                Pattern::Name(name, _) => name.len(),
                Pattern::Network(network) => network.bits().into(),
            };
            best = best.max(Some((length, entry.port.is_some(), *denies)));
        }
    }
    best.map_or(deny_others, |(_, _, denies)| denies)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]
    #[test]
    fn the_decision_is_the_one_that_looking_at_each_entry_makes(
        lists in proptest::collection::vec((
            any::<bool>(),
            proptest::collection::vec(
                "(\\*\\.|\\.)?([ab]\\.){0,3}[ab](:(80|81))?|10\\.0\\.0\\.[0-3](:80)?|10\\.0\\.0\\.0/(8|30|31)|::[0-3]|fd00::/8", 1..8),
        ), 1..5),
        host in "([abAB]\\.){0,4}[abAB]\\.?(:(80|81))?|10\\.0\\.0\\.[0-7](:80)?|0x0a\\.[0-3]|\\[::[0-3]\\](:81)?",
        deny_others: bool,
    ) {
        let json = serde_json(&lists, deny_others);
        let denied = blocklist(&json).judge(&get(host.as_bytes())).denied.is_some();
        prop_assert_eq!(denied, slowly(&lists, deny_others, &host), "{} {}", host, json);
    }

    #[test]
    fn no_bytes_are_too_odd_to_be_judged(authority in proptest::collection::vec(0u8.., 0..300)) {
        let list = r#"{"version": 1, "lists": [{"name": "a", "entries": [".a.test", "a.test:80"], "presets": ["private_ips"]}]}"#;
        blocklist(list).judge(&get(&authority));
    }
}

fn serde_json(lists: &[(bool, Vec<String>)], deny_others: bool) -> String {
    let lists: Vec<String> = lists
        .iter()
        .enumerate()
        .map(|(number, (denies, entries))| {
            let action = if *denies { "deny" } else { "allow" };
            format!(r#"{{"name": "l{number}", "action": "{action}", "entries": {entries:?}}}"#)
        })
        .collect();
    let default = if deny_others { "deny" } else { "allow" };
    format!(r#"{{"version": 1, "default": "{default}", "lists": [{}]}}"#, lists.join(","))
}
