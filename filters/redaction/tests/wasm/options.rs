//! What a configuration says about which bodies, headers and names of metrics.

use proxy_wasm_harness::{Chunks, Level, Response, Status, filter, json};

use super::{configured, of_type, plain, through, with};

#[test]
fn bodies_bytes_and_changes_are_counted() {
    let host = with(&json!({}));
    for (body, bytes, changed) in
        [("to ada@example.com", 18, 1), ("nothing", 25, 1), ("bob@example.com", 40, 2)]
    {
        through(&host, &of_type("text/plain", body), &Chunks::Of(5));
        assert_eq!(host.counter("wasm_redaction_bytes_scanned_total"), bytes);
        assert_eq!(host.counter("wasm_redaction_bodies_changed_total"), changed);
    }
    assert_eq!(host.counter("wasm_redaction_bodies_scanned_total"), 3);
}

#[test]
fn metrics_have_names_that_istio_makes_labels_of_where_that_is_said() {
    let host = with(&json!({"metrics": {"tag_style": "istio"}}));
    through(&host, &of_type("text/plain", "ada@example.com"), &Chunks::Whole);
    assert_eq!(host.counter("wasm_filter.redaction.wasm_redaction_matches_mail_total"), 1);
    assert_eq!(host.counter("wasm_redaction_matches_mail_total"), 0);
}

#[test]
fn what_is_less_severe_than_the_level_is_not_logged() {
    for (level, logged) in [("info", true), ("warn", true), ("error", false)] {
        let host = with(&json!({}));
        // A metric that the host refuses is warned of.
        host.fail("proxy_define_metric", Status::InternalFailure, 100);
        let changed = configured(&json!({"log_level": level, "metrics": {"tag_style": "istio"}}));
        host.reconfigure("redaction", changed.to_string()).unwrap();
        assert_eq!(!host.logs(Level::Warn).is_empty(), logged, "{level}");
    }
}

#[test]
fn only_a_share_of_messages_is_acted_on() {
    let response = of_type("text/plain", "ada@example.com");
    for (percent, texts) in
        [(0, &["ada@example.com"][..]), (100, &["MAIL"]), (50, &["MAIL", "ada@example.com"])]
    {
        let host = with(&json!({"enforce_percent": percent}));
        let mut seen: Vec<String> =
            (0..100).map(|_| through(&host, &response, &Chunks::Whole).text()).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen, texts, "{percent}");
        assert_eq!(host.counter("wasm_redaction_matches_mail_total"), 100, "all are counted");
    }
}

#[test]
fn entity_tags_become_weak_go_or_stay() {
    for (etag, strong, weak) in [
        ("weaken", Some("W/\"x\""), Some("W/\"y\"")),
        ("remove", None, None),
        ("keep", Some("\"x\""), Some("W/\"y\"")),
    ] {
        let host = with(&json!({"etag": etag}));
        for (tag, expected) in [("\"x\"", strong), ("W/\"y\"", weak)] {
            let response = of_type("text/plain", "ada@example.com").with_header("etag", tag);
            assert_eq!(
                through(&host, &response, &Chunks::Whole).header("etag").as_deref(),
                expected,
                "{etag}"
            );
        }
    }
}

#[test]
fn types_and_their_absence_are_treated_as_is_said() {
    let text = "ada@example.com";
    let untyped = Response::ok(text);
    for (changes, kind, looked) in [
        (json!({}), None, true),
        (json!({"on_unknown_type": "skip"}), None, false),
        (json!({"content_types": ["application/x-own"]}), Some("application/x-own; v=1"), true),
        (json!({"content_types": ["application/x-own"]}), Some("text/plain"), false),
        (json!({"content_types": ["application/x-own"]}), None, true),
    ] {
        let host = with(&changes);
        let response = kind.map_or(untyped.clone(), |kind| of_type(kind, text));
        let expected = if looked { "MAIL" } else { text };
        assert_eq!(through(&host, &response, &Chunks::Whole).text(), expected, "{changes} {kind:?}");
        assert_eq!(host.counter("wasm_redaction_skipped_type_total"), u64::from(!looked));
    }
}

#[test]
fn a_key_is_taken_from_the_environment_of_the_vm() {
    let hash = json!({"version": 1, "detectors": [
        {"name": "mail", "kind": "email", "action": {"type": "hash", "key_env": "REDACT_KEY"}}]});
    let host = filter("redaction").environment("REDACT_KEY", "sixteen bytes or more").configure(hash.clone());
    let hashed = through(&host, &of_type("text/plain", "ada@example.com"), &Chunks::Of(3)).text();
    let key = json!({"version": 1, "detectors": [
        {"name": "mail", "kind": "email", "action": {"type": "hash", "key": "sixteen bytes or more"}}]});
    let host = filter("redaction").configure(key);
    assert_eq!(through(&host, &of_type("text/plain", "ada@example.com"), &Chunks::Whole).text(), hashed);
    assert_eq!(hashed.len(), 16);
    let refusal = filter("redaction").refuses(hash);
    assert_eq!(refusal.logged(Level::Error).len(), 1);
}

#[test]
fn a_trailer_tells_what_was_found_where_the_response_has_trailers() {
    let host = with(&json!({"dlp_trailer": "X-DLP"}));
    for (body, told) in [("ada@example.com 10.0.0.1 bob@example.com", Some("mail=2,v4=1")), ("nothing", None)]
    {
        let response = of_type("text/plain", body).with_trailer("x-end", "1");
        assert_eq!(through(&host, &response, &Chunks::Of(9)).trailer("x-dlp").as_deref(), told);
    }
    let report = with(&json!({"dlp_trailer": "x-dlp", "mode": "report"}));
    let response = of_type("text/plain", "ada@example.com").with_trailer("x-end", "1");
    assert_eq!(through(&report, &response, &Chunks::Whole), response);
}

#[test]
fn forms_are_not_decoded() {
    let host = with(&json!({}));
    let response =
        of_type("application/x-www-form-urlencoded", "a=ada%40example.com&b=ada@example.com&password=x%20y");
    let received = through(&host, &response, &Chunks::Of(4)).text();
    assert_eq!(received, "a=ada%40example.com&b=MAIL&password=*");
}

#[test]
fn a_body_of_a_length_that_was_said_is_broken_off_where_it_must_not_go_on() {
    for changes in [
        json!({"detectors": [{"name": "card", "kind": "credit_card", "action": {"type": "block"}}]}),
        json!({"detectors": [{"name": "x", "kind": "jwt", "action": {"type": "mask"}}],
            "body": {"mode": "buffer", "max_body_bytes": 1024, "on_oversize": "block"}}),
    ] {
        let mut changes = changes;
        changes["preserve_length"] = json!(true);
        let host = with(&changes);
        let stream = host.get("/").send();
        let body = format!("4111111111111111 {}", "x".repeat(2000));
        stream.respond(of_type("text/plain", body)).was_reset();
        assert_eq!(host.counter("wasm_redaction_blocked_total"), 1);
    }
}

#[test]
fn a_message_is_blocked_for_what_is_in_a_header_too() {
    let config = json!({"version": 1, "direction": ["request", "response"], "headers": ["x-note"],
        "detectors": [{"name": "card", "kind": "credit_card", "action": {"type": "block"}}]});
    let host = filter("redaction").configure(config.clone());
    let refused = host.get("/").header("x-note", "4111111111111111").send();
    assert_eq!(refused.answered().status(), 403);
    for body in ["a body", ""] {
        let response = of_type("image/png", body).with_header("x-note", "no 4111111111111111");
        let received = plain(host.get("/").send().respond(response).received());
        assert_eq!((received.status(), received.text().as_str(), received.header("x-note")), (502, "", None));
        assert_eq!(received.header("content-length").as_deref(), Some("0"));
    }
    assert_eq!(host.counter("wasm_redaction_blocked_total"), 3);
    host.assert_no_findings();
    let mut report = config;
    report["mode"] = json!("report");
    let host = filter("redaction").configure(report);
    let stream = host.get("/").header("x-note", "4111111111111111").send();
    assert_eq!(stream.forwarded().header("x-note").as_deref(), Some("4111111111111111"));
    assert_eq!(host.counter("wasm_redaction_matches_total"), 1);
}

#[test]
fn a_request_to_switch_protocols_is_no_body_that_is_looked_into() {
    let host = with(&json!({"direction": ["request", "response"]}));
    let upgrade = || host.get("/").header("connection", "Upgrade").header("upgrade", "websocket");
    let stream = upgrade().open();
    stream.data("ada@exam", false);
    assert_eq!(stream.upstream().unwrap().text(), "ada@exam", "nothing of a tunnel waits");
    stream.respond_headers(&Response::new(101), false).respond_data("bob@example.com", true);
    assert_eq!(stream.received().text(), "bob@example.com");
    // One that is not switched is answered as any other.
    let stream = upgrade().open();
    stream.respond(of_type("text/plain", "bob@example.com"));
    assert_eq!(stream.received().text(), "MAIL");
    // A body before the answer is one that nobody would look into.
    let stream = upgrade().header("content-length", "15").open();
    assert_eq!(stream.answered().status(), 415);
    assert_eq!(host.counter("wasm_redaction_blocked_total"), 1);
}
