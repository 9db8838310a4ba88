//! A control plane that does what a test says: it reads a request only when asked, sends what it is given, byte for
//! byte, and ends streams as it is told. It runs on threads of its own, so that it can be killed as a process can.

#![allow(dead_code, unreachable_pub, reason = "several tests use it, and each a part of it")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, ready};
use futures_util::stream::{self, BoxStream};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::transport::{Certificate, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

use crate::raw::{DELTA, Raw, SOTW};

/// What nobody answers within this time is never answered.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct ControlPlane {
    runtime: Option<Runtime>,
    address: SocketAddr,
    streams: mpsc::UnboundedReceiver<Stream>,
}

/// How it speaks TLS.
#[derive(Clone, Debug)]
pub struct Tls {
    pub certificate: String,
    pub key: String,
    /// The CA whose certificates clients may show. They need not.
    pub client_ca: Option<String>,
}

/// A stream that somebody opened.
pub struct Stream {
    /// Whether it speaks delta.
    pub delta: bool,
    pub metadata: MetadataMap,
    /// The DER of the certificate that the client showed.
    pub certificate: Option<Vec<u8>>,
    requests: Streaming<Bytes>,
    responses: mpsc::Sender<Result<Bytes, Status>>,
}

impl ControlPlane {
    /// At some port of this machine.
    pub async fn start() -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), None).await
    }

    pub async fn start_with_tls(tls: Tls) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), Some(tls)).await
    }

    /// At that address: of one that was killed, for example.
    pub async fn start_at(address: SocketAddr, tls: Option<Tls>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (opened, streams) = mpsc::unbounded_channel();
        let listener = runtime.spawn(tokio::net::TcpListener::bind(address)).await.unwrap().unwrap();
        let address = listener.local_addr().unwrap();
        let mut server = Server::builder();
        if let Some(tls) = tls {
            let mut config = ServerTlsConfig::new().identity(Identity::from_pem(tls.certificate, tls.key));
            if let Some(ca) = tls.client_ca {
                config = config.client_ca_root(Certificate::from_pem(ca)).client_auth_optional(true);
            }
            server = server.tls_config(config).unwrap();
        }
        // As istiod does, or a response may wait 40 ms for an acknowledgement.
        let connections = TcpListenerStream::new(listener)
            .map(|accepted| accepted.and_then(|stream| stream.set_nodelay(true).map(|()| stream)));
        runtime.spawn(server.serve_with_incoming(Service(opened), connections));
        Self { runtime: Some(runtime), address, streams }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next stream that is opened.
    pub async fn stream(&mut self) -> Stream {
        patiently("a stream at the control plane", self.streams.recv()).await.unwrap()
    }

    /// Whether somebody has opened a stream that was not asked for yet.
    pub fn has_another_stream(&mut self) -> bool {
        !self.streams.is_empty()
    }

    /// Ends it at once, with all its connections, as kill -9 does.
    pub fn kill(mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Stream {
    /// The next request: nothing, if there will be none.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Status> {
        patiently("a request", self.requests.message()).await
    }

    /// The next request, as bytes.
    pub async fn raw_request(&mut self) -> Bytes {
        self.next().await.unwrap().expect("the stream has ended")
    }

    /// The next request, decoded.
    pub async fn request<M: prost::Message + Default>(&mut self) -> M {
        M::decode(self.raw_request().await).unwrap()
    }

    /// Until whoever opened the stream has closed it: says how many requests came before.
    pub async fn closed(mut self) -> usize {
        let mut requests = 0;
        while let Ok(Some(_)) = self.next().await {
            requests += 1;
        }
        requests
    }

    /// Sends a response. Waits for as long as the other side does not read.
    pub async fn send(&self, response: &impl prost::Message) {
        self.send_raw(response.encode_to_vec().into()).await;
    }

    pub async fn send_raw(&self, response: Bytes) {
        self.responses.send(Ok(response)).await.expect("the stream has ended");
    }

    /// By which responses can be sent while requests are read elsewhere.
    pub fn sender(&self) -> mpsc::Sender<Result<Bytes, Status>> {
        self.responses.clone()
    }

    /// Ends the stream with that status. Dropping it ends it with OK.
    pub async fn end(self, status: Status) {
        self.responses.send(Err(status)).await.expect("the stream has ended");
        // Until the status is on its way.
        self.responses.closed().await;
    }
}

/// The answer, or a panic that names what did not come.
pub async fn patiently<T>(what: &str, answer: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, answer)
        .await
        .unwrap_or_else(|_| panic!("{what} did not come within {PATIENCE:?}"))
}

#[derive(Clone)]
struct Service(mpsc::UnboundedSender<Stream>);

impl tower::Service<http::Request<Body>> for Service {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let delta = match request.uri().path() {
            SOTW => false,
            DELTA => true,
            _ => return Box::pin(ready(Ok(Status::unimplemented("no such method").into_http()))),
        };
        let method = Method { opened: self.0.clone(), delta };
        Box::pin(async move {
            let mut grpc = tonic::server::Grpc::new(Raw).max_decoding_message_size(usize::MAX);
            Ok(grpc.streaming(method, request).await)
        })
    }
}

struct Method {
    opened: mpsc::UnboundedSender<Stream>,
    delta: bool,
}

impl tower::Service<Request<Streaming<Bytes>>> for Method {
    type Response = Response<BoxStream<'static, Result<Bytes, Status>>>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let certificate =
            request.peer_certs().and_then(|chain| chain.first().map(|certificate| certificate.to_vec()));
        let (responses, mut sent) = mpsc::channel(16);
        let (metadata, _, requests) = request.into_parts();
        let stream = Stream { delta: self.delta, metadata, certificate, requests, responses };
        // The test may be over.
        _ = self.opened.send(stream);
        // As gRPC in Go does it: headers come with the first response and not before.
        Box::pin(async move {
            let first = stream::iter(sent.recv().await.transpose()?.map(Ok));
            Ok(Response::new(first.chain(ReceiverStream::new(sent)).boxed()))
        })
    }
}
