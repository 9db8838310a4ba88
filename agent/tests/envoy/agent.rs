//! The agent itself, as a process.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use meshloom_lab::{Request, Running};

pub(crate) struct Agent {
    program: PathBuf,
    process: Option<Running>,
    arguments: Vec<String>,
    folder: PathBuf,
}

impl Agent {
    /// Starts it in that folder, where its socket, its store and its log are; `more` are further arguments.
    pub(crate) fn start(
        program: PathBuf,
        folder: &Path,
        control_plane: std::net::SocketAddr,
        more: &[&str],
    ) -> Self {
        let arguments = [
            "run".to_owned(),
            format!("--discovery-address=http://{control_plane}"),
            format!("--xds-listen=unix:{}", folder.join("XDS").display()),
            format!("--cache-dir={}", folder.join("modules").display()),
            "--admin-address=127.0.0.1:0".to_owned(),
            "--log-format=json".to_owned(),
        ];
        let arguments = arguments.into_iter().chain(more.iter().map(|&it| it.to_owned())).collect();
        let mut agent = Self { program, process: None, arguments, folder: folder.to_owned() };
        agent.spawn();
        agent
    }

    /// The one that was built with the tests; AGENT_BIN names another to be tried.
    pub(crate) fn built() -> PathBuf {
        let built = || env!("CARGO_BIN_EXE_meshloom-agent").into();
        std::env::var_os("AGENT_BIN").unwrap_or_else(built).into()
    }

    fn spawn(&mut self) {
        let log = std::fs::File::create(self.log_path()).unwrap();
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .current_dir(&self.folder)
            .env_remove("HTTP_PROXY")
            .env_remove("http_proxy")
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(Running::new(child));
        self.wait_for_log("status page");
    }

    /// Ends it at once, and leaves everything as it is.
    pub(crate) fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        let status = Command::new("kill").args(["-9", &process.id().to_string()]).status().unwrap();
        assert!(status.success());
        while process.ended().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn restart(&mut self) {
        assert!(self.process.is_none(), "kill it first");
        self.spawn();
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("agent.log")
    }

    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) {
        let begun = Instant::now();
        while !self.log().contains(text) {
            assert!(begun.elapsed() < Duration::from_secs(20), "{text:?} is not in the log:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// What its admin server answers.
    pub(crate) fn admin(&self, path: &str) -> String {
        let log = self.log();
        let address = log.split("http://").skip(1).find_map(|rest| {
            let address = rest.split('/').next()?;
            rest.contains('/')
                .then(|| address.parse().ok())
                .flatten()
                .filter(|it: &std::net::SocketAddr| log.contains(&format!("status page: http://{it}/")))
        });
        Request::new(address.expect("the address of the status page"), "GET", path).send().text()
    }

    /// A metric's value as Prometheus sees it; 0 if there is no such series.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let text = self.admin("/metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.parse().unwrap())
    }

    /// Resident memory, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most resident memory that it has had, in KiB.
    pub(crate) fn most_resident_kib(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> u64 {
        let id = self.process.as_ref().unwrap().id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}
