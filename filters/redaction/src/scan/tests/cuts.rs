//! It makes no difference where a body is cut.

use super::cases::{ASSIGNMENTS, texts};
use super::*;

fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

pub(super) fn assert_no_cut_matters(redaction: &Redaction, body: Body, text: &[u8]) {
    let once = shown(&in_pieces(redaction, body, [text]));
    for first in 0..=text.len() {
        let pieces = [&text[..first], &text[first..]];
        assert_eq!(
            shown(&in_pieces(redaction, body, pieces)),
            once,
            "{} as {body:?} cut at {first}",
            shown(text)
        );
    }
    assert_eq!(
        shown(&in_pieces(redaction, body, text.chunks(1))),
        once,
        "{} as {body:?} byte by byte",
        shown(text)
    );
}

fn assert_no_two_cuts_matter(redaction: &Redaction, body: Body, text: &[u8]) {
    let once = in_pieces(redaction, body, [text]);
    for first in 0..=text.len() {
        for second in first..=text.len() {
            let pieces = [&text[..first], &text[first..second], &text[second..]];
            assert!(
                in_pieces(redaction, body, pieces) == once,
                "{} as {body:?} cut at {first} and {second}",
                shown(text)
            );
        }
    }
}

fn bodies() -> Vec<String> {
    let mut bodies: Vec<String> = texts().into_iter().map(|(before, _)| before).collect();
    bodies.extend(ASSIGNMENTS.iter().map(|(before, _)| (*before).to_owned()));
    bodies.extend(
        texts().iter().map(|(before, _)| serde_json::json!({"a": before, "b": [before, 1]}).to_string()),
    );
    bodies.extend(
        [
            r#"{"dob":"1815-12-10","DOB":[1,2],"n":4111111111111111,"x":{"dob":"a\u0034\"b"}}"#,
            r#"{"users":[{"pin":"1234"},{"pin":12,"p":[1]}],"pin":1,"top":true}"#,
            r#"{"n":"\u0034111111111111111","m":"\ud83d\ude00 ada\u0040example.com"}"#,
            "{'a': 'ada@example.com'}",
            "an ACC-12345678, ACC-1234567 and xACC-12345678, tok_a1b2c3_, tok_0123456789abcdefghijklmnop tok_.",
            "event: a\ndata: {\"dob\":\"1815\",\"m\":\"\\u0034111111111111111\"}\rdata:{\rdata: \"dob\":\rdata: [1]}\r\rdata: ada@example.com\r",
            r#"{"m":"{'password': 'hunter2', 'x' : 1}","n":["'password' : hunter2","::1",":1",": '"]}"#,
            "data: ada@example.com\n\ndata: password='open\r\n\r\ndata: shut' +1415\n\n5550123\n\n",
        ]
        .map(str::to_owned),
    );
    bodies
}

#[test]
fn nowhere_in_two_and_byte_by_byte() {
    for redaction in [rules(BUILT_IN), rules(&plain()), rules(&masking())] {
        for text in bodies() {
            for body in [Body::Text, Body::Json, Body::Events] {
                assert_no_cut_matters(&redaction, body, text.as_bytes());
            }
        }
    }
}

#[test]
fn nowhere_in_three() {
    let redaction = rules(BUILT_IN);
    for text in bodies() {
        let body = if text.starts_with('{') { Body::Json } else { Body::Text };
        if text.len() < 100 {
            assert_no_two_cuts_matter(&redaction, body, text.as_bytes());
        }
    }
}

#[test]
fn not_in_a_match_that_is_longer_than_what_is_held() {
    let long = "A1".repeat(4000);
    for redaction in [rules(BUILT_IN), rules(&plain()), rules(&masking())] {
        for text in [
            format!("a SECRET={long} b"),
            format!("{{\"password\": \"{long}\", \"b\": 1}}"),
            format!("{{\"password\": \"{}\", \"b\": 1}}", "\\u0034\\\"".repeat(900)),
            format!("x -----BEGIN PRIVATE KEY-----\n{long}\n-----END PRIVATE KEY----- y and more"),
            format!("Bearer {long} z and some more text behind it"),
            format!("eyJ{long}.{long}.{long} z and some more text behind it"),
            format!("{} ada@example.com", "1".repeat(9000)),
            format!("{}@example.com ada@example.com", "b".repeat(9000)),
            format!("password = '{}' z and some more text behind it", "\\".repeat(9000)),
            format!("{{\"a\": {}, \"password\": {}}}", "1".repeat(300), "2".repeat(300)),
            format!("{{\"{}\": \"ada@example.com\"}}", "n".repeat(2000)),
            format!("{{\"password\": {{\"a\": [{}1]}}}}", "1,".repeat(3000)),
        ] {
            for body in [Body::Text, Body::Json] {
                let once = in_pieces(&redaction, body, [text.as_bytes()]);
                for size in [7, 1000, 4096, 5000] {
                    let cut = in_pieces(&redaction, body, text.as_bytes().chunks(size));
                    assert!(
                        cut == once,
                        "{} ... as {body:?} in pieces of {size}\n{}\n{}",
                        &text[..30],
                        shown(&cut),
                        shown(&once)
                    );
                }
                assert!(!shown(&once).contains("A1A1A1A1A1"), "{} ... as {body:?}", &text[..30]);
            }
        }
    }
}

/// Pieces of what detectors look for.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let parts: &[&[u8]] = &[
        b"SECRET=",
        b"\"password\"",
        b"\\\"password\\\"",
        b":",
        b"\"",
        b"\\",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b"'",
        b" ",
        b"&",
        b"=",
        b">",
        b"\n",
        b"\n\n",
        b"4111111111111111",
        b"4111 1111",
        b"1111 1111",
        b"123-45-6789",
        b"ada",
        b"@",
        b"example.com",
        b".",
        b"10.0.0.1",
        b"10.0",
        b"::",
        b"fe80",
        b":1",
        b"DE89370400440532013000",
        b"+",
        b"14155550123",
        b"eyJhbGciOiJI",
        b"AKIA",
        b"IOSFODNN7EXAMPLE",
        b"-----BEGIN PRIVATE KEY-----",
        b"-----END PRIVATE KEY-----",
        b"Bearer ",
        b"ACC-",
        b"12345678",
        b"tok_a1",
        b"data: ",
        b"data:{",
        b"\r",
        b"Project Fal",
        b"con",
        b"xyzzy",
        b"\xff",
        b"\\u0034",
        b"\\n",
        b"true",
        b"12",
        b"\"dob\":",
        b"\"users\":[",
        b"-",
        b"_",
    ];
    prop_oneof![
        8 => proptest::sample::select(parts).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..4),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn not_in_any_body(
        pieces in prop::collection::vec(piece(), 0..24),
        cuts in prop::collection::vec(0usize..300, 0..8),
        body in prop_oneof![Just(Body::Text), Just(Body::Json), Just(Body::Events)],
        wrap in any::<bool>(),
        config in prop_oneof![Just(BUILT_IN.to_owned()), Just(plain()), Just(masking())],
    ) {
        let redaction = rules(&config);
        let mut bytes = pieces.concat();
        if wrap {
            bytes = [&b"{\"a\":\""[..], &bytes, b"\"}"].concat();
        }
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut % (bytes.len() + 1)).collect();
        cuts.sort_unstable();
        cuts.push(bytes.len());
        let mut from = 0;
        let pieces: Vec<&[u8]> = cuts.iter().map(|&to| {
            let piece = &bytes[from..to];
            from = to;
            piece
        }).collect();
        let once = shown(&in_pieces(&redaction, body, [bytes.as_slice()]));
        prop_assert_eq!(shown(&in_pieces(&redaction, body, pieces)), once.clone(), "{}", shown(&bytes));
        prop_assert_eq!(shown(&in_pieces(&redaction, body, bytes.chunks(1))), once, "{}", shown(&bytes));
    }

    #[test]
    fn what_is_plain_is_passed_as_it_is_token_by_token(
        pieces in prop::collection::vec(piece(), 0..24), wrap in any::<bool>(),
    ) {
        let mut bytes = pieces.concat();
        if wrap {
            bytes = [&b"{\"a\":[{\"b\":\""[..], &bytes, b"\"}],\"dob\":1}"].concat();
        }
        // A pointer that leads nowhere has every token looked at.
        let mut token_by_token: serde_json::Value = serde_json::from_str(&plain()).unwrap();
        token_by_token["detectors"].as_array_mut().unwrap().push(serde_json::json!({"name": "none", "kind": "json_pointer", "paths": ["/nowhere/to/be/found"]}));
        let token_by_token = rules(&token_by_token.to_string());
        let out = shown(&in_pieces(&rules(&plain()), Body::Json, [bytes.as_slice()]));
        prop_assert_eq!(out, shown(&in_pieces(&token_by_token, Body::Json, [bytes.as_slice()])), "{}", shown(&bytes));
    }

    #[test]
    fn a_secret_never_comes_through(
        before in "[a-z ,;{}\\[\\]\"]{0,30}[ ?&\n]", secret in "[A-Z0-9!#$%*+,./;@^_`|~-]{6,40}", after in "[ \n&\"<]", json in any::<bool>(),
    ) {
        let body = if json { Body::Json } else { Body::Text };
        let text = format!("{before}SECRET={secret}{after}");
        // Names of members are looked into only where that is said.
        let named = BUILT_IN.replacen("{\"version\": 1,", "{\"version\": 1, \"json\": {\"names\": true},", 1);
        let out = whole(&rules(&named), body, &text);
        prop_assert!(!out.contains(&secret), "{}", out);
    }
}
