//! A small control plane: serves the resources that it is given over ADS, in both protocols, and notes the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::service::discovery::v3 as discovery;
use envoy_types::pb::google::protobuf::Any;
use futures_util::{Stream, StreamExt as _};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::{TcpListenerStream, UnboundedReceiverStream};
use tonic::{Request, Response, Status, Streaming};

pub(crate) const CDS: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
pub(crate) const ECDS: &str = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";

pub(crate) struct ControlPlane {
    runtime: Option<tokio::runtime::Runtime>,
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    kept: Mutex<Kept>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct Kept {
    /// By type and name, with the version at which each was set.
    resources: BTreeMap<(String, String), (u64, Any)>,
    version: u64,
    streams: usize,
    answers: Vec<Answer>,
}

/// What was answered to a response.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) type_url: String,
    pub(crate) error: Option<String>,
}

impl ControlPlane {
    pub(crate) fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap())
    }

    pub(crate) fn start_at(address: SocketAddr) -> Self {
        let changed = watch::Sender::new(0);
        Self::serve(address, Arc::new(State { kept: Mutex::default(), changed }))
    }

    fn serve(address: SocketAddr, state: Arc<State>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(async {
            // Where a killed one was, its connections may still be closing.
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            socket.bind(address).unwrap();
            socket.listen(64).unwrap()
        });
        let address = listener.local_addr().unwrap();
        let ads = discovery::aggregated_discovery_service_server::AggregatedDiscoveryServiceServer::new(Ads(
            Arc::clone(&state),
        ));
        let server = tonic::transport::Server::builder();
        runtime.spawn(server.serve_with_incoming(ads, TcpListenerStream::new(listener)));
        Self { runtime: Some(runtime), address, state }
    }

    /// Ends it with all its connections, as kill -9 does.
    pub(crate) fn kill(&mut self) {
        self.runtime.take().expect("it is alive").shutdown_background();
    }

    /// Starts it anew where it was, with the same resources.
    pub(crate) fn restart(&mut self) {
        *self = Self::serve(self.address, Arc::clone(&self.state));
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves this resource from now on, and sends it to whoever has asked for it.
    pub(crate) fn set(&self, type_url: &str, name: &str, resource: Any) {
        self.set_all(type_url, [(name.to_owned(), resource)]);
    }

    /// Serves these resources from now on, and sends them in one response.
    pub(crate) fn set_all(&self, type_url: &str, resources: impl IntoIterator<Item = (String, Any)>) {
        let mut kept = self.kept();
        kept.version += 1;
        let version = kept.version;
        for (name, resource) in resources {
            kept.resources.insert((type_url.to_owned(), name), (version, resource));
        }
        drop(kept);
        self.state.changed.send_replace(version);
    }

    /// All that it serves, by name.
    pub(crate) fn resources(&self) -> Vec<(String, Any)> {
        self.kept().resources.iter().map(|((_, name), (_, any))| (name.clone(), any.clone())).collect()
    }

    /// How many streams have ever been opened.
    pub(crate) fn streams(&self) -> usize {
        self.kept().streams
    }

    /// What ECDS responses were answered so far.
    pub(crate) fn answers(&self) -> Vec<Answer> {
        self.answers_of(ECDS)
    }

    /// What responses of a type were answered so far.
    pub(crate) fn answers_of(&self, type_url: &str) -> Vec<Answer> {
        self.kept().answers.iter().filter(|answer| answer.type_url == type_url).cloned().collect()
    }

    /// Waits until there were so many answers to ECDS responses.
    #[track_caller]
    pub(crate) fn wait_for_answers(&self, count: usize) -> Vec<Answer> {
        let begun = Instant::now();
        loop {
            let answers = self.answers();
            if answers.len() >= count {
                return answers;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{count} answers were expected: {answers:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.state.kept.lock().unwrap()
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

struct Ads(Arc<State>);

/// A type, a nonce, and the resources to be sent under it.
type Due = (String, u64, Vec<(String, Any)>);
type Sent<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What one stream has asked for, and was sent.
#[derive(Default)]
struct Session {
    /// Names by type.
    wanted: BTreeMap<String, BTreeSet<String>>,
    /// The version of each that was sent.
    sent: BTreeMap<(String, String), u64>,
    nonce: u64,
}

impl Session {
    /// What is to be sent: for each type its resources, all of them in SotW if one is new, the new ones in delta.
    fn due(&mut self, state: &State, all: bool) -> Vec<Due> {
        let kept = state.kept.lock().unwrap();
        let mut due = Vec::new();
        for (type_url, names) in &self.wanted {
            let resources = kept.resources.range((type_url.clone(), String::new())..);
            let resources: Vec<_> = resources
                .take_while(|((of, _), _)| of == type_url)
                .filter(|((_, name), _)| names.is_empty() || names.contains(name))
                .collect();
            let is_new = |key: &(String, String), version: u64| self.sent.get(key) != Some(&version);
            if !resources.iter().any(|(key, (version, _))| is_new(key, *version)) {
                continue;
            }
            let chosen: Vec<_> =
                resources.into_iter().filter(|(key, (version, _))| all || is_new(key, *version)).collect();
            let list = chosen.iter().map(|(key, (_, any))| (key.1.clone(), any.clone())).collect();
            for (key, (version, _)) in chosen {
                self.sent.insert(key.clone(), *version);
            }
            self.nonce += 1;
            due.push((type_url.clone(), self.nonce, list));
        }
        due
    }
}

/// What differs between the protocols.
struct Protocol<Request, Response> {
    /// Whether a response has every resource of its type.
    whole: bool,
    /// Takes over what a request says.
    hear: fn(&mut Session, Request) -> Answered,
    /// Puts resources into a response.
    say: fn(Due) -> Response,
}

/// The answer that a request may be: a type, a nonce, an error.
type Answered = (String, String, Option<String>);

const SOTW: Protocol<discovery::DiscoveryRequest, discovery::DiscoveryResponse> = Protocol {
    whole: true,
    hear: |session, request| {
        let names = request.resource_names.into_iter().collect();
        session.wanted.insert(request.type_url.clone(), names);
        (request.type_url, request.response_nonce, request.error_detail.map(|status| status.message))
    },
    say: |(type_url, nonce, resources)| discovery::DiscoveryResponse {
        version_info: nonce.to_string(),
        type_url,
        nonce: nonce.to_string(),
        resources: resources.into_iter().map(|(_, any)| any).collect(),
        ..Default::default()
    },
};

const DELTA: Protocol<discovery::DeltaDiscoveryRequest, discovery::DeltaDiscoveryResponse> = Protocol {
    whole: false,
    hear: |session, request| {
        let wanted = session.wanted.entry(request.type_url.clone()).or_default();
        wanted.extend(request.resource_names_subscribe.into_iter().filter(|name| name != "*"));
        for name in request.resource_names_unsubscribe {
            wanted.remove(&name);
            session.sent.remove(&(request.type_url.clone(), name));
        }
        (request.type_url, request.response_nonce, request.error_detail.map(|status| status.message))
    },
    say: |(type_url, nonce, resources)| {
        let resources = resources.into_iter().map(|(name, any)| discovery::Resource {
            name,
            version: nonce.to_string(),
            resource: Some(any),
            ..Default::default()
        });
        discovery::DeltaDiscoveryResponse {
            system_version_info: nonce.to_string(),
            type_url,
            nonce: nonce.to_string(),
            resources: resources.collect(),
            ..Default::default()
        }
    },
};

impl Ads {
    /// Serves a stream until it ends.
    fn stream<Q: Send + 'static, R: Send + 'static>(
        &self,
        mut requests: Streaming<Q>,
        protocol: Protocol<Q, R>,
    ) -> Response<Sent<R>> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let state = Arc::clone(&self.0);
        state.kept.lock().unwrap().streams += 1;
        tokio::spawn(async move {
            let (mut session, mut changed) = (Session::default(), state.changed.subscribe());
            loop {
                tokio::select! {
                    request = requests.next() => {
                        let Some(Ok(request)) = request else { return };
                        let (type_url, nonce, error) = (protocol.hear)(&mut session, request);
                        if !nonce.is_empty() {
                            state.kept.lock().unwrap().answers.push(Answer { type_url, error });
                        }
                    }
                    Ok(()) = changed.changed() => {}
                }
                for due in session.due(&state, protocol.whole) {
                    if sender.send(Ok((protocol.say)(due))).is_err() {
                        return;
                    }
                }
            }
        });
        Response::new(UnboundedReceiverStream::new(receiver).boxed())
    }
}

#[tonic::async_trait]
impl discovery::aggregated_discovery_service_server::AggregatedDiscoveryService for Ads {
    type StreamAggregatedResourcesStream = Sent<discovery::DiscoveryResponse>;
    type DeltaAggregatedResourcesStream = Sent<discovery::DeltaDiscoveryResponse>;

    async fn stream_aggregated_resources(
        &self,
        request: Request<Streaming<discovery::DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        Ok(self.stream(request.into_inner(), SOTW))
    }

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<discovery::DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        Ok(self.stream(request.into_inner(), DELTA))
    }
}
