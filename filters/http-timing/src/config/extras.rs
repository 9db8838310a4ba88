//! `metrics`: what is recorded beside duration and class. Each costs something for every stream, so each is switched on.

use filter_kit::config::{Fields, Node};
use filter_kit::metric::TagStyle;

use crate::grpc::{self, ClientErrors};

/// Which metrics there are beside the base ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extras {
    /// Responses of class 1xx.
    pub informational: bool,
    /// Streams that ended without a response.
    pub unanswered: bool,
    /// Streams of whatever outcome.
    pub requests: bool,
    /// Streams under way.
    pub inflight: bool,
    /// Time to the first byte of the response.
    pub ttfb: bool,
    /// Time that the upstream took.
    pub upstream: bool,
    /// Bytes of request and response.
    pub sizes: bool,
    /// Responses that Envoy made itself.
    pub local_replies: bool,
    /// Streams that a peer reset.
    pub resets: bool,
    /// Outcomes of gRPC.
    pub grpc: bool,
    /// Which of those are a client's errors.
    pub client_errors: ClientErrors,
    /// Durations also in microseconds.
    pub microseconds: bool,
    /// How the names are written.
    pub tag_style: TagStyle,
}

impl Extras {
    /// Reads the object `metrics`.
    pub fn read(node: Node<'_>) -> Option<Self> {
        node.object(|fields| {
            let informational = switch(fields, "1xx", "Responses of class 1xx, such as 101");
            let unanswered = switch(fields, "none", "Streams that ended without a response");
            let requests = switch(fields, "requests", "Streams of whatever outcome");
            let inflight = switch(fields, "inflight", "Streams under way, as a gauge");
            let ttfb = switch(fields, "ttfb", "Time to the first byte of the response");
            let upstream = switch(fields, "upstream", "Time that the upstream took");
            let sizes = switch(fields, "sizes", "Bytes of request and response, headers included");
            let local_replies = switch(fields, "local_replies", "Responses that Envoy made itself");
            let resets = switch(fields, "resets", "Streams that the upstream or the client reset");
            let grpc = switch(fields, "grpc", "Outcomes of gRPC by its own status");
            let client_errors = fields.optional(
                "grpc_client_errors",
                "The statuses that are the client's errors; the others, but `OK`, are the server's",
                grpc::client_errors,
            );
            let microseconds = switch(fields, "us", "Durations also in microseconds");
            let tag_style = TagStyle::field(fields);
            Some(Self {
                informational: informational?,
                unanswered: unanswered?,
                requests: requests?,
                inflight: inflight?,
                ttfb: ttfb?,
                upstream: upstream?,
                sizes: sizes?,
                local_replies: local_replies?,
                resets: resets?,
                grpc: grpc?,
                client_errors: client_errors?.unwrap_or_default(),
                microseconds: microseconds?,
                tag_style: tag_style?,
            })
        })
    }

    /// Whether any metric is switched on.
    pub fn any(&self) -> bool {
        let off = Self { client_errors: self.client_errors, tag_style: self.tag_style, ..Self::default() };
        *self != off
    }
}

#[inline(always)]
fn switch(fields: &mut Fields<'_>, name: &'static str, doc: &'static str) -> Option<bool> {
    fields.or(name, doc, false, |node| node.boolean())
}
