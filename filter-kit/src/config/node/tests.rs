use crate::config::{Choice, Node, read};

fn refusal<T>(json: &str, build: impl FnOnce(Node<'_>) -> Option<T>) -> String {
    read(json.as_bytes(), build).err().expect("a refusal").to_string()
}

#[test]
fn every_problem_is_listed_with_its_path() {
    let refused = refusal(r#"{"version": 2, "list": [{"n": 1}, {"m": 2}, {"n": "x"}], "list": 0}"#, |root| {
        root.object(|fields| {
            fields.version(1);
            fields.required("list", "", |list| {
                list.list_of(|item| {
                    item.object(|fields| fields.required("n", "", |node| node.integer(0..=5)))
                })
            })
        })
    });
    assert_eq!(
        refused,
        "config field `list`: given more than once; \
         config field `version`: found 2, expected 1, the version that this module reads; \
         config field `list[1].m`: unknown field, expected one of `n`; \
         config field `list[1].n`: missing; \
         config field `list[2].n`: found \"x\", expected an integer from 0 to 5"
    );
}

#[test]
fn integers_may_be_written_as_whole_doubles_and_nothing_else() {
    let integer = |json: &str| read(json.as_bytes(), |node| node.integer(0..=u64::MAX));
    assert_eq!(integer("5"), Ok(5));
    assert_eq!(integer("5.0"), Ok(5));
    assert_eq!(integer("5e2"), Ok(500));
    for wrong in ["5.5", "-1", "1e300", "true", "\"5\""] {
        assert!(integer(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn durations_and_sizes_take_units_and_say_their_range() {
    let ms = |json: &str| read(json.as_bytes(), |node| node.milliseconds(1..=5000));
    assert_eq!(ms("\"250ms\""), Ok(250));
    assert_eq!(ms("\"5s\""), Ok(5000));
    assert_eq!(ms("70"), Ok(70));
    assert_eq!(
        ms("\"6s\"").unwrap_err().to_string(),
        "config: found \"6s\", expected a duration such as \"250ms\" or \"5s\", from 1ms to 5000ms"
    );
    let bytes = |json: &str| read(json.as_bytes(), |node| node.bytes(1..=1 << 20));
    assert_eq!(bytes("\"64KiB\""), Ok(65_536));
    assert_eq!(
        bytes("\"64KB\"").unwrap_err().to_string(),
        "config: found \"64KB\", expected a size such as \"64KiB\" or \"1MiB\", from 1B to 1MiB"
    );
}

#[test]
fn null_is_the_same_as_absent() {
    let required =
        |root: Node<'_>| root.object(|fields| fields.required("n", "", |node| node.integer(0..=1)));
    assert_eq!(refusal(r#"{"n": null}"#, required), "config field `n`: missing");
}

#[test]
fn a_hostile_field_name_is_escaped_and_cut() {
    let json = format!("{{\"a\\n{}\": 1}}", "b".repeat(500));
    let refused =
        refusal(&json, |root| root.object(|fields| fields.optional("n", "", |node| node.boolean())));
    assert!(refused.starts_with(r"config field `a\nbbb"), "{refused}");
    assert!(refused.len() < 200, "{refused}");
}

#[test]
fn a_flood_of_problems_is_counted_and_not_all_listed() {
    let json = format!("[{}0]", "0,".repeat(999));
    let refused = read(json.as_bytes(), |root| root.list_of(|item| item.text().map(str::len))).unwrap_err();
    assert_eq!(refused.problems().len(), 51);
    assert!(refused.to_string().ends_with("config: and 950 more problems"));
}

#[test]
fn a_default_is_read_as_what_stands_in_its_place() {
    let timeout = |json: &str| {
        read(json.as_bytes(), |root| {
            root.object(|fields| fields.or("t", "", "2s", |node| node.milliseconds(1..=5000)))
        })
    };
    assert_eq!(
        [timeout("{}"), timeout(r#"{"t": null}"#), timeout(r#"{"t": 7}"#)],
        [Ok(2000), Ok(2000), Ok(7)]
    );
}

#[test]
fn a_word_decides_which_other_members_there_are() {
    let shape = |root: Node<'_>| {
        root.tagged(
            "kind",
            "",
            &[
                Choice::new("round", "", |fields| fields.required("r", "", |node| node.integer(1..=9))),
                Choice::new("none", "", |_| Some(0)),
            ],
        )
    };
    assert_eq!(read(br#"{"r": 3, "kind": "round"}"#, shape), Ok(3));
    assert_eq!(read(br#"{"kind": "none"}"#, shape), Ok(0));
    for (json, refused) in [
        ("{}", "config field `kind`: missing"),
        (
            r#"{"kind": "oval", "r": 1}"#,
            "config field `kind`: found \"oval\", expected one of `round`, `none`",
        ),
        (r#"{"kind": "none", "r": 1}"#, "config field `r`: unknown field, expected one of `kind`"),
        (r#"{"kind": "round"}"#, "config field `r`: missing"),
    ] {
        assert_eq!(refusal(json, shape), refused);
    }
}

#[test]
fn of_some_fields_only_one_is_given() {
    let text = |root: Node<'_>| {
        root.object(|fields| {
            fields.exactly_one(&[
                Choice::new("exact", "", |node| node.text().map(str::len)),
                Choice::new("prefix", "", |node| node.text().map(str::len)),
            ])
        })
    };
    assert_eq!(read(br#"{"prefix": "abc"}"#, text), Ok(3));
    assert_eq!(refusal("{}", text), "config: one of `exact`, `prefix` is missing");
    assert_eq!(
        refusal(r#"{"prefix": "abc", "exact": "a"}"#, text),
        "config: expected only one of `exact`, `prefix`"
    );
    assert_eq!(refusal(r#"{"exact": 1}"#, text), "config field `exact`: found 1, expected a string");
}

#[test]
fn a_share_has_two_decimals() {
    let percent = |json: &str| read(json.as_bytes(), |node| node.percent()).ok();
    for (json, hundredths) in [("0", 0), ("0.07", 7), ("33.33", 3333), ("100", 10_000), ("1e1", 1000)] {
        assert_eq!(percent(json), Some(hundredths), "{json}");
    }
    for wrong in ["-1", "100.01", "0.001", "\"5\"", "1e300"] {
        assert_eq!(percent(wrong), None, "{wrong}");
    }
}

#[test]
fn a_list_may_have_a_most() {
    let three = |json: &str| read(json.as_bytes(), |node| node.up_to(3, |item| item.boolean())).is_ok();
    assert_eq!(
        ["[]", "[true]", "[true,true,true]", "[true,true,true,true]"].map(three),
        [false, true, true, false]
    );
}

#[test]
fn absent_and_broken_configurations_are_told_apart() {
    let anything = |_: Node<'_>| Some(());
    assert_eq!(refusal(" \n", anything), "config: no configuration was given, expected a JSON object");
    assert_eq!(
        refusal("{", anything),
        "config: not valid JSON: EOF while parsing an object at line 1 column 1"
    );
}
