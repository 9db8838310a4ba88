//! Remote modules become local files, and everything else arrives as it was sent.

use meshloom_agent::Sha256;

use crate::mesh::{BOTH, FILTER, Mesh, Plugin};
use crate::modules::shipped;
use crate::pulling::{gz, tar};

#[test]
fn a_filter_whose_module_is_on_a_server_runs_from_a_checked_file() {
    for protocol in BOTH {
        let mut mesh = Mesh::new(protocol);
        let module = shipped("header-mutation");
        let url = mesh.modules.put("/header.wasm", &module);
        let digest = Sha256::of(&module).to_string();
        mesh.serve(
            &Plugin::new(&url).sha256(&digest).environment("MINE", "kept").environment("ISTIO_META_X", "y"),
        );
        mesh.start_envoy();

        assert_eq!(mesh.get(), (200, Some("v1".to_owned())), "{protocol:?}");
        let file = mesh.module_file();
        assert!(file.starts_with(mesh.folder.path().join("modules")), "{}", file.display());
        assert_eq!(std::fs::read(&file).unwrap(), module);
        let environment = &mesh.dump(FILTER)["config"]["vm_config"]["environment_variables"];
        assert_eq!(environment["key_values"], serde_json::json!({"MINE": "kept"}));
        assert_eq!(mesh.modules.asked("/header.wasm"), 1);
        let answers = mesh.control_plane.wait_for_answers(1);
        assert!(answers.iter().all(|answer| answer.error.is_none()), "{answers:?}");
    }
}

#[test]
fn a_module_that_comes_compressed_or_in_an_archive_runs_as_one_that_does_not() {
    let module = shipped("header-mutation");
    let in_tar = tar(&[("README.md", b"# module"), ("plugin.wasm", &module)]);
    for protocol in BOTH {
        for (path, packed) in
            [("/module.wasm.gz", gz(&module)), ("/module.tar", in_tar.clone()), ("/module.tgz", gz(&in_tar))]
        {
            let mut mesh = Mesh::new(protocol);
            let url = mesh.modules.put(path, &packed);
            // Of what is in it, not of what it came in.
            mesh.serve(&Plugin::new(&url).sha256(&Sha256::of(&module).to_string()));
            mesh.start_envoy();
            assert_eq!(mesh.get(), (200, Some("v1".to_owned())), "{protocol:?} {path}");
            assert_eq!(std::fs::read(mesh.module_file()).unwrap(), module, "{protocol:?} {path}");
        }
    }
}

#[test]
fn a_changed_configuration_takes_effect_without_a_download() {
    for protocol in BOTH {
        let mut mesh = Mesh::new(protocol);
        let url = mesh.modules.put("/header.wasm", &shipped("header-mutation"));
        mesh.serve(&Plugin::new(&url));
        mesh.start_envoy();
        mesh.serve(&Plugin::new(&url).value("v2").resource_version("2"));
        mesh.wait_for(200, Some("v2"));
        assert_eq!(mesh.modules.asked("/header.wasm"), 1);
        assert_eq!(mesh.control_plane.streams(), 1);
    }
}

#[test]
fn one_bad_module_does_not_stand_in_the_way_of_others() {
    for protocol in BOTH {
        let mut mesh = Mesh::new(protocol);
        mesh.filters(protocol, &["good", "bad"]);
        let good = mesh.modules.put("/good.wasm", &shipped("header-mutation"));
        let bad = mesh.modules.put("/bad.wasm", b"<html>not here</html>");
        mesh.control_plane.set_all(
            crate::control_plane::ECDS,
            [
                ("good".to_owned(), Plugin::new(&good).resource("good")),
                ("bad".to_owned(), Plugin::new(&bad).fail_open().resource("bad")),
            ],
        );
        mesh.start_envoy();
        mesh.wait_for(200, Some("v1"));
        assert_eq!(mesh.dump("bad")["rules_stat_prefix"], "wasm-default-allow");
    }
}

#[test]
fn a_network_filter_is_converted_too() {
    for protocol in BOTH {
        let mut mesh = Mesh::new(protocol);
        mesh.network_filter(protocol, "tcp");
        let probe = meshloom_lab::root().join("target/wasm32-unknown-unknown/release/probe.wasm");
        let url = mesh.modules.put("/probe.wasm", &std::fs::read(probe).unwrap());
        let plugin = Plugin::new(&url).configuration(r#"{"on_new_connection": [{"return": 0}]}"#);
        mesh.control_plane.set(crate::control_plane::ECDS, "tcp", plugin.network_resource("tcp"));
        mesh.start_envoy();
        assert_eq!(mesh.get().0, 200);
        mesh.envoy().wait_for_log("on_new_connection");

        // Denied and allowed by network filters as well.
        let gone = mesh.modules.fail("/gone.wasm", 404);
        let plugin = Plugin::new(&gone).fail_open().resource_version("2");
        mesh.control_plane.set(crate::control_plane::ECDS, "tcp2", plugin.network_resource("tcp2"));
        mesh.network_filter(protocol, "tcp2");
        mesh.envoy = None;
        mesh.start_envoy();
        assert_eq!(mesh.get().0, 200);
        assert_eq!(mesh.dump("tcp2")["stat_prefix"], "wasm-default-allow");
    }
}

#[test]
fn a_module_with_another_digest_than_asked_for_never_runs() {
    for protocol in BOTH {
        let mut mesh = Mesh::new(protocol);
        let url = mesh.modules.put("/header.wasm", &shipped("header-mutation"));
        mesh.serve(&Plugin::new(&url).sha256(&"0".repeat(64)));
        mesh.start_envoy();
        assert_eq!(mesh.get(), (403, None));
        assert_eq!(mesh.dump(FILTER)["rules_stat_prefix"], "wasm-default-deny");
        assert!(mesh.agent.admin("/debug/wasm").contains("checksum_mismatch"));
    }
}

#[test]
fn a_configuration_that_the_module_refuses_is_refused_to_the_control_plane() {
    for protocol in BOTH {
        let mut mesh = Mesh::new(protocol);
        let url = mesh.modules.put("/header.wasm", &shipped("header-mutation"));
        mesh.serve(&Plugin::new(&url));
        mesh.start_envoy();
        mesh.serve(&Plugin::new(&url).configuration("{}").resource_version("2"));
        let answers = mesh.control_plane.wait_for_answers(2);
        let refusal = answers[1].error.clone().expect("a refusal");
        assert!(refusal.contains("Unable to create Wasm"), "{refusal}");
        assert_eq!(mesh.get(), (200, Some("v1".to_owned())), "the old filter goes on");
    }
}
