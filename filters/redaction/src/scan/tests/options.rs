//! What a configuration says about matches.

use super::cuts::assert_no_cut_matters;
use super::*;
use crate::tokens::Tokens;

fn only(detectors: &str, rest: &str) -> Redaction {
    rules(&format!(r#"{{"version": 1, "detectors": [{detectors}]{rest}}}"#))
}

/// How many matches each detector has in a body.
fn counts(redaction: &Redaction, body: Body, text: &str) -> Vec<u64> {
    let mut scanner = Scanner::new(&redaction.rules, body);
    scanner.scan(&redaction.rules, text.as_bytes(), true);
    scanner.tally().matches.clone()
}

const CARD: &str =
    r#"{"name": "card", "kind": "credit_card", "action": {"type": "replace", "with": "CARD"}}"#;

#[test]
fn a_value_that_is_only_counted_is_looked_into_as_any_other() {
    let text = r#"{"note": "card 4111111111111111", "a": {"b": ["4111111111111111", 4111111111111111]}, "empty": ""}"#;
    let redacted = r#"{"note": "card CARD", "a": {"b": ["CARD", "CARD"]}, "empty": ""}"#;
    for (tag, matches) in [
        (
            r#"{"name": "t", "kind": "json_keys", "keys": ["note", "a", "b", "empty"], "action": {"type": "tag"}}"#,
            3,
        ),
        (
            r#"{"name": "t", "kind": "json_pointer", "paths": ["/note", "/a/b/*", "/empty"], "action": {"type": "tag"}}"#,
            3,
        ),
        (r#"{"name": "t", "kind": "assignment", "keys": ["note", "a"], "action": {"type": "tag"}}"#, 2),
    ] {
        for allow in ["", r#", "allow": ["nothing"]"#] {
            let redaction = only(&format!("{tag}, {CARD}"), allow);
            assert_eq!(whole(&redaction, Body::Json, text), redacted, "{tag}{allow}");
            assert_eq!(counts(&redaction, Body::Json, text), [matches, 3], "{tag}{allow}");
            assert_no_cut_matters(&redaction, Body::Json, text.as_bytes());
        }
    }
}

#[test]
fn sixty_four_paths_are_told_apart() {
    let paths = |count: usize| (0..count).map(|number| format!("\"/m{number}\"")).collect::<Vec<_>>();
    let detectors: Vec<String> = paths(64)
        .chunks(16)
        .enumerate()
        .map(|(number, paths)| format!(r#"{{"name": "p{number}", "kind": "json_pointer", "paths": [{}], "action": {{"type": "replace", "with": "P{number}"}}}}"#, paths.join(",")))
        .collect();
    let redaction = only(&detectors.join(","), "");
    let text = r#"{"m0": 1, "m15": 1, "m16": 1, "m63": 1, "m64": 1}"#;
    assert_eq!(
        whole(&redaction, Body::Json, text),
        r#"{"m0": "P0", "m15": "P0", "m16": "P1", "m63": "P3", "m64": 1}"#
    );
}

#[test]
fn an_allowed_domain_is_one_of_addresses_alone() {
    let redaction = only(
        r#"{"name": "secret", "kind": "assignment", "keys": ["password"]}, {"name": "mail", "kind": "email"},
           {"name": "keys", "kind": "json_keys", "keys": ["pin"]}, {"name": "word", "kind": "literal", "literals": ["p4ss@example.com"]}"#,
        r#", "allow": ["@example.com"]"#,
    );
    let text = "ada@example.com bob@example.org password=hunter2@example.com";
    assert_eq!(whole(&redaction, Body::Text, text), "ada@example.com [REDACTED] password=[REDACTED]");
    let text = r#"{"a": "ada@example.com", "pin": "1234@example.com", "password": "x@example.com"}"#;
    let redacted = r#"{"a": "ada@example.com", "pin": "[REDACTED]", "password": "[REDACTED]"}"#;
    assert_eq!(whole(&redaction, Body::Json, text), redacted);
}

#[test]
fn what_an_expression_allows_stays() {
    let redaction = only(CARD, r#", "allow": [{"regex": "4111[0-9 ]*"}]"#);
    let text = "4111 1111 1111 1111, 5500005555555559";
    assert_eq!(whole(&redaction, Body::Text, text), "4111 1111 1111 1111, CARD");
    assert_no_cut_matters(&redaction, Body::Text, text.as_bytes());
}

#[test]
fn the_kind_stands_in_place_of_a_match_where_that_is_said() {
    for (with, put) in [("<{kind}>", "<CREDIT_CARD>"), ("[{kind}]", "[CREDIT_CARD]"), ("<GONE>", "<GONE>")] {
        let detector = format!(
            r#"{{"name": "card", "kind": "credit_card", "action": {{"type": "replace", "with": "{with}"}}}}"#
        );
        assert_eq!(whole(&only(&detector, ""), Body::Text, "a 4111111111111111"), format!("a {put}"));
    }
}

#[test]
fn numbers_become_zero_where_that_is_said() {
    let redaction = only(
        r#"{"name": "card", "kind": "credit_card"}, {"name": "pin", "kind": "json_keys", "keys": ["pin"]}"#,
        r#", "json": {"number_as": "zero"}"#,
    );
    let text = r#"{"n": 4111111111111111, "pin": 12, "l": [{"pin": "12"}], "ok": 12}"#;
    assert_eq!(
        whole(&redaction, Body::Json, text),
        r#"{"n": 0, "pin": 0, "l": [{"pin": "[REDACTED]"}], "ok": 12}"#
    );
}

#[test]
fn no_cut_matters_to_options() {
    let word = r#"{"name": "word", "kind": "literal", "literals": ["abc", "abcd", "b c"], "boundary": "none", "any_case": true}"#;
    let near = r#"{"name": "ssn", "kind": "us_ssn", "near": {"words": ["ssn", "social"], "within": 12}}"#;
    let mask = |kind: &str| {
        format!(
            r#"{{"name": "{kind}", "kind": "{kind}", "boundary": "none", "action": {{"type": "mask", "keep_last": 4}}}}"#
        )
    };
    let keys = r#"{"name": "k", "kind": "json_keys", "keys": ["pin"], "action": {"type": "mask"}}, {"name": "p", "kind": "json_pointer", "paths": ["/a/*/b"], "action": {"type": "mask"}}"#;
    let all = format!("{word}, {near}, {keys}, {}, {}, {}", mask("credit_card"), mask("ipv4"), mask("iban"));
    for rest in [
        "",
        r#", "allow": ["4111111111111111", "10.0.0.1", "@example.com", {"regex": "DE89.*"}]"#,
        r#", "json": {"number_as": "zero", "names": true}"#,
        r#", "json": {"mode": "off"}"#,
    ] {
        let plain = only(&all, rest);
        for text in [
            "xabcdx ABCD aB C, ssn 123-45-6789 and 123-45-6789, social 123456789 123456789",
            "Order4111111111111111done 5500005555555559 v10.0.0.1x DE89370400440532013000",
            r#"{"ssn": "123-45-6789", "n": 123456789, "pin": "a\u0041b", "a": [{"b": "12\"3"}, {"b": 12}], "x\u0061bc": "abcd"}"#,
        ] {
            for body in [Body::Text, Body::Json, Body::Events] {
                assert_no_cut_matters(&plain, body, text.as_bytes());
            }
        }
    }
    // Of a length that is kept there can be no word in place of a match.
    let masks = all
        .replace(r#""any_case": true}"#, r#""any_case": true, "action": {"type": "mask"}}"#)
        .replace(r#""within": 12}}"#, r#""within": 12}, "action": {"type": "mask"}}"#);
    let kept = only(&masks, r#", "preserve_length": true"#);
    let text = r#"{"ssn": "123-45-6789", "n": 123456789, "pin": {"a": [1]}, "a": [{"b": "12\"3"}, {"b": 12345}], "c": "abcd \u0061bc"}"#;
    assert_no_cut_matters(&kept, Body::Json, text.as_bytes());
    assert_eq!(whole(&kept, Body::Json, text).len(), text.len());
}

#[test]
fn what_has_no_end_in_reach_is_taken_for_a_match_or_let_go_as_is_said() {
    let long = "A1".repeat(1000);
    let detectors = r#"{"name": "jwt", "kind": "jwt"}, {"name": "pem", "kind": "private_key_pem"}, {"name": "b", "kind": "bearer"},
        {"name": "s", "kind": "assignment", "keys": ["password"], "action": {"type": "mask", "keep_last": 4}},
        {"name": "k", "kind": "json_keys", "keys": ["pin"], "action": {"type": "mask", "keep_last": 4}},
        {"name": "now", "kind": "assignment", "keys": ["SECRET"]}, {"name": "mail", "kind": "email"}"#;
    let hold = r#", "body": {"max_hold_bytes": 1024}"#;
    let closed = only(detectors, hold);
    let open = only(detectors, &format!(r#"{hold}, "fail": "open""#));
    for (body, text) in [
        (Body::Text, format!("eyJ{long}.{long}.{long} ada@example.com")),
        (
            Body::Text,
            format!("x -----BEGIN PRIVATE KEY-----\n{long}\n-----END PRIVATE KEY----- ada@example.com"),
        ),
        (Body::Text, format!("Bearer {long} ada@example.com")),
        (Body::Text, format!("password={long} ada@example.com")),
        (Body::Json, format!(r#"{{"pin": "{long}", "a": "ada@example.com"}}"#)),
    ] {
        let gone = whole(&closed, body, &text);
        assert!(!gone.contains("A1A1"), "{gone}");
        assert_eq!(whole(&open, body, &text), text.replace("ada@example.com", "[REDACTED]"));
        for redaction in [&closed, &open] {
            let once = in_pieces(redaction, body, [text.as_bytes()]);
            for size in [1, 7, 1000, 1500] {
                assert!(
                    in_pieces(redaction, body, text.as_bytes().chunks(size)) == once,
                    "{} in {size}",
                    &text[..20]
                );
            }
            let mut scanner = Scanner::new(&redaction.rules, body);
            scanner.scan(&redaction.rules, text.as_bytes(), true);
            assert_eq!(scanner.tally().overlong, 1, "{}", &text[..20]);
        }
    }
    // Where it makes no difference what the value is, nothing is undecided.
    assert_eq!(whole(&open, Body::Text, &format!("SECRET={long} b")), "SECRET=[REDACTED] b");
}

#[test]
fn tokens_stand_for_what_was_found_until_they_come_back() {
    let config = |direction: &str| {
        only(
            r#"{"name": "mail", "kind": "email", "action": {"type": "tokenize"}}, {"name": "k", "kind": "json_keys", "keys": ["pin"], "action": {"type": "tokenize"}},
               {"name": "card", "kind": "credit_card", "action": {"type": "replace", "with": "CARD"}}"#,
            &format!(r#", "direction": [{direction}]"#),
        )
    };
    let redaction = config(r#""request", "response""#);
    let mut scanner = Scanner::new(&redaction.rules, Body::Json);
    *scanner.tokens() = Some(Tokens::new(0x12ab));
    let sent = r#"{"a": "ada@example.com", "b": ["bob@example.com ada@example.com"], "pin": "a\"b", "c": "4111111111111111"}"#;
    let put = scanner.scan(&redaction.rules, sent.as_bytes(), true).put.unwrap();
    let forwarded =
        r#"{"a": "[mail_1_12ab]", "b": ["[mail_2_12ab] [mail_1_12ab]"], "pin": "[k_3_12ab]", "c": "CARD"}"#;
    assert_eq!(String::from_utf8(put).unwrap(), forwarded);
    let tokens = scanner.tokens().take().unwrap();

    let answer = r#"{"say": "to [mail_1_12ab], \u005bmail_2_12ab] and [k_3_12ab]; [mail_1_0000] [mail_12ab] eve@example.com 4111111111111111"}"#;
    let both = Redaction { rules: redaction.rules.restoring(&tokens, true), ..redaction };
    let restored = r#"{"say": "to ada@example.com, bob@example.com and a\"b; [mail_1_0000] [mail_12ab] eve@example.com CARD"}"#;
    assert_eq!(whole(&both, Body::Json, answer), restored);
    assert_no_cut_matters(&both, Body::Json, answer.as_bytes());
    assert_eq!(whole(&both, Body::Text, "[k_3_12ab]"), "a\"b", "text has no escapes");

    let request = config(r#""request""#);
    let only_tokens = Redaction { rules: request.rules.restoring(&tokens, false), ..request };
    assert_eq!(whole(&only_tokens, Body::Json, answer), restored.replace("CARD", "4111111111111111"));
    assert_no_cut_matters(&only_tokens, Body::Text, answer.as_bytes());
}
