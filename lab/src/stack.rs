//! httpbin and Envoy, running on after the command that started them.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use meshloom_lab::{Bootstrap, Envoy, Httpbin, Request, Running, is_running, root, started, stop_gracefully};
use serde_json::{Value, json};

/// How long Envoy may take to be ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where things listen, all on 127.0.0.1.
#[derive(Args, Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    /// The proxy's port
    #[arg(long, env = "PROXY_PORT", default_value_t = 10000)]
    proxy: u16,
    /// The port of Envoy's admin interface
    #[arg(long, env = "ADMIN_PORT", default_value_t = 9901)]
    admin: u16,
    /// httpbin's port
    #[arg(long, env = "UPSTREAM_PORT", default_value_t = 8000)]
    upstream: u16,
}

/// What `up` started. It is recorded in an ignored folder, process by process as they start, so that
/// `down` finds them even when `up` was broken off.
#[derive(Debug)]
pub(crate) struct Stack {
    ports: Ports,
    processes: Vec<Process>,
}

/// A process that cannot be taken for a later one of the same id.
#[derive(Debug)]
struct Process {
    id: u32,
    /// When it started, in the kernel's ticks since boot.
    started: u64,
}

impl Process {
    fn new(id: u32) -> Self {
        Self { id, started: started(id).unwrap_or_default() }
    }

    fn runs(&self) -> bool {
        is_running(self.id) && started(self.id) == Some(self.started)
    }
}

/// Where logs and the record of what runs are kept: `MESHLOOM_RUN`, or `.run/`.
fn folder() -> PathBuf {
    std::env::var_os("MESHLOOM_RUN").map_or_else(|| root().join(".run"), PathBuf::from)
}

impl Stack {
    /// Starts what is not running yet, and answers whether it had to.
    pub(crate) fn up(ports: Ports) -> Result<(Self, bool)> {
        if let Some(stack) = Self::recorded()? {
            if stack.ports == ports && stack.serves() {
                return Ok((stack, false));
            }
            eprintln!("ending what is left of an earlier `up`");
            stack.down()?;
        }
        ports.check()?;
        fs::create_dir_all(folder()).context("making the folder for logs")?;
        let mut stack = Self { ports, processes: Vec::new() };
        match stack.start() {
            Ok(()) => Ok((stack, true)),
            Err(error) => {
                stack.down()?;
                Err(error)
            }
        }
    }

    /// What an earlier `up` recorded.
    pub(crate) fn recorded() -> Result<Option<Self>> {
        let Ok(text) = fs::read_to_string(folder().join("state.json")) else { return Ok(None) };
        let state: Value = serde_json::from_str(&text).context("reading state.json")?;
        let port = |name: &str| u16::try_from(state["ports"][name].as_u64().unwrap_or_default());
        let ports = Ports { proxy: port("proxy")?, admin: port("admin")?, upstream: port("upstream")? };
        let process = |value: &Value| {
            Some(Process {
                id: u32::try_from(value["id"].as_u64()?).ok()?,
                started: value["started"].as_u64()?,
            })
        };
        let processes = state["processes"].as_array().into_iter().flatten().filter_map(process).collect();
        Ok(Some(Self { ports, processes }))
    }

    /// Ends the processes, the last first, and forgets them.
    pub(crate) fn down(self) -> Result<()> {
        for process in self.processes.iter().rev().filter(|process| process.runs()) {
            stop_gracefully(process.id);
        }
        let state = folder().join("state.json");
        if state.exists() {
            fs::remove_file(state).context("removing state.json")?;
        }
        Ok(())
    }

    /// Whether all of it runs, and Envoy says that it is ready.
    fn serves(&self) -> bool {
        self.processes.len() == 2 && self.processes.iter().all(Process::runs) && self.is_ready()
    }

    fn is_ready(&self) -> bool {
        let ready = Request::new(local(self.ports.admin), "GET", "/ready").try_send();
        ready.is_ok_and(|response| response.status == 200)
    }

    /// A request to the proxy.
    pub(crate) fn request(&self, method: &str, path: &str) -> Request {
        Request::new(local(self.ports.proxy), method, path)
    }

    /// What the admin interface answers.
    pub(crate) fn admin(&self, path: &str) -> String {
        Request::new(local(self.ports.admin), "GET", path).send().text()
    }

    pub(crate) fn proxy_port(&self) -> u16 {
        self.ports.proxy
    }

    pub(crate) fn admin_port(&self) -> u16 {
        self.ports.admin
    }

    pub(crate) fn upstream(&self) -> SocketAddr {
        local(self.ports.upstream)
    }

    /// Where everything is, and what to try.
    pub(crate) fn greeting(&self) -> String {
        let Ports { proxy, admin, upstream } = self.ports;
        let folder = folder();
        let folder = folder.strip_prefix(root()).unwrap_or(&folder).display();
        format!(
            "\
proxy     http://localhost:{proxy}
admin     http://localhost:{admin}
httpbin   http://localhost:{upstream}
logs      {folder}/envoy.log {folder}/httpbin.log

try:
  curl -i localhost:{proxy}/headers
  curl -i 'localhost:{proxy}/response-headers?SECRET=topsecret'
  curl -i localhost:{proxy}/get -H 'host: ads.example.com'

end it with: make down
"
        )
    }

    fn start(&mut self) -> Result<()> {
        eprintln!("starting httpbin");
        let log = folder().join("httpbin.log");
        let child = Httpbin::spawn(self.ports.upstream, &log).context("starting httpbin")?;
        self.record(Running::new(child))?;
        if let Err(log) = Httpbin::listening(&log) {
            bail!("httpbin did not start; it logged:\n{log}");
        }

        eprintln!("starting Envoy with every filter");
        let bootstrap = Bootstrap::all().ports(self.ports.proxy, self.ports.admin).upstream(self.upstream());
        let config = folder().join("bootstrap.json");
        fs::write(&config, bootstrap.to_json()).context("writing bootstrap.json")?;
        let log = folder().join("envoy.log");
        let child = Command::new(Envoy::binary())
            .arg("--config-path")
            .arg(&config)
            .args(["--disable-hot-restart", "--concurrency", "2", "--log-level", "info"])
            .current_dir(root())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).context("writing envoy.log")?)
            .process_group(0) // a Ctrl-C is for the command in front, not for what it leaves running
            .spawn()
            .context("starting Envoy")?;
        self.record(Running::new(child))?;
        self.wait_for_envoy(&log)
    }

    fn record(&mut self, running: Running) -> Result<()> {
        self.processes.push(Process::new(running.detach()));
        let processes: Vec<Value> = self
            .processes
            .iter()
            .map(|process| json!({ "id": process.id, "started": process.started }))
            .collect();
        let Ports { proxy, admin, upstream } = self.ports;
        let state = json!({ "ports": { "proxy": proxy, "admin": admin, "upstream": upstream }, "processes": processes });
        fs::write(folder().join("state.json"), state.to_string()).context("writing state.json")
    }

    fn wait_for_envoy(&self, log: &std::path::Path) -> Result<()> {
        let begun = Instant::now();
        loop {
            if self.is_ready() {
                return Ok(());
            }
            let runs = self.processes.last().is_some_and(Process::runs);
            if !runs || begun.elapsed() > PATIENCE {
                let text = fs::read_to_string(log).unwrap_or_default();
                let told: Vec<&str> = text
                    .lines()
                    .filter(|line| ["[error]", "[critical]"].iter().any(|l| line.contains(l)))
                    .collect();
                bail!(
                    "Envoy did not start; it logged (all of it is in .run/envoy.log):\n{}",
                    told.join("\n")
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Ports {
    /// Refuses ports that are taken, all at once.
    fn check(self) -> Result<()> {
        let taken: Vec<String> =
            [("PROXY_PORT", self.proxy), ("ADMIN_PORT", self.admin), ("UPSTREAM_PORT", self.upstream)]
                .into_iter()
                .filter(|(_, port)| TcpListener::bind(local(*port)).is_err())
                .map(|(name, port)| format!("port {port} is taken: set {name} to a free one"))
                .collect();
        if taken.is_empty() { Ok(()) } else { bail!("{}", taken.join("; ")) }
    }
}

fn local(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}
