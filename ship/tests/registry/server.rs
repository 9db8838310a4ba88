//! A registry of one test's own: its storage is a temporary folder, and it ends with the test.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a registry may take to listen, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Registry {
    process: Child,
    port: u16,
    storage: TempDir,
}

impl Registry {
    pub(crate) fn start(program: &Path) -> Self {
        let storage = tempfile::tempdir().unwrap();
        let port = free_port();
        let config = storage.path().join("config.yml");
        let root = storage.path().join("blobs");
        let text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {root:?}}}}}\n\
             http: {{addr: \"127.0.0.1:{port}\"}}\n"
        );
        std::fs::write(&config, text).unwrap();
        let log = std::fs::File::create(storage.path().join("log")).unwrap();
        let process = Command::new(program)
            .arg("serve")
            .arg(&config)
            // Version 3 would send traces to a collector, which is not there.
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut registry = Self { process, port, storage: storage };
        registry.wait();
        registry
    }

    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn wait(&mut self) {
        let begin = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = || std::fs::read_to_string(self.storage.path().join("log")).unwrap_or_default();
            if let Some(status) = self.process.try_wait().unwrap() {
                panic!("the registry ended with {status}: {}", log());
            }
            assert!(begin.elapsed() < PATIENCE, "the registry does not listen after {PATIENCE:?}: {}", log());
            sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody had a moment ago. Another may take it meanwhile; then the registry says so and ends.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
