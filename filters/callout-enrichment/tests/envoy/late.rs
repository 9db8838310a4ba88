//! Answers that come when the request has been answered by Envoy itself.

use super::*;

/// Envoy answers by itself after 300 ms; the service enriches, or has the client denied, after 800.
fn impatient(upstream: &Upstream, service: &Upstream, members: &Json, edit: impl FnMut(&mut Json)) -> Envoy {
    let bootstrap = bootstrap(upstream, service.address(), members).connection_manager(edit);
    Envoy::with(bootstrap).start()
}

fn answering(status: u16) -> Upstream {
    Upstream::answering(move |_| Reply::new(status, "{}").header("x-user", "late").after(ms(800)))
}

#[test]
fn a_timeout_of_envoys_own_answers_and_what_comes_later_does_nothing() {
    for status in [200, 403] {
        for (timeout, own) in
            [("stream_idle_timeout", "stream timeout"), ("request_timeout", "request timeout")]
        {
            for http2 in [false, true] {
                let (upstream, service) = (Upstream::ok(), answering(status));
                let members = json!({"on_4xx": {"deny": 403}});
                let envoy =
                    impatient(&upstream, &service, &members, |manager| manager[timeout] = "0.3s".into());
                let request = envoy.get("/");
                let response = if http2 { request.http2() } else { request }.send();
                assert_eq!((response.status, response.text().as_str()), (504, own), "{status}, {http2}");
                // The call ends by itself, and nobody is there.
                count(&envoy, "inflight", 0);
                count(&envoy, "calls_total", 1);
                assert_eq!(envoy.stat("wasm_enrich_denied_total"), 0);
                assert!(upstream.seen().is_empty());
                let log = envoy.log();
                assert!(!log.contains("assert failure") && !log.contains("proxy_on"), "{log}");
            }
        }
    }
}
