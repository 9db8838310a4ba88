use proptest::prelude::*;

use super::*;
use crate::question::map;

fn mapping(source: Source, shape: Shape) -> Mapping {
    let target = Target::Request("x".into());
    Mapping { source, target, shape, max_bytes: 256, default: None, required: false }
}

fn at(pointer: &str, shape: Shape) -> Mapping {
    mapping(Source::JsonPointer(Pointer::parse(pointer).unwrap()), shape)
}

/// The values, with `-` for one that is not there and a number of invalid ones at the end.
fn values(mappings: &[Mapping], headers: &[(&str, &[u8])], body: &[u8]) -> Result<String, Invalid> {
    let mut lines = vec![(":status", b"200".to_vec())];
    lines.extend(headers.iter().map(|(name, value)| (*name, value.to_vec())));
    let map = map(&lines);
    let answer = Answer { headers: &map, body, body_size: body.len() as u64 };
    let enriched = enriched(mappings, &answer)?;
    let shown = |value: &Option<Box<[u8]>>| {
        value.as_ref().map_or("-".into(), |value| value.escape_ascii().to_string())
    };
    let mut shown: Vec<String> = enriched.values.iter().map(shown).collect();
    if enriched.invalid > 0 {
        shown.push(format!("{} invalid", enriched.invalid));
    }
    Ok(shown.join(" "))
}

fn one(shape: Shape, json: &str) -> String {
    values(&[at("/a", shape)], &[], format!("{{\"a\": {json}}}").as_bytes()).unwrap()
}

#[test]
fn every_part_of_an_answer_can_be_a_header() {
    let mappings = [
        mapping(Source::Literal(b"1"[..].into()), Shape::Text),
        mapping(Source::Status, Shape::Text),
        mapping(Source::Header("x-user".into()), Shape::Text),
        mapping(Source::Body, Shape::Json),
        at("/plan/0", Shape::Text),
    ];
    let body = br#" {"plan": ["gold"]} "#;
    assert_eq!(
        values(&mappings, &[("x-user", b"ad\xe4"), ("x-user", b"two")], body).as_deref(),
        Ok(r#"1 200 ad\xe4 {\"plan\":[\"gold\"]} gold"#)
    );
    assert_eq!(values(&mappings, &[], b"").as_deref(), Ok("1 200 - - -"));
}

#[test]
fn values_are_what_their_type_says_or_nothing() {
    use Shape::{Boolean, Integer, Json, List, Text};
    for (shape, json, value) in [
        (Text, "\"a\\u0020b\"", "a b"),
        (Text, "12345678901234567890", "12345678901234567890"),
        (Text, "-0.5e1", "-0.5e1"),
        (Text, "true", "true"),
        (Text, "\"\"", ""),
        (Text, "null", "-"),
        (Text, "[1]", "- 1 invalid"),
        (Text, "{}", "- 1 invalid"),
        (Text, "\"a\\r\\nb\"", "- 1 invalid"),
        (Text, "\"\\ud800\"", "- 1 invalid"),
        (Text, "\" a\"", "- 1 invalid"),
        (Integer, "-7", "-7"),
        (Integer, "7.0", "- 1 invalid"),
        (Integer, "1e3", "- 1 invalid"),
        (Integer, "\"7\"", "- 1 invalid"),
        (Boolean, "false", "false"),
        (Boolean, "0", "- 1 invalid"),
        (Json, "{\"b\": [1, \"c d\"]}", r#"{\"b\":[1,\"c d\"]}"#),
        (Json, "null", "null"),
        (List, "[\"a\", 1, true]", "a,1,true"),
        (List, "[]", ""),
        (List, "\"a\"", "a"),
        (List, "[\"a,b\"]", "- 1 invalid"),
        (List, "[\"a\", \"\"]", "- 1 invalid"),
        (List, "[[1]]", "- 1 invalid"),
        (List, "[null]", "- 1 invalid"),
        (List, "{}", "- 1 invalid"),
    ] {
        assert_eq!(one(shape, json), value, "{shape:?} {json}");
    }
}

#[test]
fn a_header_or_a_body_has_types_too() {
    use Shape::{Boolean, Integer, Json, List, Text};
    for (shape, text, value) in [
        (Integer, "42", "42"),
        (Integer, "042", "- 1 invalid"),
        (Integer, "", "- 1 invalid"),
        (Boolean, "true", "true"),
        (Boolean, "TRUE", "- 1 invalid"),
        (Json, "[1, 2]", "[1,2]"),
        (Json, "[1, 2", "- 1 invalid"),
        (List, "[1, 2]", "1,2"),
        (List, "a,b", "a,b"),
        (Text, "[1, 2]", "[1, 2]"),
    ] {
        let header = [mapping(Source::Header("x".into()), shape)];
        assert_eq!(values(&header, &[("x", text.as_bytes())], b"").as_deref(), Ok(value), "{shape:?} {text}");
    }
}

#[test]
fn a_default_stands_in_for_what_is_missing_or_wrong() {
    let with_default = |shape| Mapping { default: Some(b"free"[..].into()), ..at("/a", shape) };
    for (body, value) in [
        (&b"{}"[..], "free"),
        (b"{\"a\": null}", "free"),
        (b"{\"a\": []}", "free 1 invalid"),
        (b"", "free"),
        (b"{\"a\": \"gold\"}", "gold"),
    ] {
        assert_eq!(values(&[with_default(Shape::Text)], &[], body).as_deref(), Ok(value));
    }
}

#[test]
fn an_answer_without_what_is_required_is_none() {
    let required = Mapping { required: true, ..at("/a", Shape::Integer) };
    for body in [&b"{}"[..], b"", b"{\"a\": \"x\"}", b"{\"a\": null}"] {
        assert_eq!(
            values(std::slice::from_ref(&required), &[], body),
            Err(Invalid),
            "{}",
            body.escape_ascii()
        );
    }
    assert_eq!(values(&[required], &[], b"{\"a\": 1}").as_deref(), Ok("1"));
}

#[test]
fn a_body_that_is_no_json_is_no_answer_if_something_is_looked_for_in_it() {
    let deep = "[".repeat(1000);
    for body in [&b"no json"[..], b"{\"a\": 1", b"\xff\xfe\0", b"{\"a\": \"\xff\"}", deep.as_bytes()] {
        assert_eq!(values(&[at("/a", Shape::Text)], &[], body), Err(Invalid), "{}", body.escape_ascii());
        assert_eq!(values(&[mapping(Source::Status, Shape::Text)], &[], body).as_deref(), Ok("200"));
    }
}

#[test]
fn a_value_is_as_long_as_it_may_be() {
    let short = Mapping { max_bytes: 4, ..at("/a", Shape::Text) };
    let value =
        |text: &str| values(std::slice::from_ref(&short), &[], format!("{{\"a\": \"{text}\"}}").as_bytes());
    assert_eq!(value("abcd").as_deref(), Ok("abcd"));
    assert_eq!(value("abcde").as_deref(), Ok("- 1 invalid"));
}

proptest! {
    /// Whatever the service answers, what comes of it can stand in a header.
    #[test]
    fn no_answer_makes_a_header_that_is_none(body in proptest::collection::vec(any::<u8>(), 0..60), text in "\\PC{0,20}", shape in 0_usize..5) {
        let shape = [Shape::Text, Shape::Integer, Shape::Boolean, Shape::Json, Shape::List][shape];
        let json = serde_json::json!({ "a": [text.clone(), { "b": text }] }).to_string();
        for body in [&body[..], json.as_bytes()] {
            let mappings = [mapping(Source::Body, shape), at("/a/0", shape), at("/a", shape)];
            let map = map(&[(":status", b"200".to_vec())]);
            let answer = Answer { headers: &map, body, body_size: body.len() as u64 };
            if let Ok(enriched) = enriched(&mappings, &answer) {
                for value in enriched.values.iter().flatten() {
                    prop_assert!(header::is_value(value) && value.len() <= 256);
                }
            }
        }
    }
}
