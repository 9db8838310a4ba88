//! Many requests in a row cost no memory.

use meshloom_lab::{Bootstrap, Envoy, Reply, Upstream};

#[test]
fn ten_thousand_requests_through_every_filter_leave_memory_flat() {
    let upstream = Upstream::answering(|_| {
        Reply::new(200, r#"{"headers": {"Host": "h"}, "password": "hunter2"}"#)
            .header("content-type", "application/json")
    });
    let envoy = Envoy::with(Bootstrap::all().upstream(upstream.address())).start();
    let mut session = envoy.session();
    let mut thousand = || {
        for index in 0..1000u32 {
            let request = envoy
                .get(&format!("/{index}"))
                .header("host", if index % 10 == 0 { "a.example.com" } else { "a" });
            let status = session.send(request).status;
            assert_eq!(status, if index % 10 == 0 { 451 } else { 200 });
        }
        upstream.forget();
    };
    // Caches, code and allocators grow at first, whatever a filter does.
    for _ in 0..3 {
        thousand();
    }
    let before = envoy.resident_kib();
    for _ in 0..10 {
        thousand();
    }
    let after = envoy.resident_kib();
    // A stream that is not freed keeps a kilobyte or more in the VM: ten thousand would show as 10 MiB.
    assert!(after < before + 4096, "{before} KiB before, {after} KiB after ten thousand requests");
}
