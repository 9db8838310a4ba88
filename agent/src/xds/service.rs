//! The service that Envoy calls: `envoy.service.discovery.v3.AggregatedDiscoveryService`, by hand, since no message of
//! it is decoded.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::future::{BoxFuture, Ready, ready};
use http::uri::PathAndQuery;
use tonic::body::Body;
use tonic::{Request, Response, Status, Streaming};

use super::queue::{Outgoing, responses};
use super::raw::Raw;
use super::stream::{self, Shared};
use crate::ecds::Protocol;

const SOTW: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
const DELTA: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

/// The method of a protocol.
pub(super) fn path(protocol: Protocol) -> PathAndQuery {
    PathAndQuery::from_static(match protocol {
        Protocol::Sotw => SOTW,
        Protocol::Delta => DELTA,
    })
}

/// The service. Each call becomes a stream of its own, with a task of its own.
#[derive(Clone)]
pub(super) struct Service(pub(super) Arc<Shared>);

impl tower::Service<http::Request<Body>> for Service {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let protocol = match request.uri().path() {
            SOTW => Protocol::Sotw,
            DELTA => Protocol::Delta,
            _ => return Box::pin(ready(Ok(Status::unimplemented("the agent serves ADS only").into_http()))),
        };
        let method = Method { shared: self.0.clone(), protocol };
        let mut grpc = tonic::server::Grpc::new(Raw).max_decoding_message_size(self.0.max_request);
        Box::pin(async move { Ok(grpc.streaming(method, request).await) })
    }
}

struct Method {
    shared: Arc<Shared>,
    protocol: Protocol,
}

impl tower::Service<Request<Streaming<Bytes>>> for Method {
    type Response = Response<Outgoing>;
    type Error = Status;
    type Future = Ready<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let (outbox, outgoing) = responses();
        // Ends by itself once Envoy or the control plane does: see `stream::run`.
        tokio::spawn(stream::run(self.shared.clone(), self.protocol, request.into_inner(), outbox));
        ready(Ok(Response::new(outgoing)))
    }
}
