//! An Envoy that does what a test says: it opens ADS streams, sends what it is given, byte for byte, and reads a
//! response only when asked. It runs on threads of its own, so that it can be killed as a process can.

#![allow(dead_code, unreachable_pub, reason = "several tests use it, and each a part of it")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};

use crate::raw::{DELTA, Raw, SOTW};

/// What nobody answers within this time is never answered.
const PATIENCE: Duration = Duration::from_secs(30);

/// A process of Envoy, with one connection to the agent.
///
/// Dropping it ends it, but not before its streams are dropped too.
pub struct Envoy {
    process: Arc<Process>,
    channel: Channel,
}

struct Process(Mutex<Option<Runtime>>);

/// An ADS stream of it. Dropping it resets the stream.
pub struct Stream {
    _process: Arc<Process>,
    requests: Option<mpsc::UnboundedSender<Bytes>>,
    responses: Streaming<Bytes>,
}

impl Envoy {
    /// Connects to that address: `unix:PATH`, or an IP address and a port.
    pub async fn connect(address: &str) -> Self {
        Self::connect_with_window(address, None).await
    }

    /// The same, but no more than that many bytes of responses are taken before they are read. At least 65,535.
    pub async fn connect_with_window(address: &str, window: Option<u32>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let uri = if address.starts_with("unix:") { address.to_owned() } else { format!("http://{address}") };
        let endpoint = Endpoint::from_shared(uri)
            .unwrap()
            .initial_stream_window_size(window)
            .initial_connection_window_size(window);
        let channel = runtime.spawn(async move { endpoint.connect().await }).await.unwrap();
        let process = Arc::new(Process(Mutex::new(Some(runtime))));
        Self { process, channel: channel.expect("the agent does not answer") }
    }

    /// Opens a stream of state of the world.
    pub async fn sotw(&self) -> Stream {
        self.open(SOTW).await
    }

    /// Opens an incremental stream.
    pub async fn delta(&self) -> Stream {
        self.open(DELTA).await
    }

    /// Opens a stream of either kind.
    pub async fn stream(&self, delta: bool) -> Stream {
        self.open(if delta { DELTA } else { SOTW }).await
    }

    /// Opens a stream of state of the world whose first request is already under way: a control plane may answer
    /// nothing before it.
    pub async fn sotw_with(&self, first: &impl prost::Message) -> Stream {
        self.call(SOTW, Some(first.encode_to_vec().into())).await.expect("the stream is refused")
    }

    async fn open(&self, path: &'static str) -> Stream {
        self.try_open(path).await.expect("the agent refuses the stream")
    }

    /// Opens a stream of that method.
    pub async fn try_open(&self, path: &'static str) -> Result<Stream, Status> {
        self.call(path, None).await
    }

    async fn call(&self, path: &'static str, first: Option<Bytes>) -> Result<Stream, Status> {
        let (requests, sent) = mpsc::unbounded_channel();
        if let Some(first) = first {
            requests.send(first).unwrap();
        }
        let mut client = tonic::client::Grpc::new(self.channel.clone()).max_decoding_message_size(usize::MAX);
        client.ready().await.expect("the agent has closed the connection");
        let call = client.streaming(
            tonic::Request::new(UnboundedReceiverStream::new(sent)),
            PathAndQuery::from_static(path),
            Raw,
        );
        let answer = patiently("the stream", call).await?;
        Ok(Stream {
            _process: self.process.clone(),
            requests: Some(requests),
            responses: answer.into_inner(),
        })
    }

    /// Ends it at once, with its connection, as kill -9 does.
    pub fn kill(self) {
        self.process.end();
    }
}

impl Process {
    fn end(&self) {
        if let Some(runtime) = self.0.lock().unwrap().take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

impl Stream {
    /// Sends a request. Never waits.
    pub fn send(&self, request: &impl prost::Message) {
        self.send_raw(request.encode_to_vec().into());
    }

    pub fn send_raw(&self, request: Bytes) {
        // If the agent has ended the stream, `next` says so.
        _ = self.requests.as_ref().expect("no request can follow the last").send(request);
    }

    /// Says that no request follows.
    pub fn finish(&mut self) {
        self.requests = None;
    }

    /// The next response: nothing, if the stream has ended without error.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        patiently("a response", self.responses.message()).await
    }

    /// The next response, as bytes.
    pub async fn raw_response(&mut self) -> Bytes {
        self.next().await.unwrap().expect("the stream has ended")
    }

    /// The next response, decoded.
    pub async fn response<M: prost::Message + Default>(&mut self) -> M {
        M::decode(self.raw_response().await).unwrap()
    }

    /// The status with which the stream ends. Fails if a response comes before.
    pub async fn end(mut self) -> Status {
        match self.next().await {
            Ok(None) => Status::ok(""),
            Ok(Some(response)) => panic!("a response of {} bytes came instead of the end", response.len()),
            Err(status) => status,
        }
    }
}

async fn patiently<T>(what: &str, answer: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, answer)
        .await
        .unwrap_or_else(|_| panic!("{what} did not come within {PATIENCE:?}"))
}
