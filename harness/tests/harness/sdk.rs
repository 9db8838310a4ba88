//! Guests of every SDK behave in the harness as they do in Envoy (envoy/e2e/tests/guests.rs is the same table).

use meshloom_guests::{GUESTS, module};
use proxy_wasm_harness::{Host, Module, Plugin, Response};

use super::guest::said;

#[test]
fn each_guest_does_the_same_in_its_own_name() {
    let mut ran = 0;
    for guest in GUESTS {
        let Some(path) = module(guest) else {
            eprintln!("skipped: the guest {guest}, because its toolchain is missing");
            continue;
        };
        let module = Module::from_file(path).unwrap();
        let host = Host::envoy()
            .strict_link()
            .upstream(|_| Response::ok("hello\n").with_header("x-guest", "upstream"))
            .plugin(Plugin::new(&module).configuration("two words"))
            .start();
        assert_eq!(said(&host), ["configured: two words"], "{guest}");

        let stream = host.get("/").header("x-guest", "client").header("x-name", "Ada").send();
        let response = stream.received();
        assert_eq!((response.status(), response.text().as_str()), (200, "hello\n"), "{guest}");
        assert_eq!(response.header_all("x-guest"), [guest]);
        assert_eq!(stream.forwarded().header_all("x-guest"), ["client", guest]);
        drop(stream);
        assert_eq!(said(&host)[1..], ["hello Ada", "log"], "{guest}");

        let denied = host.get("/reply").send();
        let denial = denied.answered();
        assert_eq!((denial.status(), denial.text()), (403, format!("denied by {guest}")), "{guest}");
        assert_eq!(denial.header_all("x-guest"), [guest]);
        assert!(denied.upstream().is_none(), "{guest}: a denied request reached the upstream");
        drop(denied);
        assert_eq!(said(&host)[3..], ["hello nobody", "log"], "{guest}");

        assert_eq!(host.traps(), [""; 0], "{guest}");
        host.assert_nothing_leaked();
        host.shut_down();
        assert_eq!(host.traps(), [""; 0], "{guest}");
        ran += 1;
    }
    assert!(ran > 0, "not one guest could be built");
}
