//! Runs a scenario in a real Envoy: one process, one worker.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use meshloom_lab::{Envoy, Request as Plain, is_running};
use tokio::runtime::Runtime;

use crate::bootstrap::bootstrap;
use crate::client::Client;
use crate::observation::Observation;
use crate::pace::Pace;
use crate::scenario::{Cluster, Kind, Request, Scenario, Step, Until};
use crate::server::Server;

/// How long a line may take to be logged.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long nothing may happen before a scenario is over.
const OVER: Duration = Duration::from_millis(60);
/// Envoy merges histograms when it flushes statistics, here each 100 ms.
const FLUSHES: Duration = Duration::from_millis(300);

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a tokio runtime")
});

/// What a real Envoy does in a scenario. A machine with much else to do needs more `slowness` than 1 to tell that
/// nothing more is coming.
///
/// # Panics
///
/// When Envoy does not start though the scenario expects it to, or the other way round.
pub fn observe(scenario: &Scenario, slowness: u32) -> Observation {
    let pace = Pace::new(slowness);
    let servers = RUNTIME.block_on(Servers::start(scenario, &pace));
    let bootstrap = bootstrap(scenario, servers.upstream.address, &servers.addresses);
    let envoy = match Envoy::with(bootstrap).try_start() {
        Ok(_) if !scenario.starts => panic!("Envoy started, though it should not have"),
        Ok(envoy) => envoy,
        Err(refused) if scenario.starts => panic!("Envoy did not start:\n{}", complaints(&refused.log)),
        Err(refused) => {
            return Observation { main_log: Log::of(scenario, &refused.log).main, ..Observation::default() };
        }
    };
    pace.watch(envoy.log_path());
    let mut run = Run { envoy: &envoy, pace: pace.clone(), streams: BTreeMap::new() };
    RUNTIME.block_on(run.steps(&scenario.steps));
    let downstream = run.streams.iter().map(|(name, stream)| (name.clone(), stream.seen())).collect();
    let (upstream, callouts) = (servers.upstream.seen(), servers.seen());
    let metrics = if scenario.crashes { Vec::new() } else { metrics(&envoy, &scenario.metrics) };
    let before = envoy.log();
    let after = end(&envoy);
    let crashed = after.contains("[critical][backtrace]");
    assert!(crashed || !scenario.crashes, "Envoy did not crash, though it should have");
    assert!(!crashed || scenario.crashes, "Envoy crashed:\n{}", complaints(&after));
    let log = Log::of(scenario, &before);
    if crashed {
        // What the others saw of it is a race.
        return Observation { log: log.worker, main_log: log.main, ..Observation::default() };
    }
    let whole = Log::of(scenario, &after);
    let shutdown = whole.worker.get(log.worker.len()..).unwrap_or_default().to_vec();
    Observation { log: log.worker, main_log: whole.main, shutdown, upstream, downstream, callouts, metrics }
}

/// The first lines of the log that say what is wrong: after a crash there are many.
fn complaints(log: &str) -> String {
    let usual = |line: &&str| ["[info]", "[warning]", "[backtrace]"].iter().any(|level| line.contains(level));
    log.lines().filter(|line| !usual(line)).take(8).collect::<Vec<_>>().join("\n")
}

/// Everyone that Envoy talks to.
struct Servers {
    upstream: Server,
    clusters: BTreeMap<String, Server>,
    addresses: BTreeMap<String, Option<SocketAddr>>,
}

impl Servers {
    async fn start(scenario: &Scenario, pace: &Pace) -> Self {
        let upstream = Server::start(scenario.kind, scenario.upstream.clone(), pace.clone()).await;
        let (mut clusters, mut addresses) = (BTreeMap::new(), BTreeMap::new());
        for (name, cluster) in &scenario.clusters {
            let address = match cluster {
                Cluster::Answers(answers) => {
                    let server = Server::start(Kind::Http, answers.clone(), pace.clone()).await;
                    let address = server.address;
                    clusters.insert(name.clone(), server);
                    Some(address)
                }
                // Reserved, and nobody listens there.
                Cluster::Refuses => Some(([127, 0, 0, 1], 1).into()),
                Cluster::Empty => None,
            };
            addresses.insert(name.clone(), address);
        }
        Self { upstream, clusters, addresses }
    }

    fn seen(&self) -> BTreeMap<String, Vec<crate::observation::Message>> {
        self.clusters.iter().map(|(name, server)| (name.clone(), server.seen())).collect()
    }
}

/// A scenario that is being run.
struct Run<'a> {
    envoy: &'a Envoy,
    pace: Pace,
    streams: BTreeMap<String, Client>,
}

impl Run<'_> {
    async fn steps(&mut self, steps: &[Step]) {
        self.pace.quiet(OVER).await;
        for step in steps {
            self.step(step).await;
        }
        self.pace.quiet(OVER).await;
    }

    async fn step(&mut self, step: &Step) {
        let mark = self.pace.mark();
        match step {
            Step::Request(request) => {
                self.open(request, true).await;
                self.stream(&request.name).finish().await;
            }
            Step::Open(request) => self.open(request, request.end).await,
            Step::Data(data) => self.stream(&data.name).data(data.bytes.bytes(), data.end).await,
            Step::Trailers(trailers) => self.stream(&trailers.name).trailers(&trailers.lines).await,
            Step::Finish(name) => self.stream(name).finish().await,
            Step::Reset(name) => self.stream(name).reset(),
            Step::Disconnect(name) => self.stream(name).disconnect(),
            Step::Connect(name) => {
                let client = Client::connect(self.envoy.proxy(), self.pace.clone()).await;
                assert!(self.streams.insert(name.clone(), client).is_none(), "two connections {name}");
            }
            Step::Wait(milliseconds) => self.pace.pass(*milliseconds).await,
            Step::Until(until) => self.until(until).await,
        }
        self.pace.settle(mark).await;
    }

    fn stream(&mut self, name: &str) -> &mut Client {
        self.streams.get_mut(name).unwrap_or_else(|| panic!("no stream {name} was opened"))
    }

    /// Sends all of a request that is there, and its end if that is wanted.
    async fn open(&mut self, request: &Request, end: bool) {
        let (last_part, trailers) = (request.body.len(), !request.trailers.is_empty());
        let ends = |part: usize| end && !trailers && part == last_part;
        let mut mark = self.pace.mark();
        let stream = Client::open(self.envoy.proxy(), request, ends(0), self.pace.clone()).await;
        assert!(self.streams.insert(request.name.clone(), stream).is_none(), "two requests {}", request.name);
        for (index, part) in request.body.iter().enumerate() {
            self.pace.settle(mark).await;
            mark = self.pace.mark();
            self.stream(&request.name).data(part.bytes(), ends(index + 1)).await;
        }
        if trailers {
            self.pace.settle(mark).await;
            self.stream(&request.name).trailers(&request.trailers).await;
        }
    }

    async fn until(&self, until: &Until) {
        let begun = Instant::now();
        while self.envoy.log().lines().filter(|line| line.contains(&until.line)).count() < until.times {
            assert!(begun.elapsed() < PATIENCE, "{:?} is not in the log:\n{}", until.line, self.envoy.log());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// The plugins' lines of Envoy's log, by thread.
#[derive(Default)]
struct Log {
    main: Vec<String>,
    worker: Vec<String>,
}

impl Log {
    /// Envoy's lines are `[time][thread][level][wasm] [file:line] wasm log NAME ROOT_ID VM_ID: MESSAGE`.
    fn of(scenario: &Scenario, text: &str) -> Self {
        let mut log = Self::default();
        let mut main = None;
        for line in text.lines() {
            let fields: Vec<&str> = line.splitn(5, ['[', ']']).collect();
            let [_, _, _, thread, rest] = fields[..] else { continue };
            // The first line of all is the main thread's.
            let main = *main.get_or_insert(thread);
            let Some((before, logged)) = rest.split_once(" wasm log") else { continue };
            let Some((origin, message)) = logged.split_once(": ") else { continue };
            let level = before.split(['[', ']']).nth(1).unwrap_or_default();
            let mut shown = String::new();
            if scenario.plugins.len() > 1 {
                shown = format!("[{}] ", plugin(scenario, origin));
            }
            if level != "info" {
                shown.push_str(&format!("({level}) "));
            }
            shown.push_str(&stable(message));
            if thread == main { log.main.push(shown) } else { log.worker.push(shown) }
        }
        log
    }
}

/// Whose line it is: a stream's has the plugin's name, root id and VM id, a root's the last two, a VM's the last.
fn plugin<'a>(scenario: &'a Scenario, origin: &str) -> &'a str {
    let first = origin.split_whitespace().next().unwrap_or_default();
    let named = scenario.plugins.iter().find(|plugin| plugin.name == first);
    let named = named.or_else(|| scenario.plugins.iter().find(|plugin| plugin.root_id == first));
    named.map_or("-", |plugin| &plugin.name)
}

/// Takes what is another each time out of lists of headers.
pub(crate) fn stable(message: &str) -> String {
    let mut stable = message.to_owned();
    for (name, value) in [("x-envoy-upstream-service-time", "0"), ("date", "now")] {
        let name = format!("\"{name}\": \"");
        if let Some((before, after)) = stable.split_once(&name) {
            let rest = after.find('"').map_or("", |end| &after[end..]);
            stable = format!("{before}{name}{value}{rest}");
        }
    }
    stable
}

/// The metrics whose names begin so. Of histograms only the count: a sum is made of buckets, and not exact.
fn metrics(envoy: &Envoy, beginnings: &[String]) -> Vec<String> {
    if beginnings.is_empty() {
        return Vec::new();
    }
    std::thread::sleep(FLUSHES);
    let text = envoy.prometheus();
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| beginnings.iter().any(|beginning| line.starts_with(beginning.as_str())))
        .filter(|line| !line.contains("_bucket{") && !line.contains("_sum{"))
        .map(|line| line.replace("{}", ""))
        .collect();
    lines.sort();
    lines
}

/// Ends Envoy as it is ended by itself, and answers its whole log.
fn end(envoy: &Envoy) -> String {
    let id = envoy.process_id();
    let _ = Plain::new(envoy.admin(), "POST", "/quitquitquit").try_send(); // it may be gone before it has answered
    let begun = Instant::now();
    while is_running(id) {
        assert!(begun.elapsed() < PATIENCE, "Envoy does not end:\n{}", complaints(&envoy.log()));
        std::thread::sleep(Duration::from_millis(5));
    }
    envoy.log()
}
