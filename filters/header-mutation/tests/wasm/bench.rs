//! The configurations that are measured: that they do what is said of them, and at what cost.

use proxy_wasm_harness::{Host, Response, Stream, budget, filter};

#[expect(clippy::unwrap_used, reason = "a file that is not there should fail the test")]
fn measured(name: &str) -> Host {
    let path = format!("{}/bench/{name}.json", env!("CARGO_MANIFEST_DIR"));
    filter("header-mutation").configure(std::fs::read_to_string(path).unwrap())
}

/// A request as a browser sends it, and the answer to it.
fn exchange(host: &Host) -> Stream {
    let stream = host
        .get("/api/v1/items?user=7&page=2")
        .authority("shop.example.com")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64)")
        .header("accept", "text/html,application/xhtml+xml")
        .header("accept-language", "en-GB,en;q=0.5")
        .header("accept-encoding", "gzip, br")
        .header("x-request-id", "0b1c8d4e-7c5b-4c43-9d2e-0a6e5a0a7c11")
        .header("cookie", "session=abcdef0123456789; theme=dark")
        .header("x-user", "forged")
        .header("x-debug-trace", "1")
        .header("x-old", "old")
        .send();
    let response = Response::ok("hello")
        .with_header("content-type", "text/html")
        .with_header("server", "upstream/1.0")
        .with_header("cache-control", "max-age=60")
        .with_header("x-powered-by", "it")
        .with_header("set-cookie", "session=1; Path=/");
    stream.respond(response);
    stream
}

#[test]
fn ten_mixed_operations_do_what_their_lua_peer_does() {
    let host = measured("ten-mixed");
    let stream = exchange(&host);
    let (request, response) = (stream.forwarded(), stream.received());
    assert_eq!(request.header("x-training").as_deref(), Some("envoy-wasm"));
    assert_eq!(request.header("x-route").as_deref(), Some("GET shop.example.com/api/v1/items?user=7&page=2"));
    assert_eq!(request.header_all("x-user"), ["anonymous"]);
    assert_eq!(request.header("x-new").as_deref(), Some("old"));
    assert_eq!(request.header("x-old"), None);
    assert_eq!(request.header("x-debug-trace"), None);
    assert_eq!(response.header("x-training").as_deref(), Some("envoy-wasm"));
    assert_eq!(response.header("cache-control").as_deref(), Some("max-age=60"));
    assert_eq!(response.header_all("vary"), ["origin"]);
    assert_eq!(response.header("x-powered-by"), None);
    assert_eq!(response.header("x-frame-options").as_deref(), Some("DENY"));
    host.assert_no_findings();
}

#[test]
fn a_configuration_that_does_nothing_writes_nothing() {
    let host = measured("no-op");
    exchange(&host);
    assert_eq!(super::writes(&host), [""; 0]);
}

#[test]
fn what_is_measured_costs_no_more_than_its_budget() {
    for name in ["one-set", "ten-mixed", "no-op"] {
        let host = measured(name);
        // A first request makes memory ready that others find ready.
        exchange(&host);
        budget!(&format!("bench_{}", name.replace('-', "_"))).assert(&exchange(&host).costs());
    }
}
