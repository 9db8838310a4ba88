//! What a test does with a callout: look at it, answer it.

use crate::callout::{Grpc, What};
use crate::header::HeaderMap;
use crate::host::Host;
use crate::message::{Request, Response};

/// An HTTP callout that waits for an answer.
#[derive(Debug)]
pub struct Callout {
    host: Host,
    call: usize,
    request: Request,
    timeout_ms: u32,
}

impl Callout {
    pub(crate) fn new(host: Host, call: usize) -> Self {
        let (request, timeout_ms) = {
            let mut machine = host.lock();
            let callout = machine.world().callouts.get(call);
            let request = callout.and_then(|callout| match &callout.what {
                What::Http(request) => Some(request.clone()),
                What::Grpc(_) => None,
            });
            (request.unwrap_or_default(), callout.map_or(0, |callout| callout.timeout_ms))
        };
        Self { host, call, request, timeout_ms }
    }

    /// Which callout it is of all that the host has seen, from 0.
    #[must_use]
    pub fn number(&self) -> usize {
        self.call
    }

    /// What was asked.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// How long the filter waits for the answer, in milliseconds; 0 is for ever.
    #[must_use]
    pub fn timeout_ms(&self) -> u32 {
        self.timeout_ms
    }

    /// # Panics
    ///
    /// If another path was asked for.
    #[track_caller]
    #[must_use]
    pub fn assert_path(self, path: &str) -> Self {
        assert_eq!(self.request.path(), path, "the callout's path");
        self
    }

    /// # Panics
    ///
    /// If the header has another value, or is not there.
    #[track_caller]
    #[must_use]
    pub fn assert_header(self, name: &str, value: &str) -> Self {
        assert_eq!(self.request.header(name).as_deref(), Some(value), "the callout's header {name}");
        self
    }

    /// Answers with a status and a body.
    pub fn respond(self, status: u32, body: impl Into<bytes::Bytes>) {
        self.respond_with(Response::new(status).with_body(body));
    }

    /// Answers with a whole response.
    pub fn respond_with(self, response: Response) {
        self.host.lock().answer_http(self.call, response);
    }

    /// The filter's timeout passes, and Envoy answers 504 in the cluster's place. For timeouts in their order with
    /// everything else, use [`Host::advance`].
    pub fn time_out(self) {
        self.host.lock().time_out(self.call);
    }

    /// No connection can be made, and Envoy answers 503 in the cluster's place.
    pub fn refuse(self) {
        self.host.lock().refuse_connection(self.call);
    }

    /// The connection is lost before a response has begun, and Envoy answers 503 in the cluster's place.
    pub fn fail(self, reason: &str) {
        let text =
            format!("upstream connect error or disconnect/reset before headers. reset reason: {reason}");
        self.host.lock().local_answer(self.call, 503, &text);
    }

    /// The connection is reset after the response has begun: the filter sees no headers and the status 11.
    pub fn reset(self) {
        self.host.lock().reset_http(self.call);
    }
}

/// A gRPC call or stream that is open. Clones are the same one.
#[derive(Clone, Debug)]
pub struct GrpcCallout {
    host: Host,
    call: usize,
}

impl GrpcCallout {
    pub(crate) fn new(host: Host, call: usize) -> Self {
        Self { host, call }
    }

    fn read<T: Default>(&self, read: impl FnOnce(&Grpc) -> T) -> T {
        let mut machine = self.host.lock();
        match machine.world().callouts.get(self.call).map(|callout| &callout.what) {
            Some(What::Grpc(grpc)) => read(grpc),
            _ => T::default(),
        }
    }

    /// The service that is called.
    #[must_use]
    pub fn service(&self) -> String {
        self.read(|grpc| grpc.service.clone())
    }

    /// The method that is called.
    #[must_use]
    pub fn method(&self) -> String {
        self.read(|grpc| grpc.method.clone())
    }

    /// What the filter sent along.
    #[must_use]
    pub fn metadata(&self) -> HeaderMap {
        self.read(|grpc| grpc.metadata.clone())
    }

    /// The request as the service receives it over the wire, with the messages so far in gRPC's frames.
    #[must_use]
    pub fn request(&self) -> Request {
        let (cluster, timeout_ms) = {
            let mut machine = self.host.lock();
            let callout = machine.world().callouts.get(self.call);
            (callout.map_or_else(String::new, |it| it.cluster.clone()), callout.map_or(0, |it| it.timeout_ms))
        };
        self.read(|grpc| {
            let path = format!("/{}/{}", grpc.service, grpc.method);
            let mut headers = HeaderMap::from([
                (":method", "POST"),
                (":scheme", "http"),
                (":authority", &cluster),
                (":path", &path),
                ("te", "trailers"),
            ]);
            if timeout_ms > 0 {
                headers.add("grpc-timeout", format!("{timeout_ms}m"));
            }
            headers.add("content-type", "application/grpc");
            headers.extend(grpc.metadata.iter());
            headers.set("x-envoy-internal", "true");
            if timeout_ms > 0 {
                headers.set("x-envoy-expected-rq-timeout-ms", timeout_ms.to_string());
            }
            let mut body = Vec::new();
            for message in &grpc.sent {
                body.push(0);
                body.extend(u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes());
                body.extend_from_slice(message);
            }
            Request { headers, body: body.into(), trailers: None }
        })
    }

    /// Which callout it is of all that the host has seen, from 0.
    #[must_use]
    pub fn number(&self) -> usize {
        self.call
    }

    /// Whether the filter has cancelled it.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.read(|grpc| grpc.cancelled)
    }

    /// The messages that the filter has sent so far.
    #[must_use]
    pub fn sent(&self) -> Vec<Vec<u8>> {
        self.read(|grpc| grpc.sent.clone())
    }

    /// Whether the filter has said that it sends no more.
    #[must_use]
    pub fn is_half_closed(&self) -> bool {
        self.read(|grpc| grpc.half_closed)
    }

    /// Whether nothing more can come of it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let mut machine = self.host.lock();
        machine.world().callouts.get(self.call).is_none_or(|callout| callout.over)
    }

    /// Initial metadata arrives.
    pub fn initial_metadata(&self, metadata: impl Into<HeaderMap>) -> &Self {
        self.host.lock().grpc_initial_metadata(self.call, metadata.into());
        self
    }

    /// A message arrives; it ends a unary call.
    pub fn message(&self, message: impl Into<Vec<u8>>) -> &Self {
        self.host.lock().grpc_message(self.call, message.into());
        self
    }

    /// Trailing metadata arrives.
    pub fn trailing_metadata(&self, metadata: impl Into<HeaderMap>) -> &Self {
        self.host.lock().grpc_trailing_metadata(self.call, metadata.into());
        self
    }

    /// The service ends it with a gRPC status and message, in its trailers. A unary call that has had its message is
    /// over by then.
    pub fn close(&self, status: u32, message: &str) -> &Self {
        let message = if message.is_empty() || status == 0 {
            "via_upstream".to_owned()
        } else {
            format!("{message}{{via_upstream}}")
        };
        self.host.lock().close_grpc(self.call, status, &message);
        self
    }

    /// The service answers with an HTTP status in place of gRPC.
    pub fn answer_http(&self, status: u32) -> &Self {
        self.host.lock().close_grpc(self.call, crate::grpc_status::of_http(status), "via_upstream");
        self
    }

    /// The service resets the stream after its answer has begun.
    pub fn reset(&self) -> &Self {
        self.host.lock().grpc_trailing_metadata(self.call, HeaderMap::new());
        self.host.lock().close_grpc(self.call, 13, "upstream_reset_after_response_started{remote_reset}");
        self
    }

    /// No connection can be made.
    pub fn refuse(&self) -> &Self {
        self.host.lock().refuse_connection(self.call);
        self
    }

    /// The filter's timeout passes. In its order with everything else it does so by [`Host::advance`].
    pub fn time_out(&self) -> &Self {
        self.host.lock().time_out(self.call);
        self
    }
}
