//! filter-template in a real Envoy: what the client sees, and whether the upstream hears of it.

use meshloom_lab::{Bootstrap, Envoy, Upstream};

// The folder's name: a plugin and its bootstrap are named as it is.
fn sample(upstream: &Upstream) -> Envoy {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    Envoy::with(Bootstrap::file(folder.join("envoy.yaml")).upstream(upstream.address())).start()
}

#[test]
fn a_request_with_the_header_is_forwarded() {
    let upstream = Upstream::ok();
    assert_eq!(sample(&upstream).get("/").header("x-tenant", b"caf\xe9").send().status, 200);
    assert_eq!(upstream.seen().len(), 1);
}

#[test]
fn a_request_without_it_is_answered_400() {
    let upstream = Upstream::ok();
    let response = sample(&upstream).get("/").send();
    assert_eq!((response.status, response.text().as_str()), (400, "the header x-tenant is missing\n"));
    assert_eq!(upstream.seen().len(), 0);
}
