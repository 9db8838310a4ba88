//! callout-enrichment in a real Envoy: what the upstream sees, whatever the service does.
#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "what helps a test may fail it")]

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use meshloom_lab::{Bootstrap, Envoy, Reply, Upstream};
use serde_json::{Value as Json, json};

mod discovery;
mod failure;
mod flight;
mod late;
mod messages;

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The sample with a service of its own.
fn envoy(upstream: &Upstream, service: SocketAddr) -> Envoy {
    let bootstrap =
        Bootstrap::filter("callout-enrichment").upstream(upstream.address()).cluster("metadata", service);
    Envoy::with(bootstrap).start()
}

/// A configuration with these members, and what it must have beside them. The timeout is long enough for any machine.
fn configuration(members: &Json) -> String {
    let mut configuration = json!({
        "version": 1,
        "call": {"cluster": "metadata", "authority": "metadata.local", "path": "/headers", "timeout": "5s"},
        "map": [{"from": "header", "name": "x-user", "to": "x-meta-user"}],
    });
    for (name, member) in members.as_object().unwrap() {
        match (configuration.get_mut(name).and_then(Json::as_object_mut), member.as_object()) {
            (Some(into), Some(members)) => into.extend(members.clone()),
            _ => configuration[name] = member.clone(),
        }
    }
    configuration.to_string()
}

fn bootstrap(upstream: &Upstream, service: SocketAddr, members: &Json) -> Bootstrap {
    let sample =
        Bootstrap::filter("callout-enrichment").configure("callout-enrichment", configuration(members));
    sample.upstream(upstream.address()).cluster("metadata", service)
}

fn with(upstream: &Upstream, service: &Upstream, members: &Json) -> Envoy {
    Envoy::with(bootstrap(upstream, service.address(), members)).start()
}

/// A service that answers with the number of its answer as the user's name.
fn counting(after: Duration) -> Upstream {
    let answers = AtomicUsize::new(0);
    Upstream::answering(move |_| {
        let number = answers.fetch_add(1, Ordering::SeqCst) + 1;
        Reply::new(200, "{}").header("x-user", number.to_string()).after(after)
    })
}

/// How a request was enriched, as its upstream was told, and with which user.
fn enriched(envoy: &Envoy, upstream: &Upstream, tenant: &str) -> String {
    let path = format!("/of/{tenant}");
    let request = envoy.get(&path).header("x-tenant", tenant).header("x-meta-user", "forged");
    assert_eq!(request.header("x-enrich-status", "forged").send().status, 200);
    let seen = upstream.seen().into_iter().rfind(|seen| seen.path == path).unwrap();
    let user = seen.header("x-meta-user").map(|user| format!(" {user}")).unwrap_or_default();
    seen.header("x-enrich-status").unwrap() + &user
}

fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn count(envoy: &Envoy, name: &str, expected: u64) {
    envoy.wait_for_stat(&format!("wasm_enrich_{name}"), expected);
}

fn assert_nothing_broke(envoy: &Envoy) {
    let log = envoy.log();
    for sign in ["panicked", "RuntimeError", "Function: proxy_", "assert failure"] {
        assert!(!log.contains(sign), "{log}");
    }
    assert_eq!(envoy.get("/healthy").send().status, 200);
}
