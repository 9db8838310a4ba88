//! A running Envoy on ports of its own.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::bootstrap::Bootstrap;
use crate::client::{Request, Session};
use crate::process::Running;
use crate::prometheus::metric;
use crate::repository::{root, tool};

/// How long Envoy may take to be ready: it compiles every module once per worker.
const PATIENCE: Duration = Duration::from_secs(60);

/// An Envoy about to be started.
#[derive(Clone, Debug)]
pub struct Starting {
    bootstrap: Bootstrap,
    concurrency: u32,
    log_level: &'static str,
}

/// An Envoy that serves. Ended when dropped; its files go with it.
#[derive(Debug)]
pub struct Envoy {
    // Ended first: fields are dropped in the order they stand.
    process: Running,
    proxy: SocketAddr,
    admin: SocketAddr,
    folder: TempDir,
}

/// Envoy did not start, and said why.
#[derive(Debug)]
pub struct Refused {
    /// Everything Envoy logged.
    pub log: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Envoy did not start; it logged:\n{}", self.log)
    }
}

impl Envoy {
    /// An Envoy with this bootstrap, on ports that it chooses by itself.
    pub fn with(bootstrap: Bootstrap) -> Starting {
        // Histograms are merged when statistics are flushed, every five seconds unless told otherwise.
        let bootstrap = bootstrap.ports(0, 0).edit(|tree| tree["stats_flush_interval"] = "0.1s".into());
        Starting { bootstrap, concurrency: 1, log_level: "info" }
    }

    /// The Envoy binary that is used.
    pub fn binary() -> PathBuf {
        tool("ENVOY_BIN", "envoy")
    }

    /// The minor version of that binary, such as `1.40`.
    ///
    /// # Panics
    ///
    /// When it does not say which.
    pub fn version() -> String {
        let output = Command::new(Self::binary()).arg("--version").output().expect("Envoy can be run");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let full = text.rsplit("version: ").next().and_then(|rest| rest.split('/').nth(1));
        let full = full.unwrap_or_else(|| panic!("no version in {text:?}"));
        full.split('.').take(2).collect::<Vec<_>>().join(".")
    }

    /// Checks a bootstrap by `envoy --mode validate`.
    ///
    /// # Errors
    ///
    /// What Envoy has against it.
    pub fn validate(bootstrap: &Bootstrap) -> Result<(), Refused> {
        let folder = TempDir::new().expect("a temporary folder");
        let config = folder.path().join("bootstrap.json");
        std::fs::write(&config, bootstrap.to_json()).expect("a file in a temporary folder");
        let output = Command::new(Self::binary())
            .arg("--mode")
            .arg("validate")
            .arg("--config-path")
            .arg(&config)
            .args(["--log-level", "info"])
            .current_dir(root())
            .output()
            .expect("Envoy can be run");
        if output.status.success() {
            return Ok(());
        }
        Err(Refused { log: String::from_utf8_lossy(&output.stderr).into_owned() })
    }

    /// Where the proxy listens.
    pub fn proxy(&self) -> SocketAddr {
        self.proxy
    }

    /// Where the admin interface listens.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// A GET request to the proxy.
    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    /// A request of any method to the proxy.
    pub fn request(&self, method: &str, path: &str) -> Request {
        Request::new(self.proxy, method, path)
    }

    /// A connection to the proxy that is kept for many requests.
    pub fn session(&self) -> Session {
        Session::new(self.proxy)
    }

    /// What the admin interface answers to a GET of `path`.
    #[track_caller]
    pub fn admin_get(&self, path: &str) -> String {
        Request::new(self.admin, "GET", path).send().text()
    }

    /// The statistics in Prometheus' text form.
    #[track_caller]
    pub fn prometheus(&self) -> String {
        self.admin_get("/stats/prometheus")
    }

    /// A counter or gauge as Prometheus sees it; 0 when Envoy has not used it yet.
    ///
    /// # Panics
    ///
    /// When several series have the name.
    #[track_caller]
    pub fn stat(&self, name: &str) -> u64 {
        metric(&self.prometheus(), name).unwrap_or(0)
    }

    /// Waits until a counter, a gauge or a histogram's count has that value.
    ///
    /// # Panics
    ///
    /// When it has not within ten seconds.
    #[track_caller]
    pub fn wait_for_stat(&self, name: &str, expected: u64) {
        let begun = Instant::now();
        loop {
            let value = self.stat(name);
            if value == expected {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "{name} is {value}, not {expected}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Everything Envoy has logged so far.
    pub fn log(&self) -> String {
        read(&self.folder.path().join("log"))
    }

    /// The file that Envoy logs to.
    pub fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Waits until the log has `text`.
    ///
    /// # Panics
    ///
    /// When it has not within five seconds.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) {
        let begun = Instant::now();
        while !self.log().contains(text) {
            assert!(begun.elapsed() < Duration::from_secs(5), "{text:?} is not in the log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The id of the Envoy process. With a wrapper that starts Envoy elsewhere on this machine, as in a
    /// container, it is found by its command line.
    pub fn process_id(&self) -> u32 {
        let config = self.folder.path().join("bootstrap.json").into_os_string().into_encoded_bytes();
        let is_envoy = |id: &u32| {
            let arguments = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
            let mut arguments = arguments.split(|byte| *byte == 0);
            arguments.next().is_some_and(|program| program.ends_with(b"envoy"))
                && arguments.any(|argument| argument == config)
        };
        let processes = std::fs::read_dir("/proc").expect("/proc, to find Envoy in");
        processes
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .find(is_envoy)
            .unwrap_or_else(|| self.process.id())
    }

    /// Memory that the process has in RAM, in KiB.
    #[track_caller]
    pub fn resident_kib(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.process_id())).expect("a live Envoy");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line VmRSS");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Starting {
    /// Runs that many worker threads, in place of one.
    pub fn concurrency(mut self, workers: u32) -> Self {
        self.concurrency = workers;
        self
    }

    /// Logs at that level, in place of info.
    pub fn log_level(mut self, level: &'static str) -> Self {
        self.log_level = level;
        self
    }

    /// Starts it and waits until it serves.
    ///
    /// # Panics
    ///
    /// When it does not.
    #[track_caller]
    pub fn start(self) -> Envoy {
        self.try_start().unwrap_or_else(|refused| panic!("{refused}"))
    }

    /// Starts it and expects that it does not come up: the log says why.
    ///
    /// # Panics
    ///
    /// When it does serve.
    #[track_caller]
    pub fn refused(self) -> Refused {
        match self.try_start() {
            Ok(_) => panic!("Envoy should have refused this"),
            Err(refused) => refused,
        }
    }

    /// Starts it and waits until it serves.
    ///
    /// # Errors
    ///
    /// Its log, when it ended instead, or was not ready in time.
    pub fn try_start(self) -> Result<Envoy, Refused> {
        let folder = TempDir::new().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("bootstrap.json"), self.bootstrap.to_json())
            .expect("a file in a temporary folder");
        let log = std::fs::File::create(path("log")).expect("a file in a temporary folder");
        let child = Command::new(Envoy::binary())
            .arg("--config-path")
            .arg(path("bootstrap.json"))
            .arg("--admin-address-path")
            .arg(path("admin"))
            .arg("--disable-hot-restart") // so that any number run side by side
            .args(["--concurrency", &self.concurrency.to_string(), "--log-level", self.log_level])
            .current_dir(root())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("Envoy can be run");
        let mut process = Running::new(child);

        let begun = Instant::now();
        loop {
            let ended = process.ended();
            if let Some(admin) = ready(&path("admin")) {
                let proxy = listener(admin);
                return Ok(Envoy { process, proxy, admin, folder });
            }
            if ended.is_some() || begun.elapsed() > PATIENCE {
                return Err(Refused { log: read(&path("log")) });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn read(path: &Path) -> String {
    // A client's bytes may be in a log as they are.
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// The admin interface's address once Envoy is ready.
fn ready(admin_path: &Path) -> Option<SocketAddr> {
    let admin = read(admin_path).parse().ok()?;
    let response = Request::new(admin, "GET", "/ready").try_send().ok()?;
    (response.status == 200).then_some(admin)
}

fn listener(admin: SocketAddr) -> SocketAddr {
    let listeners = Request::new(admin, "GET", "/listeners?format=json").send().json();
    let address = &listeners["listener_statuses"][0]["local_address"]["socket_address"];
    let port = address["port_value"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a listener");
    ([127, 0, 0, 1], port).into()
}
