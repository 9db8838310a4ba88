use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn one<'a>(text: &'a str, pointer: &str) -> Option<Option<&'a str>> {
    let pointer = Pointer::parse(pointer).unwrap();
    find(text, &[&pointer]).and_then(|found| found.into_iter().next())
}

#[test]
fn a_pointer_finds_what_the_rfc_says() {
    // The example of RFC 6901, section 5.
    let text = r#"{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5,
        "k\"l": 6, " ": 7, "m~n": 8}"#;
    for (pointer, value) in [
        ("/foo", r#"["bar", "baz"]"#),
        ("/foo/0", "\"bar\""),
        ("/foo/1", "\"baz\""),
        ("/", "0"),
        ("/a~1b", "1"),
        ("/c%d", "2"),
        ("/e^f", "3"),
        ("/g|h", "4"),
        ("/i\\j", "5"),
        ("/k\"l", "6"),
        ("/ ", "7"),
        ("/m~0n", "8"),
        ("", text),
    ] {
        assert_eq!(one(text, pointer), Some(Some(value)), "{pointer}");
    }
    for absent in ["/foo/2", "/foo/00", "/foo/-", "/foo/+1", "/foo/bar", "/a", "/foo/0/x", "/bar"] {
        assert_eq!(one(text, absent), Some(None), "{absent}");
    }
}

#[test]
fn what_is_no_pointer_is_refused() {
    for wrong in ["a", "~", "/~", "/~2", "/a~", "#/a", &"/a".repeat(129)] {
        assert!(Pointer::parse(wrong).is_err(), "{wrong}");
    }
    assert!(Pointer::parse(&"/a".repeat(128)).is_ok());
}

#[test]
fn of_two_members_with_one_name_the_later_counts() {
    assert_eq!(one(r#"{"a": 1, "a": 2}"#, "/a"), Some(Some("2")));
    assert_eq!(one(r#"{"a": {"b": 1}, "\u0061": {}}"#, "/a/b"), Some(None));
    assert_eq!(one(r#"{"a": [1], "a": 7}"#, "/a/0"), Some(None));
}

#[test]
fn what_is_cut_off_or_no_json_has_no_values() {
    for wrong in [
        "",
        " ",
        "{",
        "[",
        "[1",
        "[1,]",
        "[,]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\": 1,}",
        "{a: 1}",
        "1 2",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "tru",
        "True",
        "\"",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"a\nb\"",
        "'a'",
        "{\"a\": 1}}",
        "nan",
        "\u{feff}1",
    ] {
        assert_eq!(one(wrong, ""), None, "{wrong:?}");
    }
}

#[test]
fn nesting_ends_at_a_bound_and_not_with_the_stack() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(one(&nested(MAX_DEPTH), "").is_some());
    assert_eq!(one(&nested(MAX_DEPTH + 1), ""), None);
    assert_eq!(one(&"{\"a\":".repeat(100_000), ""), None);
}

#[test]
fn escapes_are_characters_or_nothing() {
    for (quoted, text) in [
        ("plain", Some("plain")),
        (r#"a\"\\\/\b\f\n\r\t"#, Some("a\"\\/\u{8}\u{c}\n\r\t")),
        (r"\u00e9\ud83d\ude00", Some("\u{e9}\u{1f600}")),
        (r"\ud83d", None),
        (r"\ud83dx", None),
        (r"\ud83d\u0041", None),
        (r"\ude00", None),
        (r"\u+123", None),
    ] {
        assert_eq!(unescape(quoted).as_deref(), text, "{quoted}");
    }
}

#[test]
fn a_compact_value_keeps_its_strings() {
    assert_eq!(compact("{ \"a b\" : [ 1 ,\n\t\"c \\\" d \\\\\" , 2 ] }"), r#"{"a b":[1,"c \" d \\",2]}"#);
}

#[test]
fn the_items_of_a_list_are_those_of_no_list_in_it() {
    assert_eq!(items(" [ 1 , [2, 3], \"a,b\" ] "), Some(vec!["1", "[2, 3]", "\"a,b\""]));
    assert_eq!(items("[]"), Some(vec![]));
    for wrong in ["", "1", "[1", "[1,]", "[1] 2", "{}"] {
        assert_eq!(items(wrong), None, "{wrong}");
    }
}

/// Any JSON value of a few members.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a~/\\\\\"\u{e9}\n]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("[ab~/\"\u{e9}0]{0,2}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_pointer_finds_what_a_reader_with_a_tree_finds(value in json(), pointer in "(/([ab~0~1\"\u{e9}]|~0|~1){0,2}){0,4}", pretty in any::<bool>()) {
        let Ok(parsed) = Pointer::parse(&pointer) else { return Ok(()) };
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let found = find(&text, &[&parsed]).unwrap();
        let found = found[0].map(|found| serde_json::from_str::<Value>(found).unwrap());
        prop_assert_eq!(found.as_ref(), value.pointer(&pointer));
        let small: Value = serde_json::from_str(&compact(&text)).unwrap();
        prop_assert_eq!(small, value);
    }

    #[test]
    fn what_is_json_is_what_another_reader_takes_for_it(text in "[\\[\\]{}:,\"\\\\tru0-9eE.+ \u{e9}-]{0,12}") {
        let ours = find(&text, &[]).is_some();
        prop_assert_eq!(ours, serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok(), "{}", text);
    }
}
