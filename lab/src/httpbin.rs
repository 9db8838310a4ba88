//! The real httpbin, behind gunicorn.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::Running;
use crate::repository::tool;

/// How long httpbin may take to listen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running httpbin. Ended when dropped.
#[derive(Debug)]
pub struct Httpbin {
    _process: Running,
    address: SocketAddr,
    _folder: TempDir,
}

impl Httpbin {
    /// Starts httpbin on a port that it chooses by itself, and waits until it listens.
    ///
    /// # Panics
    ///
    /// When it does not, with what it logged.
    pub fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let log = folder.path().join("log");
        let process = Running::new(Self::spawn(0, &log).expect("httpbin can be run"));
        let address = Self::listening(&log).unwrap_or_else(|log| panic!("httpbin did not start:\n{log}"));
        Self { _process: process, address, _folder: folder }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts httpbin on `port` of 127.0.0.1, or any if 0, in a process group of its own.
    ///
    /// # Errors
    ///
    /// When its Python cannot be run, or `log` not be written.
    pub fn spawn(port: u16, log: &Path) -> std::io::Result<Child> {
        use std::os::unix::process::CommandExt;
        let log = std::fs::File::create(log)?;
        Command::new(tool("HTTPBIN_PYTHON", "httpbin"))
            .args(["-m", "gunicorn", "httpbin:app", "--workers", "1", "--threads", "16"])
            .args(["--keep-alive", "60", "--graceful-timeout", "1", "--access-logfile", "-"])
            .args(["--bind", &format!("127.0.0.1:{port}")])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
    }

    /// Waits until the httpbin that logs to `log` listens.
    ///
    /// # Errors
    ///
    /// The log, when it does not listen in time.
    pub fn listening(log: &Path) -> Result<SocketAddr, String> {
        let begun = Instant::now();
        loop {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            let address = text.split("Listening at: http://").nth(1).and_then(|rest| rest.split(' ').next());
            // Gunicorn listens before its worker has loaded httpbin; requests wait until it has.
            match address.and_then(|address| address.parse().ok()) {
                Some(address) => return Ok(address),
                None if begun.elapsed() > PATIENCE || text.contains("Shutting down") => return Err(text),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}
