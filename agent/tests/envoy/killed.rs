//! Whoever is killed, traffic goes on, and what was is found again.

use std::time::Duration;

use crate::mesh::{BOTH, Mesh, Plugin};
use crate::modules::shipped;

#[test]
fn traffic_goes_on_without_the_agent_and_it_finds_everything_again() {
    for protocol in BOTH {
        let mut mesh = Mesh::new(protocol);
        let url = mesh.modules.put("/header.wasm", &shipped("header-mutation"));
        mesh.serve(&Plugin::new(&url));
        mesh.start_envoy();
        mesh.wait_for(200, Some("v1"));

        mesh.agent.kill();
        assert_eq!(mesh.get(), (200, Some("v1".to_owned())));
        // What it needs is on its disk.
        mesh.modules.fail("/header.wasm", 503);
        mesh.agent.restart();
        mesh.serve(&Plugin::new(&url).value("v2"));
        mesh.wait_for(200, Some("v2"));
        assert_eq!(mesh.modules.asked("/header.wasm"), 1);
    }
}

#[test]
fn an_agent_killed_while_it_downloads_leaves_nothing_that_harms() {
    for protocol in BOTH {
        let mut mesh = Mesh::new(protocol);
        let module = shipped("header-mutation");
        let url = mesh.modules.put("/v1.wasm", &module);
        mesh.serve(&Plugin::new(&url));
        mesh.start_envoy();
        let slow = mesh.modules.put_slowly("/v2.wasm", &module, Duration::from_secs(1));
        mesh.serve(&Plugin::new(&slow).value("v2").resource_version("2"));
        while mesh.modules.asked("/v2.wasm") == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
        mesh.agent.kill();
        assert_eq!(mesh.get(), (200, Some("v1".to_owned())));
        mesh.agent.restart();
        mesh.wait_for(200, Some("v2"));
    }
}

#[test]
fn traffic_goes_on_without_the_control_plane_and_updates_come_once_it_is_back() {
    for protocol in BOTH {
        let mut mesh = Mesh::new(protocol);
        let url = mesh.modules.put("/header.wasm", &shipped("header-mutation"));
        mesh.serve(&Plugin::new(&url));
        mesh.start_envoy();
        mesh.wait_for(200, Some("v1"));

        mesh.control_plane.kill();
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(mesh.get(), (200, Some("v1".to_owned())));
        mesh.control_plane.restart();
        mesh.serve(&Plugin::new(&url).value("v2"));
        mesh.wait_for(200, Some("v2"));
    }
}

#[test]
fn a_new_envoy_is_given_the_last_good_filter_though_its_upgrade_fails() {
    for protocol in BOTH {
        let mut mesh = Mesh::with_agent(protocol, &["--http-request-max-retries=1"]);
        let url = mesh.modules.put("/v1.wasm", &shipped("header-mutation"));
        mesh.serve(&Plugin::new(&url));
        mesh.start_envoy();
        // The first answer may be to what denies until the module is there, on a machine that is busy.
        mesh.wait_for(200, Some("v1"));
        let gone = mesh.modules.fail("/v2.wasm", 404);
        mesh.serve(&Plugin::new(&gone).value("v2").resource_version("2"));
        mesh.control_plane.wait_for_answers(2);

        // All of it dies: Envoy, and the agent with all that it remembers in memory.
        let process = mesh.envoy().process_id();
        std::process::Command::new("kill").args(["-9", &process.to_string()]).status().unwrap();
        mesh.envoy = None;
        mesh.agent.kill();
        mesh.agent.restart();
        mesh.start_envoy();
        mesh.wait_for(200, Some("v1"));
    }
}
