//! Properties and foreign functions as a guest has them. What real Envoys answer is in `envoy/differential`; here is
//! what a test can say of the proxy, and what the recordings do not have.

use std::time::Duration;

use proxy_wasm_harness::{
    Host, HostBuilder, Level, Message, Module, Plugin, Profile, Response, Status, TrafficDirection, Value,
};
use serde_json::json;

const CONFIGURE: u8 = 1;
const REQUEST: u8 = 2;
const BODY: u8 = 4;
const RESPONSE: u8 = 8;
const LOG: u8 = 16;
const CONNECTION: u8 = 32;
const DATA: u8 = 64;

/// What the guest does, in which phases.
#[derive(Default)]
struct Steps(Vec<u8>);

impl Steps {
    fn step(mut self, phases: u8, what: u8, first: &[u8], second: &[u8]) -> Self {
        self.0.extend([phases, what]);
        for text in [first, second] {
            self.0.extend(u16::try_from(text.len()).unwrap().to_le_bytes());
        }
        self.0.extend_from_slice(first);
        self.0.extend_from_slice(second);
        self
    }

    /// A path is written with dots.
    fn get(self, phases: u8, path: &str) -> Self {
        self.step(phases, 0, path.replace('.', "\0").as_bytes(), b"")
    }

    fn set(self, phases: u8, name: &str, value: &str) -> Self {
        self.step(phases, 1, name.as_bytes(), value.as_bytes())
    }

    fn call(self, phases: u8, name: &str, arguments: impl AsRef<[u8]>) -> Self {
        self.step(phases, 2, name.as_bytes(), arguments.as_ref())
    }

    fn resolve(self, phases: u8, name: &str) -> Self {
        self.step(phases, 3, name.as_bytes(), b"")
    }

    fn plugin(self) -> Plugin {
        let guest = include_bytes!("attributes/guest.wat");
        Plugin::new(&Module::from_bytes("guest", guest).unwrap()).configuration(self.0)
    }

    fn on(self, host: HostBuilder) -> Host {
        host.plugin(self.plugin()).upstream(|_| Response::ok("hello")).start()
    }
}

/// What the host answered, step by step: a status and bytes.
fn answers(host: &Host) -> Vec<(Status, Vec<u8>)> {
    let half = |letter: u8| letter - b'a';
    let read = |line: String| {
        let (status, bytes) = line.as_bytes().split_first().unwrap();
        let bytes = bytes.chunks(2).map(|pair| half(pair[0]) << 4 | half(pair[1])).collect();
        (Status::from_number(half(*status).into()).unwrap(), bytes)
    };
    host.logs(Level::Info).into_iter().map(read).collect()
}

fn ok(value: impl AsRef<[u8]>) -> (Status, Vec<u8>) {
    (Status::Ok, value.as_ref().to_vec())
}

fn number(value: i64) -> (Status, Vec<u8>) {
    ok(value.to_le_bytes())
}

fn not(status: Status) -> (Status, Vec<u8>) {
    (status, Vec::new())
}

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

#[test]
fn what_the_root_context_declares_holds_for_its_streams() {
    // Name 1, read only 2, type 3.
    let host = Steps::default()
        .call(CONFIGURE, "declare_property", b"\n\x04once\x10\x01\x18\x01")
        .call(CONFIGURE, "declare_property", b"\n\x04once")
        .set(REQUEST, "once", "1")
        .set(REQUEST, "once", "2")
        .call(REQUEST, "declare_property", b"\n\x05other\x10\x01")
        .call(REQUEST, "declare_property", b"\n\x05other\x10\x01")
        .set(REQUEST, "other", "1")
        .set(REQUEST, "other", "2")
        .get(LOG, "once")
        .get(LOG, "other")
        .on(Host::envoy());
    drop(host.get("/").send());
    let (fine, refused) = (ok(""), not(Status::BadArgument));
    assert_eq!(
        answers(&host),
        [
            fine.clone(),
            refused.clone(),
            fine.clone(),
            refused.clone(),
            fine.clone(),
            refused,
            fine.clone(),
            fine,
            ok("1"),
            ok("2")
        ]
    );
}

#[test]
fn filter_state_is_made_by_the_factories_there_are() {
    let state = |key: &str, value: &str| {
        let mut bytes = vec![0x0a, u8::try_from(key.len()).unwrap()];
        bytes.extend(key.bytes());
        bytes.extend([0x12, u8::try_from(value.len()).unwrap()]);
        bytes.extend(value.bytes());
        bytes
    };
    let call = |steps: Steps, key, value| steps.call(REQUEST, "set_envoy_filter_state", state(key, value));
    let steps = call(Steps::default(), "my.object", "anything");
    let steps = call(steps, "envoy.upstream.dynamic_port", "80");
    let steps = call(steps, "envoy.upstream.dynamic_port", "http");
    let steps = call(steps, "another", "x");
    let host = steps
        .step(REQUEST, 0, b"filter_state\0my.object", b"")
        .on(Host::envoy().filter_state_factory("my.object"));
    drop(host.get("/").send());
    assert_eq!(
        answers(&host),
        [ok(""), ok(""), not(Status::BadArgument), not(Status::NotFound), ok("anything")]
    );
}

#[test]
fn an_expression_reads_what_its_stream_has() {
    let host = Steps::default()
        .call(CONFIGURE, "expr_create", "request.headers['x-user'] + '/' + string(request.size)")
        .call(CONFIGURE, "expr_create", "source.address.startsWith('10.') && !has(connection.tls_version)")
        .call(CONFIGURE, "expr_create", "metadata.filter_metadata.auth.roles.exists(r, r == 'admin')")
        .call(CONFIGURE, "expr_create", "unknown(1)")
        .call(CONFIGURE, "expr_create", "request")
        .call(REQUEST, "expr_evaluate", [0, 0, 0, 0])
        .call(REQUEST, "expr_evaluate", [1, 0, 0, 0])
        .call(REQUEST, "expr_evaluate", [2, 0, 0, 0])
        .call(REQUEST | RESPONSE, "expr_evaluate", [4, 0, 0, 0])
        .call(RESPONSE, "expr_evaluate", [0, 0, 0, 0])
        .on(Host::envoy().property("source.address", "10.1.2.3:4"));
    drop(host.get("/").header("x-user", "me").metadata("auth", json!({ "roles": ["admin"] })).send());
    assert_eq!(
        answers(&host),
        [
            ok([0, 0, 0, 0]),
            ok([1, 0, 0, 0]),
            ok([2, 0, 0, 0]),
            // A token is gone for it.
            not(Status::BadArgument),
            ok([4, 0, 0, 0]),
            ok("me/0"),
            ok([1]),
            ok([1]),
            not(Status::SerializationFailure),
            not(Status::SerializationFailure),
            not(Status::InternalFailure),
        ]
    );
}

#[test]
fn a_function_that_is_left_to_tests_says_so() {
    let steps = || Steps::default().call(REQUEST, "sign", "");
    let host = steps().on(Host::envoy());
    drop(host.get("/").send());
    assert!(host.traps()[0].contains("foreign function sign"), "{:?}", host.traps());

    let host = steps().on(Host::envoy().foreign_function("sign", |_| Ok(b"signed".to_vec())));
    drop(host.get("/").send());
    assert_eq!(answers(&host), [ok("signed")]);

    let host = steps().on(Host::like(Profile::Envoy1_36));
    drop(host.get("/").send());
    assert_eq!(answers(&host), [not(Status::NotFound)]);
}

#[test]
fn names_are_resolved_after_the_callback() {
    let steps = Steps::default().resolve(CONFIGURE, "db").resolve(CONFIGURE, "none");
    let host = steps.on(Host::envoy().resolves("db", ["10.0.0.1", "::1"]));
    let (fine, none) = (ok(""), Vec::new());
    let addresses = b"\x02\0\0\0\x3c\0\0\0\x3c\0\0\x0010.0.0.1:0\0[::1]:0\0";
    // Tokens are logged in the place of statuses: they count from 2.
    assert_eq!(
        answers(&host),
        [fine.clone(), fine, (Status::BadArgument, addresses.to_vec()), (Status::SerializationFailure, none)]
    );
}
