use super::*;

fn paths(json: &str) -> Vec<String> {
    let refusal = Blocklist::from_json(json.as_bytes()).unwrap_err();
    refusal.problems().iter().map(|problem| problem.path.clone()).collect()
}

#[test]
fn every_mistake_is_named_at_once() {
    let json = r#"{"version": 1, "default": "block", "fail": "shut", "on_missing_host": 1, "sni_mismatch": "reset",
        "check_upstream_ip": "deny", "also_check": ["sni", "host"], "max_entries": 0, "extra": 1,
        "reply": {"status": 200, "content_type": "a\nb", "body": "${who}", "blocked_by_uri": "here",
            "headers": [{"name": "content-length", "value": "1"}, {"name": "x-a", "value": "a\r\nb"}]},
        "lists": [
            {"name": "", "entries": ["ok.test", "x/y"], "action": "block", "mode": "shadow"},
            {"name": "b", "entries": ["a:x", 7, "http://a.test/"], "when": {"status": [404]}},
            {"name": "c", "presets": ["public_ips"]},
            {"name": "d", "remote": {"cluster": "", "path": "egress.txt", "interval": "1ms"}},
            {"name": "e", "entries": ["a"], "sources": [{"attribute": "a..b"}]}]}"#;
    assert_eq!(
        paths(json),
        [
            "extra",
            "default",
            "fail",
            "on_missing_host",
            "max_entries",
            "lists[0].name",
            "lists[0].action",
            "lists[0].mode",
            "lists[0].entries[1]",
            "lists[1].entries[0]",
            "lists[1].entries[1]",
            "lists[1].entries[2]",
            "lists[1].when",
            "lists[2].presets[0]",
            "lists[3].remote.cluster",
            "lists[3].remote.authority",
            "lists[3].remote.path",
            "lists[3].remote.interval",
            "lists[4].sources[0].attribute",
            "lists[4].sources[0]",
            "also_check[1]",
            "sni_mismatch",
            "check_upstream_ip",
            "reply.status",
            "reply.content_type",
            "reply.body",
            "reply.headers[0].name",
            "reply.headers[1].value",
            "reply.blocked_by_uri",
        ]
    );
}

#[test]
fn lists_are_told_apart_by_their_names() {
    let json =
        r#"{"version": 1, "lists": [{"name": "a", "entries": ["b"]}, {"name": "a", "entries": ["c"]}]}"#;
    assert_eq!(
        Blocklist::from_json(json.as_bytes()).unwrap_err().to_string(),
        "config field `lists`: two lists have the name \"a\", expected one"
    );
}

#[test]
fn a_list_that_covers_nothing_is_a_mistake() {
    for json in [
        "",
        "{}",
        r#"{"version": 1, "lists": []}"#,
        r#"{"version": 1, "lists": [{"name": "a"}]}"#,
        r#"{"version": 1, "lists": [{"name": "a", "entries": []}]}"#,
        r#"{"version": 1, "lists": [{"name": "a", "entries": null, "presets": []}]}"#,
    ] {
        assert!(Blocklist::from_json(json.as_bytes()).is_err(), "{json}");
    }
}

#[test]
fn more_entries_than_allowed_are_refused_with_both_numbers() {
    let json = |most: &str| {
        format!(r#"{{"lists": [{{"entries": ["a", "b", "c"], "name": "a"}}], {most} "version": 1}}"#)
    };
    let refusal = Blocklist::from_json(json(r#""max_entries": 2,"#).as_bytes()).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "config field `lists[0].entries`: found 3 entries, expected at most 2, as `max_entries` says"
    );
    assert!(Blocklist::from_json(json(r#""max_entries": 3,"#).as_bytes()).is_ok());
    assert!(Blocklist::from_json(json("").as_bytes()).is_ok());
}

#[test]
fn of_two_hundred_bad_entries_the_first_are_told_by_their_places() {
    let entries: Vec<String> = (0..200).map(|number| format!("\"bad {number}\"")).collect();
    let json = format!(r#"{{"version": 1, "lists": [{{"name": "a", "entries": [{}]}}]}}"#, entries.join(","));
    let refusal = Blocklist::from_json(json.as_bytes()).unwrap_err();
    assert_eq!(refusal.problems()[49].path, "lists[0].entries[49]");
    assert_eq!(refusal.problems()[50].message, "and 150 more problems");
}

#[test]
fn the_reply_has_a_default_for_each_of_its_parts() {
    let reply = |reply: &str| {
        let json =
            format!(r#"{{"version": 1, "lists": [{{"name": "a", "entries": ["b"]}}], "reply": {reply}}}"#);
        Blocklist::from_json(json.as_bytes()).map(|blocklist| {
            let body = String::from_utf8(blocklist.reply.body.render(crate::Parts::default())).unwrap();
            let headers: Vec<String> =
                blocklist.reply.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            (blocklist.reply.status, headers, body, blocklist.warnings().len())
        })
    };
    let headers = |more: &[&str]| {
        ["content-type: text/plain", "cache-control: no-store"]
            .iter()
            .chain(more)
            .map(|line| (*line).to_owned())
            .collect()
    };
    assert_eq!(reply("{}").unwrap(), (451, headers(&[]), "blocked by wasm\n".to_owned(), 1));
    assert_eq!(reply(r#"{"status": 403.0, "body": ""}"#).unwrap(), (403, headers(&[]), String::new(), 0));
    let link = "link: <https://example.com/policy>; rel=\"blocked-by\"";
    assert_eq!(
        reply(r#"{"blocked_by_uri": "https://example.com/policy"}"#).unwrap(),
        (451, headers(&[link]), "blocked by wasm\n".to_owned(), 0)
    );
    let own = reply(
        r#"{"headers": [{"name": "Cache-Control", "value": "max-age=5"}, {"name": "x-a", "value": "b"}]}"#,
    );
    assert_eq!(own.unwrap().1, ["content-type: text/plain", "cache-control: max-age=5", "x-a: b"]);
    assert!(reply(r#"{"content_type": "application/json"}"#).is_err());
    assert!(reply(r#"{"content_type": "application/problem+json; charset=utf-8", "body": "{\"host\": \"${host}\"}"}"#).is_ok());
}

#[test]
fn the_order_of_fields_and_lists_makes_no_difference() {
    // A list that allows keeps its names whole; whether it does is said after its entries here.
    let json = r#"{"lists": [{"presets": ["private_ips"], "name": "p"},
        {"entries": ["ok.ads.test"], "name": "ok", "action": "allow"},
        {"entries": [".ads.test"], "name": "ads"}], "version": 1}"#;
    let blocklist = Blocklist::from_json(json.as_bytes()).unwrap();
    for (host, admitted) in [
        ("ok.ads.test", true),
        ("ads.test", false),
        ("a.ads.test", false),
        ("10.0.0.1", false),
        ("b.test", true),
    ] {
        assert_eq!(blocklist.admit(Some(host.as_bytes())).is_ok(), admitted, "{host}");
    }
    let counts: Vec<usize> = blocklist.lists.iter().map(List::count).collect();
    assert_eq!(counts, [0, 1, 1]);
}

#[test]
fn a_list_that_allows_keeps_its_names_however_that_is_written() {
    for json in [
        r#"{"version": 1, "lists": [{"entr\u0069es": ["x.test"], "name": "b"}, {"entries": ["ok.test"], "name": "a", "action": "allow"}]}"#,
        r#"{"version": 1, "lists": [{"name": "b", "when": {"paths": [{"exact": "\"],[{"}]}, "entries": ["x.test"]}, {"name": "a", "entries": ["ok.test"], "action": "all\u006fw"}]}"#,
        r#"{"version": 1, "reply": {"body": "{[\"", "headers": []}, "lists": [{"name": "b", "presets": []
            , "entries": ["x.test"], "sources": [{"attribute": "a", "exact": "b"}]}, {"entries": ["ok.test"], "action": "allow", "name": "a"}]}"#,
        r#"{"lists": [{"mode": "off", "name": "b", "entries": ["x.test"]}, {"mode": "enforce", "name": "a", "entries": ["ok.test"], "action": "allow"}], "version": 1, "default": "deny"}"#,
    ] {
        let blocklist = Blocklist::from_json(json.as_bytes()).unwrap();
        assert_eq!(blocklist.lists[1].action, Action::Allow, "{json}");
        assert!(blocklist.admit(Some(b"ok.test")).is_ok(), "{json}");
    }
}

#[test]
fn both_readers_read_the_same() {
    let json =
        br#"{"version": 1, "lists": [{"name": "a", "entries": [".ads.test", "10.0.0.0/8", "b.test:80"]}]}"#;
    let by_node = filter_kit::config::read(json, Blocklist::from_node).unwrap();
    let by_reader = Blocklist::from_json(json).unwrap();
    for host in ["ads.test", "x.ads.test", "10.1.1.1", "b.test:80", "b.test", "b.test:81", "c.test"] {
        assert_eq!(by_node.admit(Some(host.as_bytes())), by_reader.admit(Some(host.as_bytes())), "{host}");
    }
}

#[test]
fn the_documents_say_what_is_read() {
    let docs = filter_docs::docs!(Blocklist::from_node);
    docs.assert_fresh();
    docs.assert_samples();
    let with = |list: &str, more: &str| format!(r#"{{"version": 1, "lists": [{list}]{more}}}"#);
    let a = r#"{"name": "a", "entries": ["a.test"]}"#;
    let right = [
        with(a, ""),
        with(
            r#"{"name": "a", "entries": ["*.a.test:80", "10.0.0.0/8", "::1", "[::1]:443", "||a.test^"]}"#,
            "",
        ),
        with(
            r#"{"name": "a", "presets": ["private_ips", "ip_literals"], "action": "allow", "mode": "report"}"#,
            "",
        ),
        with(r#"{"name": "a", "remote": {"cluster": "c", "authority": "a", "path": "/"}}"#, ""),
        with(a, r#", "default": "deny", "fail": "open", "on_missing_host": "allow", "also_check": ["sni"]"#),
        with(a, r#", "sni_mismatch": "deny", "check_upstream_ip": "reset""#),
    ];
    docs.assert_accepted(&right.each_ref().map(String::as_str));
    let wrong = [
        "{}".to_owned(),
        "[]".to_owned(),
        with("", ""),
        with(r#"{"name": "a"}"#, ""),
        with(r#"{"name": "a", "entries": "a.test"}"#, ""),
        with(r#"{"name": "a", "entries": ["api.*.test"]}"#, ""),
        with(r#"{"name": "a", "entries": [7]}"#, ""),
        with(r#"{"name": "a", "presets": ["all"]}"#, ""),
        with(a, r#", "default": "maybe""#),
        with(a, r#", "reply": {"status": 200}"#),
        with(a, r#", "lists2": []"#),
    ];
    docs.assert_refused(&wrong.each_ref().map(String::as_str));
}

#[test]
fn whatever_is_configured_is_read_or_refused_with_its_place() {
    let docs = filter_docs::docs!(Blocklist::from_node);
    docs.assert_each_mistake_is_told(
        r#"{"version": 1, "log_level": "warn", "mode": "report", "enforce_percent": 12.5, "default": "deny",
            "fail": "open", "on_missing_host": "allow", "max_entries": 7, "also_check": ["sni", "x-forwarded-host"],
            "sni_mismatch": "deny", "check_upstream_ip": "reset", "metrics": {"tag_style": "istio"},
            "lists": [
                {"name": "a", "action": "allow", "mode": "off", "entries": [".a.test", "10.0.0.0/8", "b.test:80"],
                    "presets": ["private_ips"], "sources": [
                        {"attribute": "xds.node.metadata.LABELS.app", "exact": "b"}, {"attribute": "source.port", "prefix": "4"}],
                    "when": {"methods": ["GET"], "paths": [{"prefix": "/a"}], "not": {"hosts": ["c.test"]}}},
                {"name": "b", "remote": {"cluster": "c", "authority": "a", "path": "/", "interval": "5s",
                    "timeout": 100, "max_bytes": "1KiB", "max_entries": 5, "max_bad_lines": 1,
                    "checksum": "required", "on_initial_missing": "open"}}],
            "reply": {"status": 403, "content_type": "application/json", "body": "{\"host\": \"${host}\"}",
                "headers": [{"name": "x-a", "value": "b"}], "blocked_by_uri": "https://a.test/"}}"#,
    );
    docs.assert_survives_anything();
}

#[test]
fn the_configurations_that_are_measured_are_right_ones() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("bench");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let text = std::fs::read_to_string(&path).unwrap();
            // A list of so many names, which whoever measures writes out.
            let text = match (text.split_once("${names:"), text.split_once("$}")) {
                (Some((before, _)), Some((_, after))) => format!("{before}\"a.test\"{after}"),
                _ => text,
            };
            let read = Blocklist::from_json(text.as_bytes());
            assert!(read.is_ok(), "{}: {:?}", path.display(), read.err());
            count += 1;
        }
    }
    assert_eq!(count, 6);
}
