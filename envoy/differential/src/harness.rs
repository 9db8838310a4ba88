//! Runs a scenario in the harness: one process, no network, time that passes only when a step lets it.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use proxy_wasm_harness as pwh;
use pwh::{HeaderMap, Host, HostBuilder, Level, LogLine, Module, Profile, Response, Role, TrafficDirection};
use serde_json::{Value, json};

use crate::observation::{End, Message, Observation};
use crate::scenario::{
    After, Answer, Cluster, Direction, FailurePolicy, Plugin, Protocol, Request, Reset, Scenario, Step, Text,
    Until,
};

/// How long a stream may take to end, in virtual time.
const PATIENCE: Duration = Duration::from_secs(8);
/// How long a client over a network takes to see a response and to say something else.
const SEEN: Duration = Duration::from_millis(30);
/// The step in which time passes while something is waited for.
const TICK: Duration = Duration::from_millis(1);

/// The profile for an Envoy such as `1.40`.
///
/// # Panics
///
/// If there is none.
pub fn profile(version: &str) -> Profile {
    Profile::from_name(&format!("envoy-{version}"))
        .unwrap_or_else(|| panic!("no profile for Envoy {version}"))
}

/// What the harness does in a scenario, with the probe's module.
///
/// # Panics
///
/// When it starts though the scenario expects it not to, or the other way round.
pub fn observe(scenario: &Scenario, profile: Profile, probe: &Path) -> Observation {
    let module = Module::from_file(probe).expect("the probe is a module");
    let mut builder = Host::like(profile).strict_link().log_level(Level::Info);
    for plugin in &scenario.plugins {
        builder = builder.plugin(configured(&module, plugin));
    }
    builder = world(builder, scenario);
    let host = match builder.try_start() {
        Ok(_) if !scenario.starts => panic!("the host started, though it should not have"),
        Ok(host) => host,
        Err(error) if scenario.starts => panic!("the host did not start: {error}"),
        Err(refused) => {
            let main_log = shown(scenario, refused.logs(), |_| true);
            return Observation { main_log, ..Observation::default() };
        }
    };
    let mut run = Run::new(&host, scenario);
    for step in &scenario.steps {
        run.step(step);
    }
    let downstream = run.downstream();
    let upstream = run.upstream();
    let callouts = run.callouts();
    let metrics = metrics(&host, &scenario.metrics);
    let before = host.log_lines().len();
    host.shut_down();
    drop(run);
    let lines = host.log_lines();
    let worker = |line: &LogLine| matches!(line.role, Role::Worker(_));
    let (during, at_end) = lines.split_at(before);
    Observation {
        log: shown(scenario, during, worker),
        main_log: shown(scenario, &lines, |line| !worker(line)),
        shutdown: shown(scenario, at_end, worker),
        upstream,
        downstream,
        callouts,
        metrics,
    }
}

fn configured(module: &Module, plugin: &Plugin) -> pwh::Plugin {
    let program = plugin.program.as_ref().map(Value::to_string);
    let mut configured = pwh::Plugin::new(module)
        .name(&plugin.name)
        .root_id(&plugin.root_id)
        .vm_id(&plugin.vm_id)
        .vm_configuration(plugin.vm_program.as_ref().map(Value::to_string).unwrap_or_default())
        .configuration(plugin.configuration.clone().or(program).unwrap_or_default())
        .failure_policy(match plugin.failure_policy {
            FailurePolicy::Closed => pwh::FailurePolicy::FailClosed,
            FailurePolicy::Open => pwh::FailurePolicy::FailOpen,
            FailurePolicy::Reload => pwh::FailurePolicy::FailReload,
            FailurePolicy::Unspecified => pwh::FailurePolicy::default(),
        });
    if plugin.allow_on_headers_stop_iteration == Some(true) {
        configured = configured.allow_on_headers_stop_iteration();
    }
    for (name, value) in &plugin.environment {
        configured = configured.environment(name, value);
    }
    for function in plugin.allowed_capabilities.iter().flatten() {
        configured = configured.allow_capability(function);
    }
    configured
}

/// What is around the plugins, as the bootstrap of the other driver has it.
fn world(mut builder: HostBuilder, scenario: &Scenario) -> HostBuilder {
    builder = builder.buffer_limit(scenario.buffer_limit.map_or(1 << 20, |limit| limit as usize));
    builder = builder.node("node-id", "node-cluster", json!({ "role": "test" }));
    builder = builder.traffic_direction(match scenario.direction {
        Direction::Inbound => TrafficDirection::Inbound,
        Direction::Outbound => TrafficDirection::Outbound,
        Direction::Unspecified => TrafficDirection::Unspecified,
    });
    for path in &scenario.routes {
        builder = builder.route_by_path(path, path);
    }
    for (filter, metadata) in &scenario.route_metadata {
        builder = builder.route_metadata(filter, metadata.clone());
    }
    if let Some(backoff) = scenario.plugins.iter().find_map(|plugin| plugin.reload_backoff) {
        builder = builder.reload_backoff(Duration::from_millis(backoff));
    }
    for (name, cluster) in &scenario.clusters {
        builder = match cluster {
            Cluster::Answers(_) => builder.cluster(name),
            Cluster::Refuses => builder.cluster_refusing(name),
            Cluster::Empty => builder.cluster_unhealthy(name),
        };
    }
    builder
}

/// A server's answer that is under way.
struct Underway {
    at: Duration,
    to: To,
    answer: Answer,
    /// 0 is the headers, then the parts of the body, then the end.
    next: usize,
}

/// Who is answered.
enum To {
    Stream(String),
    Callout(pwh::Callout),
    Grpc(pwh::GrpcCallout),
}

struct Run<'a> {
    host: &'a Host,
    scenario: &'a Scenario,
    now: Duration,
    streams: BTreeMap<String, Open>,
    order: Vec<String>,
    underway: Vec<Underway>,
    asked: BTreeMap<String, Vec<Asked>>,
    /// gRPC callouts whose service reset them.
    broken: Vec<usize>,
}

/// What a cluster was asked.
enum Asked {
    Http(usize, Message),
    Grpc(pwh::GrpcCallout),
}

impl Asked {
    fn number(&self) -> usize {
        match self {
            Self::Http(number, _) => *number,
            Self::Grpc(callout) => callout.number(),
        }
    }
}

/// A stream or connection of a client.
struct Open {
    what: Client,
    protocol: Protocol,
    /// No body is expected.
    head: bool,
    /// How many bytes of a TCP connection have come back.
    echoed: usize,
    answered: bool,
    left: bool,
}

enum Client {
    Http(pwh::Stream),
    Tcp(pwh::Connection),
}

impl<'a> Run<'a> {
    fn new(host: &'a Host, scenario: &'a Scenario) -> Self {
        let asked = scenario.clusters.iter().filter(|(_, cluster)| matches!(cluster, Cluster::Answers(_)));
        Self {
            host,
            scenario,
            now: Duration::ZERO,
            streams: BTreeMap::new(),
            order: Vec::new(),
            underway: Vec::new(),
            broken: Vec::new(),
            asked: asked.map(|(name, _)| (name.clone(), Vec::new())).collect(),
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Request(request) => {
                self.open(request, true);
                self.settle();
                self.finish(&request.name);
                self.pass(SEEN);
            }
            Step::Open(request) => self.open(request, request.end),
            Step::Data(data) => {
                let protocol = self.streams[&data.name].protocol;
                self.send(&data.name, data.bytes.bytes(), data.end, protocol);
            }
            Step::Trailers(trailers) => {
                self.http(&trailers.name).trailers(map(&trailers.lines));
            }
            Step::Finish(name) => self.finish(name),
            Step::Reset(name) => {
                self.http(name).reset_by_client();
            }
            Step::Disconnect(name) => {
                if let Some(open) = self.streams.get_mut(name) {
                    open.left = true;
                }
                match &self.streams[name].what {
                    Client::Http(stream) => drop(stream.disconnect()),
                    Client::Tcp(connection) => drop(connection.close()),
                }
            }
            Step::Connect(name) => {
                let what = Client::Tcp(self.host.connect());
                self.order.push(name.clone());
                let open = Open {
                    what,
                    protocol: Protocol::Http2,
                    head: false,
                    echoed: 0,
                    answered: false,
                    left: false,
                };
                self.streams.insert(name.clone(), open);
            }
            Step::Wait(milliseconds) => self.pass(Duration::from_millis(*milliseconds)),
            Step::Until(until) => self.until(until),
        }
        self.settle();
    }

    fn http(&self, name: &str) -> &pwh::Stream {
        match &self.streams[name].what {
            Client::Http(stream) => stream,
            Client::Tcp(_) => panic!("{name} is a TCP connection"),
        }
    }

    /// Sends all of a request that is there. Parts are seen one by one, as over a network that is slow enough.
    fn open(&mut self, request: &Request, end: bool) {
        let has_trailers = !request.trailers.is_empty();
        let headers = headers(request, has_trailers);
        let ends_at_once = end && request.body.is_empty() && !has_trailers;
        let builder = self.host.request(&request.method, &request.path).headers(headers);
        let builder = if request.protocol == Protocol::Http2 { builder.http2() } else { builder };
        let stream = if ends_at_once { builder.send() } else { builder.open() };
        self.order.push(request.name.clone());
        let open = Open {
            what: Client::Http(stream),
            protocol: request.protocol,
            head: request.method == "HEAD",
            echoed: 0,
            answered: false,
            left: false,
        };
        assert!(self.streams.insert(request.name.clone(), open).is_none(), "two requests {}", request.name);
        for (index, part) in request.body.iter().enumerate() {
            self.settle();
            let last = end && !has_trailers && index + 1 == request.body.len();
            self.send(&request.name, part.bytes(), last, request.protocol);
        }
        if has_trailers {
            self.settle();
            match request.protocol {
                Protocol::Http2 => drop(self.http(&request.name).trailers(map(&request.trailers))),
                // Envoy's HTTP/1.1 codec drops trailers unless it is told to keep them.
                Protocol::Http1 => drop(self.http(&request.name).data("", true)),
            }
        }
    }

    fn send(&mut self, name: &str, bytes: Vec<u8>, end: bool, protocol: Protocol) {
        match &self.streams[name].what {
            Client::Http(stream) => {
                // Its end comes by itself.
                let apart = end && protocol == Protocol::Http1;
                stream.data(bytes, end && !apart);
                if apart {
                    stream.data("", true);
                }
            }
            Client::Tcp(connection) => drop(connection.send(bytes, end)),
        }
    }

    /// Everything that can happen now happens.
    fn settle(&mut self) {
        loop {
            self.begin_answers();
            let due = self.underway.iter().position(|underway| underway.at <= self.now);
            let Some(due) = due else { return };
            let underway = self.underway.remove(due);
            self.go_on(underway);
        }
    }

    /// Time passes, and servers go on with their answers at their times.
    fn pass(&mut self, time: Duration) {
        let target = self.now + time;
        loop {
            self.settle();
            let next = self.underway.iter().map(|underway| underway.at).min();
            // Not all at once: what a tick asks for is to be answered soon.
            let next = next.into_iter().chain([self.now + TICK, target]).min().unwrap_or(target);
            self.host.advance(next - self.now);
            self.now = next;
            if next == target {
                return self.settle();
            }
        }
    }

    fn finish(&mut self, name: &str) {
        let limit = self.now + PATIENCE;
        while !self.is_over(name) && self.now < limit {
            self.pass(TICK);
        }
        assert!(self.is_over(name), "{name} does not end:\n{}", self.host.transcript());
    }

    fn is_over(&self, name: &str) -> bool {
        match &self.streams[name].what {
            Client::Http(stream) => stream.is_over(),
            Client::Tcp(connection) => connection.has_ended_downstream() || connection.closed_by().is_some(),
        }
    }

    fn until(&mut self, until: &Until) {
        let limit = self.now + PATIENCE;
        let count =
            |host: &Host| host.log_lines().iter().filter(|line| line.message.contains(&until.line)).count();
        while count(self.host) < until.times {
            assert!(self.now < limit, "{:?} is not in the log:\n{}", until.line, self.host.transcript());
            self.pass(TICK);
        }
    }

    /// The upstreams of TCP connections read and write.
    fn serve_tcp(&mut self) {
        let answer = self.scenario.upstream.first().cloned();
        for open in self.streams.values_mut() {
            let Client::Tcp(connection) = &open.what else { continue };
            if !connection.was_let_through() {
                continue;
            }
            if answer.is_none() {
                let sent = connection.forwarded();
                if let Some(new) = sent.get(open.echoed..).filter(|new| !new.is_empty()) {
                    connection.upstream_sends(new.to_vec(), false);
                    open.echoed = sent.len();
                }
            }
            let at_once = answer.as_ref().is_some_and(|answer| answer.after == After::Headers);
            let ended = connection.has_ended_upstream();
            if open.answered || !(at_once || ended) {
                continue;
            }
            open.answered = true;
            for part in answer.iter().flat_map(|answer| &answer.body) {
                connection.upstream_sends(part.bytes(), false);
            }
            if ended || answer.as_ref().is_some_and(|answer| answer.reset.is_some()) {
                connection.upstream_sends("", true);
            }
        }
    }

    /// Servers that have what they wait for begin to answer.
    fn begin_answers(&mut self) {
        self.serve_tcp();
        for name in &self.order {
            let Some(open) = self.streams.get_mut(name) else { continue };
            let Client::Http(stream) = &open.what else { continue };
            let Some(request) = stream.upstream().filter(|_| !open.answered && !stream.is_over()) else {
                continue;
            };
            let answer = answer_for(&self.scenario.upstream, &request.path());
            if answer.after == After::Headers || stream.has_reached_upstream() {
                open.answered = true;
                let at = self.now + Duration::from_millis(answer.delay);
                self.underway.push(Underway { at, to: To::Stream(name.clone()), answer, next: 0 });
            }
        }
        for (name, cluster) in &self.scenario.clusters {
            let Cluster::Answers(answers) = cluster else { continue };
            for callout in self.host.new_callouts(name) {
                let request = callout.request();
                let answer = answer_for(answers, &request.path());
                self.asked
                    .entry(name.clone())
                    .or_default()
                    .push(Asked::Http(callout.number(), message(request, End::Complete)));
                let at = self.now + Duration::from_millis(answer.delay);
                self.underway.push(Underway { at, to: To::Callout(callout), answer, next: 0 });
            }
            for callout in self.host.new_grpc_callouts(name) {
                let answer = answer_for(answers, &format!("/{}/{}", callout.service(), callout.method()));
                let at = self.now + Duration::from_millis(answer.delay);
                self.asked.entry(name.clone()).or_default().push(Asked::Grpc(callout.clone()));
                self.underway.push(Underway { at, to: To::Grpc(callout), answer, next: 0 });
            }
        }
    }

    /// The next part of an answer; what follows it, follows after its pause.
    fn go_on(&mut self, mut underway: Underway) {
        let answer = &underway.answer;
        if answer.status == 0 {
            return;
        }
        match underway.to {
            To::Callout(callout) => return answer_callout(callout, answer),
            To::Grpc(callout) => {
                if answer.reset.is_some() {
                    self.broken.push(callout.number());
                }
                return answer_grpc(&callout, answer);
            }
            To::Stream(ref name) => {
                let stream = self.http(name);
                if stream.is_over() {
                    return;
                }
                let parts = answer.body.len();
                let more = !answer.trailers.is_empty() || answer.reset.is_some();
                match underway.next {
                    0 if answer.reset == Some(Reset::BeforeHeaders) => {
                        stream.upstream_resets();
                        return;
                    }
                    0 => {
                        let headers = Response { headers: response_headers(answer), ..Response::default() };
                        stream.respond_headers(&headers, parts == 0 && !more);
                        let status = stream.downstream().map_or(200, |response| response.status());
                        if !(100..1000).contains(&status) && !stream.is_over() {
                            // The client does not take it.
                            stream.disconnect();
                            return;
                        }
                    }
                    part if part <= parts => {
                        stream.respond_data(answer.body[part - 1].bytes(), part == parts && !more);
                    }
                    _ if answer.reset.is_some() => {
                        stream.upstream_resets();
                        return;
                    }
                    _ if !answer.trailers.is_empty() => {
                        stream.respond_trailers(map(&answer.trailers));
                        return;
                    }
                    _ => return,
                }
            }
        }
        underway.next += 1;
        underway.at = self.now + Duration::from_millis(answer.pause);
        self.underway.push(underway);
    }

    fn upstream(&self) -> Vec<Message> {
        let seen = |name: &String| match &self.streams[name].what {
            Client::Http(stream) => {
                let abandoned = stream.abandoned().into_iter().map(|request| message(&request, End::Reset));
                let end = match (stream.has_reached_upstream(), stream.is_over()) {
                    (true, _) => End::Complete,
                    (false, true) => End::Reset,
                    (false, false) => End::Open,
                };
                abandoned.chain(stream.upstream().map(|request| message(&request, end))).collect()
            }
            Client::Tcp(connection) => {
                // The client's part of a connection that the proxy closes ends as it should.
                let ended = connection.has_ended_upstream() || connection.closed_by().is_some();
                let body = Some(connection.forwarded()).filter(|body| !body.is_empty());
                let end = if ended { End::Complete } else { End::Open };
                if connection.was_let_through() {
                    vec![Message { body, end, ..Message::default() }]
                } else {
                    Vec::new()
                }
            }
        };
        self.order.iter().flat_map(seen).collect()
    }

    fn callouts(&self) -> BTreeMap<String, Vec<Message>> {
        let seen = |asked: &Asked| match asked {
            Asked::Http(_, message) => message.clone(),
            Asked::Grpc(callout) => {
                let broken = self.broken.contains(&callout.number());
                let end =
                    match (callout.is_half_closed(), callout.is_cancelled() || callout.is_over() || broken) {
                        (true, _) => End::Complete,
                        (_, true) => End::Reset,
                        _ => End::Open,
                    };
                message(&callout.request(), end)
            }
        };
        let in_order = |asked: &Vec<Asked>| {
            let mut asked: Vec<&Asked> = asked.iter().collect();
            asked.sort_by_key(|asked| asked.number());
            asked.into_iter().map(seen).collect()
        };
        self.asked.iter().map(|(name, asked)| (name.clone(), in_order(asked))).collect()
    }

    fn downstream(&self) -> BTreeMap<String, Message> {
        let seen = |open: &Open| match &open.what {
            Client::Http(stream) => {
                let response = stream.downstream();
                let end = match (&response, stream.is_over() && !open.left) {
                    (Some(_), true) if stream.has_reached_downstream() => End::Complete,
                    (_, true) => End::Reset,
                    _ => End::Open,
                };
                let response = response.unwrap_or_default();
                let refused = !(100..1000).contains(&response.status());
                let short = end == End::Complete && !open.head && length_is_wrong(&response);
                if end != End::Open && (refused || short) {
                    // Clients do not take such a response.
                    let headers = if refused { Vec::new() } else { lines(&response.headers) };
                    return Message { headers, end: End::Reset, ..Message::default() };
                }
                let body = (!response.body.is_empty()).then(|| response.body.to_vec());
                let trailers = response.trailers.as_ref().map(lines).unwrap_or_default();
                Message { headers: lines(&response.headers), body, trailers, end }
            }
            Client::Tcp(connection) => {
                let ended = connection.has_ended_downstream() || connection.closed_by().is_some();
                let body = Some(connection.received()).filter(|body| !body.is_empty());
                let end = if ended && !open.left { End::Complete } else { End::Open };
                Message { body, end, ..Message::default() }
            }
        };
        self.streams.iter().map(|(name, open)| (name.clone(), seen(open))).collect()
    }
}

/// The request's headers as Envoy's connection manager hands them on.
fn headers(request: &Request, _trailers: bool) -> HeaderMap {
    let (method, path, authority) = (&request.method, &request.path, &request.authority);
    let pseudo = match request.protocol {
        Protocol::Http2 => {
            [(":method", method.as_str()), (":scheme", "http"), (":authority", authority), (":path", path)]
        }
        Protocol::Http1 => {
            [(":authority", authority.as_str()), (":path", path), (":method", method), (":scheme", "http")]
        }
    };
    let mut headers = HeaderMap::from(pseudo);
    // The HTTP/2 codec puts cookies together, and last.
    let is_cookie = |line: &&(String, Text)| request.protocol == Protocol::Http2 && line.0 == "cookie";
    let (cookies, others): (Vec<_>, Vec<_>) = request.headers.iter().partition(is_cookie);
    headers.extend(others.into_iter().chain(cookies).map(|(name, value)| (name, value.bytes())));
    headers.add("x-forwarded-proto", "http");
    headers
}

fn response_headers(answer: &Answer) -> HeaderMap {
    let mut headers = HeaderMap::from([(":status", answer.status.to_string())]);
    headers.extend(answer.headers.iter().map(|(name, value)| (name, value.bytes())));
    headers
}

fn answer_callout(callout: pwh::Callout, answer: &Answer) {
    if answer.reset == Some(Reset::BeforeHeaders) {
        return callout.fail("remote reset");
    }
    if answer.reset.is_some() {
        return callout.reset();
    }
    let body: Vec<u8> = answer.body.iter().flat_map(Text::bytes).collect();
    let trailers = (!answer.trailers.is_empty()).then(|| map(&answer.trailers));
    callout.respond_with(Response { headers: response_headers(answer), body: body.into(), trailers });
}

/// A server's frames, as the other side of gRPC reads them.
fn answer_grpc(callout: &pwh::GrpcCallout, answer: &Answer) {
    let headers = response_headers(answer);
    let status = |map: &HeaderMap| text(map, "grpc-status").and_then(|status| status.parse().ok());
    if answer.status != 200 {
        callout.answer_http(answer.status.into());
        return;
    }
    if let Some(status) = status(&headers) {
        // Trailers alone, in place of headers.
        let mut trailers = headers.clone();
        trailers.add("x-envoy-upstream-service-time", "0");
        callout.initial_metadata(HeaderMap::new()).trailing_metadata(trailers);
        callout.close(status, &text(&headers, "grpc-message").unwrap_or_default());
        return;
    }
    callout.initial_metadata(headers);
    let body: Vec<u8> = answer.body.iter().flat_map(Text::bytes).collect();
    let mut rest = &body[..];
    while let Some((frame, after)) = rest.split_first_chunk::<5>() {
        let length = u32::from_be_bytes([frame[1], frame[2], frame[3], frame[4]]) as usize;
        callout.message(&after[..length]);
        rest = &after[length..];
    }
    if answer.reset.is_some() {
        callout.reset();
        return;
    }
    let trailers = map(&answer.trailers);
    callout.trailing_metadata(trailers.clone());
    callout.close(status(&trailers).unwrap_or(2), &text(&trailers, "grpc-message").unwrap_or_default());
}

fn text(map: &HeaderMap, name: &str) -> Option<String> {
    map.get(name).map(|value| String::from_utf8_lossy(value).into_owned())
}

fn answer_for(answers: &[Answer], path: &str) -> Answer {
    let fits = |answer: &&Answer| answer.path.as_deref().is_none_or(|wanted| wanted == path);
    answers.iter().find(fits).cloned().unwrap_or_else(Answer::hello)
}

fn map(lines: &[(String, Text)]) -> HeaderMap {
    lines.iter().map(|(name, value)| (name, value.bytes())).collect()
}

/// The lines of a map as the peers' own maps show them: those of one name together.
fn lines(map: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let mut lines: Vec<(String, Vec<u8>)> = Vec::new();
    for (name, value) in map.iter() {
        let name = String::from_utf8_lossy(name).into_owned();
        let place = lines.iter().rposition(|line| line.0 == name).map_or(lines.len(), |last| last + 1);
        lines.insert(place, (name, value.to_vec()));
    }
    lines
}

/// A request in the order in which HTTP/2 servers show it: pseudo headers first, in theirs.
fn message(request: &pwh::Request, end: End) -> Message {
    let mut all = lines(&request.headers);
    if request.headers.get(":authority").is_none() {
        // A URI has no scheme without one.
        all.retain(|line| line.0 != ":scheme");
    }
    let pseudo = [":method", ":scheme", ":authority", ":path"];
    let first = pseudo.iter().flat_map(|name| all.iter().filter(move |line| line.0 == *name));
    let rest = all.iter().filter(|line| !line.0.starts_with(':'));
    let headers = first.chain(rest).cloned().collect();
    let body = (!request.body.is_empty()).then(|| request.body.to_vec());
    Message { headers, body, trailers: request.trailers.as_ref().map(lines).unwrap_or_default(), end }
}

/// Lines as the other driver shows Envoy's.
fn shown(scenario: &Scenario, lines: &[LogLine], wanted: impl Fn(&LogLine) -> bool) -> Vec<String> {
    let show = |line: &LogLine| {
        let mut shown = String::new();
        if scenario.plugins.len() > 1 {
            let plugin = if line.plugin.is_empty() { "-" } else { &line.plugin };
            shown = format!("[{plugin}] ");
        }
        match line.level {
            Level::Info => {}
            Level::Warn => shown.push_str("(warning) "),
            level => shown.push_str(&format!("({level}) ")),
        }
        // Envoy's log goes on in another line, which has no beginning that would tell whose it is.
        shown.push_str(line.message.lines().next().unwrap_or_default());
        crate::envoy::stable(&shown)
    };
    lines.iter().filter(|line| wanted(line)).map(show).collect()
}

/// Metrics as Prometheus would be told of them.
fn metrics(host: &Host, beginnings: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = host
        .metrics()
        .into_iter()
        .map(|(name, metric)| (name.replace(['.', '-', ' '], "_"), metric))
        .filter(|(name, _)| beginnings.iter().any(|beginning| name.starts_with(beginning)))
        .map(|(name, metric)| match metric {
            pwh::Metric::Counter(value) | pwh::Metric::Gauge(value) => format!("{name} {value}"),
            pwh::Metric::Histogram(values) => format!("{name}_count {}", values.len()),
        })
        .collect();
    lines.sort();
    lines
}

/// Whether a client finds more or less of a body than it was promised.
fn length_is_wrong(response: &Response) -> bool {
    let promised = text(&response.headers, "content-length");
    promised.is_some_and(|promised| promised != response.body.len().to_string())
}

/// Whether the harness can run the scenario at all.
pub fn can_run(scenario: &Scenario) -> bool {
    !scenario.crashes
}
