use super::*;
use crate::config;
use crate::testing::Given;

fn when(json: &str) -> When {
    config::read(json.as_bytes(), When::read).unwrap_or_else(|refusal| panic!("{json}: {refusal}"))
}

fn exchange() -> Given {
    Given::request("GET", "/api/users?token=1#x")
        .header(":authority", b"Shop.Example.com:8443")
        .header("x-a", b"one")
        .header("x-a", b"caf\xe9")
        .response_header(":status", b"404")
        .response_header("content-type", b"application/problem+json; charset=utf-8")
        .attribute("xds\0listener_direction", &1_i64.to_le_bytes())
        .attribute("xds\0route_name", b"main")
}

#[test]
fn each_condition_holds_for_what_it_says() {
    for (json, expected) in [
        (r#"{"hosts": [".example.com"]}"#, true),
        (r#"{"hosts": ["other.test", "shop.example.com:8443"]}"#, true),
        (r#"{"hosts": ["example.com"]}"#, false),
        (r#"{"paths": [{"exact": "/api/users"}]}"#, true),
        (r#"{"paths": [{"prefix": "/x"}, {"suffix": "/users"}]}"#, true),
        (r#"{"paths": [{"contains": "token"}]}"#, false),
        (r#"{"methods": ["POST", "GET"]}"#, true),
        (r#"{"methods": ["POST"]}"#, false),
        (r#"{"headers": [{"name": "X-A", "suffix": "e"}]}"#, true),
        (r#"{"headers": [{"name": "x-a", "prefix": "caf"}]}"#, true),
        (r#"{"headers": [{"name": "x-a"}, {"name": "x-b"}]}"#, false),
        (r#"{"headers": [{"name": "x-a", "present": true}, {"name": "x-b", "present": false}]}"#, true),
        (r#"{"status": [404]}"#, true),
        (r#"{"status": ["5xx", "4xx"]}"#, true),
        (r#"{"status": ["2xx", 500]}"#, false),
        (r#"{"content_types": ["text/*", "application/*+json"]}"#, true),
        (r#"{"content_types": ["application/json"]}"#, false),
        (r#"{"response_headers": [{"name": "content-type", "contains": "utf-8"}]}"#, true),
        (r#"{"direction": "inbound"}"#, true),
        (r#"{"direction": "outbound"}"#, false),
        (r#"{"route_names": ["other", "main"]}"#, true),
        (r#"{"route_names": ["other"]}"#, false),
        (r#"{"not": {"methods": ["POST"]}}"#, true),
        (r#"{"not": {"not": {"methods": ["POST"]}}}"#, false),
        (r#"{"methods": ["GET"], "status": [200]}"#, false),
        (r#"{"methods": ["GET"], "status": [404]}"#, true),
    ] {
        assert_eq!(when(json).holds(&exchange()), expected, "{json}");
    }
}

#[test]
fn older_names_of_attributes_are_asked_for_too() {
    let given = Given::default()
        .attribute("listener_direction", &2_i64.to_le_bytes())
        .attribute("route_name", b"old");
    assert!(when(r#"{"direction": "outbound", "route_names": ["old"]}"#).holds(&given));
}

#[test]
fn what_cannot_be_read_holds_for_no_condition() {
    let nothing = Given::default().header(":authority", b"a b");
    for json in [
        r#"{"hosts": ["a", ".b"]}"#,
        r#"{"paths": [{"prefix": "/"}]}"#,
        r#"{"methods": ["CONNECT"]}"#,
        r#"{"headers": [{"name": "x"}]}"#,
        r#"{"status": ["1xx", "2xx", "3xx", "4xx", "5xx"]}"#,
        r#"{"content_types": ["text/*"]}"#,
        r#"{"direction": "inbound"}"#,
        r#"{"route_names": ["main"]}"#,
    ] {
        assert!(!when(json).holds(&nothing), "{json}");
        assert!(when(&format!(r#"{{"not": {json}}}"#)).holds(&nothing), "not {json}");
    }
}

#[test]
fn nothing_is_read_that_the_outcome_does_not_depend_on() {
    let given = exchange();
    assert!(!when(r#"{"status": [404], "paths": [{"prefix": "/x"}], "methods": ["GET"]}"#).holds(&given));
    assert_eq!(given.asked(), [":method", ":path"]);
}

#[test]
fn what_a_condition_needs_is_known_before_it_is_asked() {
    for (json, request, response) in [
        (r#"{"hosts": ["a"]}"#, true, false),
        (r#"{"direction": "inbound", "route_names": ["a"]}"#, false, false),
        (r#"{"status": [200]}"#, false, true),
        (r#"{"response_headers": [{"name": "a"}], "methods": ["GET"]}"#, true, true),
        (r#"{"direction": "inbound", "not": {"content_types": ["text/*"]}}"#, false, true),
    ] {
        let when = when(json);
        assert_eq!((when.needs_request(), when.needs_response()), (request, response), "{json}");
    }
}

#[test]
fn every_mistake_is_named_at_once() {
    let json = r#"{"hosts": ["api.*.test"], "paths": [{}, {"exact": "a", "prefix": "b"}, {"like": "c"}],
        "methods": ["get"], "headers": [{"name": ":path"}, {"name": "x", "present": true, "exact": "y"}],
        "status": ["6xx", 99, true], "direction": "up", "not": {}, "route_names": [], "content_types": ["text"]}"#;
    let refusal = config::read(json.as_bytes(), When::read).unwrap_err();
    let mut paths: Vec<&str> = refusal.problems().iter().map(|problem| problem.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "content_types[0]",
            "direction",
            "headers[0].name",
            "headers[1]",
            "hosts[0]",
            "methods[0]",
            "not",
            "paths[0]",
            "paths[1]",
            "paths[2]",
            "paths[2].like",
            "route_names",
            "status[0]",
            "status[1]",
            "status[2]",
        ]
    );
}

#[cfg(feature = "regex")]
#[test]
fn a_regular_expression_matches_anywhere_and_is_bounded() {
    let json = r#"{"paths": [{"regex": "^/api/[a-z]+$"}]}"#;
    assert!(config::read(json.as_bytes(), When::read_with_regex).unwrap().holds(&exchange()));
    assert!(config::read(json.as_bytes(), When::read).is_err(), "only where a filter offers them");
    for wrong in ["(", "a{1000}{1000}{1000}", ""] {
        let json = format!(r#"{{"paths": [{{"regex": "{wrong}"}}]}}"#);
        assert!(config::read(json.as_bytes(), When::read_with_regex).is_err(), "{wrong}");
    }
}
