//! What bodies become, in one piece.

use super::*;

fn secrets() -> Redaction {
    rules(
        r##"{"version": 1, "detectors": [
        {"name": "secret", "kind": "assignment", "keys": ["SECRET"], "action": {"type": "replace", "with": "#"}},
        {"name": "words", "kind": "assignment", "keys": ["password", "api_key"], "action": {"type": "replace", "with": "*"}}]}"##,
    )
}

/// Bodies and what they become, as text and as JSON alike.
pub(super) const ASSIGNMENTS: &[(&str, &str)] = &[
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
    ("password=\"correct horse\" x", "password=\"*\" x"),
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
    (r#"{"msg": "password=\u0041bc def"}"#, r#"{"msg": "password=* def"}"#),
    // JSON in a JSON string, and once more.
    (r#"{"log": "{\"password\":\"hunter2\",\"a\":1}"}"#, r#"{"log": "{\"password\":\"*\",\"a\":1}"}"#),
    (r#"{"log": "{\"password\":\"\",\"a\":1}"}"#, r#"{"log": "{\"password\":\"\",\"a\":1}"}"#),
    (r#"{"log": "{\"password\":\"a\\\"b\",\"a\":1}"}"#, r#"{"log": "{\"password\":\"*\",\"a\":1}"}"#),
    (r#"{"log": "{\"password\":12,\"a\":1}"}"#, r#"{"log": "{\"password\":\"*\",\"a\":1}"}"#),
    (r#"{"log": "{\"password\":12\n}"}"#, r#"{"log": "{\"password\":\"*\"\n}"}"#),
    (r#"{"log": "{\n\"password\":\n\"x\"}"}"#, r#"{"log": "{\n\"password\":\n\"*\"}"}"#),
    (r#"{"log": "{\"password\":{\"a\":\"}\"}}", "b": 1}"#, r#"{"log": "{\"password\":\"*\"}", "b": 1}"#),
    (r#"{"log": "{\"password\":\"cut off", "b": 1}"#, r#"{"log": "{\"password\":\"*", "b": 1}"#),
    (
        r#"{"l": "{\"m\":\"{\\\"password\\\":\\\"x\\\",\\\"a\\\":1}\"}"}"#,
        r#"{"l": "{\"m\":\"{\\\"password\\\":\\\"*\\\",\\\"a\\\":1}\"}"}"#,
    ),
];

#[test]
fn values_after_keys_go_and_everything_else_stays() {
    let secrets = secrets();
    for (before, after) in ASSIGNMENTS {
        for body in [Body::Json, Body::Text] {
            assert_eq!(whole(&secrets, body, before), *after, "{before} as {body:?}");
        }
    }
}

#[test]
fn json_that_was_valid_stays_valid() {
    let (secrets, all) = (secrets(), rules(BUILT_IN));
    for (before, _) in ASSIGNMENTS {
        if serde_json::from_str::<serde_json::Value>(before).is_ok() {
            for rules in [&secrets, &all] {
                let after = whole(rules, Body::Json, before);
                assert!(serde_json::from_str::<serde_json::Value>(&after).is_ok(), "{before} became {after}");
            }
        }
    }
}

#[test]
fn a_value_ends_with_the_json_string_that_it_is_in() {
    let secrets = secrets();
    let json = r#"{"url": "/?password=", "a": "b"}"#;
    assert_eq!(whole(&secrets, Body::Json, json), json);
    // An apostrophe cannot reach over the end of the JSON string that it is in.
    assert_eq!(
        whole(&secrets, Body::Json, r#"{"m": "password='x", "a": 1}"#),
        r#"{"m": "password='*", "a": 1}"#
    );
    let json = r#"{"env": "SECRET=\nNEXT=1"}"#;
    assert_eq!(whole(&secrets, Body::Json, json), json);
}

const PEM: &str = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nAAAA\n-----END RSA PRIVATE KEY-----";
const JWT: &str =
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";

/// Texts and what all detectors make of them; the same if that is nothing.
pub(super) fn texts() -> Vec<(String, String)> {
    let changed = [
        ("card 4111111111111111, thanks", "card CARD, thanks"),
        ("4111 1111 1111 1111", "CARD"),
        ("3782-822463-10005", "CARD"),
        ("5555555555554444.", "CARD."),
        ("ssn 123-45-6789 or 123 45 6789.", "ssn SSN or SSN."),
        ("mail ada.l+x@mail.example.com.", "mail MAIL."),
        ("<ada@example.com>,-bob@example.org ", "<MAIL>,-MAIL "),
        ("4111111111111111@example.com", "MAIL"),
        ("from 10.0.0.1 to 192.168.255.255.", "from V4 to V4."),
        ("http://10.1.2.3:80/", "http://V4:80/"),
        ("at 2001:db8::8a2e:370:7334 and ::1, fe80::1.", "at V6 and V6, V6."),
        ("::ffff:10.0.0.1", "V6"),
        ("IBAN DE89370400440532013000 or GB29 NWBK 6016 1331 9268 19", "IBAN IBAN or IBAN"),
        ("call +14155550123 or +44 20 7946 0958!", "call PHONE or PHONE!"),
        ("+1 (415) 555-0123", "PHONE"),
        ("key AKIAIOSFODNN7EXAMPLE", "key AWS"),
        ("Authorization: Bearer abcdef0123456789~+/==", "Authorization: Bearer BEARER"),
        ("SECRET=4111111111111111 password='a b'", "SECRET=* password='*'"),
        ("Project Falcon, Project Fal, Project Fa, xyzzy xyzzyx", "WORD, WORD, Project Fa, WORD xyzzyx"),
    ];
    let same = [
        "Luhn says no: 4111111111111112",
        "x4111111111111111 14111111111111111111111",
        "price 4111111111111111.55 and 0.4111111111111111",
        "000-12-3456 666-12-3456 912-12-3456 123-00-1234 123-45-0000 078-05-1120",
        "123456789 123-45-67890 1-123-45-6789",
        "user@host, a@b.c, icon@2x.png, pkg@1.2.3, @you.com",
        "v1.2.3.4 1.2.3 1.2.3.4.5 256.1.1.1 01.2.3.4",
        "12:30:45 aa:bb:cc:dd:ee:ff std::vec a::b :: ::",
        "DE89370400440532013001 XX89370400440532013000",
        "1+23456789 +0123456789 +1234567 +1234567890123456",
        "AKIAIOSFODNN7EXAMPLEX xAKIAIOSFODNN7EXAMPLE AKIA",
        "the bearer of bad news, bearer information",
    ];
    let mut texts: Vec<(String, String)> =
        changed.map(|(before, after)| (before.to_owned(), after.to_owned())).to_vec();
    texts.extend(same.map(|text| (text.to_owned(), text.to_owned())));
    texts.push((format!("a {PEM} b"), "a PEM b".to_owned()));
    texts.push((format!("a {}", &PEM[..40]), "a PEM".to_owned()));
    texts.push((
        format!("t={JWT}. eyJ.eyJ.x eyJhbGciOiJIUzI1NiJ9.eyJz"),
        "t=JWT. eyJ.eyJ.x eyJhbGciOiJIUzI1NiJ9.eyJz".to_owned(),
    ));
    texts
}

#[test]
fn each_detector_finds_what_it_is_for_and_nothing_like_it() {
    let all = rules(BUILT_IN);
    for (before, after) in texts() {
        assert_eq!(whole(&all, Body::Text, &before), after, "{before}");
    }
}

#[test]
fn json_strings_are_looked_into_each_by_itself_whatever_is_escaped() {
    let all = rules(BUILT_IN);
    for (before, after) in [
        (r#"{"a":"4111","b":"111111111111"}"#, r#"{"a":"4111","b":"111111111111"}"#),
        (r#"["ada@example.com", "b"]"#, r#"["MAIL", "b"]"#),
        (r#"{"ada@example.com": "bob@example.com"}"#, r#"{"ada@example.com": "MAIL"}"#),
        (r#"{"n":4111111111111111,"m":12}"#, r#"{"n":"CARD","m":12}"#),
        (r#"{"n":"\u0034111111111111111"}"#, r#"{"n":"CARD"}"#),
        (r#"{"n":"a\n4111111111111111\tb"}"#, r#"{"n":"a\nCARD\tb"}"#),
        (r#"{"n":"\\4111111111111111"}"#, r#"{"n":"\\CARD"}"#),
        (
            r#"{"dob":"1815-12-10","DOB":[1,2],"dob":{"a":"}"},"x":{"dob":1}}"#,
            r#"{"dob":"","DOB":null,"dob":null,"x":{"dob":null}}"#,
        ),
        (
            r#"{"users":[{"pin":"1234"},{"pin":12,"p":[1]}],"pin":1,"top":true}"#,
            r#"{"users":[{"pin":"PATH"},{"pin":"PATH","p":[1]}],"pin":1,"top":"PATH"}"#,
        ),
        // Lines of JSON, with what some put before the first.
        (
            "\u{feff}{\"a\":\"ada@example.com\"}\n{\"a\":\"b@example.com\"}\n",
            "\u{feff}{\"a\":\"MAIL\"}\n{\"a\":\"MAIL\"}\n",
        ),
        // What is no JSON is text from there on.
        ("{'a': 'ada@example.com'}", "{'a': 'MAIL'}"),
        (r#"{"a": 1} trailing ada@example.com"#, r#"{"a": 1} trailing MAIL"#),
        (r#"{"a": tru, "b": "ada@example.com"}"#, r#"{"a": tru, "b": "MAIL"}"#),
        (r#"{"a": "ada@example.com"#, r#"{"a": "MAIL"#),
    ] {
        assert_eq!(whole(&all, Body::Json, before), after, "{before}");
    }
}

#[test]
fn json_that_is_too_deep_is_looked_into_as_text() {
    let all = rules(BUILT_IN);
    let deep = |what: &str| format!("{}\"{what}\"{}", "[".repeat(200), "]".repeat(200));
    assert_eq!(whole(&all, Body::Json, &deep("ada@example.com")), deep("MAIL"));
}

#[test]
fn a_mask_is_as_long_as_what_it_hides() {
    let masking = rules(&masking());
    for (before, _) in texts() {
        assert_eq!(whole(&masking, Body::Text, &before).len(), before.len(), "{before}");
    }
    let json = r#"{"a":"x \u0034111 1111 1111 1234 y\n","b":"\u00e9 ada@example.com"}"#;
    let masked = whole(&masking, Body::Json, &json.replace("1234", "1111"));
    assert_eq!(masked, r#"{"a":"x ********* **** **** 1111 y\n","b":"\u00e9 ***@******e.com"}"#);
}

#[test]
fn an_event_ends_with_an_empty_line_and_so_does_all_that_is_in_it() {
    let all = rules(BUILT_IN);
    let events = "data: ada@example.com\n\ndata: password='open\n\ndata: shut' +1415\n\ndata: 5550123\n\n";
    let after = "data: MAIL\n\ndata: password='*\n\ndata: shut' +1415\n\ndata: 5550123\n\n";
    assert_eq!(whole(&all, Body::Events, events), after);
}

#[test]
fn words_nearby_and_names_of_members_speak_for_a_match() {
    let near = rules(
        r#"{"version": 1, "detectors": [{"name": "a", "kind": "us_ssn", "near": {"words": ["SSN", "social"], "within": 20}, "action": {"type": "replace", "with": "S"}}]}"#,
    );
    let text = "my ssn is 123456789, and the number of my order is 123456789";
    assert_eq!(whole(&near, Body::Text, text), "my ssn is S, and the number of my order is 123456789");
    let json = r#"{"ssn": "123456789", "order": "123456789", "social": 123456789}"#;
    assert_eq!(whole(&near, Body::Json, json), r#"{"ssn": "S", "order": "123456789", "social": "S"}"#);
}

#[test]
fn what_is_allowed_stays() {
    let allowing = rules(
        r#"{"version": 1, "allow": ["4111111111111111", "@example.com"], "detectors": [
        {"name": "card", "kind": "credit_card"}, {"name": "mail", "kind": "email"}]}"#,
    );
    let text = "4111-1111-1111-1111 5555555555554444 ada@example.com ada@example.org";
    assert_eq!(
        whole(&allowing, Body::Text, text),
        "4111-1111-1111-1111 [REDACTED] ada@example.com [REDACTED]"
    );
}

#[test]
fn a_match_may_stand_in_a_word_where_that_is_said() {
    let inside = rules(
        r#"{"version": 1, "detectors": [{"name": "card", "kind": "credit_card", "boundary": "none"}]}"#,
    );
    assert_eq!(whole(&inside, Body::Text, "Order4111111111111111completed"), "Order[REDACTED]completed");
}

#[test]
fn the_same_becomes_the_same_hash_and_another_another() {
    let hashing = rules(
        r#"{"version": 1, "detectors": [{"name": "mail", "kind": "email", "action": {"type": "hash", "key": "sixteen bytes or more"}}]}"#,
    );
    let text = whole(&hashing, Body::Text, "ada@example.com bob@example.com ada@example.com");
    let hashes: Vec<&str> = text.split(' ').collect();
    assert!(
        hashes.iter().all(|hash| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())),
        "{text}"
    );
    assert!(hashes[0] == hashes[2] && hashes[0] != hashes[1], "{text}");
}

#[test]
fn bytes_that_are_not_utf_8_stay_and_hide_nothing() {
    let all = rules(BUILT_IN);
    let body = b"caf\xe9 \xff\0SECRET=hun\xffter\xe9 \xfe ada@example.com\xff\0\xc3";
    assert_eq!(in_pieces(&all, Body::Text, [&body[..]]), b"caf\xe9 \xff\0SECRET=* \xfe MAIL\xff\0\xc3");
}
