//! What is known of streams under way, and what becomes of it.

use proxy_wasm_harness::{Host, Response, filter, json};

/// A rule that remembers of each request whether it is for it, and the request itself.
fn remembering(value: &str) -> String {
    let response = json!([{"op": "set", "name": "x-a", "value": format!("{value} ${{header:x-id}}")}]);
    let when = json!({"paths": [{"prefix": "/yes"}]});
    json!({"version": 1, "rules": [{"when": when, "response": response}]}).to_string()
}

/// One that needs to know nothing.
fn plain(value: &str) -> String {
    let set = json!([{"op": "set", "name": "x-a", "value": value}]);
    json!({"version": 1, "rules": [{"request": set, "response": set}]}).to_string()
}

#[test]
fn streams_that_end_before_their_response_leave_nothing_behind() {
    let host = filter("header-mutation").configure(remembering("mark"));
    let reset = |count| {
        for _ in 0..count {
            host.get("/yes").header("x-id", [b'v'; 1000]).send().reset_by_client();
        }
    };
    // Each of the lists that they are remembered in has room for some.
    reset(1_000);
    let before = host.memory_bytes();
    reset(20_000);
    assert_eq!(host.memory_bytes(), before);
    host.assert_nothing_leaked();
}

#[test]
fn many_streams_at_once_are_each_remembered_for_itself() {
    let host = filter("header-mutation").configure(remembering("mark"));
    let path = |number: usize| if number.is_multiple_of(3) { "/no" } else { "/yes" };
    let open = |number: usize| host.get(path(number)).header("x-id", number.to_string()).send();
    let streams: Vec<_> = (0..2000).map(|number| (number, open(number))).collect();
    for (number, stream) in streams.iter().rev() {
        let received = stream.respond(Response::ok("hello")).received();
        let expected = (path(*number) == "/yes").then(|| format!("mark {number}"));
        assert_eq!(received.header("x-a").as_deref(), expected.as_deref());
    }
}

#[test]
fn plugins_of_one_vm_apply_each_its_own_rules_to_requests_and_responses() {
    for (one, two) in
        [(plain("one"), remembering("two")), (remembering("one"), plain("two")), (plain("one"), plain("two"))]
    {
        let plugin = |name: &str, text: &str| {
            filter("header-mutation").name(name).configuration(text.replace("x-a", &format!("x-{name}")))
        };
        let host = Host::envoy().plugin(plugin("one", &one)).plugin(plugin("two", &two)).start();
        let stream = host.get("/yes").header("x-id", "7").send();
        let received = stream.respond(Response::ok("hello")).received();
        for (name, text) in [("one", &one), ("two", &two)] {
            let expected = if *text == plain(name) { name.to_owned() } else { format!("{name} 7") };
            assert_eq!(received.header(&format!("x-{name}")), Some(expected), "{one} {two}");
        }
        host.assert_no_findings();
    }
}

#[test]
fn a_stream_under_way_keeps_the_configuration_that_it_began_with() {
    for (old, new) in [
        (remembering("old"), remembering("new")),
        (remembering("old"), plain("new")),
        (plain("old"), remembering("new")),
    ] {
        let host = Host::envoy().plugin(filter("header-mutation").configuration(old.clone())).start();
        let open = || host.get("/yes").header("x-id", "7").send();
        let streams = [open(), open()];
        host.reconfigure("header-mutation", new.clone()).unwrap();
        let marked = |stream: &proxy_wasm_harness::Stream| {
            let received = stream.respond(Response::ok("hello")).received();
            received.header("x-a").map(|mark| mark.to_string()).unwrap_or_default()
        };
        assert!(marked(&open()).starts_with("new"), "{old} {new}");
        for stream in &streams {
            assert!(marked(stream).starts_with("old"), "{old} {new}");
        }
        assert!(marked(&open()).starts_with("new"), "{old} {new}");
        host.assert_no_findings();
        host.assert_nothing_leaked();
    }
}
