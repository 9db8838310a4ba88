//! Configurations as the host hands them over.

use proxy_wasm_harness::{Level, Status, filter, json};

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
fn names_of_metrics_say_the_filter_if_that_is_asked_for() {
    let host = filter("header-mutation").configure(json!({
        "version": 1, "log_level": "warn", "metrics": {"tag_style": "istio"},
        "rules": [{"request": [{"op": "set", "name": "x-a", "value": "1"}]}],
    }));
    let _ = host.get("/").send();
    host.shut_down();
    for name in ["requests_total", "changed_total"] {
        let name = format!("wasm_filter.header-mutation.wasm_header_mutation_{name}");
        assert_eq!(host.counter(&name), 1, "{name}");
    }
    assert!(host.counter("wasm_filter.header-mutation.wasm_header_mutation_config_loads_total") >= 1);
}

#[test]
fn what_is_less_severe_than_the_level_is_not_logged() {
    for (level, logged) in [("warn", true), ("error", false)] {
        let rules = json!([{"request": [{"op": "remove", "name": "x-a"}]}]);
        let host = filter("header-mutation").configure(json!({"version": 1, "rules": rules}));
        // A metric that the host refuses is warned of.
        host.fail("proxy_define_metric", Status::InternalFailure, 100);
        let json =
            json!({"version": 1, "log_level": level, "metrics": {"tag_style": "istio"}, "rules": rules});
        host.reconfigure("header-mutation", json.to_string()).unwrap();
        assert_eq!(!host.logs(Level::Warn).is_empty(), logged, "{level}");
    }
}

#[test]
fn nothing_at_all_is_no_configuration() {
    filter("header-mutation").refuses("").assert_says("no configuration was given");
}
