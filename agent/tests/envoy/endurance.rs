//! Many updates and large modules: one stream, flat memory.

use crate::mesh::{BOTH, Mesh, Plugin, Protocol};
use crate::modules::{larger, shipped};

#[test]
fn a_thousand_updates_pass_one_stream_and_leave_memory_as_it_was() {
    for protocol in BOTH {
        let mut mesh = Mesh::new(protocol);
        let url = mesh.modules.put("/header.wasm", &shipped("header-mutation"));
        mesh.serve(&Plugin::new(&url).value("0"));
        mesh.start_envoy();
        let mut before = 0;
        for update in 1..=1000 {
            mesh.serve(&Plugin::new(&url).value(&update.to_string()).resource_version(&update.to_string()));
            if update % 100 == 0 {
                mesh.wait_for(200, Some(&update.to_string()));
            }
            if update == 200 {
                before = mesh.agent.resident_kib();
            }
        }
        assert_eq!(mesh.control_plane.streams(), 1, "{protocol:?}");
        assert_eq!(mesh.modules.asked("/header.wasm"), 1);
        let answers = mesh.control_plane.answers();
        assert!(answers.iter().all(|answer| answer.error.is_none()), "{answers:?}");
        let grown = mesh.agent.resident_kib().saturating_sub(before);
        assert!(grown < 4096, "the agent grew by {grown} KiB over 800 updates");
    }
}

#[test]
fn a_module_of_200_mb_reaches_envoy_through_an_agent_that_grows_by_less_than_16_mb() {
    let mut mesh = Mesh::with_agent(Protocol::Sotw, &["--wasm-start-budget=30s"]);
    let idle = mesh.agent.resident_kib();
    let url = mesh.modules.put("/large.wasm", &larger(&shipped("header-mutation"), 200_000_000));
    mesh.serve(&Plugin::new(&url));
    mesh.start_envoy();
    mesh.wait_for(200, Some("v1"));
    // How much it has in all depends on how it was built: code counts that is read from the file.
    let most = mesh.agent.most_resident_kib();
    eprintln!("resident: {idle} KiB idle, {most} KiB at most");
    assert!((most - idle) * 1024 < 16_000_000, "from {idle} KiB to {most} KiB while it pulled 200 MB");
}
