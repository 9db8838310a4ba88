//! Requests that share a call, clients that leave, answers that are kept.

use super::*;

fn cached(members: &Json) -> Json {
    let mut cache = json!({"key": ["${header:x-tenant}"], "ttl": "60s"});
    cache.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    json!({"call": {"path": "/t/${header:x-tenant}"}, "cache": cache})
}

#[test]
fn requests_of_one_key_share_one_call_and_its_answer() {
    let upstream = Upstream::ok();
    let service = counting(ms(500));
    let envoy = with(&upstream, &service, &cached(&json!({})));
    std::thread::scope(|scope| {
        for number in 0..40 {
            let (envoy, path) = (&envoy, format!("/{number}"));
            scope.spawn(move || assert_eq!(envoy.get(&path).header("x-tenant", "acme").send().status, 200));
        }
    });
    assert_eq!(service.only_seen().path, "/t/acme");
    let users: Vec<Option<String>> = upstream.seen().iter().map(|seen| seen.header("x-meta-user")).collect();
    assert_eq!(users, vec![Some("1".to_owned()); 40]);
    assert_eq!(enriched(&envoy, &upstream, "acme"), "cache 1");
    assert_eq!(enriched(&envoy, &upstream, "other"), "ok 2");
    count(&envoy, "calls_total", 2);
    assert_nothing_broke(&envoy);
}

/// A thousand clients at once, each with a connection of its own, on two workers.
#[test]
fn a_thousand_misses_of_one_key_are_one_call_in_each_worker() {
    const CLIENTS: usize = 1000;
    const SERVICE: Duration = ms(3500);
    let members = cached(&json!({}));
    // A machine may be too busy for a thousand connections while the service takes its time: then that is tried again.
    for _ in 0..5 {
        let upstream = Upstream::ok();
        let service = counting(SERVICE);
        // Envoy's own limits of a cluster are just above a thousand, for all workers together.
        let bootstrap = bootstrap(&upstream, service.address(), &members).edit(|tree| {
            for cluster in tree["static_resources"]["clusters"].as_array_mut().unwrap() {
                let limits =
                    json!({"max_connections": 5000, "max_pending_requests": 5000, "max_requests": 5000});
                cluster["circuit_breakers"] = json!({ "thresholds": [limits] });
                cluster["connect_timeout"] = "10s".into();
            }
        });
        let envoy = Envoy::with(bootstrap).concurrency(2).start();
        let begun = Instant::now();
        let arrived = std::thread::scope(|scope| {
            for number in 0..CLIENTS {
                let envoy = &envoy;
                let request = envoy.get(&format!("/{number}")).header("x-tenant", "acme");
                let send = move || assert_eq!(request.send().status, 200);
                std::thread::Builder::new().stack_size(256 << 10).spawn_scoped(scope, send).unwrap();
            }
            let all = |envoy: &Envoy| envoy.stat("wasm_enrich_requests_total") == CLIENTS as u64;
            while !all(&envoy) && begun.elapsed() < ms(20_000) {
                std::thread::sleep(ms(50));
            }
            begun.elapsed()
        });
        if arrived >= SERVICE {
            continue;
        }
        assert_eq!(service.seen().len(), 2, "one call in each worker");
        count(&envoy, "calls_total", 2);
        count(&envoy, "joined_total", CLIENTS as u64 - 2);
        count(&envoy, "cache_miss_total", CLIENTS as u64);
        let mut users: Vec<_> = upstream.seen().iter().map(|seen| seen.header("x-meta-user")).collect();
        assert_eq!(users.len(), CLIENTS);
        users.sort();
        users.dedup();
        assert_eq!(users, [Some("1".to_owned()), Some("2".to_owned())], "all are enriched");
        assert_nothing_broke(&envoy);
        return;
    }
    panic!("in none of five attempts did {CLIENTS} requests arrive within {SERVICE:?}");
}

#[test]
fn those_who_wait_outlive_the_one_who_asked() {
    for http2 in [false, true] {
        let upstream = Upstream::ok();
        let service = counting(ms(1500));
        let envoy = with(&upstream, &service, &cached(&json!({})));
        let request = |path: &str| {
            let request = envoy.get(path).header("x-tenant", "acme");
            if http2 { request.http2() } else { request }
        };
        std::thread::scope(|scope| {
            let leader = request("/leader");
            let leader = scope.spawn(move || leader.send_and_leave(ms(600)));
            std::thread::sleep(ms(200)); // the leader is the first to ask
            for path in ["/a", "/b", "/c"] {
                let request = request(path);
                scope.spawn(move || assert_eq!(request.send().status, 200));
            }
            // A follower leaves too.
            request("/d").send_and_leave(ms(100));
            leader.join().unwrap();
        });
        those_who_stayed_are_enriched(&upstream, &service, &envoy);
    }
}

fn those_who_stayed_are_enriched(upstream: &Upstream, service: &Upstream, envoy: &Envoy) {
    assert_eq!(service.seen().len(), 1);
    let mut seen: Vec<(String, Option<String>)> =
        upstream.seen().iter().map(|seen| (seen.path.clone(), seen.header("x-meta-user"))).collect();
    seen.sort();
    assert_eq!(seen, ["/a", "/b", "/c"].map(|path| (path.to_owned(), Some("1".to_owned()))));
    assert_eq!(enriched(envoy, upstream, "acme"), "cache 1");
    assert_nothing_broke(envoy);
}

#[test]
fn the_answer_to_a_client_that_left_is_kept_for_the_next() {
    let upstream = Upstream::ok();
    let service = counting(ms(500));
    let envoy = with(&upstream, &service, &cached(&json!({})));
    envoy.get("/gone").header("x-tenant", "acme").send_and_leave(ms(100));
    count(&envoy, "call_ok_total", 1);
    assert_eq!(enriched(&envoy, &upstream, "acme"), "cache 1");
    assert!(upstream.seen().iter().all(|seen| seen.path != "/gone"));
}

#[test]
fn clients_that_leave_while_their_calls_are_pending_harm_nobody() {
    let upstream = Upstream::ok();
    let service = counting(ms(300));
    let envoy = with(&upstream, &service, &json!({}));
    for _ in 0..10 {
        envoy.get("/gone").send_and_leave(ms(40));
        envoy.request("POST", "/gone").http2().body(vec![b'x'; 100_000]).send_and_leave(ms(40));
    }
    count(&envoy, "inflight", 0);
    assert!(enriched(&envoy, &upstream, "acme").starts_with("ok "));
    assert!(upstream.seen().iter().all(|seen| seen.path != "/gone"));
    assert_nothing_broke(&envoy);
}

/// Whether what a client claims, or an answer that is no longer wanted, gets to an upstream when clients come and go at
/// the very moment of the answers.
#[test]
fn clients_that_leave_at_the_moment_of_the_answer_harm_nobody() {
    let upstream = Upstream::ok();
    let service = counting(ms(30));
    let envoy = with(&upstream, &service, &cached(&json!({"ttl": 0})));
    std::thread::scope(|scope| {
        for client in 0..8_u64 {
            let envoy = &envoy;
            scope.spawn(move || {
                for round in 0..40 {
                    let request =
                        envoy.get("/race").header("x-tenant", "acme").header("x-meta-user", "forged");
                    request.send_and_leave(ms(20 + (client * 7 + round * 3) % 25));
                }
            });
        }
    });
    count(&envoy, "inflight", 0);
    for seen in upstream.seen() {
        assert_ne!(seen.header("x-meta-user").as_deref(), Some("forged"));
    }
    assert_nothing_broke(&envoy);
}

#[test]
fn a_stale_answer_is_used_while_it_is_asked_for_again() {
    let upstream = Upstream::ok();
    let service = counting(ms(0));
    let envoy = with(&upstream, &service, &cached(&json!({"ttl": "300ms", "stale_while_revalidate": "60s"})));
    assert_eq!(enriched(&envoy, &upstream, "acme"), "ok 1");
    std::thread::sleep(ms(400));
    assert_eq!(enriched(&envoy, &upstream, "acme"), "stale 1");
    count(&envoy, "call_ok_total", 2);
    let next = enriched(&envoy, &upstream, "acme");
    assert!(next == "cache 2" || next == "stale 2", "{next}");
    assert_nothing_broke(&envoy);
}

#[test]
fn a_stale_answer_is_used_when_the_service_fails() {
    let upstream = Upstream::ok();
    let calls = AtomicUsize::new(0);
    let service = Upstream::answering(move |_| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::new(200, "{}").header("x-user", "ada").header("cache-control", "max-age=0"),
        1 => Reply::new(500, ""),
        2 => Reply::reset(),
        _ => Reply::new(404, ""),
    });
    let envoy = with(&upstream, &service, &cached(&json!({"stale_if_error": "60s"})));
    for word in ["ok ada", "stale ada", "stale ada", "4xx", "4xx"] {
        assert_eq!(enriched(&envoy, &upstream, "acme"), word);
    }
}

#[test]
fn each_worker_has_a_cache_of_its_own() {
    let upstream = Upstream::ok();
    let service = counting(ms(0));
    let bootstrap = bootstrap(&upstream, service.address(), &cached(&json!({})));
    let envoy = Envoy::with(bootstrap).concurrency(2).start();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                (0..20).for_each(|_| assert_eq!(envoy.get("/").header("x-tenant", "a").send().status, 200))
            });
        }
    });
    assert!((1..=2).contains(&service.seen().len()), "{} calls", service.seen().len());
    count(&envoy, "requests_total", 160);
}
