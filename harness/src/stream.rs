//! Streams and connections as the proxy keeps them: what each filter holds back, what went through.
//!
//! The fields stand for those of Envoy's `FilterManager`, `ActiveStreamFilterBase` and Wasm `Context`.

use bytes::Bytes;

use crate::abi::PeerType;
use crate::buffer::Buffer;
use crate::cost::Costs;
use crate::foreign::state::FilterState;
use crate::guest::Reply;
use crate::header::HeaderMap;
use crate::message::{Request, Response};
use crate::property::given::Given;

/// One HTTP request and its response.
#[derive(Debug, Default)]
pub(crate) struct HttpStream {
    pub(crate) filters: Vec<Filter>,
    pub(crate) request: Path,
    pub(crate) response: Path,
    /// What the upstream has received.
    pub(crate) upstream: Received,
    /// What the client has received.
    pub(crate) downstream: Received,
    /// Which callbacks run now, as bits (`filter_call_state_`).
    pub(crate) calling: u8,
    /// A local reply that waits for a callback to end (`prepareLocalReplyViaFilterChain`).
    pub(crate) prepared: Option<Reply>,
    /// Where the response came from.
    pub(crate) source: Source,
    /// A reply past the filters stands in place of what they saw.
    pub(crate) replaced: bool,
    /// Filters let something through that no codec writes.
    pub(crate) unwritable: bool,
    /// The operation in which the upstream was first sent something.
    pub(crate) forwarded_in: u64,
    /// Response headers have left the chain.
    pub(crate) sent: bool,
    /// How it ended, once it has.
    pub(crate) end: Option<End>,
    pub(crate) details: Option<String>,
    pub(crate) flags: u64,
    pub(crate) head: bool,
    pub(crate) grpc: bool,
    pub(crate) started_at: u64,
    pub(crate) ended_at: u64,
    pub(crate) given: Given,
    pub(crate) filter_state: FilterState,
    pub(crate) costs: Costs,
    /// The route that it takes, if that is not the one for all.
    pub(crate) route: Option<String>,
    /// The client speaks HTTP/2.
    pub(crate) http2: bool,
    /// The response's status, as the proxy itself keeps it (`StreamInfo::responseCode`).
    pub(crate) code: Option<u32>,
    /// Of the request's body, whether filters let it through or not.
    pub(crate) bytes_received: usize,
    /// When the request's headers reached the upstream.
    pub(crate) upstream_begun_at: Option<u64>,
    /// When the last of the response came from the upstream.
    pub(crate) upstream_ended_at: Option<u64>,
    /// Requests that the upstream had when filters sent headers again: Envoy resets them.
    pub(crate) abandoned: Vec<Received>,
}

/// The two ways through a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// Decoding, in Envoy's words.
    Request,
    /// Encoding.
    Response,
}

/// Who made the response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Source {
    /// Nobody yet.
    #[default]
    None,
    /// The upstream.
    Upstream,
    /// A filter, or the proxy itself.
    Local,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The response was sent whole.
    Complete,
    /// The proxy reset it.
    Reset,
    /// The client went away.
    Disconnected,
}

/// One direction of a stream.
#[derive(Debug, Default)]
pub(crate) struct Path {
    pub(crate) headers: Option<HeaderMap>,
    pub(crate) trailers: Option<HeaderMap>,
    /// What is held back for filters that stopped.
    pub(crate) buffered: Option<Buffer>,
    /// What is on its way through the chain now.
    pub(crate) flight: Buffer,
    /// So much is held back that no more is read.
    pub(crate) blocked: bool,
    /// What the sender sent meanwhile.
    pub(crate) waiting: Buffer,
    pub(crate) waiting_end: bool,
    pub(crate) waiting_trailers: Option<HeaderMap>,
    /// The last filter that stopped wants back pressure and no limit.
    pub(crate) streaming: bool,
    /// A local reply took over.
    pub(crate) aborted: bool,
    /// The sender has said everything (`observed_end_stream`).
    pub(crate) ended: bool,
    /// The whole of it has left the chain.
    pub(crate) complete: bool,
    pub(crate) body_changed: bool,
    pub(crate) length_changed: bool,
}

/// What the other end got.
#[derive(Debug, Default, Clone)]
pub(crate) struct Received {
    pub(crate) headers: Option<HeaderMap>,
    pub(crate) chunks: Vec<Bytes>,
    pub(crate) trailers: Option<HeaderMap>,
    pub(crate) end: bool,
}

impl Received {
    fn body(&self) -> Bytes {
        match self.chunks.as_slice() {
            [one] => one.clone(),
            chunks => chunks.concat().into(),
        }
    }

    pub(crate) fn request(&self) -> Request {
        let headers = self.headers.clone().unwrap_or_default();
        Request { headers, body: self.body(), trailers: self.trailers.clone() }
    }

    pub(crate) fn response(&self) -> Response {
        let headers = self.headers.clone().unwrap_or_default();
        Response { headers, body: self.body(), trailers: self.trailers.clone() }
    }
}

/// One filter in the chain of a stream.
#[derive(Debug)]
pub(crate) struct Filter {
    pub(crate) plugin: usize,
    /// The VM it runs in; none if the plugin could not be started and streams pass it.
    pub(crate) vm: Option<usize>,
    pub(crate) context: u32,
    pub(crate) root: u32,
    /// The guest knows of the context (`in_vm_context_created_`).
    pub(crate) created: bool,
    pub(crate) destroyed: bool,
    pub(crate) request: Side,
    pub(crate) response: Side,
    /// `end_of_stream_` of the last callback.
    pub(crate) end_of_stream: bool,
    pub(crate) failed: bool,
    pub(crate) failure_replied: bool,
    pub(crate) logging: bool,
}

/// What a filter holds in one direction.
#[derive(Debug, Default)]
pub(crate) struct Side {
    // Of the Wasm context.
    pub(crate) headers: bool,
    pub(crate) body: Body,
    pub(crate) trailers: bool,
    pub(crate) buffering: bool,
    // Of the filter manager.
    pub(crate) iteration: Iteration,
    pub(crate) from_current: bool,
    pub(crate) headers_continued: bool,
    pub(crate) end_stream: bool,
    /// The callback that stopped it.
    pub(crate) stopped_in: Option<crate::abi::Callback>,
}

/// Which buffer a context's body pointer points to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Body {
    #[default]
    None,
    Flight,
    Buffered,
}

/// Whether frames go on to the next filter (`IterationState`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Iteration {
    #[default]
    Continue,
    StopSingle,
    StopAllBuffer,
    StopAllWatermark,
}

impl Side {
    pub(crate) fn stopped_all(&self) -> bool {
        matches!(self.iteration, Iteration::StopAllBuffer | Iteration::StopAllWatermark)
    }

    pub(crate) fn can_iterate(&self) -> bool {
        self.iteration == Iteration::Continue
    }
}

impl Filter {
    pub(crate) fn side(&mut self, direction: Direction) -> &mut Side {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }
}

impl HttpStream {
    pub(crate) fn path(&mut self, direction: Direction) -> &mut Path {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    pub(crate) fn received(&mut self, direction: Direction) -> &mut Received {
        match direction {
            Direction::Request => &mut self.upstream,
            Direction::Response => &mut self.downstream,
        }
    }

    /// The stream is over; nothing of it may be touched any more.
    pub(crate) fn is_over(&self) -> bool {
        self.end.is_some()
    }
}

/// One TCP connection.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    pub(crate) filters: Vec<NetworkFilter>,
    /// Every filter has seen it and let it go on.
    pub(crate) let_through: bool,
    /// What the client sent and no filter let through.
    pub(crate) read: Buffer,
    pub(crate) read_end: bool,
    /// What the upstream sent and no filter let through.
    pub(crate) write: Buffer,
    pub(crate) write_end: bool,
    pub(crate) upstream: Vec<Bytes>,
    pub(crate) upstream_end: bool,
    pub(crate) downstream: Vec<Bytes>,
    pub(crate) downstream_end: bool,
    pub(crate) closed: Option<PeerType>,
    pub(crate) filter_state: FilterState,
    pub(crate) costs: Costs,
    pub(crate) started_at: u64,
}

/// One filter in the chain of a connection.
#[derive(Debug)]
pub(crate) struct NetworkFilter {
    pub(crate) vm: Option<usize>,
    pub(crate) context: u32,
    pub(crate) root: u32,
    pub(crate) created: bool,
    pub(crate) initialized: bool,
    pub(crate) failed: bool,
    pub(crate) downstream_data: bool,
    pub(crate) upstream_data: bool,
    pub(crate) downstream_closed: bool,
    pub(crate) upstream_closed: bool,
    pub(crate) closed: bool,
    pub(crate) end_of_stream: bool,
}
