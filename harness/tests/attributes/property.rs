//! Properties.

use std::time::Duration;

use proxy_wasm_harness::{Host, HostBuilder, Message, Profile, Response, Status, TrafficDirection, Value};
use serde_json::json;

use super::guest::{
    BODY, CONFIGURE, CONNECTION, DATA, LOG, REQUEST, RESPONSE, Steps, answers, not, number, ok,
};

/// What one request is answered for these properties.
fn requested(host: HostBuilder, paths: &[&str]) -> Vec<(Status, Vec<u8>)> {
    let host = paths.iter().fold(Steps::default(), |steps, path| steps.get(REQUEST, path)).on(host);
    drop(host.get("/").send());
    answers(&host)
}

#[test]
fn what_a_test_gives_takes_the_place_of_what_there_is() {
    let host = Host::envoy()
        .property("source.address", "10.0.0.1:1")
        .property("xds.cluster_name", "other")
        .property("my.own", 7_i64)
        .property("request.headers.x-extra", "there");
    let paths = ["source.address", "source.port", "xds.cluster_name", "my.own", "request.headers.x-extra"];
    assert_eq!(
        requested(host, &paths),
        [ok("10.0.0.1:1"), number(50_000), ok("other"), number(7), ok("there")]
    );
}

#[test]
fn a_stream_counts_more_than_its_host() {
    let host =
        Steps::default().get(REQUEST, "source.address").on(Host::envoy().property("source.address", "all"));
    drop(host.get("/").property("source.address", "one").send());
    drop(host.get("/").send());
    assert_eq!(answers(&host), [ok("one"), ok("all")]);
}

#[test]
fn a_given_value_is_there_when_the_proxy_would_have_one() {
    let host = Host::envoy()
        .property("response.code_details", "given")
        .property("request.path", "/given")
        .property("upstream.address", "10.0.0.9:9")
        .property("request.duration", Value::Duration(7));
    let paths = ["response.code_details", "request.path", "upstream.address", "request.duration"];
    let all = REQUEST | RESPONSE | LOG;
    let host = paths.iter().fold(Steps::default(), |steps, path| steps.get(all, path)).on(host);
    drop(host.get("/").send());
    let nothing = || not(Status::NotFound);
    assert_eq!(
        answers(&host),
        [
            [nothing(), ok("/given"), nothing(), nothing()],
            [ok("given"), nothing(), ok("10.0.0.9:9"), nothing()],
            [ok("given"), ok("/given"), ok("10.0.0.9:9"), number(7)],
        ]
        .concat()
    );
}

#[test]
fn metadata_is_a_message_with_a_way_into_it() {
    let host = Host::envoy()
        .metadata("a.filter", json!({ "user": { "id": 7, "groups": ["x", "y"] } }))
        .route_metadata("test", json!({ "key": "value" }));
    let steps = Steps::default()
        .step(REQUEST, 0, b"metadata\0filter_metadata\0a.filter\0user\0id", b"")
        .step(REQUEST, 0, b"metadata\0filter_metadata\0a.filter\0user\0groups\x001", b"")
        .step(REQUEST, 0, b"metadata\0filter_metadata\0a.filter\0none", b"")
        .get(REQUEST, "xds.route_metadata")
        .get(REQUEST, "xds.route_metadata.filter_metadata.test");
    let host = steps.on(host);
    drop(host.get("/").send());
    assert_eq!(
        answers(&host),
        [
            ok(7.0_f64.to_le_bytes()),
            ok("y"),
            not(Status::NotFound),
            ok(b"\n\x18\n\x04test\x12\x10\n\x0e\n\x03key\x12\x07\x1a\x05value"),
            ok(b"\x01\0\0\0\x03\0\0\0\x05\0\0\0key\0value\0"),
        ]
    );
}

#[test]
fn the_listener_the_route_and_the_client_can_be_told() {
    let host = Host::envoy().traffic_direction(TrafficDirection::Outbound).route_by_path("/orders", "orders");
    let paths = [
        "xds.listener_direction",
        "xds.route_name",
        "connection.mtls",
        "connection.tls_version",
        "connection.subject_peer_certificate",
        "connection.uri_san_peer_certificate",
        "request.protocol",
    ];
    let host = paths.iter().fold(Steps::default(), |steps, path| steps.get(REQUEST, path)).on(host);
    drop(host.get("/orders/1").http2().tls("TLSv1.3", "example.com").client_certificate("CN=client").send());
    drop(host.get("/").send());
    let (nothing, no) = (not(Status::NotFound), ok([0]));
    assert_eq!(
        answers(&host),
        [
            [number(2), ok("orders"), ok([1]), ok("TLSv1.3"), ok("CN=client"), nothing.clone(), ok("HTTP/2")],
            [number(2), ok("route"), no, nothing.clone(), nothing.clone(), nothing, ok("HTTP/1.1")],
        ]
        .concat()
    );
}

#[test]
fn a_root_context_has_the_node_and_nothing_of_streams() {
    let host = Host::envoy()
        .node("me", "us", json!({ "role": "test" }))
        .property("source.address", "10.0.0.1:1")
        .property("xds.node.locality", Message::locality("r", "z", ""));
    let paths = [
        "xds.node.id",
        "xds.node.metadata.role",
        "xds.node.locality.zone",
        "xds.route_name",
        "source.address",
    ];
    let host = paths.iter().fold(Steps::default(), |steps, path| steps.get(CONFIGURE, path)).on(host);
    assert_eq!(answers(&host), [ok("me"), ok("test"), ok("z"), not(Status::NotFound), not(Status::NotFound)]);
}

#[test]
fn times_are_those_of_the_clock() {
    let steps = Steps::default()
        .get(RESPONSE | LOG, "request.time")
        .get(LOG, "request.duration")
        .get(LOG, "response.backend_latency");
    let host = Host::envoy().starting_at(Duration::from_secs(1_000)).plugin(steps.plugin()).start();
    let stream = host.get("/").send();
    host.advance(Duration::from_millis(5));
    stream.respond_headers(&Response::new(200), false);
    host.advance(Duration::from_millis(20));
    stream.respond_data("hello", true);
    let began = number(1_000_000_000_000);
    assert_eq!(answers(&host), [began.clone(), began, number(25_000_000), number(25_000_000)]);
}

#[test]
fn a_local_reply_has_a_code_and_no_upstream() {
    let host = Steps::default()
        .get(LOG, "response.code")
        .get(LOG, "response.grpc_status")
        .get(LOG, "upstream.request_attempt_count")
        .get(LOG, "upstream.address")
        .get(LOG, "response.backend_latency")
        .on(Host::envoy());
    // No route is for a request without a path.
    drop(host.get("/").headers([(":method", "GET"), (":authority", "a")]).send());
    assert_eq!(
        answers(&host),
        [number(404), number(12), number(0), not(Status::NotFound), not(Status::NotFound)]
    );
}

#[test]
fn sizes_grow_as_the_body_comes() {
    let host = Steps::default().get(BODY, "request.size").get(BODY, "request.total_size").on(Host::envoy());
    drop(host.post("/").pieces(["ab", "cde"]).send());
    let sizes: Vec<_> = [2, 2, 5, 5, 5, 5].map(number).to_vec();
    assert_eq!(answers(&host), sizes);
}

#[test]
fn the_bytes_of_headers_came_with_envoy_1_37() {
    let paths = ["request.headers_bytes"];
    assert_eq!(requested(Host::like(Profile::Envoy1_36), &paths), [not(Status::NotFound)]);
    assert_eq!(requested(Host::like(Profile::Envoy1_37), &paths)[0].0, Status::Ok);
}

#[test]
fn a_connection_has_attributes_but_not_those_of_a_request() {
    let host = Steps::default()
        .get(CONNECTION | DATA, "upstream.address")
        .get(DATA, "source.port")
        .get(DATA, "request.path")
        .get(DATA, "xds.route_name")
        .get(DATA, "response.code")
        .set(CONNECTION, "mine", "value")
        .get(DATA, "mine")
        .on(Host::envoy());
    host.connect().send("x", false);
    let nothing = || not(Status::NotFound);
    assert_eq!(
        answers(&host),
        [
            nothing(),
            ok(""),
            ok("127.0.0.1:20000"),
            number(50_000),
            nothing(),
            nothing(),
            nothing(),
            ok("value")
        ]
    );
}
