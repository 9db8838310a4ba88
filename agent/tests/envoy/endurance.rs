//! Many updates and large modules: one stream, flat memory.

use std::io::Write as _;

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

/// What an agent may have in memory when nothing happens, and while it pulls a module of 200 MB.
const IDLE: u64 = 20_000_000 / 1024;
const PULLING: u64 = 30_000_000 / 1024;

#[test]
fn a_module_of_200_mb_reaches_envoy_through_an_agent_that_stays_small() {
    // The one that ships, if it is built: how much another has in all depends on how it was built, for code counts that is
    // read from its file.
    let shipped_agent = meshloom_lab::root().join("dist/meshloom-agent");
    let is_shipped = shipped_agent.is_file() || std::env::var_os("AGENT_BIN").is_some();
    let mut mesh = Mesh::with_shipped_agent(Protocol::Sotw, &["--wasm-start-budget=30s"]);
    mesh.wait_until("an agent that idles", || mesh.agent.admin("/metrics").contains("store_bytes 0"));
    let idle = mesh.agent.resident_kib();
    let url = mesh.modules.put("/large.wasm", &larger(&shipped("header-mutation"), 200_000_000));
    mesh.serve(&Plugin::new(&url));
    mesh.start_envoy();
    mesh.wait_for(200, Some("v1"));
    let most = mesh.agent.most_resident_kib();
    let grown = most - idle;
    assert!(grown * 1024 < 16_000_000, "from {idle} KiB to {most} KiB while it pulled 200 MB");
    let mut stderr = std::io::stderr();
    writeln!(stderr, "resident: {idle} KiB idle, {most} KiB at most, shipped binary: {is_shipped}").unwrap();
    if is_shipped {
        assert!(idle <= IDLE, "{idle} KiB at rest, more than {IDLE}");
        assert!(most <= PULLING, "{most} KiB while it pulled 200 MB, more than {PULLING}");
    } else {
        writeln!(
            stderr,
            "SKIPPED: memory in all, because {} is not there: make agent",
            shipped_agent.display()
        )
        .unwrap();
    }
}
