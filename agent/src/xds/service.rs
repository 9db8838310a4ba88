//! The service that Envoy calls: `envoy.service.discovery.v3.AggregatedDiscoveryService`, by hand, since no message of
//! it is decoded.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::{Ready, ready};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use http::uri::PathAndQuery;
use tonic::body::Body;
use tonic::{Status, Streaming};

use super::answer::Answer;
use super::queue::responses;
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
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let protocol = match request.uri().path() {
            SOTW => Protocol::Sotw,
            DELTA => Protocol::Delta,
            _ => return ready(Ok(Status::unimplemented("the agent serves ADS only").into_http())),
        };
        // As tonic has it: nothing is compressed here, and nothing that is can be read.
        if request.headers().get("grpc-encoding").is_some_and(|encoding| encoding != "identity") {
            return ready(Ok(Status::unimplemented("the agent takes no compressed messages").into_http()));
        }
        let requests = Streaming::new_request(Raw, request.into_body(), None, Some(self.0.max_request));
        let (outbox, outgoing) = responses();
        // Ends by itself once Envoy or the control plane does: see `stream::run`.
        tokio::spawn(stream::run(self.0.clone(), protocol, requests, outbox));
        let mut answer = http::Response::new(Body::new(Answer::of(outgoing)));
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        ready(Ok(answer))
    }
}
