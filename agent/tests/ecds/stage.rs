//! A desk between an Envoy, a control plane and a library that do what a test says. Both protocols look the same here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use envoy_types::pb::envoy::service::discovery::v3 as xds;
use envoy_types::pb::google::protobuf::Any;
use envoy_types::pb::google::rpc::Status;
use meshloom_agent::ecds::{Desk, Effect, LastGood, Options, Protocol, TYPE_URL, Ticket};
use meshloom_agent::status::{Board, Metrics, ResourceState};
use meshloom_agent::{Held, Unavailable, Wanted};
use prost::Message as _;

use crate::library::FakeLibrary;
use crate::messages::*;

/// Both protocols, for what holds in either.
pub(crate) const BOTH: [Protocol; 2] = [Protocol::Sotw, Protocol::Delta];

pub(crate) struct Stage {
    pub(crate) protocol: Protocol,
    pub(crate) library: FakeLibrary,
    pub(crate) board: Arc<Board>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) now: Instant,
    /// Attempts that go on.
    pub(crate) running: BTreeMap<Ticket, Wanted>,
    pub(crate) given_up: Vec<Ticket>,
    pub(crate) to_envoy: Vec<Response>,
    pub(crate) to_control_plane: Vec<Request>,
    desk: Desk,
    /// What Envoy asks for, and what it last accepted.
    names: Vec<String>,
    version: String,
}

/// A response as Envoy gets it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Response {
    pub(crate) nonce: String,
    pub(crate) version: String,
    pub(crate) resources: Vec<Resource>,
    pub(crate) removed: Vec<String>,
    pub(crate) bytes: Bytes,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resource {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) what: What,
}

/// What a resource makes Envoy do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    Module(String),
    Allow,
    Deny,
    Other(String),
    Heartbeat,
}

/// A request as the control plane gets it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Request {
    pub(crate) nonce: String,
    pub(crate) version: String,
    pub(crate) names: Vec<String>,
    pub(crate) subscribe: Vec<String>,
    pub(crate) unsubscribe: Vec<String>,
    pub(crate) initial_versions: usize,
    pub(crate) error: Option<Status>,
}

/// A resource that wants `https://example.com/<what>.wasm`.
pub(crate) fn wants(name: &str, what: &str) -> Any {
    http(name, plugin(&url(what)))
}

pub(crate) fn url(what: &str) -> String {
    format!("https://user:password@example.com/{what}.wasm?token=x")
}

/// A resource that nobody can read.
pub(crate) fn unreadable(name: &str) -> Any {
    extension(name, Any { type_url: HTTP_WASM.into(), value: b"abc".to_vec() })
}

/// A resource that needs no module.
pub(crate) fn plain(name: &str) -> Any {
    extension(
        name,
        Any { type_url: "type.googleapis.com/example.Lua".into(), value: name.as_bytes().to_vec() },
    )
}

/// What Envoy does with `/modules/<what>.wasm`.
pub(crate) fn module(what: &str) -> What {
    What::Module(format!("/modules/{what}.wasm"))
}

pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

pub(crate) fn options() -> Options {
    Options { seed: Some(1), ..Options::default() }
}

impl Stage {
    /// A stream on which nothing was said.
    pub(crate) fn silent(protocol: Protocol, options: Options, last_good: Arc<LastGood>) -> Self {
        let library = FakeLibrary::default();
        Self::with_library(protocol, options, last_good, library)
    }

    pub(crate) fn with_library(
        protocol: Protocol,
        options: Options,
        last_good: Arc<LastGood>,
        library: FakeLibrary,
    ) -> Self {
        let board = Arc::new(Board::default());
        let metrics = Arc::new(Metrics::default());
        let shared = Arc::new(library.clone());
        let desk =
            Desk::new(1, protocol, shared, Arc::clone(&board), Arc::clone(&metrics), last_good, options);
        Self {
            protocol,
            library,
            board,
            metrics,
            now: Instant::now(),
            running: BTreeMap::new(),
            given_up: Vec::new(),
            to_envoy: Vec::new(),
            to_control_plane: Vec::new(),
            desk,
            names: Vec::new(),
            version: String::new(),
        }
    }

    /// A stream on which Envoy has asked for these.
    pub(crate) fn new(protocol: Protocol, names: &[&str]) -> Self {
        Self::with(protocol, names, options())
    }

    pub(crate) fn with(protocol: Protocol, names: &[&str], options: Options) -> Self {
        let mut stage = Self::silent(protocol, options, Arc::default());
        stage.subscribe(names, &[], "");
        stage.to_control_plane.clear();
        stage
    }

    /// Envoy asks for some more and for some no more, in a request of its own or in an answer.
    pub(crate) fn subscribe(&mut self, more: &[&str], less: &[&str], nonce: &str) {
        self.names.retain(|name| !less.contains(&&name[..]));
        self.names.extend(more.iter().map(|name| (*name).to_owned()));
        let strings = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let bytes = match self.protocol {
            Protocol::Sotw => self.sotw_request(nonce, None).encode_to_vec(),
            Protocol::Delta => xds::DeltaDiscoveryRequest {
                type_url: TYPE_URL.into(),
                resource_names_subscribe: strings(more),
                resource_names_unsubscribe: strings(less),
                response_nonce: nonce.into(),
                ..Default::default()
            }
            .encode_to_vec(),
        };
        self.request(bytes);
    }

    fn sotw_request(&self, nonce: &str, error_detail: Option<Status>) -> xds::DiscoveryRequest {
        xds::DiscoveryRequest {
            version_info: self.version.clone(),
            resource_names: self.names.clone(),
            type_url: TYPE_URL.into(),
            response_nonce: nonce.into(),
            error_detail,
            ..Default::default()
        }
    }

    /// Envoy takes a response.
    pub(crate) fn accept(&mut self, nonce: &str) {
        if let Some(response) = self.to_envoy.iter().rfind(|response| response.nonce == nonce) {
            self.version.clone_from(&response.version);
        }
        self.answer(nonce, None);
    }

    /// Envoy takes the last response that it was sent.
    pub(crate) fn accept_last(&mut self) {
        let nonce = self.last().nonce.clone();
        self.accept(&nonce);
    }

    /// Envoy refuses a response.
    pub(crate) fn refuse(&mut self, nonce: &str) {
        self.answer(nonce, Some(Status { code: 13, message: "no plugin".into(), details: Vec::new() }));
    }

    fn answer(&mut self, nonce: &str, error_detail: Option<Status>) {
        let bytes = match self.protocol {
            Protocol::Sotw => self.sotw_request(nonce, error_detail).encode_to_vec(),
            Protocol::Delta => xds::DeltaDiscoveryRequest {
                type_url: TYPE_URL.into(),
                response_nonce: nonce.into(),
                error_detail,
                ..Default::default()
            }
            .encode_to_vec(),
        };
        self.request(bytes);
    }

    /// Envoy says exactly that.
    pub(crate) fn request(&mut self, bytes: Vec<u8>) {
        self.act(|desk, now, effects| desk.request(bytes.into(), now, effects));
    }

    /// The control plane sends these; the version is `v<nonce>`.
    pub(crate) fn push(&mut self, nonce: &str, resources: &[Any]) {
        self.push_with(nonce, resources, &[]);
    }

    pub(crate) fn push_with(&mut self, nonce: &str, resources: &[Any], removed: &[&str]) {
        let bytes = response(self.protocol, nonce, resources, removed);
        self.respond(bytes);
    }

    /// The control plane says exactly that.
    pub(crate) fn respond(&mut self, bytes: Vec<u8>) {
        self.act(|desk, now, effects| desk.response(bytes.into(), now, effects));
    }

    /// The attempt for `https://example.com/<what>.wasm` ends.
    pub(crate) fn ends(&mut self, what: &str, outcome: Result<Held, Unavailable>) {
        let url = url(what);
        let ticket = self.running.iter().find(|(_, wanted)| wanted.url == url).map(|(ticket, _)| *ticket);
        let ticket = ticket.unwrap_or_else(|| panic!("nobody asks for {url}: {:?}", self.running));
        self.ticket_ends(ticket, outcome);
    }

    pub(crate) fn ticket_ends(&mut self, ticket: Ticket, outcome: Result<Held, Unavailable>) {
        self.running.remove(&ticket);
        self.act(|desk, now, effects| desk.obtained(ticket, outcome, now, effects));
    }

    /// Time passes, and everything that is due happens at its time.
    pub(crate) fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        while let Some(at) = self.desk.next_deadline().filter(|at| *at <= until) {
            self.now = self.now.max(at);
            self.act(|desk, now, effects| desk.due(now, effects));
            let next = self.desk.next_deadline();
            assert!(next.is_none_or(|next| next > self.now), "what was due is still due");
        }
        self.now = until;
    }

    /// How a resource stands, for whoever looks.
    pub(crate) fn standing(&self, name: &str) -> ResourceState {
        let all = self.board.all();
        all.into_iter()
            .find(|state| state.name == name)
            .unwrap_or_else(|| panic!("{name} is not on the board"))
    }

    /// The last response that Envoy was sent.
    pub(crate) fn last(&self) -> &Response {
        self.to_envoy.last().unwrap()
    }

    /// What Envoy was last sent under that name.
    pub(crate) fn serves(&self, name: &str) -> Option<What> {
        let resources = self.to_envoy.iter().rev().flat_map(|response| response.resources.iter().rev());
        resources.into_iter().find(|resource| resource.name == name).map(|resource| resource.what.clone())
    }

    /// What each response had in it: its nonce, or `-` for one of the agent's own, and the names.
    pub(crate) fn sent(&self) -> Vec<(String, Vec<(String, What)>)> {
        let nonce = |nonce: &str| if is_own(nonce) { "-".to_owned() } else { nonce.to_owned() };
        let resources = |response: &Response| {
            response.resources.iter().map(|resource| (resource.name.clone(), resource.what.clone())).collect()
        };
        self.to_envoy.iter().map(|response| (nonce(&response.nonce), resources(response))).collect()
    }

    fn act(&mut self, act: impl FnOnce(&mut Desk, Instant, &mut Vec<Effect>)) {
        let mut effects = Vec::new();
        act(&mut self.desk, self.now, &mut effects);
        for effect in effects {
            match effect {
                Effect::ToEnvoy(bytes) => self.to_envoy.push(read_response(self.protocol, bytes)),
                Effect::ToControlPlane(bytes) => {
                    self.to_control_plane.push(read_request(self.protocol, &bytes))
                }
                Effect::Obtain(ticket, wanted) => {
                    assert!(self.running.insert(ticket, *wanted).is_none(), "a ticket is used once");
                }
                Effect::GiveUp(ticket) => {
                    assert!(self.running.remove(&ticket).is_some(), "what is given up goes on");
                    self.given_up.push(ticket);
                }
            }
        }
    }
}

pub(crate) fn is_own(nonce: &str) -> bool {
    nonce.starts_with("meshloom-")
}

/// A response of the control plane.
pub(crate) fn response(protocol: Protocol, nonce: &str, resources: &[Any], removed: &[&str]) -> Vec<u8> {
    match protocol {
        Protocol::Sotw => xds::DiscoveryResponse {
            version_info: format!("v{nonce}"),
            resources: resources.to_vec(),
            type_url: TYPE_URL.into(),
            nonce: nonce.into(),
            ..Default::default()
        }
        .encode_to_vec(),
        Protocol::Delta => xds::DeltaDiscoveryResponse {
            resources: resources.iter().map(|any| in_envelope(any, &format!("v{nonce}"))).collect(),
            type_url: TYPE_URL.into(),
            removed_resources: removed.iter().map(|name| (*name).to_owned()).collect(),
            nonce: nonce.into(),
            ..Default::default()
        }
        .encode_to_vec(),
    }
}

/// A resource with its name and a version.
pub(crate) fn in_envelope(any: &Any, version: &str) -> xds::Resource {
    xds::Resource {
        name: opened(&any.encode_to_vec()).0,
        version: version.into(),
        aliases: vec!["alias".into()],
        resource: Some(any.clone()),
        ..Default::default()
    }
}

fn what(any: &Any) -> (String, What) {
    let (name, config) = opened(&any.encode_to_vec());
    let what = match &config.type_url[..] {
        HTTP_WASM => What::Module(filename(&mut plugin_of(&any.encode_to_vec()))),
        HTTP_RBAC if config.value.starts_with(b"\x0a\x00") => What::Deny,
        HTTP_RBAC => What::Allow,
        other => What::Other(other.to_owned()),
    };
    (name, what)
}

fn read_response(protocol: Protocol, bytes: Bytes) -> Response {
    let text = String::from_utf8_lossy(&bytes);
    assert!(!text.contains("ISTIO_META_") && !text.contains("example.com"), "{text}");
    let enveloped = |resource: xds::Resource| {
        assert_eq!(resource.aliases, ["alias"]);
        let what = resource.resource.map_or(What::Heartbeat, |any| what(&any).1);
        Resource { name: resource.name, version: resource.version, what }
    };
    match protocol {
        Protocol::Sotw => {
            let response = xds::DiscoveryResponse::decode(&bytes[..]).unwrap();
            assert_eq!(response.type_url, TYPE_URL);
            let resource = |any: &Any| {
                if any.type_url.ends_with("discovery.v3.Resource") {
                    return enveloped(xds::Resource::decode(&any.value[..]).unwrap());
                }
                let (name, what) = what(any);
                Resource { name, version: String::new(), what }
            };
            Response {
                nonce: response.nonce,
                version: response.version_info,
                resources: response.resources.iter().map(resource).collect(),
                removed: Vec::new(),
                bytes,
            }
        }
        Protocol::Delta => {
            let response = xds::DeltaDiscoveryResponse::decode(&bytes[..]).unwrap();
            assert_eq!(response.type_url, TYPE_URL);
            Response {
                nonce: response.nonce,
                version: response.system_version_info,
                resources: response.resources.into_iter().map(enveloped).collect(),
                removed: response.removed_resources,
                bytes,
            }
        }
    }
}

fn read_request(protocol: Protocol, bytes: &[u8]) -> Request {
    match protocol {
        Protocol::Sotw => {
            let request = xds::DiscoveryRequest::decode(bytes).unwrap();
            Request {
                nonce: request.response_nonce,
                version: request.version_info,
                names: request.resource_names,
                error: request.error_detail,
                ..Request::default()
            }
        }
        Protocol::Delta => {
            let request = xds::DeltaDiscoveryRequest::decode(bytes).unwrap();
            Request {
                nonce: request.response_nonce,
                subscribe: request.resource_names_subscribe,
                unsubscribe: request.resource_names_unsubscribe,
                initial_versions: request.initial_resource_versions.len(),
                error: request.error_detail,
                ..Request::default()
            }
        }
    }
}
