//! What Envoy and other filters do around this one.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "all of this is a test: clippy knows only the functions marked so"
)]

use meshloom_lab::{Bootstrap, Envoy, Reply, Upstream};
use serde_json::{Value, json};

use super::{configured, marks};

/// A filter of Envoy's, before or behind the others.
fn lua(manager: &mut Value, place: usize, script: &str) {
    manager["http_filters"].as_array_mut().unwrap().insert(
        place,
        json!({
            "name": "envoy.filters.http.lua",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
                "default_source_code": { "inline_string": script },
            },
        }),
    );
}

const REPLIES: &str = "function envoy_on_request(handle)
  if handle:headers():get('x-reply') ~= nil then handle:respond({[':status'] = '418'}, 'lua') end
end";

/// The status and the mark of what answers: the upstream, Envoy (no route), and a filter behind this one.
fn answers(envoy: &Envoy) -> [(u16, Option<String>); 3] {
    [envoy.get("/"), envoy.get("/none"), envoy.get("/").header("x-reply", "1")].map(|request| {
        let response = request.send();
        (response.status, response.header("x-a"))
    })
}

fn with_replies(bootstrap: Bootstrap) -> Envoy {
    let bootstrap = bootstrap.connection_manager(|manager| {
        lua(manager, 1, REPLIES);
        manager["route_config"]["virtual_hosts"][0]["routes"] =
            json!([{ "match": { "path": "/" }, "route": { "cluster": "httpbin" } }]);
    });
    Envoy::with(bootstrap).start()
}

#[test]
fn local_replies_are_responses_unless_they_are_left_alone() {
    let upstream = Upstream::ok();
    let one = || Some("1".to_owned());
    let envoy = with_replies(configured(marks()).upstream(upstream.address()));
    assert_eq!(answers(&envoy), [(200, one()), (404, one()), (418, one())]);
    let skipping = marks().replacen('{', r#"{"skip_local_replies": true, "#, 1);
    let envoy = with_replies(configured(&skipping).upstream(upstream.address()));
    assert_eq!(answers(&envoy), [(200, one()), (404, None), (418, None)]);
}

#[test]
fn a_reply_of_a_filter_before_this_one_is_out_of_its_reach() {
    let upstream = Upstream::ok();
    let bootstrap = configured(marks()).upstream(upstream.address());
    let envoy = Envoy::with(bootstrap.connection_manager(|manager| lua(manager, 0, REPLIES))).start();
    let response = envoy.get("/").header("x-reply", "1").send();
    assert_eq!((response.status, response.header("x-a")), (418, None));
}

#[test]
fn a_request_that_is_denied_never_reaches_the_upstream() {
    let upstream = Upstream::ok();
    let rules = r#"{"on_invalid": "deny", "rules": [{"request": [
        {"op": "set_cookie", "name": "c", "value": "${header:x-c}"}],
        "response": [{"op": "set", "name": "x-a", "value": "1"}]}]}"#;
    let envoy = Envoy::with(configured(rules).upstream(upstream.address())).start();
    let denied = envoy.get("/").header("x-c", "1; Secure").send();
    assert_eq!(
        (denied.status, denied.text().as_str()),
        (400, "a header of this request cannot be sent on\n")
    );
    // What this filter answers is a response like any other.
    assert_eq!(denied.header("x-a").as_deref(), Some("1"));
    assert_eq!(upstream.seen().len(), 0);
    assert_eq!(envoy.get("/").header("x-c", "1").send().status, 200);
    assert_eq!(upstream.only_seen().header("cookie").as_deref(), Some("c=1"));
    envoy.wait_for_stat("wasm_header_mutation_denied_total", 1);
    envoy.wait_for_stat("wasm_header_mutation_requests_total", 2);
}

#[test]
fn a_redirect_that_envoy_follows_is_changed_once_if_it_is_marked() {
    for (marked, expected) in [(true, 1), (false, 2)] {
        let upstream = Upstream::answering(|seen| match seen.path.as_str() {
            "/first" => Reply::new(302, "").header("location", "http://a.test/second"),
            _ => Reply::new(200, "hello"),
        });
        let once = if marked { r#""once_header": "x-once", "# } else { "" };
        let rules = format!(
            r#"{{{once}"rules": [{{"request": [{{"op": "append", "name": "x-a", "value": "1"}}]}}]}}"#
        );
        let bootstrap = configured(&rules).upstream(upstream.address()).connection_manager(|manager| {
            manager["route_config"]["virtual_hosts"][0]["routes"] = json!([{
                "match": { "prefix": "/" },
                "route": { "cluster": "httpbin", "internal_redirect_policy": { "redirect_response_codes": [302] } },
            }]);
        });
        let envoy = Envoy::with(bootstrap).start();
        let response = envoy.get("/first").header("host", "a.test").header("x-once", "forged").send();
        assert_eq!(response.status, 200);
        let seen = upstream.seen();
        let counts: Vec<usize> = seen
            .iter()
            .map(|request| request.headers.iter().filter(|(name, _)| name == "x-a").count())
            .collect();
        assert_eq!(counts, [1, expected], "marked: {marked}");
    }
}

/// A filter of Envoy's that adds `x-front` to a request, and has the route chosen anew for it or not.
fn adds(manager: &mut Value, routes_anew: bool) {
    lua(manager, 0, "function envoy_on_request(handle) handle:headers():add('x-front', '1') end");
    manager["http_filters"][0]["typed_config"]["clear_route_cache"] = routes_anew.into();
}

#[test]
fn a_change_routes_anew_and_a_look_does_not() {
    // Envoy chooses the route before the first filter, by the headers that there are then. A filter in front adds a header
    // that another route is for, and leaves the choice as it is: so the route tells whether this filter had it made again.
    let upstream = Upstream::ok();
    let route = |headers: Value, status: u16| json!({ "match": { "prefix": "/", "headers": headers }, "direct_response": { "status": status } });
    let status = |routes_anew: bool, operation: &str| {
        let rules = format!(r#"{{"rules": [{{"request": [{operation}]}}]}}"#);
        let bootstrap = configured(&rules).upstream(upstream.address()).connection_manager(|manager| {
            adds(manager, routes_anew);
            let fronted = json!([{ "name": "x-front", "present_match": true }]);
            manager["route_config"]["virtual_hosts"][0]["routes"] =
                json!([route(fronted, 201), route(json!([]), 202)]);
        });
        let envoy = Envoy::with(bootstrap).start();
        envoy.get("/").header("x-there", "1").header("x-two", "1").header("x-two", "1").send().status
    };
    let looks = [
        r#"{"op": "remove", "name": "x-none"}"#,
        r#"{"op": "rename", "name": "x-none", "to": "x-b"}"#,
        r#"{"op": "set_if_present", "name": "x-none", "value": "1"}"#,
        r#"{"op": "add_if_absent", "name": "x-there", "value": "2"}"#,
        // What is there already is not written again.
        r#"{"op": "set", "name": "x-there", "value": "1"}"#,
        r#"{"op": "set_if_present", "name": "x-there", "value": "1"}"#,
    ];
    for look in looks {
        assert_eq!(status(false, look), 202, "{look}");
    }
    for change in [
        r#"{"op": "set", "name": "x-there", "value": "2"}"#,
        r#"{"op": "set", "name": "x-new", "value": "1"}"#,
        r#"{"op": "set_if_present", "name": "x-there", "value": "2"}"#,
        r#"{"op": "remove", "name": "x-there"}"#,
        // One line in place of two that say the same.
        r#"{"op": "set", "name": "x-two", "value": "1"}"#,
    ] {
        assert_eq!(status(false, change), 201, "{change}");
    }
    // The filter in front does add it, and the route is chosen by it if somebody asks.
    assert_eq!(status(true, looks[0]), 201);
}

#[test]
fn what_was_done_is_in_metrics_and_in_the_access_log() {
    let upstream = Upstream::ok();
    let rules = r#"{"access_log": true, "rules": [
        {"name": "both", "request": [{"op": "set", "name": "x-a", "value": "1"}], "response": [{"op": "set", "name": "x-a", "value": "1"}]},
        {"name": "neither", "request": [{"op": "remove", "name": "x-none"}]},
        {"name": "response", "response": [{"op": "set", "name": "x-b", "value": "1"}]}]}"#;
    let log = std::env::temp_dir().join(format!("header-mutation-{}.log", std::process::id()));
    let path = log.to_str().unwrap().to_owned();
    let bootstrap = configured(rules).upstream(upstream.address()).connection_manager(|manager| {
        manager["access_log"] = json!([{
            "name": "envoy.access_loggers.file",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                "path": path,
                "log_format": { "text_format_source": { "inline_string": "<%FILTER_STATE(wasm.header_mutation:PLAIN)%>\n" } },
            },
        }]);
    });
    let envoy = Envoy::with(bootstrap).start();
    envoy.get("/").send();
    envoy.wait_for_stat("wasm_header_mutation_changed_total", 2);
    envoy.wait_for_stat("wasm_header_mutation_ops_applied_total", 3);
    assert!(envoy.prometheus().contains("\nwasm_header_mutation_requests_total{} 1\n"));
    assert_eq!(envoy.stat("wasm_header_mutation_errors_total"), 0);
    // Envoy writes its log when it ends.
    drop(envoy);
    let text = std::fs::read_to_string(&log).unwrap();
    std::fs::remove_file(&log).unwrap();
    assert_eq!(text, "<both,response>\n");
}
