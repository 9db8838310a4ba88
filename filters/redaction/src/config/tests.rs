use super::*;

fn problems(json: &str) -> Vec<String> {
    let refusal = Redaction::from_json(json.as_bytes()).unwrap_err();
    refusal.problems().iter().map(|problem| problem.path.clone()).collect()
}

#[test]
fn every_mistake_is_named_at_once() {
    let json = r#"{"version": 1, "fail": "maybe", "encoding": {"request_identity": "yes"}, "body": {"max_hold_bytes": 1}, "detectors": [
        {"name": "A b", "kind": "assignment", "keys": ["SECRET=", ""], "action": {"type": "replace", "with": "\""}},
        {"name": "b", "kind": "assignment", "keys": []},
        {"name": "c", "kind": "guess"},
        {"name": "d", "kind": "email", "action": {"type": "hash"}},
        {"name": "e", "kind": "email", "action": {"type": "hash", "key": "short"}},
        {"name": "f", "kind": "json_pointer", "paths": ["users"]},
        {"name": "g", "kind": "email", "action": {"type": "mask", "char": "ab"}}]}"#;
    assert_eq!(
        problems(json),
        [
            "fail",
            "detectors[0].name",
            "detectors[0].action.with",
            "detectors[0].keys[0]",
            "detectors[0].keys[1]",
            "detectors[1].keys",
            "detectors[2].kind",
            "detectors[3].action",
            "detectors[4].action.key",
            "detectors[5].paths[0]",
            "detectors[6].action.char",
            "encoding.request_identity",
            "body.max_hold_bytes",
        ]
    );
}

#[test]
fn a_configuration_that_finds_nothing_is_a_mistake() {
    for json in ["", "{}", r#"{"version": 1, "detectors": []}"#] {
        assert!(Redaction::from_json(json.as_bytes()).is_err(), "{json}");
    }
}

#[test]
fn names_are_each_of_one_detector() {
    let json =
        r#"{"version": 1, "detectors": [{"name": "a", "kind": "email"}, {"name": "a", "kind": "iban"}]}"#;
    assert_eq!(problems(json), [""]);
}

#[test]
fn length_is_kept_by_actions_that_keep_it() {
    let with = |action: &str| {
        format!(
            r#"{{"version": 1, "preserve_length": true, "detectors": [{{"name": "a", "kind": "email", "action": {action}}}]}}"#
        )
    };
    assert!(Redaction::from_json(with(r#"{"type": "mask"}"#).as_bytes()).is_ok());
    assert!(Redaction::from_json(with(r#"{"type": "remove"}"#).as_bytes()).is_err());
}

#[test]
fn a_hash_without_a_key_is_refused_and_a_key_of_the_environment_has_to_be_there() {
    let with = |action: &str| {
        format!(r#"{{"version": 1, "detectors": [{{"name": "a", "kind": "email", "action": {action}}}]}}"#)
    };
    assert_eq!(
        problems(&with(r#"{"type": "hash", "key_env": "NOT_SET_ANYWHERE"}"#)),
        ["detectors[0].action.key_env"]
    );
    assert!(Redaction::from_json(with(r#"{"type": "hash", "key": "sixteen bytes or"}"#).as_bytes()).is_ok());
}

#[test]
fn a_key_that_is_refused_is_not_shown() {
    let json = r#"{"version": 1, "detectors": [{"name": "a", "kind": "email", "action": {"type": "hash", "key": "too short"}}]}"#;
    let refusal = Redaction::from_json(json.as_bytes()).unwrap_err();
    assert!(
        refusal.problems().iter().all(|problem| !problem.to_string().contains("too short")),
        "{refusal:?}"
    );
}

#[test]
fn the_marker_and_plain_whole_responses_are_the_default() {
    let json = r#"{"version": 1, "detectors": [{"name": "a", "kind": "assignment", "keys": ["k"]}]}"#;
    let redaction = Redaction::from_json(json.as_bytes()).unwrap();
    assert!(redaction.request_identity && redaction.responses && !redaction.requests);
    assert_eq!((redaction.on_encoded, redaction.on_range), (Otherwise::Treat, Otherwise::Treat));
    assert_eq!(redaction.fail, Failure::Closed);
    assert_eq!(redaction.body.max_hold, 4096);
}

#[test]
fn the_documents_say_what_is_read() {
    let docs = filter_docs::docs!(Redaction::from_node);
    docs.assert_fresh();
    docs.assert_samples();
    docs.assert_accepted(&[
        r#"{"version": 1.0, "detectors": [{"name": "a", "kind": "email", "action": {"type": "mask", "keep_last": 2}}]}"#,
        r#"{"version": 1, "body": {"mode": "buffer", "max_body_bytes": "64KiB"}, "detectors": [{"name": "a", "kind": "jwt"}]}"#,
        r#"{"version": 1, "direction": ["request"], "headers": ["Location"], "detectors": [{"name": "a", "kind": "iban"}]}"#,
    ]);
    docs.assert_refused(&[
        "{}",
        r#"{"version": 1, "detectors": []}"#,
        r#"{"version": 1, "detectors": [{"name": "a", "kind": "regex"}]}"#,
        r#"{"version": 1, "detectors": [{"name": "A", "kind": "email"}]}"#,
        r#"{"version": 1, "detectors": [{"name": "a", "kind": "email", "keys": ["b"]}]}"#,
        r#"{"version": 1, "detectors": [{"name": "a", "kind": "email", "action": {"type": "hash"}}]}"#,
        r#"{"version": 1, "headers": ["host"], "detectors": [{"name": "a", "kind": "email"}]}"#,
    ]);
}
