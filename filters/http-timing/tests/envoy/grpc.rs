//! gRPC, whose failures are 200s.

use super::*;

fn calling(configuration: Value) -> (Envoy, Upstream) {
    let upstream = Upstream::answering(|seen| {
        let reply =
            Reply::new(200, "").without_header("content-length").header("content-type", "application/grpc");
        let message = [0_u8, 0, 0, 0, 1, 7];
        match seen.path.rsplit('/').next() {
            Some("Ok") => reply.chunks([message.to_vec()]).trailer("grpc-status", "0"),
            Some("NotFound") => reply.chunks([message.to_vec()]).trailer("grpc-status", "5"),
            Some("Internal") => reply.trailer("grpc-status", "13"),
            Some("TrailersOnly") => reply.header("grpc-status", "14"),
            Some("Nothing") => reply.chunks([message.to_vec()]),
            Some("Watch") => reply
                .chunks([message.to_vec(), message.to_vec()])
                .pausing(Duration::from_millis(400))
                .trailer("grpc-status", "0"),
            _ => Reply::new(503, ""),
        }
    });
    let bootstrap = bootstrap("INBOUND").upstream(upstream.address()).http2_upstream();
    let bootstrap =
        bootstrap.configure("http-timing", configuration.to_string()).connection_manager(|manager| {
            let routes = &mut manager["route_config"]["virtual_hosts"][0]["routes"];
            routes.as_array_mut().unwrap().insert(
                0,
                json!({
                    "match": {"path": "/shop.Shop/Denied"}, "direct_response": {"status": 403},
                }),
            );
        });
    (Envoy::with(bootstrap).start(), upstream)
}

fn call(envoy: &Envoy, method: &str) -> u16 {
    let request = envoy.request("POST", &format!("/shop.Shop/{method}")).http2();
    request
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body("\0\0\0\0\0")
        .send()
        .status
}

fn outcomes(envoy: &Envoy) -> [u64; 3] {
    counts(envoy, ["grpc_total_ok", "grpc_total_client_error", "grpc_total_server_error"])
}

#[test]
fn calls_are_counted_by_their_own_status_beside_their_class() {
    let (envoy, _upstream) = calling(json!({"version": 1, "metrics": {"grpc": true, "local_replies": true}}));
    for method in ["Ok", "Ok", "NotFound", "Internal", "TrailersOnly", "Nothing"] {
        assert_eq!(call(&envoy, method), 200, "{method}");
    }
    envoy.wait_for_stat("wasm_http_inbound_responses_total_2xx", 6);
    // Without any status the 200 of HTTP says UNKNOWN.
    assert_eq!(outcomes(&envoy), [2, 1, 3]);
    // HTTP's own failures have a status of gRPC too: 503 is UNAVAILABLE.
    assert_eq!(call(&envoy, "Broken"), 503);
    envoy.wait_for_stat("wasm_http_inbound_responses_total_5xx", 1);
    assert_eq!(outcomes(&envoy), [2, 1, 4]);
    // Envoy answers a call in trailers alone: 403 is PERMISSION_DENIED.
    assert_eq!(call(&envoy, "Denied"), 200);
    envoy.wait_for_stat("wasm_http_inbound_responses_total_2xx", 7);
    assert_eq!((outcomes(&envoy), counts(&envoy, ["local_replies_total"])), ([2, 2, 4], [1]));
    assert_eq!(envoy.get("/shop.Shop/Ok").send().status, 200);
    envoy.wait_for_stat("wasm_http_inbound_responses_total_2xx", 8);
    assert_eq!(outcomes(&envoy), [2, 2, 4]);
}

#[test]
fn a_call_that_streams_is_long_lived_where_its_path_says_so() {
    let (envoy, _upstream) = calling(json!({
        "version": 1, "long_lived_after": "300ms", "long_lived_when": {"paths": [{"suffix": "/Watch"}]},
    }));
    assert_eq!((call(&envoy, "Watch"), call(&envoy, "Ok")), (200, 200));
    envoy.wait_for_stat("wasm_http_inbound_stream_duration_ms_count", 1);
    envoy.wait_for_stat("wasm_http_inbound_duration_ms_count", 1);
}
