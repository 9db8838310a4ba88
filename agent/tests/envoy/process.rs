//! Processes that are stopped and killed: a control plane as one of its own, and Envoy before it serves.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::service::discovery::v3 as discovery;
use envoy_types::pb::google::protobuf::Any;
use meshloom_lab::Running;
use prost::Message as _;

use crate::control_plane::{ControlPlane, ECDS};

/// Where the child listens, and the file of what it serves.
const ADDRESS: &str = "MESHLOOM_TEST_CONTROL_PLANE";
const RESOURCES: &str = "MESHLOOM_TEST_RESOURCES";

/// Sends a signal by the name that kill(1) has for it.
pub(crate) fn signal(process: u32, name: &str) {
    let status = Command::new("kill").args([format!("-{name}"), process.to_string()]).status().unwrap();
    assert!(status.success(), "{process} cannot be sent {name}");
}

/// Waits until it is so.
#[track_caller]
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(45), "{what} was expected");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A control plane that runs in a process of its own, at the address where another one was.
pub(crate) struct ControlPlaneProcess {
    address: SocketAddr,
    file: PathBuf,
    resources: Vec<(String, Any)>,
    running: Option<Running>,
}

impl ControlPlaneProcess {
    /// Takes the place of the one that runs in this process, with all its resources.
    pub(crate) fn in_place_of(control_plane: &mut ControlPlane, folder: &std::path::Path) -> Self {
        let (address, resources) = (control_plane.address(), control_plane.resources());
        control_plane.kill();
        // Two cannot listen at one address, and a runtime is not over as soon as it is told to be.
        until("the end of the other", || std::net::TcpStream::connect(address).is_err());
        let mut process = Self { address, file: folder.join("resources"), resources, running: None };
        process.write();
        process.start();
        process
    }

    /// Serves this resource of ECDS from now on.
    pub(crate) fn set(&mut self, name: &str, resource: Any) {
        self.resources.retain(|(of, any)| of != name || any.type_url != ECDS);
        self.resources.push((name.to_owned(), resource));
        self.write();
    }

    pub(crate) fn kill(&mut self) {
        let mut running = self.running.take().expect("it runs");
        signal(running.id(), "KILL");
        while running.ended().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn start(&mut self) {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "process::child_that_is_a_control_plane"])
            .env(ADDRESS, self.address.to_string())
            .env(RESOURCES, &self.file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut running = Running::new(child);
        while std::net::TcpStream::connect(self.address).is_err() {
            assert!(running.ended().is_none(), "the control plane has ended by itself");
            std::thread::sleep(Duration::from_millis(5));
        }
        self.running = Some(running);
    }

    /// All at once: the child must not read the half of it.
    fn write(&self) {
        let resources = self.resources.iter().map(|(name, any)| discovery::Resource {
            name: name.clone(),
            resource: Some(any.clone()),
            ..Default::default()
        });
        let message =
            discovery::DeltaDiscoveryResponse { resources: resources.collect(), ..Default::default() };
        let part = self.file.with_extension("part");
        std::fs::write(&part, message.encode_to_vec()).unwrap();
        std::fs::rename(part, &self.file).unwrap();
    }
}

#[test]
#[ignore = "run by the tests of what is killed, in a process of its own"]
fn child_that_is_a_control_plane() {
    let address = std::env::var(ADDRESS).expect("where to listen").parse().unwrap();
    let file = PathBuf::from(std::env::var_os(RESOURCES).expect("what to serve"));
    let parent = std::os::unix::process::parent_id();
    let control_plane = ControlPlane::start_at(address);
    let mut before = discovery::DeltaDiscoveryResponse::default();
    // Not for longer than there is somebody to end it.
    while std::os::unix::process::parent_id() == parent {
        let bytes = std::fs::read(&file).unwrap();
        let now = discovery::DeltaDiscoveryResponse::decode(&bytes[..]).unwrap();
        for resource in now.resources.iter().filter(|resource| !before.resources.contains(resource)) {
            let any = resource.resource.clone().unwrap();
            control_plane.set(&any.type_url.clone(), &resource.name, any);
        }
        before = now;
        std::thread::sleep(Duration::from_millis(10));
    }
}
