//! A proxy with plugins in it, for a test to drive.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::abi::{Level, Status};
use crate::callout::answer::{Callout, GrpcCallout};
use crate::callout::{Callouts, Cluster, Reaction, What};
use crate::clock::Clock;
use crate::cost::Costs;
use crate::coverage::{Counts, Coverage};
use crate::exchange::{Connection, RequestBuilder};
use crate::fault::Faults;
use crate::finding::{Finding, Findings};
use crate::foreign::Functions;
use crate::log::{Log, LogLine, Role};
use crate::machine::{Machine, Settings};
use crate::message::{Request, Response};
use crate::plugin::Plugin;
use crate::profile::Profile;
use crate::property::Message;
use crate::property::given::{Given, given_methods};
use crate::queue::Queues;
use crate::random::Random;
use crate::raw::Raw;
use crate::shared_data::SharedData;
use crate::start::StartError;
use crate::stats::{Metric, Stats};
use crate::timer::Timers;
use crate::transcript::Transcript;
use crate::vm::Limits;
use crate::world::World;

/// Envoy's limit on a guest's memory.
const MEMORY: usize = 1 << 30;
/// Instructions of one callback: about a second's worth.
const FUEL: u64 = 2_000_000_000;
/// Envoy's default for `per_connection_buffer_limit_bytes`.
const BUFFER_LIMIT: usize = 1 << 20;
/// Events that a transcript keeps.
const EVENTS: usize = 10_000;

/// What a host is to be.
pub struct HostBuilder {
    world: World,
    settings: Settings,
    plugins: Vec<Plugin>,
}

impl HostBuilder {
    fn new(profile: Profile) -> Self {
        let world = World {
            profile,
            clock: Clock::default(),
            random: Random::seeded(0),
            shared: SharedData::default(),
            queues: Queues::default(),
            stats: Stats::default(),
            log: Log::default(),
            log_level: Level::Trace,
            transcript: Transcript::keeping(EVENTS),
            clusters: BTreeMap::new(),
            callouts: Callouts::default(),
            plugins: Vec::new(),
            http: Vec::new(),
            tcp: Vec::new(),
            timers: Timers::default(),
            posted: VecDeque::new(),
            faults: Faults::default(),
            coverage: Counts::default(),
            findings: Findings::default(),
            costs: Costs::default(),
            functions: Functions::default(),
            traps: Vec::new(),
            upstream: None,
            given: Given::default(),
            routes: Vec::new(),
            names: BTreeMap::new(),
        };
        let settings = Settings {
            workers: 1,
            full_start: true,
            strict_link: false,
            limits: Limits { memory: MEMORY, fuel: Some(FUEL) },
            buffer_limit: BUFFER_LIMIT,
            reload_backoff: 1_000_000_000,
        };
        Self { world, settings, plugins: Vec::new() }
    }

    /// Adds a plugin after those that are there: requests meet it later, responses earlier.
    #[must_use]
    pub fn plugin(mut self, plugin: Plugin) -> Self {
        self.plugins.push(plugin);
        self
    }

    /// A cluster that callouts can go to; the test answers them.
    #[must_use]
    pub fn cluster(self, name: impl Into<String>) -> Self {
        self.cluster_that(name, Cluster::Asked)
    }

    /// A cluster that answers each HTTP callout by itself, right after the callback that made it.
    #[must_use]
    pub fn cluster_answering(
        self,
        name: impl Into<String>,
        mut answer: impl FnMut(&Request) -> Response + Send + 'static,
    ) -> Self {
        self.cluster_reacting(name, move |request| Reaction::Respond(answer(request)))
    }

    /// A cluster of which each HTTP callout meets what `react` says.
    #[must_use]
    pub fn cluster_reacting(
        self,
        name: impl Into<String>,
        react: impl FnMut(&Request) -> Reaction + Send + 'static,
    ) -> Self {
        self.cluster_that(name, Cluster::Answers(Box::new(react)))
    }

    /// A cluster that no connection can be made to: the filter sees Envoy's own 503.
    #[must_use]
    pub fn cluster_refusing(self, name: impl Into<String>) -> Self {
        self.cluster_that(name, Cluster::Refuses)
    }

    /// A cluster without a healthy host: the hostcall itself answers `INTERNAL_FAILURE`.
    #[must_use]
    pub fn cluster_unhealthy(self, name: impl Into<String>) -> Self {
        self.cluster_that(name, Cluster::Unhealthy)
    }

    fn cluster_that(mut self, name: impl Into<String>, cluster: Cluster) -> Self {
        self.world.clusters.insert(name.into(), cluster);
        self
    }

    /// What the upstream answers each request that reaches it whole. Without it a test answers each by hand.
    #[must_use]
    pub fn upstream(mut self, answer: impl FnMut(&Request) -> Response + Send + 'static) -> Self {
        self.world.upstream = Some(Box::new(answer));
        self
    }

    given_methods!(world.given, "every stream");

    /// The proxy's own node: `xds.node`, which root contexts have too. By default it is `node-id` in the cluster
    /// `node-cluster`, without metadata.
    #[must_use]
    pub fn node(self, id: &str, cluster: &str, metadata: serde_json::Value) -> Self {
        self.property("xds.node", Message::node(id, cluster, metadata))
    }

    /// The name of the route that a path takes which begins so, and no route before takes. A filter that changes the
    /// path has the route chosen anew, once the request goes on.
    #[must_use]
    pub fn route_by_path(mut self, prefix: impl Into<String>, name: impl Into<String>) -> Self {
        self.world.routes.push((prefix.into(), name.into()));
        self
    }

    /// A kind of object that `set_envoy_filter_state` can make, by the name of its factory in Envoy. It takes any
    /// text. Those that Envoy itself registers for its core are there.
    #[must_use]
    pub fn filter_state_factory(mut self, name: impl Into<String>) -> Self {
        self.world.functions.factories.insert(name.into());
        self
    }

    /// What the resolver answers `envoy_resolve_dns` for a name: IP addresses. Other names are not resolved.
    #[must_use]
    pub fn resolves<A: Into<String>>(
        mut self,
        name: impl Into<String>,
        addresses: impl IntoIterator<Item = A>,
    ) -> Self {
        self.world.names.insert(name.into(), addresses.into_iter().map(Into::into).collect());
        self
    }

    /// A foreign function beside those that Envoy has, or in the place of one: `verify_signature` and `sign` are
    /// there only so.
    #[must_use]
    pub fn foreign_function(
        mut self,
        name: impl Into<String>,
        function: impl FnMut(&[u8]) -> Result<Vec<u8>, Status> + Send + 'static,
    ) -> Self {
        self.world.functions.by_name.insert(name.into(), Box::new(function));
        self
    }

    /// The level from which on lines are logged; by default all.
    #[must_use]
    pub fn log_level(mut self, level: Level) -> Self {
        self.world.log_level = level;
        self
    }

    /// The seed of everything random; 0 by default.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.world.random = Random::seeded(seed);
        self
    }

    /// The wall clock's start, since 1970; by default the beginning of 2026.
    #[must_use]
    pub fn starting_at(mut self, time: Duration) -> Self {
        self.world.clock = Clock::starting_at(time);
        self
    }

    /// How many worker threads there would be, each with VMs of its own; streams go to them in turn. 1 by default.
    #[must_use]
    pub fn workers(mut self, workers: usize) -> Self {
        self.settings.workers = workers.max(1);
        self
    }

    /// Starts the workers' VMs alone, without canary and main thread: faster, and each plugin is configured once.
    #[must_use]
    pub fn workers_only(mut self) -> Self {
        self.settings.full_start = false;
        self
    }

    /// Refuses a module that imports what this host does not provide, as Envoy does. By default such a function
    /// may be imported and traps when it is called.
    #[must_use]
    pub fn strict_link(mut self) -> Self {
        self.settings.strict_link = true;
        self
    }

    /// How many bytes of a body may be held back for a filter (`per_connection_buffer_limit_bytes`); 1 MiB by
    /// default.
    #[must_use]
    pub fn buffer_limit(mut self, bytes: usize) -> Self {
        self.settings.buffer_limit = bytes;
        self
    }

    /// How much linear memory a guest may have, in bytes; 1 GiB by default, as in Envoy.
    #[must_use]
    pub fn memory_limit(mut self, bytes: usize) -> Self {
        self.settings.limits.memory = bytes;
        self
    }

    /// How many instructions one callback may execute before it is stopped; two thousand millions by default. It may
    /// ask the host for as much again: each hostcall counts for a thousand, each byte that it moves for four.
    #[must_use]
    pub fn fuel_limit(mut self, instructions: u64) -> Self {
        self.settings.limits.fuel = Some(instructions);
        self
    }

    /// Counts no instructions and keeps no transcript: as fast as it gets, for benches. A loop without end then
    /// is one.
    #[must_use]
    pub fn unmetered(mut self) -> Self {
        self.settings.limits.fuel = None;
        self.without_transcript()
    }

    /// Keeps no transcript.
    #[must_use]
    pub fn without_transcript(mut self) -> Self {
        self.world.transcript = Transcript::keeping(0);
        self
    }

    /// The time between two attempts to make a failed VM anew under `FAIL_RELOAD`; a second by default.
    #[must_use]
    pub fn reload_backoff(mut self, backoff: Duration) -> Self {
        self.settings.reload_backoff = crate::clock::nanoseconds(backoff);
        self
    }

    /// Starts every plugin.
    ///
    /// # Errors
    ///
    /// Why one does not start: what Envoy would refuse the configuration for.
    pub fn try_start(mut self) -> Result<Host, StartError> {
        self.world.plugins = self.plugins.into_iter().map(|plugin| Arc::new(plugin.config)).collect();
        let machine = Machine::start(self.world, self.settings)?;
        Ok(Host { machine: Arc::new(Mutex::new(machine)) })
    }

    /// Starts every plugin.
    ///
    /// # Panics
    ///
    /// If one does not start, saying why.
    #[must_use]
    #[track_caller]
    #[expect(clippy::panic, reason = "a test that cannot start has failed")]
    pub fn start(self) -> Host {
        match self.try_start() {
            Ok(host) => host,
            Err(error) => panic!("{error}"),
        }
    }
}

/// A proxy in which plugins run. Clones are the same one.
#[derive(Clone)]
pub struct Host {
    machine: Arc<Mutex<Machine>>,
}

impl Host {
    /// A proxy like the newest supported Envoy.
    #[must_use]
    pub fn envoy() -> HostBuilder {
        Self::like(Profile::default())
    }

    /// A proxy like that one.
    #[must_use]
    pub fn like(profile: Profile) -> HostBuilder {
        HostBuilder::new(profile)
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Machine> {
        // A panic of a test's own closure leaves the machine as it was: the test has failed anyway.
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        machine.begin();
        machine
    }

    /// Begins a GET request.
    pub fn get(&self, path: impl AsRef<[u8]>) -> RequestBuilder {
        self.request("GET", path)
    }

    /// Begins a POST request.
    pub fn post(&self, path: impl AsRef<[u8]>) -> RequestBuilder {
        self.request("POST", path)
    }

    /// Begins a request. It has the headers that Envoy's connection manager would hand to a filter.
    pub fn request(&self, method: impl AsRef<[u8]>, path: impl AsRef<[u8]>) -> RequestBuilder {
        RequestBuilder::new(self.clone(), method.as_ref(), path.as_ref())
    }

    /// Opens a TCP connection; the plugins are network filters on it.
    #[must_use]
    pub fn connect(&self) -> Connection {
        Connection::open(self.clone())
    }

    /// Lets time pass: ticks tick and callouts time out, each at its moment.
    pub fn advance(&self, by: Duration) {
        self.lock().advance(by);
    }

    /// The oldest HTTP callout to that cluster which waits for an answer.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    #[track_caller]
    #[expect(clippy::panic, reason = "an expectation that is not met fails the test")]
    pub fn callout(&self, cluster: &str) -> Callout {
        let found = self.waiting(cluster, |what| matches!(what, What::Http(_)));
        match found.first() {
            Some(call) => Callout::new(self.clone(), *call),
            None => panic!("expected a callout to {cluster}, there is none\n{}", self.transcript()),
        }
    }

    /// The HTTP callouts to that cluster which wait for an answer, oldest first.
    #[must_use]
    pub fn callouts(&self, cluster: &str) -> Vec<Callout> {
        let found = self.waiting(cluster, |what| matches!(what, What::Http(_)));
        found.into_iter().map(|call| Callout::new(self.clone(), call)).collect()
    }

    /// Every HTTP callout that was made so far, answered or not, with the cluster that it went to.
    #[must_use]
    pub fn asked(&self) -> Vec<(String, Request)> {
        let mut machine = self.lock();
        let all = machine.world().callouts.all.iter();
        all.filter_map(|callout| match &callout.what {
            What::Http(request) => Some((callout.cluster.clone(), request.clone())),
            What::Grpc(_) => None,
        })
        .collect()
    }

    /// The oldest gRPC callout to that cluster which is open.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    #[track_caller]
    #[expect(clippy::panic, reason = "an expectation that is not met fails the test")]
    pub fn grpc_callout(&self, cluster: &str) -> GrpcCallout {
        let found = self.waiting(cluster, |what| matches!(what, What::Grpc(_)));
        match found.first() {
            Some(call) => GrpcCallout::new(self.clone(), *call),
            None => panic!("expected a gRPC callout to {cluster}, there is none\n{}", self.transcript()),
        }
    }

    /// The HTTP callouts to that cluster which wait for an answer and have not been given out by this before.
    #[must_use]
    pub fn new_callouts(&self, cluster: &str) -> Vec<Callout> {
        let found = self.unnoticed(cluster, |what| matches!(what, What::Http(_)));
        found.into_iter().map(|call| Callout::new(self.clone(), call)).collect()
    }

    /// The gRPC callouts to that cluster which are open and have not been given out by this before.
    #[must_use]
    pub fn new_grpc_callouts(&self, cluster: &str) -> Vec<GrpcCallout> {
        let found = self.unnoticed(cluster, |what| matches!(what, What::Grpc(_)));
        found.into_iter().map(|call| GrpcCallout::new(self.clone(), call)).collect()
    }

    fn unnoticed(&self, cluster: &str, kind: impl Fn(&What) -> bool) -> Vec<usize> {
        let found = self.waiting(cluster, kind);
        let mut machine = self.lock();
        let all = &mut machine.world().callouts.all;
        found
            .into_iter()
            .filter(|call| all.get_mut(*call).is_some_and(|call| !std::mem::replace(&mut call.noticed, true)))
            .collect()
    }

    /// The gRPC callouts to that cluster which are open, oldest first.
    #[must_use]
    pub fn grpc_callouts(&self, cluster: &str) -> Vec<GrpcCallout> {
        let found = self.waiting(cluster, |what| matches!(what, What::Grpc(_)));
        found.into_iter().map(|call| GrpcCallout::new(self.clone(), call)).collect()
    }

    fn waiting(&self, cluster: &str, kind: impl Fn(&What) -> bool) -> Vec<usize> {
        let mut machine = self.lock();
        let all = machine.world().callouts.all.iter().enumerate();
        all.filter(|(_, callout)| !callout.over && callout.cluster == cluster && kind(&callout.what))
            .map(|(call, _)| call)
            .collect()
    }

    /// What the serving plugins logged at that level.
    #[must_use]
    pub fn logs(&self, level: Level) -> Vec<String> {
        let serving = self.log_lines().into_iter().filter(|line| matches!(line.role, Role::Worker(_)));
        serving.filter(|line| line.level == level).map(|line| line.message).collect()
    }

    /// Every line of every VM, canary and main thread among them.
    #[must_use]
    pub fn log_lines(&self) -> Vec<LogLine> {
        self.lock().world().log.lines().to_vec()
    }

    /// A metric by the name it was defined with, if it was.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<Metric> {
        self.lock().world().stats.get(name).next().cloned()
    }

    /// Every metric with its name; metrics of different kinds may have the same.
    #[must_use]
    pub fn metrics(&self) -> Vec<(String, Metric)> {
        let mut machine = self.lock();
        machine.world().stats.all().iter().map(|stat| (stat.name.clone(), stat.metric.clone())).collect()
    }

    /// A counter's value; 0 if there is none of that name.
    #[must_use]
    pub fn counter(&self, name: &str) -> u64 {
        let mut machine = self.lock();
        let mut metrics = machine.world().stats.get(name);
        metrics
            .find_map(|metric| if let Metric::Counter(value) = metric { Some(*value) } else { None })
            .unwrap_or(0)
    }

    /// A gauge's value; 0 if there is none of that name.
    #[must_use]
    pub fn gauge(&self, name: &str) -> u64 {
        let mut machine = self.lock();
        let mut metrics = machine.world().stats.get(name);
        metrics
            .find_map(|metric| if let Metric::Gauge(value) = metric { Some(*value) } else { None })
            .unwrap_or(0)
    }

    /// What a histogram has recorded, in order; nothing if there is none of that name.
    #[must_use]
    pub fn histogram(&self, name: &str) -> Vec<u64> {
        let mut machine = self.lock();
        let mut metrics = machine.world().stats.get(name);
        metrics
            .find_map(
                |metric| if let Metric::Histogram(values) = metric { Some(values.clone()) } else { None },
            )
            .unwrap_or_default()
    }

    /// The shared data of a `vm_id` under a key.
    #[must_use]
    pub fn shared_data(&self, vm_id: &str, key: impl AsRef<[u8]>) -> Option<Vec<u8>> {
        self.lock().world().shared.get(vm_id, key.as_ref()).map(|(value, _)| value.to_vec())
    }

    /// Writes shared data as another VM of that `vm_id` would.
    ///
    /// # Errors
    ///
    /// `CAS_MISMATCH`
    pub fn set_shared_data(&self, vm_id: &str, key: &[u8], value: &[u8], cas: u32) -> Result<(), Status> {
        self.lock().world().shared.set(vm_id, key, value, cas)
    }

    /// Lets the hostcall of that name, such as `proxy_get_property`, answer a status instead of being done, from now
    /// on for so many calls.
    pub fn fail(&self, hostcall: &str, status: Status, times: u64) {
        self.fail_after(hostcall, 0, status, times);
    }

    /// The same, after so many calls that are done.
    pub fn fail_after(&self, hostcall: &str, calls: u64, status: Status, times: u64) {
        self.lock().world().faults.fail(hostcall, calls, times, status);
    }

    /// Lets the guest's `malloc` answer 0 after so many calls.
    pub fn fail_malloc_after(&self, calls: u64) {
        self.lock().world().faults.fail_malloc_after(calls);
    }

    /// Takes every injected fault away.
    pub fn heal(&self) {
        self.lock().world().faults.heal();
    }

    /// How VMs have failed so far.
    #[must_use]
    pub fn traps(&self) -> Vec<String> {
        self.lock().world().traps.clone()
    }

    /// Things that worked and should not be done.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut machine = self.lock();
        machine.survey();
        machine.world().findings.all().cloned().collect()
    }

    /// # Panics
    ///
    /// If there are findings, naming them.
    #[track_caller]
    #[expect(clippy::panic, reason = "an expectation that is not met fails the test")]
    pub fn assert_no_findings(&self) {
        let findings = self.findings();
        if !findings.is_empty() {
            let list: Vec<String> = findings.iter().map(|finding| format!("\n  {finding}")).collect();
            panic!("expected no findings:{}", list.concat());
        }
    }

    /// How many contexts of streams and connections the guests know of, and how many callouts are open.
    #[must_use]
    pub fn open(&self) -> usize {
        let mut machine = self.lock();
        machine.open_contexts() + machine.world().callouts.waiting()
    }

    /// # Panics
    ///
    /// If a stream's context or a callout is still open.
    #[track_caller]
    #[expect(clippy::panic, reason = "an expectation that is not met fails the test")]
    pub fn assert_nothing_leaked(&self) {
        let (contexts, callouts) = {
            let mut machine = self.lock();
            (machine.open_contexts(), machine.world().callouts.waiting())
        };
        if contexts + callouts > 0 {
            panic!(
                "expected nothing to be left, there are {contexts} contexts and {callouts} callouts\n{}",
                self.transcript()
            );
        }
    }

    /// The linear memory of the serving VMs together, in bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.lock().memory_bytes()
    }

    /// What all callbacks have cost so far, those of every VM together.
    #[must_use]
    pub fn costs(&self) -> Costs {
        self.lock().world().costs.clone()
    }

    /// Which callbacks ran and what hostcalls answered.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        self.lock().world().coverage.coverage()
    }

    /// What went back and forth, in order; the same from run to run.
    #[must_use]
    pub fn transcript(&self) -> String {
        self.lock().world().transcript.text(None)
    }

    /// Ends the plugins as a proxy that shuts down does: `on_done`, and `on_delete` unless they wait.
    pub fn shut_down(&self) {
        self.lock().shut_down();
    }

    /// Gives the plugin of that name another configuration, as an update of the listener would: new root contexts
    /// (and VMs, if it is the VM's that changes) serve new streams, streams in flight end where they are.
    ///
    /// # Errors
    ///
    /// Why the new configuration is refused; the old one then stays.
    pub fn reconfigure(&self, plugin: &str, configuration: impl Into<Vec<u8>>) -> Result<(), StartError> {
        self.lock().reconfigure(plugin, configuration.into())
    }

    /// The way past all this: single callbacks with exact results.
    #[must_use]
    pub fn raw(&self) -> Raw {
        Raw::new(self.clone())
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host").finish_non_exhaustive()
    }
}
