//! The agent as it runs: how it becomes ready, and how it ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::files::agent;

/// An agent without a control plane.
struct Running {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
    address: String,
    folder: tempfile::TempDir,
}

impl Running {
    /// Waits until it says where its status page is.
    fn start(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let within = |name: &str| folder.path().join(name).display().to_string();
        let mut child = agent(&["run", "--admin-address=127.0.0.1:0", "--log-format=json"])
            .arg(format!("--xds-listen=unix:{}", within("XDS")))
            .arg(format!("--cache-dir={}", within("store")))
            .arg("--discovery-address=http://127.0.0.1:1")
            .args(more)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut running = String::new();
        let address = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "the agent ended: {running}");
            running += &line;
            let event: serde_json::Value =
                serde_json::from_str(&line).expect("each line of the log is a document");
            if let Some(address) = event["address"].as_str().filter(|_| line.contains("status page")) {
                break address.to_owned();
            }
        };
        let running = Self { child, log, address, folder };
        while running.call("GET", "/healthz/ready").0 != 200 {
            std::thread::sleep(Duration::from_millis(20));
        }
        running
    }

    fn call(&self, method: &str, path: &str) -> (u16, String) {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        let head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.address);
        socket.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Its exit code, and the rest of its log.
    fn end(mut self) -> (Option<i32>, String) {
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless its test has failed.
        let _ended = self.child.kill();
    }
}

#[test]
fn it_becomes_ready_shows_its_options_and_ends_when_it_is_asked_to() {
    let running = Running::start(&["--http-proxy=http://ann:hunter2@proxy.test"]);
    assert!(running.call("GET", "/metrics").1.contains("istio_agent_wasm_cache_entries 0"));
    let options = running.call("GET", "/debug/config").1;
    let parsed: serde_json::Value = serde_json::from_str(&options).unwrap();
    let address = serde_json::json!({"from": "command line", "value": "127.0.0.1:0"});
    assert_eq!(parsed["options"]["admin-address"], address, "{options}");
    assert!(!options.contains("hunter2"), "{options}");
    assert!(running.call("GET", "/").1.contains("No remote modules are asked for"));
    assert_eq!(running.call("POST", "/quitquitquit").0, 200);
    let (code, log) = running.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
}

#[test]
fn a_signal_ends_it_with_grace() {
    for signal in [Signal::TERM, Signal::INT] {
        let running = Running::start(&[]);
        running.signal(signal);
        let (code, log) = running.end();
        assert_eq!(code, Some(0), "{log}");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut running = Running::start(&[]);
    // A connection on which nothing is said keeps it from ending before it must.
    let _silent = UnixStream::connect(running.folder.path().join("XDS")).unwrap();
    running.signal(Signal::TERM);
    let mut line = String::new();
    while !line.contains("ending with grace") {
        line.clear();
        assert!(running.log.read_line(&mut line).unwrap() > 0, "the agent ended");
    }
    running.signal(Signal::INT);
    let (code, log) = running.end();
    assert_eq!(code, Some(130), "{log}");
}
