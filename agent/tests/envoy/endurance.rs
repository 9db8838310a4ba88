//! Many updates, one stream, flat memory.

use crate::mesh::{BOTH, Mesh, Plugin};
use crate::modules::shipped;

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
