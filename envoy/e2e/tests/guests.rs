//! Guests in every language behave alike: what a harness shows of them, Envoy shows too.

use std::time::{Duration, Instant};

use meshloom_guests::{GUESTS, module};
use meshloom_lab::{Bootstrap, Envoy, Reply, Upstream};

#[test]
fn each_guest_does_the_same_in_its_own_name() {
    for guest in GUESTS {
        let Some(module) = module(guest) else {
            eprintln!("skipped: the guest {guest}, because its toolchain is missing");
            continue;
        };
        let upstream = Upstream::answering(|_| Reply::new(200, "hello\n").header("x-guest", "upstream"));
        let bootstrap = Bootstrap::filter("header-mutation")
            .module("header-mutation", module)
            .configure("header-mutation", "two words")
            .upstream(upstream.address());
        let envoy = Envoy::with(bootstrap).start();
        envoy.wait_for_log("configured: two words");

        let response = envoy.get("/").header("x-guest", "client").header("x-name", "Ada").send();
        assert_eq!(
            (response.status, response.text().as_str()),
            (200, "hello\n"),
            "{guest}:\n{}",
            envoy.log()
        );
        assert_eq!(response.header("x-guest").as_deref(), Some(guest));
        let added: Vec<String> = upstream
            .only_seen()
            .headers
            .into_iter()
            .filter(|(name, _)| name == "x-guest")
            .map(|(_, value)| String::from_utf8(value).unwrap())
            .collect();
        assert_eq!(added, ["client", guest]);
        envoy.wait_for_log("hello Ada");

        upstream.forget();
        let denial = envoy.get("/reply").send();
        assert_eq!((denial.status, denial.text()), (403, format!("denied by {guest}")), "{}", envoy.log());
        assert_eq!(denial.header("x-guest").as_deref(), Some(guest));
        assert_eq!(upstream.seen().len(), 0, "{guest}: a denied request reached the upstream");
        envoy.wait_for_log("hello nobody");

        // Once for each of the two requests, after the response to it.
        let begun = Instant::now();
        while logged(&envoy) != 2 {
            assert!(
                begun.elapsed() < Duration::from_secs(5),
                "{guest} logged {}:\n{}",
                logged(&envoy),
                envoy.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// How often the guest's log phase has come.
fn logged(envoy: &Envoy) -> usize {
    envoy.log().lines().filter(|line| line.ends_with(": log")).count()
}
