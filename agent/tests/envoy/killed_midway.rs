//! Each of them is killed at the worst moment: with something under way that another waits for.

use std::time::Duration;

use crate::mesh::{BOTH, FILTER, Mesh, Plugin, Protocol};
use crate::modules::{another, shipped};
use crate::process::{ControlPlaneProcess, signal, until};

/// A module that takes so long that something can be killed meanwhile.
const LONG: Duration = Duration::from_secs(2);

fn v(number: u32) -> (u16, Option<String>) {
    (200, Some(format!("v{number}")))
}

/// Envoy serves the first version, and the control plane knows.
fn serving(protocol: Protocol, arguments: &[&str]) -> Mesh {
    let mut mesh = Mesh::with_agent(protocol, arguments);
    let url = mesh.modules.put("/v1.wasm", &shipped("header-mutation"));
    mesh.serve(&Plugin::new(&url));
    mesh.start_envoy();
    mesh.control_plane.wait_for_answers(1);
    // On a machine that is busy, something may stand in for it first.
    mesh.wait_for(200, Some("v1"));
    mesh
}

fn second(url: &str) -> Plugin {
    Plugin::new(url).value("v2").resource_version("2")
}

#[test]
fn a_control_plane_killed_while_its_resource_is_converted_is_not_missed_and_is_found_again() {
    for protocol in BOTH {
        let mut mesh = Mesh::new(protocol);
        let module = shipped("header-mutation");
        let url = mesh.modules.put("/v1.wasm", &module);
        mesh.serve(&Plugin::new(&url));
        let mut process = ControlPlaneProcess::in_place_of(&mut mesh.control_plane, mesh.folder.path());
        mesh.start_envoy();
        mesh.wait_for(200, Some("v1"));

        let slow = mesh.modules.put_slowly("/v2.wasm", &another(&module), LONG);
        process.set(FILTER, second(&slow).resource(FILTER));
        until("a download", || mesh.modules.asked("/v2.wasm") > 0);
        process.kill();
        assert_eq!(mesh.get(), v(1), "{protocol:?}");
        until("the end of the stream", || mesh.agent.metric("istio_agent_istiod_connection_failures") > 0.0);
        assert_eq!(mesh.get(), v(1), "{protocol:?}");
        process.start();
        mesh.wait_for(200, Some("v2"));
    }
}

#[test]
fn a_control_plane_killed_before_envoy_has_its_first_filter_keeps_envoy_waiting_and_no_longer() {
    for protocol in BOTH {
        let mut mesh = Mesh::with_agent(protocol, &["--wasm-start-budget=30s"]);
        let slow = mesh.modules.put_slowly("/v1.wasm", &shipped("header-mutation"), LONG);
        mesh.serve(&Plugin::new(&slow));
        let mut process = ControlPlaneProcess::in_place_of(&mut mesh.control_plane, mesh.folder.path());
        let (asked, process) = (|| mesh.modules.asked("/v1.wasm"), &mut process);
        std::thread::scope(|scope| {
            let killing = scope.spawn(|| {
                until("a download", || asked() > 0);
                process.kill();
                until("Envoy's calls in vain", || {
                    mesh.agent.metric("istio_agent_istiod_connection_failures") > 0.0
                });
                process.start();
            });
            // Waits until it serves.
            let envoy = mesh.starting().start();
            killing.join().unwrap();
            let answer = envoy.get("/").send();
            assert_eq!((answer.status, answer.header("x-training")), v(1), "{protocol:?}");
        });
    }
}

#[test]
fn an_envoy_killed_while_it_warms_leaves_nothing_behind_that_the_next_one_trips_over() {
    for protocol in BOTH {
        let mut mesh = Mesh::with_agent(protocol, &["--wasm-start-budget=30s"]);
        let slow = mesh.modules.put_slowly("/v1.wasm", &shipped("header-mutation"), LONG);
        mesh.serve(&Plugin::new(&slow));
        let starting = mesh.start_envoy_that_is_killed();
        until("a download", || mesh.modules.asked("/v1.wasm") > 0);
        signal(mesh.envoy_process().expect("an Envoy that warms"), "KILL");
        starting.join().unwrap();
        until("the end of its stream", || mesh.agent.metric("meshloom_agent_streams") == 0.0);
        assert!(mesh.control_plane.answers().is_empty(), "it was killed before it had anything to answer");

        mesh.start_envoy();
        assert_eq!(mesh.get(), v(1), "{protocol:?}");
        let answers = mesh.control_plane.wait_for_answers(1);
        assert!(answers.iter().all(|answer| answer.error.is_none()), "{answers:?}");
    }
}

#[test]
fn an_envoy_killed_between_a_push_and_its_answer_is_followed_by_one_that_has_the_push() {
    for protocol in BOTH {
        let mut mesh = serving(protocol, &[]);
        let process = mesh.envoy().process_id();
        signal(process, "STOP");
        let url = mesh.modules.put("/v2.wasm", &another(&shipped("header-mutation")));
        mesh.serve(&second(&url));
        until_sent(&mesh);
        signal(process, "KILL");
        mesh.envoy = None;
        assert_eq!(mesh.control_plane.answers().len(), 1, "nobody has answered the push");
        mesh.start_envoy();
        assert_eq!(mesh.get(), v(2), "{protocol:?}");
    }
}

#[test]
fn an_agent_killed_between_sending_and_envoys_answer_finds_out_what_envoy_has() {
    for protocol in BOTH {
        let mut mesh = serving(protocol, &[]);
        let process = mesh.envoy().process_id();
        signal(process, "STOP");
        let url = mesh.modules.put("/v2.wasm", &another(&shipped("header-mutation")));
        mesh.serve(&second(&url));
        until_sent(&mesh);
        mesh.agent.kill();
        signal(process, "CONT");
        // Whether Envoy has read it or not, what it is told to load is there.
        mesh.modules.fail("/v2.wasm", 503);
        mesh.agent.restart();
        mesh.wait_for(200, Some("v2"));
        assert_eq!(mesh.modules.asked("/v2.wasm"), 1, "it was on disk: {protocol:?}");
        let answers = mesh.control_plane.wait_for_answers(2);
        assert!(answers.iter().all(|answer| answer.error.is_none()), "{answers:?}");
    }
}

#[test]
fn an_agent_killed_while_a_filter_that_denies_stands_in_heals_it_when_it_is_back() {
    for protocol in BOTH {
        let mut mesh = Mesh::with_agent(protocol, &["--http-request-max-retries=1"]);
        let url = mesh.modules.fail("/v1.wasm", 503);
        mesh.serve(&Plugin::new(&url));
        mesh.start_envoy();
        assert_eq!(mesh.get(), (403, None));
        mesh.agent.kill();
        assert_eq!(mesh.get(), (403, None), "Envoy goes on as it was told: {protocol:?}");
        mesh.agent.restart();
        until("another attempt", || mesh.standing().1 == "deny");
        mesh.modules.put("/v1.wasm", &shipped("header-mutation"));
        mesh.wait_for(200, Some("v1"));
    }
}

#[test]
fn an_agent_killed_while_the_last_good_module_stands_in_goes_on_with_it_and_with_the_upgrade() {
    for protocol in BOTH {
        let mut mesh = serving(protocol, &["--http-request-max-retries=1", "--wasm-start-budget=500ms"]);
        let url = mesh.modules.fail("/v2.wasm", 503);
        mesh.serve(&second(&url));
        mesh.control_plane.wait_for_answers(2);
        assert_eq!(mesh.standing().1, "last_good");
        mesh.agent.kill();
        assert_eq!(mesh.get(), v(1), "{protocol:?}");
        mesh.agent.restart();
        until("the last good one again", || mesh.standing().1 == "last_good");
        assert_eq!(mesh.get(), v(1), "{protocol:?}");
        mesh.modules.put("/v2.wasm", &another(&shipped("header-mutation")));
        mesh.wait_for(200, Some("v2"));
    }
}

/// Until Envoy was sent what the control plane has pushed, which it cannot read.
fn until_sent(mesh: &Mesh) {
    until("a response that Envoy has not answered", || mesh.standing() == ("sent".into(), "wanted".into()));
    assert_eq!(mesh.modules.asked("/v2.wasm"), 1);
}
