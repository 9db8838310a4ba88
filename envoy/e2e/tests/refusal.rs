//! Envoy does not start with a configuration that a filter refuses, and its log says why.

use meshloom_lab::{Bootstrap, Envoy, filters};

#[test]
fn every_filter_refuses_a_wrong_configuration_and_names_each_problem() {
    for filter in filters() {
        for policy in ["FAIL_CLOSED", "FAIL_OPEN", "FAIL_RELOAD"] {
            let bootstrap = Bootstrap::filter(&filter)
                .configure(&filter, r#"{"version": 7, "no_such_field": true}"#)
                .failure_policy(&filter, policy);
            let log = Envoy::with(bootstrap).refused().log;
            for message in [
                "config field `no_such_field`: unknown field, expected one of `version`",
                "config field `version`: found 7, expected 1, the version that this module reads",
            ] {
                assert!(log.contains(message), "{filter} with {policy} should log {message:?}:\n{log}");
            }
        }
    }
}

#[test]
fn what_is_not_json_is_refused_with_its_place() {
    for filter in filters() {
        let log =
            Envoy::with(Bootstrap::filter(&filter).configure(&filter, "{\"version\": 1,")).refused().log;
        assert!(log.contains("config: not valid JSON: EOF"), "{filter}:\n{log}");
    }
}

#[test]
fn no_configuration_is_refused_by_each_filter_that_would_do_nothing() {
    for filter in filters() {
        let started = Envoy::with(Bootstrap::filter(&filter).unconfigured(&filter)).try_start();
        // Metrics need no configuration.
        if filter == "http-timing" {
            assert!(started.is_ok(), "{filter}");
        } else {
            let log = started.expect_err(&filter).log;
            assert!(log.contains("config: no configuration was given"), "{filter}:\n{log}");
        }
    }
}
