//! What clients see while a module cannot be had, and that it heals by itself.

use std::time::Duration;

use crate::mesh::{BOTH, FILTER, Mesh, Plugin};
use crate::modules::{another, shipped};

#[test]
fn without_its_module_a_filter_denies_or_lets_pass_as_its_policy_says() {
    for protocol in BOTH {
        for (open, status, prefix) in [(false, 403, "wasm-default-deny"), (true, 200, "wasm-default-allow")] {
            let mut mesh = Mesh::new(protocol);
            let url = mesh.modules.fail("/header.wasm", 404);
            let plugin = Plugin::new(&url);
            mesh.serve(&if open { plugin.fail_open() } else { plugin });
            mesh.start_envoy();
            assert_eq!(mesh.get(), (status, None), "{protocol:?}");
            assert_eq!(mesh.dump(FILTER)["rules_stat_prefix"], prefix);
            let answers = mesh.control_plane.wait_for_answers(1);
            assert!(answers[0].error.is_none(), "{answers:?}");
        }
    }
}

#[test]
fn a_filter_works_as_soon_as_its_server_is_back_without_a_push() {
    for protocol in BOTH {
        // With the options that an agent has unless it is told otherwise.
        let mut mesh = Mesh::new(protocol);
        let url = mesh.modules.fail("/header.wasm", 503);
        mesh.serve(&Plugin::new(&url));
        mesh.start_envoy();
        assert_eq!(mesh.get(), (403, None));
        // The first attempt has failed with all its requests by then.
        std::thread::sleep(Duration::from_secs(10));
        assert_eq!(mesh.get(), (403, None));
        let asked = mesh.modules.asked("/header.wasm");
        assert!((6..30).contains(&asked), "{asked} requests");

        mesh.modules.put("/header.wasm", &shipped("header-mutation"));
        let healed = mesh.wait_for(200, Some("v1"));
        // Held to two seconds by a clock that stands still: `ecds::schedule`.
        eprintln!("recovery {protocol:?}: {} ms after the server was back", healed.as_millis());
        let answers = mesh.control_plane.answers();
        assert_eq!(answers.len(), 1, "the control plane hears of one response only: {answers:?}");
        assert_eq!(mesh.agent.metric("meshloom_agent_resources_in_fallback"), 0.0);
    }
}

#[test]
fn when_an_upgrade_fails_the_last_good_module_goes_on() {
    for protocol in BOTH {
        let mut mesh =
            Mesh::with_agent(protocol, &["--http-request-max-retries=1", "--wasm-start-budget=500ms"]);
        let module = shipped("header-mutation");
        let url = mesh.modules.put("/v1.wasm", &module);
        mesh.serve(&Plugin::new(&url));
        mesh.start_envoy();
        // The first answer may be to what denies until the module is there, on a machine that is busy.
        mesh.wait_for(200, Some("v1"));

        let url = mesh.modules.reset("/v2.wasm");
        mesh.serve(&Plugin::new(&url).value("v2").resource_version("2"));
        mesh.control_plane.wait_for_answers(2);
        assert_eq!(mesh.get(), (200, Some("v1".to_owned())));
        assert!(mesh.agent.admin("/debug/wasm").contains("last_good"), "{}", mesh.agent.admin("/debug/wasm"));

        mesh.modules.put("/v2.wasm", &another(&module));
        mesh.wait_for(200, Some("v2"));
    }
}

#[test]
fn envoy_starts_within_the_budget_though_the_module_takes_long() {
    for protocol in BOTH {
        let mut mesh = Mesh::with_agent(protocol, &["--wasm-start-budget=300ms"]);
        let wait = Duration::from_secs(3);
        let url = mesh.modules.put_slowly("/header.wasm", &shipped("header-mutation"), wait);
        mesh.serve(&Plugin::new(&url));
        mesh.start_envoy();
        assert_eq!(mesh.get(), (403, None), "the stand-in, until the module is there");
        mesh.wait_for(200, Some("v1"));
        assert_eq!(mesh.modules.asked("/header.wasm"), 1, "the first attempt went on");
    }
}

#[test]
fn a_newer_resource_wins_over_one_whose_module_comes_late() {
    for protocol in BOTH {
        let mut mesh = Mesh::with_agent(protocol, &["--wasm-start-budget=200ms"]);
        let module = shipped("header-mutation");
        let url = mesh.modules.put("/v1.wasm", &module);
        mesh.serve(&Plugin::new(&url));
        mesh.start_envoy();

        let late = mesh.modules.put_slowly("/late.wasm", &another(&module), Duration::from_secs(2));
        mesh.serve(&Plugin::new(&late).value("late").resource_version("2"));
        std::thread::sleep(Duration::from_millis(500));
        mesh.serve(&Plugin::new(&url).value("newest").resource_version("3"));
        mesh.wait_for(200, Some("newest"));
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(mesh.get(), (200, Some("newest".to_owned())));
    }
}
