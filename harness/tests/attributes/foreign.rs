//! Foreign functions.

use proxy_wasm_harness::{Host, Profile, Status};
use serde_json::json;

use super::guest::{CONFIGURE, LOG, REQUEST, RESPONSE, Steps, answers, not, ok};

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
