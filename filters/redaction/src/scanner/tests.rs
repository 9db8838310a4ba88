use proptest::prelude::*;

use super::*;
use crate::Redaction;

fn detectors() -> Vec<Detector> {
    let json = r##"{"version": 1, "detectors": [
        {"name": "secret", "kind": "assignment", "keys": ["SECRET"], "action": {"type": "replace", "with": "#"}},
        {"name": "words", "kind": "assignment", "keys": ["password", "api_key"], "action": {"type": "replace", "with": "*"}}]}"##;
    Redaction::from_json(json.as_bytes()).unwrap().detectors
}

fn in_chunks<'a>(body: Body, chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let detectors = detectors();
    let mut scanner = Scanner::new(body);
    let mut out = Vec::new();
    for chunk in chunks {
        out.extend(scanner.scan(&detectors, chunk).unwrap_or_else(|| chunk.to_vec()));
    }
    out
}

fn whole(body: Body, text: &str) -> String {
    String::from_utf8(in_chunks(body, [text.as_bytes()])).unwrap()
}

/// Bodies and what they become: as text, and as JSON if that is not the same.
const CASES: &[(&str, &str)] = &[
    ("", ""),
    ("nothing here", "nothing here"),
    ("SECRET=hunter2", "SECRET=#"),
    ("SECRET=hunter2 SECRET=hunter3\nx", "SECRET=# SECRET=#\nx"),
    ("?a=1&secret=hunter2&b=2", "?a=1&secret=#&b=2"),
    ("<p>password=hunter2</p>", "<p>password=*</p>"),
    ("password=a,b;c)d rest", "password=* rest"),
    ("password = hunter2\n", "password = *\n"),
    ("password\t=\thunter2\n", "password\t=\t*\n"),
    (":password => 'hunter2', x", ":password => '*', x"),
    ("password='it is me' x", "password='*' x"),
    ("password='it\\'s me' x", "password='*' x"),
    ("--password=hunter2 --user=bob", "--password=* --user=bob"),
    ("spring.password=hunter2", "spring.password=*"),
    // No value, or no assignment.
    ("SECRET=", "SECRET="),
    ("SECRET=\nNEXT=1", "SECRET=\nNEXT=1"),
    ("SECRET= not its value", "SECRET= not its value"),
    ("?secret=&b=2", "?secret=&b=2"),
    ("if (password == null)", "if (password == null)"),
    ("password='' x", "password='' x"),
    ("SECRETS=a MYSECRET=b secret_key=c", "SECRETS=a MYSECRET=b secret_key=c"),
    ("\"passwords\": \"a\", \"my password\": \"b\"", "\"passwords\": \"a\", \"my password\": \"b\""),
    ("SECRET password", "SECRET password"),
    // JSON members.
    (r#"{"password": "hunter2"}"#, r#"{"password": "*"}"#),
    (r#"{"Password":"hunter2","SECRET" : "x"}"#, r##"{"Password":"*","SECRET" : "#"}"##),
    (r#"{"password": ""}"#, r#"{"password": ""}"#),
    (r#"{"password": "a\"b\\", "c": "d"}"#, r#"{"password": "*", "c": "d"}"#),
    (r#"{"password": "\"", "c": "d"}"#, r#"{"password": "*", "c": "d"}"#),
    (r#"{"password": "\\", "c": "d"}"#, r#"{"password": "*", "c": "d"}"#),
    (r#"{"password": 1234, "a": 1}"#, r#"{"password": "*", "a": 1}"#),
    (r#"{"password":-1.5e3}"#, r#"{"password":"*"}"#),
    (r#"{"password": null}"#, r#"{"password": "*"}"#),
    (r#"{"password": ["a", {"b": "]"}], "c": 1}"#, r#"{"password": "*", "c": 1}"#),
    (r#"{"password": {"a": {"b": "}\""}, "c": [1]}, "d": 1}"#, r#"{"password": "*", "d": 1}"#),
    ("{\n  \"password\"\n  :\n  \"hunter2\"\n}", "{\n  \"password\"\n  :\n  \"*\"\n}"),
    (r#"{"pass\u0077ord": "hunter2"}"#, r#"{"pass\u0077ord": "*"}"#),
    (r#"{"a": "password"}"#, r#"{"a": "password"}"#),
    (r#"{"url": "/?password=a&b=c", "d": 1}"#, r#"{"url": "/?password=*&b=c", "d": 1}"#),
    (r#"{"msg": "password=hunter2"}"#, r#"{"msg": "password=*"}"#),
    (r#"{"msg": "it said password=abc\" and left"}"#, r#"{"msg": "it said password=*\" and left"}"#),
    (r#"{"msg": "password=\"a b\" and"}"#, r#"{"msg": "password=\"*\" and"}"#),
    (r#"{"msg": "password=\"a \\\" b\" and"}"#, r#"{"msg": "password=\"*\" and"}"#),
    (r#"{"msg": "password=\u0041bc def"}"#, r#"{"msg": "password=\\* def"}"#),
    // JSON in a JSON string, and once more.
    (r#"{"log": "{\"password\":\"hunter2\",\"a\":1}"}"#, r#"{"log": "{\"password\":\"*\",\"a\":1}"}"#),
    (r#"{"log": "{\"password\":\"\",\"a\":1}"}"#, r#"{"log": "{\"password\":\"\",\"a\":1}"}"#),
    (r#"{"log": "{\"password\":\"a\\\"b\",\"a\":1}"}"#, r#"{"log": "{\"password\":\"*\",\"a\":1}"}"#),
    (r#"{"log": "{\"password\":12,\"a\":1}"}"#, r#"{"log": "{\"password\":\"*\",\"a\":1}"}"#),
    (r#"{"log": "{\"password\":12\n}"}"#, r#"{"log": "{\"password\":\"*\"\n}"}"#),
    (r#"{"log": "{\n\"password\":\n\"x\"}"}"#, r#"{"log": "{\n\"password\":\n\"*\"}"}"#),
    (r#"{"log": "{\"password\":{\"a\":\"}\"}}", "b": 1}"#, r#"{"log": "{\"password\":\"*\"}", "b": 1}"#),
    (r#"{"log": "{\"password\":\"cut off", "b": 1}"#, r#"{"log": "{\"password\":\"*", "b": 1}"#),
    (r#"{"log": "{\"password\":[\"cut off", "b": 1}"#, r#"{"log": "{\"password\":\"*\"", "b": 1}"#),
    (
        r#"{"l": "{\"m\":\"{\\\"password\\\":\\\"x\\\",\\\"a\\\":1}\"}"}"#,
        r#"{"l": "{\"m\":\"{\\\"password\\\":\\\"*\\\",\\\"a\\\":1}\"}"}"#,
    ),
];

#[test]
fn values_go_and_everything_else_stays() {
    for (before, after) in CASES {
        for body in [Body::Json, Body::Text] {
            assert_eq!(whole(body, before), *after, "{before} as {body:?}");
        }
    }
}

#[test]
fn a_bare_mark_after_an_equals_sign_is_a_value_in_text_and_an_end_in_json() {
    assert_eq!(whole(Body::Text, r#"password="correct horse" x"#), r#"password="*" x"#);
    let json = r#"{"url": "/?password=", "a": "b"}"#;
    assert_eq!(whole(Body::Json, json), json);
    // An apostrophe cannot reach over the end of the JSON string that it is in.
    assert_eq!(whole(Body::Json, r#"{"m": "password='x", "a": 1}"#), r#"{"m": "password='*", "a": 1}"#);
}

#[test]
fn a_line_end_written_as_an_escape_ends_an_empty_value_in_json() {
    let json = r#"{"env": "SECRET=\nNEXT=1"}"#;
    assert_eq!(whole(Body::Json, json), json);
}

#[test]
fn json_that_was_valid_stays_valid() {
    for (before, _) in CASES {
        if serde_json::from_str::<serde_json::Value>(before).is_ok() {
            let after = whole(Body::Json, before);
            assert!(serde_json::from_str::<serde_json::Value>(&after).is_ok(), "{before} became {after}");
        }
    }
}

#[test]
fn wherever_a_body_is_cut_the_outcome_is_the_same() {
    for (before, after) in CASES {
        let bytes = before.as_bytes();
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let chunks = [&bytes[..first], &bytes[first..second], &bytes[second..]];
                assert_eq!(
                    in_chunks(Body::Json, chunks),
                    after.as_bytes(),
                    "{before} cut at {first} and {second}"
                );
            }
        }
        assert_eq!(in_chunks(Body::Text, bytes.chunks(1)), after.as_bytes(), "{before} byte by byte");
    }
}

#[test]
fn bytes_that_are_not_utf_8_stay_and_hide_nothing() {
    let body = b"caf\xe9 \xff\0SECRET=hun\xffter\xe9 \xfe";
    assert_eq!(in_chunks(Body::Text, [&body[..]]), b"caf\xe9 \xff\0SECRET=# \xfe");
}

#[test]
fn a_chunk_without_secrets_is_left_alone() {
    let mut scanner = Scanner::new(Body::Json);
    assert_eq!(scanner.scan(&detectors(), br#"{"a": "b=c", "d": [1, 2]}"#), None);
    assert_eq!(scanner.redacted(), 0);
}

#[test]
fn nothing_is_held_back() {
    // The key leaves with its own chunk, before it is known that a value follows.
    let mut scanner = Scanner::new(Body::Text);
    let detectors = detectors();
    assert_eq!(scanner.scan(&detectors, b"x SECR"), None);
    assert_eq!(scanner.scan(&detectors, b"ET="), None);
    assert_eq!(scanner.scan(&detectors, b"hun"), Some(b"#".to_vec()));
    assert_eq!(scanner.scan(&detectors, b"ter2"), Some(Vec::new()));
    assert_eq!(scanner.scan(&detectors, b" y"), None);
    assert_eq!(scanner.redacted(), 1);
}

#[test]
fn what_is_remembered_is_bounded_whatever_is_sent() {
    let detectors = detectors();
    for filler in [&b"x"[..], b"\"", b"\\", b" ", b"SECRET", b"{[", b"=:", b"password=\\"] {
        let mut scanner = Scanner::new(Body::Text);
        for _ in 0..20_000 {
            scanner.scan(&detectors, filler);
        }
        assert!(scanner.tail.len() <= REACH && scanner.tail.capacity() <= 4 * REACH, "{filler:?}");
    }
}

proptest! {
    #[test]
    fn no_body_and_no_cut_makes_a_difference(
        pieces in prop::collection::vec(
            prop_oneof![
                Just(&b"SECRET="[..]), Just(&b"\"password\""[..]), Just(&b"\\\"password\\\""[..]), Just(&b":"[..]),
                Just(&b"\""[..]), Just(&b"\\"[..]), Just(&b"{"[..]), Just(&b"}"[..]), Just(&b"["[..]), Just(&b","[..]),
                Just(&b"'"[..]), Just(&b" "[..]), Just(&b"&"[..]), Just(&b"="[..]), Just(&b">"[..]), Just(&b"n"[..]),
                Just(&b"api_key"[..]), Just(&b"\xff"[..]),
            ],
            0..40,
        ),
        cuts in prop::collection::vec(0usize..200, 0..8),
        json in any::<bool>(),
    ) {
        let body = if json { Body::Json } else { Body::Text };
        let bytes = pieces.concat();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (bytes.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.push(bytes.len());
        let mut from = 0;
        let chunks: Vec<&[u8]> = cuts.iter().map(|&to| {
            let chunk = &bytes[from..to];
            from = to;
            chunk
        }).collect();
        let once = in_chunks(body, [bytes.as_slice()]);
        prop_assert_eq!(in_chunks(body, chunks), once.clone());
        prop_assert_eq!(in_chunks(body, bytes.chunks(1)), once);
    }

    #[test]
    fn a_secret_never_comes_through(
        before in "[a-z ,;{}\\[\\]\"]{0,30}[ ?&\n]", secret in "[A-Z0-9!#$%*+,./;@^_`|~-]{6,40}", after in "[ \n&\"<]", json in any::<bool>(),
    ) {
        let body = if json { Body::Json } else { Body::Text };
        let text = format!("{before}SECRET={secret}{after}");
        let out = whole(body, &text);
        prop_assert!(!out.contains(&secret), "{}", out);
    }
}
