//! A proxy on which a test is played: requests go in, the upstream and the clusters answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use proxy_wasm_harness::{
    Chunks, Cost, Finding, HeaderMap, Host, HostBuilder, Profile, Reaction, StartError, Stream,
};

use super::Failure;
use crate::scenario::cluster::Cluster;
use crate::scenario::message::{Cut, Headers, More, Reply, Request, Upstream};
use crate::scenario::step::{Action, Step};
use crate::scenario::{Scenario, Test};
use crate::yaml::At;

/// How much of a proxy is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// As Envoy starts: with canary and main thread.
    Full,
    /// Workers alone, to be quick.
    Workers,
    /// The same, and nothing is counted or noted.
    Unmetered,
}

/// A proxy with the streams of a test.
pub(crate) struct Stage<'a> {
    scenario: &'a Scenario,
    pub(crate) host: Host,
    streams: Vec<Running>,
    /// How the body at that place is cut, if it is to be cut in any way.
    forced: Option<(At, Chunks)>,
    /// Callouts that no rule fits.
    unmatched: Arc<Mutex<Vec<String>>>,
}

struct Running {
    name: Option<String>,
    stream: Stream,
    http2: bool,
    /// What the upstream will do once it has the request.
    upstream: Option<Upstream>,
}

/// What is left when a test is over.
pub(crate) struct Ended {
    pub(crate) transcript: String,
    pub(crate) traps: Vec<String>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) unmatched: Vec<String>,
}

impl<'a> Stage<'a> {
    /// # Errors
    ///
    /// Why a plugin does not start.
    pub(crate) fn start(
        scenario: &'a Scenario,
        test: &Test,
        profile: Profile,
        mode: Mode,
        forced: Option<(At, Chunks)>,
    ) -> Result<Self, StartError> {
        let unmatched = Arc::<Mutex<Vec<String>>>::default();
        let mut builder = proxy(scenario, Host::like(profile));
        // A function that Envoy does not have keeps a module from loading.
        if profile != Profile::Spec {
            builder = builder.strict_link();
        }
        builder = match mode {
            Mode::Full => builder,
            Mode::Workers => builder.workers_only(),
            Mode::Unmetered => builder.workers_only().unmetered(),
        };
        for plugin in &scenario.plugins {
            let mut plugin = plugin.plugin.clone();
            if let Some(configuration) = &test.configuration {
                plugin = plugin.configuration(configuration.0.clone());
            }
            builder = builder.plugin(plugin);
        }
        let mut clusters = scenario.clusters.clone();
        clusters.extend(test.clusters.clone());
        for (name, cluster) in clusters {
            builder = add_cluster(builder, name, cluster, &unmatched);
        }
        for (path, value) in scenario.properties.iter().chain(&test.properties) {
            builder = builder.property(path, value.clone());
        }
        let host = builder.try_start()?;
        Ok(Self { scenario, host, streams: Vec::new(), forced, unmatched })
    }

    /// The stream that a step is about.
    pub(crate) fn stream(&self, step: &Step) -> Option<&Stream> {
        self.running(step).map(|running| &running.stream)
    }

    fn running(&self, step: &Step) -> Option<&Running> {
        match &step.stream {
            Some(name) => self.streams.iter().rev().find(|running| running.name.as_ref() == Some(name)),
            None => self.streams.last(),
        }
    }

    fn needed(&self, step: &Step) -> Result<&Running, Failure> {
        self.running(step).ok_or_else(|| {
            let named = step.stream.as_ref().map_or(String::new(), |name| format!(" {name:?}"));
            Failure::new(
                step.at,
                "the step",
                format!("a stream{named}"),
                "no request was sent under that name",
            )
        })
    }

    /// Lets something happen, and whatever follows from it.
    ///
    /// # Errors
    ///
    /// What is missing for it.
    pub(crate) fn perform(&mut self, step: &Step, action: &Action) -> Result<(), Failure> {
        match action {
            Action::Request(request, upstream) => {
                let running = Running {
                    name: step.stream.clone(),
                    stream: self.send(request),
                    http2: request.http2,
                    upstream: Some(upstream.as_ref().unwrap_or(&self.scenario.upstream).clone()),
                };
                self.streams.push(running);
            }
            Action::Response(upstream) => self.respond(&self.needed(step)?.stream, upstream),
            Action::Send(more) => {
                let Running { stream, http2, .. } = self.needed(step)?;
                self.more(more, *http2, |piece, end| {
                    stream.data(piece, end);
                });
                if !more.trailers.is_empty() {
                    stream.trailers(map(&more.trailers));
                }
            }
            Action::Reply(more) => {
                let stream = &self.needed(step)?.stream;
                self.more(more, true, |piece, end| {
                    stream.respond_data(piece, end);
                });
                if !more.trailers.is_empty() {
                    stream.respond_trailers(map(&more.trailers));
                }
            }
            Action::Disconnect => {
                self.needed(step)?.stream.disconnect();
            }
            Action::Advance(by) => self.host.advance(*by),
            Action::Callout { cluster, reaction } => {
                let Some(callout) = self.host.callouts(cluster).into_iter().next() else {
                    let expected = format!("a callout to {cluster} that waits for an answer");
                    return Err(Failure::new(step.at, "callout", expected, "none waits"));
                };
                match reaction {
                    Reaction::Respond(response) | Reaction::RespondAfter(_, response) => {
                        callout.respond_with(response.clone());
                    }
                    Reaction::Refuse => callout.refuse(),
                    Reaction::Reset => callout.reset(),
                    Reaction::Silence => callout.time_out(),
                }
            }
            Action::Fail { hostcall, status, after, times } => {
                self.host.fail_after(hostcall, *after, *status, *times);
            }
            Action::Reconfigure(configuration) => {
                let name = self.scenario.plugins.first().map_or("", |plugin| plugin.name.as_str());
                if let Err(error) = self.host.reconfigure(name, configuration.0.clone()) {
                    let expected = "that the plugin takes it";
                    return Err(Failure::new(step.at, "reconfigure", expected, error.to_string()));
                }
            }
        }
        self.settle();
        Ok(())
    }

    /// The upstream answers every request that has reached it.
    fn settle(&mut self) {
        let mut again = true;
        while std::mem::take(&mut again) {
            for index in 0..self.streams.len() {
                let Some(running) = self.streams.get_mut(index) else { continue };
                if running.upstream.is_some() && running.stream.is_forwarded() && !running.stream.is_over() {
                    let upstream = running.upstream.take();
                    if let (Some(upstream), Some(running)) = (upstream, self.streams.get(index)) {
                        self.respond(&running.stream, &upstream);
                        again = true;
                    }
                }
            }
        }
    }

    fn plan(&self, cut: &Cut) -> Chunks {
        match (cut, &self.forced) {
            (Cut::Plan(plan), _) => plan.clone(),
            (Cut::Any(at), Some((place, plan))) if at == place => plan.clone(),
            (Cut::Any(_), _) => Chunks::Whole,
        }
    }

    fn send(&self, request: &Request) -> Stream {
        let mut builder = self.host.request(&request.method, &request.path);
        if let Some(authority) = &request.authority {
            builder = builder.authority(authority);
        }
        let plan = self.plan(&request.cut);
        let length_given =
            request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
        let body = request.body.clone().map(Bytes::from);
        // While more is to come, the length is not known; otherwise it may be the author's to say.
        match body.clone().filter(|_| request.end) {
            Some(body) if length_given => builder = builder.pieces(plan.cut(&body)),
            Some(body) => builder = builder.body(body).cut(plan.clone()),
            None => {}
        }
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        for (name, value) in &request.trailers {
            builder = builder.trailer(name, value);
        }
        for (path, value) in &request.properties {
            builder = builder.property(path, value.clone());
        }
        if request.http2 {
            builder = builder.http2();
        }
        if request.end {
            return builder.send();
        }
        let stream = builder.open();
        for piece in body.iter().flat_map(|body| plan.cut(body)) {
            if !piece.is_empty() {
                stream.data(piece, false);
            }
        }
        stream
    }

    fn respond(&self, stream: &Stream, upstream: &Upstream) {
        match upstream {
            Upstream::Nothing => {}
            Upstream::Reset => {
                stream.upstream_resets();
            }
            Upstream::Reply(Reply { response, cut, end: true }) => {
                stream.respond_cut(response, &self.plan(cut));
            }
            Upstream::Reply(Reply { response, cut, end: false }) => {
                stream.respond_headers(response, false);
                for piece in self.plan(cut).cut(&response.body) {
                    if !piece.is_empty() {
                        stream.respond_data(piece, false);
                    }
                }
            }
        }
    }

    /// Sends pieces; the end in the last one, or in a piece of its own.
    fn more(&self, more: &More, together: bool, send: impl Fn(Bytes, bool)) {
        let ends = more.end && more.trailers.is_empty();
        let mut pieces = self.plan(&more.cut).cut(&Bytes::from(more.body.clone()));
        pieces.retain(|piece| !piece.is_empty());
        let count = pieces.len();
        for (index, piece) in pieces.into_iter().enumerate() {
            send(piece, ends && together && index + 1 == count);
        }
        if ends && (!together || count == 0) {
            send(Bytes::new(), true);
        }
    }

    /// What the streams have cost so far.
    pub(crate) fn cost(&self) -> Cost {
        let mut cost = Cost::default();
        self.streams.iter().for_each(|running| cost.add(&running.stream.costs().total()));
        cost
    }

    /// Ends what is left.
    pub(crate) fn end(self) -> Ended {
        drop(self.streams);
        Ended {
            transcript: self.host.transcript(),
            traps: self.host.traps(),
            findings: self.host.findings(),
            unmatched: self.unmatched.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Forgets the streams, so that others can follow.
    pub(crate) fn clear(&mut self) {
        self.streams.clear();
    }
}

fn map(headers: &Headers) -> HeaderMap {
    headers.iter().map(|(name, value)| (name, value)).collect()
}

fn proxy(scenario: &Scenario, mut builder: HostBuilder) -> HostBuilder {
    let proxy = &scenario.proxy;
    let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    if let Some(workers) = proxy.workers {
        // More would be a mistake that takes all memory.
        builder = builder.workers(number(workers).min(64));
    }
    if let Some(bytes) = proxy.buffer_limit {
        builder = builder.buffer_limit(number(bytes));
    }
    if let Some(bytes) = proxy.memory_limit {
        builder = builder.memory_limit(number(bytes));
    }
    if let Some(fuel) = proxy.fuel_limit {
        builder = builder.fuel_limit(fuel);
    }
    if let Some(level) = proxy.log_level {
        builder = builder.log_level(level);
    }
    if let Some(seed) = proxy.seed {
        builder = builder.seed(seed);
    }
    if let Some(seconds) = proxy.time {
        builder = builder.starting_at(Duration::from_secs(seconds));
    }
    builder
}

fn add_cluster(
    builder: HostBuilder,
    name: String,
    cluster: Cluster,
    unmatched: &Arc<Mutex<Vec<String>>>,
) -> HostBuilder {
    let mut rules = match cluster {
        Cluster::Unhealthy => return builder.cluster_unhealthy(name),
        Cluster::Asked => return builder.cluster(name),
        Cluster::Rules(rules) => rules,
    };
    let (unmatched, cluster) = (Arc::clone(unmatched), name.clone());
    builder.cluster_reacting(name, move |request| {
        Cluster::react(&mut rules, request).unwrap_or_else(|| {
            let asked = format!("{} {} of {cluster}", request.method(), request.path());
            unmatched.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
            Reaction::Silence
        })
    })
}
