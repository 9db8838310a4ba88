//! The machine and the modules, for whoever reads the results later.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::Command;

use anyhow::Context as _;
use meshloom_lab::{Envoy, root};
use sha2::{Digest as _, Sha256};

use crate::latency::Waiting;
use crate::load::CONNECTIONS;
use crate::rounds::STARTS;
use crate::suite::Suite;

/// The facts of a run that do not depend on what is measured.
pub struct Setup {
    cores: usize,
    rounds: u32,
}

impl Setup {
    /// To be asked before the process confines itself to one CPU.
    pub fn of_this_machine(rounds: u32) -> Self {
        Self { cores: std::thread::available_parallelism().map_or(1, Into::into), rounds }
    }

    /// The name of the folder for results of today: with `host` or what the machine is, never what it is called.
    pub fn folder_name(&self, host: Option<&str>) -> String {
        let host =
            host.map_or_else(|| format!("{}core-{}", self.cores, std::env::consts::ARCH), str::to_owned);
        format!("{}-{host}", said_by("date", &["-u", "+%F"]))
    }

    /// What the results were measured on and how.
    ///
    /// # Errors
    ///
    /// When a module cannot be read.
    pub fn describe(&self, suites: &[Suite], waits: &[Waiting]) -> anyhow::Result<String> {
        let envoy = Envoy::binary();
        let rounds = self.rounds;
        let mut text = String::from("# Setup\n\n");
        let facts = [
            ("CPU", cpu_model()),
            ("cores", format!("{} ({})", self.cores, std::env::consts::ARCH)),
            ("kernel", kernel()),
            ("Envoy", said_by(&envoy.to_string_lossy(), &["--version"])),
            ("rustc", said_by("rustc", &["--version"])),
            ("revision", said_by("git", &["describe", "--always", "--dirty"])),
            ("rounds", format!("{rounds}, over {STARTS} starts of all Envoys")),
            (
                "connections",
                format!("{CONNECTIONS} to each Envoy, kept alive, one request under way on each"),
            ),
        ];
        text.push_str("| | |\n|---|---|\n");
        for (name, value) in facts {
            let _ = writeln!(text, "| {name} | {value} |"); // a String takes everything
        }
        for suite in suites {
            let _ = writeln!(
                text,
                "| {} | {} requests a round to each, in {} rounds: {} |",
                suite.name,
                suite.requests,
                rounds.div_ceil(suite.one_in),
                suite.asks
            );
        }
        for suite in waits.iter().map(|waiting| &waiting.suite) {
            let _ =
                writeln!(text, "| {} | {} requests to each: {} |", suite.name, suite.requests, suite.asks);
        }
        text.push_str(METHOD);
        text.push_str("\n## Modules\n\n| module | bytes | sha256 |\n|---|---:|---|\n");
        for (name, bytes) in modules(suites)? {
            let _ = writeln!(text, "| {name} | {} | `{}` |", bytes.len(), hex(&Sha256::digest(&bytes)));
        }
        Ok(text)
    }
}

const METHOD: &str = "
## Method

Every variant has an Envoy of its own with one worker, and all run at once, with the client, on one CPU. Each
round visits every variant, in a new order, with the same number of requests after a tenth of them unmeasured. A
cost is the CPU time (user and system) that the whole Envoy process used over the requests it served; the client
and the upstream are another process and do not count. The tables show the median over the rounds and, as ±, the
median absolute deviation. What a filter adds is the median over the rounds of its difference to no filter in the
same round. All Envoys are started anew several times, since a process is faster or slower for all its life by
where its code and memory happen to be.

Before the measurement requests went through each variant in an Envoy that traces Wasm: they were answered with
200, the filter ran, its calls were counted, and what `bench.yaml` says of the case was seen. In the measurement
every answer was a 200 with its whole body.

What clients wait is measured with one request at a time to each variant, by turns, on all CPUs. Lists are read by
Wasmtime, and a lookup is what a request takes more than with a list of one name in the same round.
";

/// The modules by file name.
fn modules(suites: &[Suite]) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let variants = suites.iter().flat_map(|suite| &suite.variants);
    let mut modules = BTreeMap::new();
    for path in variants.flat_map(|variant| variant.modules()) {
        let bytes = std::fs::read(root().join(&path)).with_context(|| format!("{}", path.display()))?;
        modules.insert(path.file_name().unwrap_or_default().to_string_lossy().into_owned(), bytes);
    }
    Ok(modules)
}

/// The kernel's version, without what its builder calls it.
fn kernel() -> String {
    let release = said_by("uname", &["-r"]);
    format!("Linux {}", release.split('-').next().unwrap_or_default())
}

fn cpu_model() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, model)| model.to_owned())
}

/// The line that a command prints; "unknown" without it.
fn said_by(command: &str, arguments: &[&str]) -> String {
    let output = Command::new(command).args(arguments).current_dir(root()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    // Envoy prints its own path before its version.
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("unknown");
    line.rsplit_once("version: ").map_or(line, |(_, version)| version).to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
