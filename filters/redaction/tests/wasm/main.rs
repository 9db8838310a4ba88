//! redaction as the proxy runs it: what the client sees of a body, however it is cut.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "all of this is a test: clippy knows only the functions marked so"
)]

mod cost;
mod encoded;
mod failing;
mod held;
mod memory;
mod options;
mod requests;
mod tokens;

use proptest::prelude::{ProptestConfig, Strategy, prop_assert_eq, prop_oneof, proptest};
use proxy_wasm_harness::{Chunks, Host, Level, Response, filter, json};
use serde_json::Value;

const SECRETS: &str =
    r#"{"user": "ada", "password": "hunter2", "url": "/?SECRET=abc&x=1", "pin": {"SECRET": [1, 2]}}"#;
const REDACTED: &str = r#"{"user": "ada", "password": "[REDACTED]", "url": "/?SECRET=[REDACTED]&x=1", "pin": {"SECRET": "[REDACTED]"}}"#;

fn sample() -> Host {
    filter("redaction").configure(json!({
        "version": 1,
        "detectors": [
            {"name": "secrets", "kind": "assignment", "keys": ["SECRET", "password"]},
            {"name": "cards", "kind": "assignment", "keys": ["card"], "action": {"type": "replace", "with": "****"}},
        ],
    }))
}

fn of_type(content_type: &str, body: impl Into<Vec<u8>>) -> Response {
    Response::ok(body.into()).with_header("content-type", content_type)
}

/// What the client receives, without what the proxy itself adds.
fn through(host: &Host, response: &Response, plan: &Chunks) -> Response {
    plain(host.get("/").send().respond_cut(response, plan).received())
}

fn plain(mut response: Response) -> Response {
    response.headers.remove("date");
    response.headers.remove("server");
    response
}

fn redacted(content_type: &str, body: &[u8]) -> String {
    let host = sample();
    let received = through(&host, &of_type(content_type, body), &Chunks::Whole);
    host.assert_no_findings();
    host.assert_nothing_leaked();
    received.text()
}

#[test]
fn values_go_and_what_an_edited_body_makes_untrue_goes_with_them() {
    let host = sample();
    let untrue = ["content-digest", "repr-digest", "digest", "content-md5", "accept-ranges"];
    let response = untrue
        .iter()
        .fold(of_type("application/json", SECRETS), |response, name| response.with_header(name, "x"));
    let received = through(&host, &response.with_header("etag", "\"kept\""), &Chunks::Whole);
    assert_eq!(received.text(), REDACTED);
    for name in untrue.iter().chain(&["content-length"]) {
        assert_eq!(received.header(name), None, "{name}");
    }
    assert_eq!(received.header("etag").as_deref(), Some("W/\"kept\""));
    assert_eq!(host.counter("wasm_redaction_matches_total"), 3);
    host.assert_no_findings();
    host.assert_nothing_leaked();
}

#[test]
fn it_makes_no_difference_where_a_body_is_cut() {
    let host = sample();
    let response = of_type("application/json", SECRETS);
    Chunks::assert_no_difference(SECRETS.len(), |plan| through(&host, &response, plan).text());
    // Nor whether trailers end it.
    let response = response.with_trailer("x-end", "1");
    Chunks::assert_no_difference(SECRETS.len(), |plan| {
        let received = through(&host, &response, plan);
        assert_eq!(received.trailer("x-end").as_deref(), Some("1"));
        received.text()
    });
    host.assert_no_findings();
}

/// Text that has much of what bodies with secrets are made of.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::sample::select(
            &[
                "SECRET", "password", "card", "=", ":", "\"", "\\\"", "'", "{", "}", "[", "]", ",", "&", " ",
                "\n", "\\"
            ][..]
        )
        .prop_map(|text| text.as_bytes().to_vec()),
        proptest::collection::vec(0u8.., 0..8),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    // Each case is a few dozen streams, and the decision has property tests of its own.
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_body_is_redacted_otherwise_in_pieces(body in body(), json in proptest::bool::ANY) {
        let host = sample();
        let response = of_type(if json { "application/json" } else { "text/plain" }, body);
        let whole = through(&host, &response, &Chunks::Whole).body;
        let plans = [Chunks::Of(1), Chunks::Of(2), Chunks::Of(7)].into_iter().chain((0..12).map(Chunks::Random));
        for plan in plans {
            let cut = through(&host, &response, &plan).body;
            prop_assert_eq!(&cut, &whole, "cut as {:?}", plan);
        }
    }
}

#[test]
fn a_stream_is_not_held_back() {
    let host = sample();
    let stream = host.get("/").send();
    let head = Response::new(200).with_header("content-type", "text/event-stream");
    stream.respond_headers(&head, false);
    let mut seen = String::new();
    for (part, so_far) in [
        ("one\n", "one\n"),
        ("SECR", "one\nSECR"),
        ("ET=hun", "one\nSECRET=[REDACTED]"),
        ("ter2\n\n", "one\nSECRET=[REDACTED]\n\n"),
        ("two\n", "one\nSECRET=[REDACTED]\n\ntwo\n"),
    ] {
        stream.respond_data(part, false);
        seen = stream.downstream().unwrap().text();
        assert_eq!(seen, so_far);
    }
    stream.respond_data("", true);
    assert_eq!(stream.received().text(), seen);
    host.assert_no_findings();
}

#[test]
fn each_detector_has_its_own_marker() {
    assert_eq!(redacted("text/plain", b"card=4111&password=x\n"), "card=****&password=[REDACTED]\n");
}

#[test]
fn what_is_not_looked_into_passes_undamaged() {
    let host = sample();
    let body = b"\x1f\x8b\x08 SECRET=abc \xff\x00";
    for content_type in
        ["image/png", "application/octet-stream", "application/grpc", "multipart/form-data; boundary=x"]
    {
        let response = of_type(content_type, body);
        for plan in [Chunks::Whole, Chunks::Of(1)] {
            assert_eq!(through(&host, &response, &plan), response);
        }
    }
    assert_eq!(host.counter("wasm_redaction_skipped_type_total"), 8);
    assert_eq!(host.counter("wasm_redaction_matches_total"), 0);
    host.assert_no_findings();
}

#[test]
fn bytes_that_are_no_text_do_not_hide_a_secret() {
    let received =
        through(&sample(), &of_type("text/plain", b"\xff\x00SECRET=a\xfeb\x80 \xff"), &Chunks::Of(1));
    assert_eq!(received.body, &b"\xff\x00SECRET=[REDACTED] \xff"[..]);
}

#[test]
fn an_empty_body_stays_empty() {
    for plan in [Chunks::Whole, Chunks::Of(1)] {
        assert_eq!(through(&sample(), &of_type("text/plain", ""), &plan).body.len(), 0);
    }
    let stream = sample().get("/").send();
    let head = Response::new(200).with_header("content-type", "text/plain");
    stream.respond_headers(&head, false).respond_data("", true);
    assert_eq!(stream.received().body.len(), 0);
}

#[test]
fn a_megabyte_is_redacted_to_its_end() {
    let line = "0123456789 password=hunter2 and so on\n";
    let body = line.repeat(30_000);
    let host = sample();
    let received = through(&host, &of_type("text/plain", body.clone()), &Chunks::Of(16_384));
    assert!(received.text() == body.replace("hunter2", "[REDACTED]"), "{} bytes came", received.body.len());
    assert_eq!(host.counter("wasm_redaction_matches_total"), 30_000);
    assert!(host.memory_bytes() < 4 << 20, "{} bytes of memory", host.memory_bytes());
}

#[test]
fn a_value_without_an_end_takes_no_memory() {
    let host = sample();
    let stream = host.get("/").send();
    let head = Response::new(200).with_header("content-type", "application/json");
    stream.respond_headers(&head, false).respond_data(r#"{"password": ""#, false);
    let before = host.memory_bytes();
    for _ in 0..256 {
        stream.respond_data(vec![b'x'; 16_384], false);
    }
    stream.respond_data(r#"", "a": 1}"#, true);
    assert_eq!(stream.received().text(), r#"{"password": "[REDACTED]", "a": 1}"#);
    assert!(host.memory_bytes() <= before + (1 << 20), "from {before} to {} bytes", host.memory_bytes());
}

#[test]
fn the_upstream_is_asked_for_whole_and_plain_bodies() {
    let host = sample();
    let request = host.get("/").header("accept-encoding", "gzip, br").header("range", "bytes=0-4");
    let seen = request.header("if-range", b"\xff").header("accept", "*/*").send().forwarded();
    assert_eq!(seen.header("accept-encoding").as_deref(), Some("identity"));
    assert_eq!((seen.header("range"), seen.header("if-range")), (None, None));
    assert_eq!(host.get("/").send().forwarded().header("accept-encoding"), None);
}

#[test]
fn responses_without_a_body_keep_their_length() {
    for (method, status) in [("HEAD", 200), ("GET", 304)] {
        let response = Response::new(status)
            .with_header("content-type", "text/plain")
            .with_header("content-length", "10");
        let received = sample().request(method, "/").send().respond(response.clone()).received();
        assert_eq!(plain(received), response, "{method} {status}");
    }
}

#[test]
fn another_protocol_is_not_touched_after_connect_or_101() {
    let talk = "SECRET=abc password=def";
    let host = sample();
    let tunnel = host.request("CONNECT", "/").open();
    tunnel.respond_headers(&Response::new(200), false).respond_data(talk, true);
    assert_eq!(tunnel.received().text(), talk);
    let upgraded = host.get("/").header("upgrade", "websocket").send();
    upgraded.respond_headers(&Response::new(101), false).respond_data(talk, true);
    assert_eq!(upgraded.received().text(), talk);
}

#[test]
fn a_client_that_leaves_in_the_middle_leaves_nothing_behind() {
    let host = sample();
    let stream = host.get("/").send();
    let head = Response::new(200).with_header("content-type", "text/plain");
    stream.respond_headers(&head, false).respond_data("SECRET=hun", false);
    stream.disconnect();
    host.assert_nothing_leaked();
    host.assert_no_findings();
}

#[test]
fn every_mistake_of_a_configuration_is_named() {
    let refusal = filter("redaction").refuses(json!({
        "version": 1,
        "encoding": {"request_identity": "yes"},
        "detectors": [{"name": "a b", "kind": "assignment", "keys": ["SECRET="], "action": {"type": "replace", "with": "\""}}],
    }));
    let problems = refusal.logged(Level::Error);
    let fields: Vec<&str> = problems.iter().filter_map(|problem| problem.split('`').nth(1)).collect();
    let detector = ["name", "action.with", "keys[0]"].map(|field| format!("detectors[0].{field}"));
    assert_eq!(fields[..3], detector);
    assert_eq!(fields[3..], ["encoding.request_identity"]);
}

/// Every kind of detector.
const EVERY_KIND: &str = include_str!("../every_kind.json");

/// Every detector that has a form of its own, and none that has to be told what to look for.
fn built_in() -> Host {
    filter("redaction").configure(config())
}

fn config() -> Value {
    let mut config: Value = serde_json::from_str(EVERY_KIND).unwrap();
    let told = ["literal", "regex", "json_keys", "json_pointer"].map(Value::from);
    config["detectors"].as_array_mut().unwrap().retain(|detector| !told.contains(&detector["kind"]));
    config
}

/// The sample's detectors with other settings.
fn with(changes: &Value) -> Host {
    filter("redaction").configure(configured(changes))
}

fn configured(changes: &Value) -> Value {
    let mut config = config();
    for (name, value) in changes.as_object().unwrap() {
        config[name] = value.clone();
    }
    config
}

/// What each detector finds, in a text.
const ALL: &str = "4111-1111-1111-1111, 123-45-6789 ada@example.com 10.0.0.1 2001:db8::1 DE89370400440532013000 +14155550123 \
    eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w AKIAIOSFODNN7EXAMPLE password=hunter2 Bearer abcdef0123456789 \
    Project Falcon, ACC-12345678 -----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- end";
const NONE: &str = "CARD, SSN MAIL V4 V6 IBAN PHONE JWT AWS password=* Bearer BEARER WORD, ACCT PEM end";

#[test]
fn no_token_of_any_detector_comes_through_wherever_it_is_cut() {
    let host = filter("redaction").configure(EVERY_KIND);
    let body = |text: &str, dob: Value, pin: &str, top: Value| {
        json!({"a": text, "dob": dob, "users": [{"pin": pin}], "top": top}).to_string()
    };
    let json = body(ALL, json!("1815-12-10"), "1234", json!([1, {"a": 2}]));
    let gone = body(NONE, json!(""), "PATH", json!("PATH"));
    for (content_type, body, expected) in [
        ("text/plain", ALL.to_owned(), NONE.to_owned()),
        ("application/json", json.clone(), gone.clone()),
        (
            "text/event-stream",
            format!("data: {ALL}\n\ndata: {json}\r\n\r\n"),
            format!("data: {NONE}\n\ndata: {gone}\r\n\r\n"),
        ),
    ] {
        for response in [
            of_type(content_type, body.clone()),
            of_type(content_type, body.clone()).with_trailer("x-end", "1"),
        ] {
            assert_eq!(through(&host, &response, &Chunks::Whole).text(), expected);
            assert_eq!(through(&host, &response, &Chunks::Of(1)).text(), expected, "byte by byte");
            for cut in 0..=body.len() {
                let second = (cut + 1 + cut % 17).min(body.len());
                for plan in [Chunks::At(vec![cut]), Chunks::At(vec![cut, second])] {
                    assert_eq!(
                        through(&host, &response, &plan).text(),
                        expected,
                        "{content_type} cut as {plan:?}"
                    );
                }
            }
        }
    }
    host.assert_no_findings();
    host.assert_nothing_leaked();
}
