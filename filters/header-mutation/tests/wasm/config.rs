//! Configurations as the host hands them over.

use proxy_wasm_harness::{Level, filter, json};

#[test]
fn a_refused_configuration_is_counted() {
    let refusal = filter("header-mutation").refuses(json!({"version": 1}));
    refusal.assert_logged(Level::Error, "changes nothing");
}

#[test]
fn a_number_may_come_as_a_double() {
    // As Istio hands a protobuf Struct on.
    let _ = filter("header-mutation").configure(
        r#"{"rules": [{"response": [{"op": "set_cookie", "name": "a", "value": "1", "max_age": 60.0}]}],
            "max_value_bytes": 1024.0, "version": 1.0, "enforce_percent": 100.0}"#,
    );
}

#[test]
fn nothing_at_all_is_no_configuration() {
    filter("header-mutation").refuses("").assert_says("no configuration was given");
}
