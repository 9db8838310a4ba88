//! How streams end.

use std::io::Write;

use super::*;

#[test]
fn a_client_that_leaves_before_the_response_is_counted_in_no_class() {
    let upstream = Upstream::as_asked();
    let envoy = extended(&upstream, json!({})).start();
    envoy.get("/200/2000").send_and_leave(Duration::from_millis(100));
    envoy.wait_for_stat("wasm_http_inbound_duration_ms_count", 1);
    for class in ["1xx", "2xx", "3xx", "4xx", "5xx"] {
        assert_eq!(envoy.stat(&format!("wasm_http_inbound_responses_total_{class}")), 0);
    }
    assert_eq!(counts(&envoy, ["responses_total_none", "requests_total", "resets_total_downstream"]), [1; 3]);
    assert_eq!(counts(&envoy, ["resets_total_upstream", "local_replies_total", "inflight"]), [0; 3]);
    // A client that leaves has missed no objective: nobody knows what it would have got.
    assert_eq!(counts(&envoy, ["slo_fast_total"]), [0]);
    assert_eq!(envoy.stat("wasm_http_inbound_ttfb_ms_count"), 0);
}

#[test]
fn an_upstream_that_breaks_the_connection_is_a_503_of_envoy_and_a_reset() {
    let upstream = Upstream::answering(|_| Reply::reset());
    let envoy = extended(&upstream, json!({})).start();
    assert_eq!(envoy.get("/").send().status, 503);
    envoy.wait_for_stat("wasm_http_inbound_requests_total", 1);
    let names = ["responses_total_5xx", "local_replies_total", "resets_total_upstream", "slo_fast_total"];
    assert_eq!(counts(&envoy, names), [1; 4]);
    assert_eq!(counts(&envoy, ["resets_total_downstream", "slo_fast_good_total", "inflight"]), [0; 3]);
}

#[test]
fn an_upstream_that_is_not_there_is_a_503_of_envoy_and_a_reset() {
    let gone = Upstream::ok().address();
    let envoy = Envoy::with(bootstrap("INBOUND").upstream(gone).configure("http-timing", EXTENDED)).start();
    assert_eq!(envoy.get("/").send().status, 503);
    envoy.wait_for_stat("wasm_http_inbound_requests_total", 1);
    assert_eq!(
        counts(&envoy, ["responses_total_5xx", "local_replies_total", "resets_total_upstream"]),
        [1; 3]
    );
    envoy.wait_for_stat("wasm_http_inbound_ttfb_ms_count", 1);
    assert_eq!(envoy.stat("wasm_http_inbound_upstream_ms_count"), 0);
}

#[test]
fn a_timeout_is_a_504_of_envoy_and_no_reset() {
    let upstream = Upstream::as_asked();
    let envoy = extended(&upstream, json!({"timeout": "0.1s"})).start();
    assert_eq!(envoy.get("/200/3000").send().status, 504);
    envoy.wait_for_stat("wasm_http_inbound_requests_total", 1);
    assert_eq!(counts(&envoy, ["responses_total_5xx", "local_replies_total"]), [1; 2]);
    assert_eq!(counts(&envoy, ["resets_total_upstream", "resets_total_downstream", "inflight"]), [0; 3]);
}

#[test]
fn a_response_that_breaks_off_has_its_class_and_is_a_reset() {
    let upstream = serving(|mut stream| {
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").unwrap();
    });
    let envoy =
        Envoy::with(bootstrap("INBOUND").upstream(upstream).configure("http-timing", EXTENDED)).start();
    let response = envoy.get("/").send();
    assert_eq!((response.status, response.complete), (200, false));
    envoy.wait_for_stat("wasm_http_inbound_requests_total", 1);
    assert_eq!(counts(&envoy, ["responses_total_2xx", "resets_total_upstream"]), [1; 2]);
    assert_eq!(counts(&envoy, ["local_replies_total", "inflight"]), [0; 2]);
}

#[test]
fn a_response_that_runs_out_of_time_is_the_upstreams_all_the_same() {
    let upstream =
        Upstream::answering(|_| Reply::new(200, "").chunks(["a", "b"]).pausing(Duration::from_secs(3)));
    let envoy = extended(&upstream, json!({"timeout": "0.5s"})).start();
    let response = envoy.get("/").send();
    assert_eq!((response.status, response.complete), (200, false));
    envoy.get("/").send_and_leave(Duration::from_millis(200));
    envoy.wait_for_stat("wasm_http_inbound_requests_total", 2);
    assert_eq!(counts(&envoy, ["responses_total_2xx", "local_replies_total", "inflight"]), [2, 0, 0]);
}

#[test]
fn what_envoy_answers_by_itself_is_a_local_reply_of_its_class() {
    let upstream = Upstream::as_asked();
    let bootstrap = bootstrap("INBOUND").upstream(upstream.address()).configure("http-timing", EXTENDED);
    let envoy = Envoy::with(bootstrap.connection_manager(|manager| {
        manager["route_config"]["virtual_hosts"][0]["routes"] = json!([
            {"match": {"path": "/direct"}, "direct_response": {"status": 200}},
            {"match": {"path": "/moved"}, "redirect": {"path_redirect": "/"}},
            {"match": {"path": "/200"}, "route": {"cluster": "httpbin"}},
        ]);
    }))
    .start();
    for (path, status) in [("/direct", 200), ("/moved", 301), ("/nowhere", 404), ("/200", 200)] {
        assert_eq!(envoy.get(path).send().status, status, "{path}");
    }
    envoy.wait_for_stat("wasm_http_inbound_requests_total", 4);
    let classes =
        ["responses_total_2xx", "responses_total_3xx", "responses_total_4xx", "local_replies_total"];
    assert_eq!(counts(&envoy, classes), [2, 1, 1, 3]);
    envoy.wait_for_stat("wasm_http_inbound_upstream_ms_count", 1);
    envoy.wait_for_stat("wasm_http_inbound_ttfb_ms_count", 4);
}

#[test]
fn streams_that_an_earlier_filter_answered_are_counted_and_were_never_under_way() {
    let upstream = Upstream::as_asked();
    // Last in the chain here: the request is answered before it comes to http-timing.
    let bootstrap = Bootstrap::all().upstream(upstream.address()).configure("http-timing", EXTENDED);
    let bootstrap = bootstrap.connection_manager(|manager| {
        let filters = manager["http_filters"].as_array_mut().unwrap();
        let timing = filters.remove(0);
        filters.insert(filters.len() - 1, timing);
    });
    let envoy = Envoy::with(bootstrap).start();
    assert_eq!(envoy.get("/").header("host", "a.example.com").send().status, 451);
    envoy.wait_for_stat("wasm_http_inbound_responses_total_4xx", 1);
    envoy.wait_for_stat("wasm_http_inbound_duration_ms_count", 1);
    assert_eq!(counts(&envoy, ["local_replies_total", "requests_total"]), [1; 2]);
    assert_eq!(counts(&envoy, ["inflight"]), [0]);
}

#[test]
fn a_head_request_is_counted_as_any_other() {
    let upstream = Upstream::as_asked();
    let envoy = extended(&upstream, json!({})).start();
    assert_eq!(envoy.request("HEAD", "/200").send().status, 200);
    envoy.wait_for_stat("wasm_http_inbound_requests_total", 1);
    assert_eq!(counts(&envoy, ["responses_total_2xx", "slo_fast_good_total"]), [1; 2]);
    envoy.wait_for_stat("wasm_http_inbound_duration_ms_count", 1);
}

#[test]
fn a_request_of_http_1_0_is_counted_as_any_other() {
    let upstream = Upstream::as_asked();
    let bootstrap = bootstrap("INBOUND").upstream(upstream.address()).configure("http-timing", EXTENDED);
    let envoy = Envoy::with(bootstrap.connection_manager(|manager| {
        manager["http_protocol_options"] =
            json!({"accept_http_10": true, "default_host_for_http_10": "shop.test"});
    }))
    .start();
    let answer = envoy.raw("GET /404 HTTP/1.0\r\n\r\n");
    assert!(answer.contains(" 404 "), "{answer}");
    envoy.wait_for_stat("wasm_http_inbound_requests_total", 1);
    assert_eq!(counts(&envoy, ["responses_total_4xx", "inflight"]), [1, 0]);
}

#[test]
fn hints_before_the_response_are_not_the_response() {
    let upstream = serving(|mut stream| {
        read_head(&mut stream);
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
        stream.write_all(b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n").unwrap();
        std::thread::sleep(Duration::from_millis(300));
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    });
    let envoy =
        Envoy::with(bootstrap("INBOUND").upstream(upstream).configure("http-timing", EXTENDED)).start();
    assert_eq!(envoy.get("/").send().status, 200);
    envoy.wait_for_stat("wasm_http_inbound_requests_total", 1);
    assert_eq!(counts(&envoy, ["responses_total_2xx", "responses_total_1xx"]), [1, 0]);
    envoy.wait_for_stat("wasm_http_inbound_ttfb_ms_count", 1);
    // Not below the 300 ms that the upstream waits: the hints came before.
    assert_eq!(bucket(&envoy, "ttfb_ms", "200"), 0);
}

#[test]
fn the_first_byte_comes_before_the_last() {
    let upstream =
        Upstream::answering(|_| Reply::new(200, "").chunks(["a", "b"]).pausing(Duration::from_millis(300)));
    let envoy = extended(&upstream, json!({})).start();
    for _ in 0..3 {
        assert_eq!(envoy.get("/").send().text(), "ab");
    }
    for name in ["ttfb_ms", "duration_ms", "upstream_ms", "duration_us"] {
        envoy.wait_for_stat(&format!("wasm_http_inbound_{name}_count"), 3);
    }
    // The last byte comes 300 ms or more after the first.
    assert_eq!(bucket(&envoy, "duration_ms", "300"), 0);
    assert_eq!(bucket(&envoy, "upstream_ms", "300"), 0);
    assert_eq!(bucket(&envoy, "duration_us", "250000"), 0);
    let sum = |name: &str| sum(&envoy, name);
    assert!(sum("ttfb_ms") + 800.0 < sum("duration_ms"), "{} {}", sum("ttfb_ms"), sum("duration_ms"));
}

#[test]
fn sizes_are_of_headers_and_body() {
    let upstream = Upstream::answering(|_| Reply::new(200, "y".repeat(50_000)));
    let envoy = extended(&upstream, json!({})).start();
    envoy.request("POST", "/").body("x".repeat(3_000)).send();
    for name in ["request_bytes", "response_bytes"] {
        envoy.wait_for_stat(&format!("wasm_http_inbound_{name}_count"), 1);
    }
    // Envoy's histograms keep two digits.
    let (request, response) = (sum(&envoy, "request_bytes"), sum(&envoy, "response_bytes"));
    assert!((3_000.0..3_600.0).contains(&request), "{request}");
    assert!((50_000.0..52_000.0).contains(&response), "{response}");
    assert_eq!((bucket(&envoy, "request_bytes", "1024"), bucket(&envoy, "request_bytes", "4096")), (0, 1));
}

#[test]
fn streams_are_under_way_until_they_end_however_they_do() {
    let upstream = Upstream::as_asked();
    let envoy = extended(&upstream, json!({})).start();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..6)
            .map(|client| {
                let request = envoy.get("/200/1500");
                scope.spawn(move || match client {
                    0..3 => assert_eq!(request.send().status, 200),
                    _ => request.send_and_leave(Duration::from_millis(700)),
                })
            })
            .collect();
        envoy.wait_for_stat("wasm_http_inbound_inflight", 6);
        for client in clients {
            client.join().unwrap();
        }
    });
    envoy.wait_for_stat("wasm_http_inbound_inflight", 0);
    assert_eq!(counts(&envoy, ["requests_total", "responses_total_2xx", "responses_total_none"]), [6, 3, 3]);
}
