//! header-mutation as the proxy runs it: what the upstream and the client see.

mod bench;
mod config;
mod exchange;
mod streams;
mod trailers;

use proxy_wasm_harness::{Callback, HeaderMap, Host, Level, Request, Response, budget, filter, json};

/// With this configuration, but for its version.
fn configured(json: &str) -> Host {
    filter("header-mutation").configure(json.replacen('{', r#"{"version": 1, "#, 1))
}

/// The calls to the host that change something.
fn writes(host: &Host) -> Vec<String> {
    let changes = ["proxy_replace_header", "proxy_add_header", "proxy_remove_header", "proxy_set_header"];
    let transcript = host.transcript();
    let calls =
        transcript.lines().map(str::trim).filter(|line| changes.iter().any(|call| line.starts_with(call)));
    calls.map(str::to_owned).collect()
}

/// How many calls to the host one exchange makes, after one that made memory ready.
fn hostcalls(host: &Host) -> (u64, u64) {
    host.get("/").send().respond(Response::ok("hello"));
    let stream = host.get("/").send();
    stream.respond(Response::ok("hello"));
    let costs = stream.costs();
    (costs.of(Callback::RequestHeaders).hostcalls, costs.of(Callback::ResponseHeaders).hostcalls)
}

/// Both directions by the same operations.
fn both(operations: &str) -> Host {
    filter("header-mutation").configure(format!(
        r#"{{"version": 1, "rules": [{{"request": [{operations}], "response": [{operations}]}}]}}"#
    ))
}

/// What upstream and client see of these headers.
fn exchange(host: &Host, headers: &[(&str, &[u8])]) -> (Request, Response) {
    let mut request = host.get("/");
    let mut response = Response::new(200);
    for (name, value) in headers {
        request = request.header(name, value);
        response = response.with_header(name, value);
    }
    let stream = request.send();
    let forwarded = stream.forwarded();
    let received = stream.respond(response).received();
    host.assert_no_findings();
    (forwarded, received)
}

fn values<'a>(map: &'a HeaderMap, name: &'a str) -> Vec<&'a [u8]> {
    map.get_all(name).collect()
}

#[track_caller]
fn assert_both(operations: &str, headers: &[(&str, &[u8])], name: &str, expected: &[&[u8]]) {
    let (request, response) = exchange(&both(operations), headers);
    assert_eq!(values(&request.headers, name), expected, "the upstream's {name}");
    assert_eq!(values(&response.headers, name), expected, "the client's {name}");
}

#[test]
fn set_leaves_one_line_in_place_of_all() {
    let set = r#"{"op": "set", "name": "X-Set", "value": "only"}"#;
    assert_both(set, &[("x-set", b"a"), ("x-set", b"b")], "x-set", &[b"only"]);
    assert_both(set, &[], "x-set", &[b"only"]);
}

#[test]
fn add_leaves_a_header_that_is_there_as_it_is() {
    let add = r#"{"op": "add", "name": "x-add", "value": "added"}"#;
    assert_both(add, &[("x-add", b"a"), ("x-add", b"b")], "x-add", &[b"a", b"b"]);
    assert_both(add, &[], "x-add", &[b"added"]);
    assert_both(add, &[("x-add", b"")], "x-add", &[b""]);
}

#[test]
fn append_is_one_more_line_or_for_an_inline_header_one_more_value() {
    let append = |name: &str| format!(r#"{{"op": "append", "name": "{name}", "value": "last"}}"#);
    assert_both(&append("x-app"), &[("x-app", b"a")], "x-app", &[b"a", b"last"]);
    assert_both(&append("via"), &[("via", b"1.1 a")], "via", &[b"1.1 a,last"]);
}

#[test]
fn remove_takes_every_line_away() {
    let remove = r#"{"op": "remove", "name": "x-gone"}"#;
    assert_both(remove, &[("x-gone", b"a"), ("X-Gone", b"b")], "x-gone", &[]);
}

#[test]
fn rename_carries_bytes_that_are_no_text() {
    let rename = r#"{"op": "rename", "name": "x-old", "to": "x-new"}"#;
    let odd: [(&str, &[u8]); 3] = [("x-old", b"caf\xe9"), ("x-new", b"replaced"), ("x-old", b"\xff\x80")];
    assert_both(rename, &odd, "x-new", &[b"caf\xe9", b"\xff\x80"]);
    assert_both(rename, &odd, "x-old", &[]);
    assert_both(rename, &[("x-new", b"kept")], "x-new", &[b"kept"]);
}

#[test]
fn each_operation_sees_what_the_earlier_ones_did() {
    let operations = r#"
        {"op": "set", "name": "x-a", "value": "1"},
        {"op": "append", "name": "x-a", "value": "2"},
        {"op": "rename", "name": "x-a", "to": "x-b"},
        {"op": "add", "name": "x-b", "value": "3"},
        {"op": "add", "name": "x-a", "value": "4"}"#;
    assert_both(operations, &[("x-a", b"0")], "x-b", &[b"1", b"2"]);
    assert_both(operations, &[("x-a", b"0")], "x-a", &[b"4"]);
}

#[test]
fn everything_else_passes_as_it_is() {
    let host = both(r#"{"op": "set", "name": "x-training", "value": "envoy-wasm"}"#);
    let stream = host.post("/a?b=%00").header("cookie", b"a=\xe9").body(vec![b'x'; 100_000]).send();
    let request = stream.forwarded();
    assert_eq!((request.path().as_str(), request.body.len()), ("/a?b=%00", 100_000));
    let sent = Response::ok("hello").with_trailer("x-end", "1");
    let received = stream.respond(sent.clone()).received();
    assert_eq!((received.body, received.trailers), (sent.body, sent.trailers));
    host.assert_no_findings();
    host.assert_nothing_leaked();
}

#[test]
fn a_thousand_headers_and_a_megabyte_of_one_are_no_trouble() {
    let host = both(r#"{"op": "rename", "name": "x-old", "to": "x-new"}"#);
    let large = vec![b'v'; 1 << 20];
    let mut headers: Vec<(&str, &[u8])> = vec![("x-other", b"value"); 1000];
    headers.push(("x-old", &large));
    let (request, response) = exchange(&host, &headers);
    assert!(
        request.headers.get("x-new") == Some(&large[..]) && response.headers.get("x-new") == Some(&large[..])
    );
    assert_eq!(request.headers.get_all("x-other").count(), 1000);
}

#[test]
fn a_local_reply_of_the_proxy_is_marked_as_a_response_is() {
    let host = both(r#"{"op": "set", "name": "x-training", "value": "envoy-wasm"}"#);
    let stream = host.get("/").send();
    stream.upstream_resets();
    let reply = stream.answered();
    assert_eq!((reply.status(), reply.header("x-training").as_deref()), (503, Some("envoy-wasm")));
}

#[test]
fn two_plugins_in_one_vm_keep_their_rules_apart() {
    let plugin = |name: &str| {
        let rule = json!([{"op": "set", "name": format!("x-{name}"), "value": name}]);
        filter("header-mutation").name(name).json(&json!({"version": 1, "rules": [{"request": rule}]}))
    };
    let host = Host::envoy().plugin(plugin("one")).plugin(plugin("two")).start();
    let request = host.get("/").send().forwarded();
    let names = ["x-one", "x-two"].map(|name| request.header(name).unwrap_or_default());
    assert_eq!(names, ["one", "two"]);
}

#[test]
fn every_mistake_of_a_configuration_is_named() {
    let refusal = filter("header-mutation").refuses(json!({
        "version": 7,
        "rules": [{"request": [
            {"op": "set", "name": "x y", "value": "a"},
            {"op": "set", "name": ":path", "value": "/"},
            {"op": "set", "name": "x", "value": "a\r\nx-admin: 1"},
            {"op": "upset", "name": "x"},
        ]}],
    }));
    let problems = refusal.logged(Level::Error);
    let fields: Vec<&str> = problems.iter().filter_map(|problem| problem.split('`').nth(1)).collect();
    let request = |place: usize, field: &str| format!("rules[0].request[{place}].{field}");
    let expected = [request(0, "name"), request(1, "name"), request(2, "value"), request(3, "op")];
    assert_eq!(fields[0], "version");
    assert_eq!(fields[1..], expected);
}

#[test]
fn a_request_costs_no_more_than_its_budget() {
    let cost = |operations: &str| {
        let host = both(operations);
        // A first request makes memory ready that others find ready.
        exchange(&host, &[("server", b"a")]);
        let stream = host.get("/").header("server", "a").send();
        stream.respond(Response::ok("hello").with_header("server", "a"));
        stream.costs()
    };
    budget!("one_set").assert(&cost(r#"{"op": "set", "name": "x-training", "value": "envoy-wasm"}"#));
    budget!("five_operations").assert(&cost(
        r#"{"op": "set", "name": "x-training", "value": "envoy-wasm"},
           {"op": "add", "name": "x-added", "value": "1"},
           {"op": "append", "name": "via", "value": "1.1 envoy"},
           {"op": "rename", "name": "server", "to": "x-server"},
           {"op": "remove", "name": "x-gone"}"#,
    ));
}

#[test]
fn the_module_has_no_sentence_of_its_schema() {
    let module = filter("header-mutation").module().bytes().to_vec();
    filter_docs::docs!(header_mutation::Mutations::from_node).assert_not_in(&module);
}
