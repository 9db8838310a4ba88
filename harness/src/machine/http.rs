//! One HTTP stream: its filters' callbacks, its two ends, its end. Envoy's Wasm `Context` and the router.

use super::chain::{Data, Start, Verdict, data_of, headers_of, trailers_of};
use super::{Machine, size};
use crate::abi::Callback;
use crate::buffer::Buffer;
use crate::finding::Finding;
use crate::guest::{Context, Reply};
use crate::header::HeaderMap;
use crate::message::Response;
use crate::plugin::FailurePolicy;
use crate::stream::{Body, Direction, End, Filter, HttpStream, Side, Source};
use crate::vm::Called;
use crate::world::Posted;

/// How a callback of a filter ended.
enum Invoked {
    /// There is none, or the filter is not there for this stream.
    Absent,
    /// The VM has failed.
    Failed,
    /// What it returned; and whether a local response stops the stream whatever that is.
    Returned { value: u32, stopped: bool },
}

impl Machine {
    /// Makes a stream and its filters; nothing is called yet.
    pub(crate) fn open_stream(&mut self, mut http: HttpStream) -> usize {
        let worker = self.next_worker();
        // A new one each time: callouts and transcripts outlive their streams and must not be taken for another's.
        let stream = self.world().http.len();
        for place in 0..self.chain.len() {
            let Some(plugin) = self.chain.get(place).copied() else { continue };
            let instance = self.serving(worker, place);
            let policy = self.world().plugins.get(plugin).map(|plugin| plugin.failure_policy);
            let filter = http.filters.len();
            let (vm, root, context) = match instance {
                Some(instance) => {
                    let root = instance.root;
                    let context =
                        self.guest(instance.vm).allocate_context(Context::Http { root, stream, filter });
                    (Some(instance.vm), root, context)
                }
                // As if it were not in the chain.
                None if policy == Some(FailurePolicy::FailOpen) => continue,
                None => (None, 0, 0),
            };
            http.filters.push(Filter {
                plugin,
                vm,
                context,
                root,
                created: false,
                destroyed: false,
                request: Side::default(),
                response: Side::default(),
                end_of_stream: false,
                failed: false,
                failure_replied: false,
                logging: false,
            });
        }
        http.started_at = self.world().clock.monotonic();
        self.world().http.push(Some(Box::new(http)));
        stream
    }

    #[expect(clippy::indexing_slicing, reason = "filters are never taken out of a chain")]
    fn filter(&mut self, stream: usize, filter: usize) -> &mut Filter {
        &mut self.http(stream).filters[filter]
    }

    /// `onCreate`
    fn create(&mut self, stream: usize, filter: usize) {
        let it = self.filter(stream, filter);
        let (vm, context, root) = (it.vm, it.context, it.root);
        if std::mem::replace(&mut it.created, true) {
            return;
        }
        if let Some(vm) = vm {
            self.world().transcript.stream = Some(stream);
            if self.enter(vm, context, Callback::ContextCreate, &[context, root]) != Called::Absent {
                self.after(vm);
            }
        }
    }

    /// Calls a filter; a failed one answers for the stream (`CHECK_FAIL_HTTP`).
    fn invoke(&mut self, stream: usize, filter: usize, callback: Callback, arguments: &[u32]) -> Invoked {
        let it = self.filter(stream, filter);
        let context = it.context;
        let Some(vm) = it.vm.filter(|vm| !self.is_failed(*vm)) else {
            self.fail_stream(stream, filter);
            return Invoked::Failed;
        };
        self.world().transcript.stream = Some(stream);
        let called = self.enter_context(vm, context, callback, arguments);
        match called {
            Called::Absent => Invoked::Absent,
            Called::Failed => {
                self.fail_stream(stream, filter);
                self.after(vm);
                Invoked::Failed
            }
            Called::Returned(value) => {
                let stopped = std::mem::take(&mut self.guest(vm).stopped);
                self.after(vm);
                Invoked::Returned { value, stopped }
            }
        }
    }

    /// `failStream`: 503, once.
    fn fail_stream(&mut self, stream: usize, filter: usize) {
        let it = self.filter(stream, filter);
        if std::mem::replace(&mut it.failed, true) {
            return;
        }
        it.failure_replied = true;
        let details = "wasm_fail_stream".to_owned();
        self.local_reply(stream, Reply { status: 503, details, grpc_status: Some(14), ..Reply::default() });
    }

    /// `Context::decodeHeaders`, `encodeHeaders`
    pub(super) fn filter_headers(
        &mut self,
        stream: usize,
        filter: usize,
        direction: Direction,
        end: bool,
    ) -> Verdict {
        match direction {
            Direction::Request => self.create(stream, filter),
            Direction::Response if self.is_deaf(stream, filter) => return Verdict::Continue,
            Direction::Response => {}
        }
        let count = self.http(stream).path(direction).headers.as_ref().map_or(0, HeaderMap::len);
        let it = self.filter(stream, filter);
        it.end_of_stream = end;
        it.side(direction).headers = true;
        let callback = headers_of(direction);
        let old = it.vm.is_some_and(|vm| self.guest(vm).abi == crate::abi::AbiVersion::V0_1_0);
        let both = [size(count), u32::from(end)];
        let arguments = if old { &both[..1] } else { &both[..] };
        let verdict = match self.invoke(stream, filter, callback, arguments) {
            Invoked::Absent => Verdict::Continue,
            Invoked::Failed | Invoked::Returned { stopped: true, .. } => Verdict::StopAllAndWatermark,
            Invoked::Returned { value, .. } => self.headers_verdict(stream, filter, value),
        };
        if verdict == Verdict::Continue {
            self.side(stream, filter, direction).headers = false;
        }
        verdict
    }

    /// `convertVmCallResultToFilterHeadersStatus`
    fn headers_verdict(&mut self, stream: usize, filter: usize, value: u32) -> Verdict {
        match value {
            // 2 is ContinueAndEndStream, which Envoy knows no more.
            0 | 2 => Verdict::Continue,
            1 => {
                let plugin = self.filter(stream, filter).plugin;
                let allowed = self.world().plugins.get(plugin).is_some_and(|plugin| plugin.stop_iteration);
                if allowed || !self.is_envoy() { Verdict::Stop } else { Verdict::StopAllAndWatermark }
            }
            3 => Verdict::StopAllAndBuffer,
            _ => Verdict::StopAllAndWatermark,
        }
    }

    /// `Context::decodeData`, `encodeData`
    pub(super) fn filter_data(
        &mut self,
        stream: usize,
        filter: usize,
        direction: Direction,
        data: &mut Data,
        end: bool,
    ) -> Verdict {
        if self.is_deaf(stream, filter) {
            return Verdict::Continue;
        }
        if self.side(stream, filter, direction).buffering {
            self.http(stream).path(direction).streaming = false;
            let new = std::mem::replace(data, Data::New(Buffer::default()));
            if let Data::Buffered = new {
                *data = Data::Buffered;
            }
            self.hold(stream, direction, new);
            if self.filter(stream, filter).destroyed {
                return Verdict::StopAndBuffer;
            }
        }
        let path = self.http(stream).path(direction);
        let (body, outer) = match data {
            Data::New(new) => (Body::Flight, std::mem::replace(&mut path.flight, new.take())),
            Data::Buffered => (Body::Buffered, Buffer::default()),
        };
        let it = self.filter(stream, filter);
        it.end_of_stream = end;
        let side = it.side(direction);
        side.body = body;
        let collected = side.buffering || body == Body::Buffered;
        let path = self.http(stream).path(direction);
        let length =
            if collected { path.buffered.as_ref().map_or(0, Buffer::len) } else { path.flight.len() };
        let callback = data_of(direction);
        let invoked = self.invoke(stream, filter, callback, &[size(length), u32::from(end)]);
        if let Data::New(new) = data {
            *new = std::mem::replace(&mut self.http(stream).path(direction).flight, outer);
        }
        let verdict = match invoked {
            Invoked::Absent => Verdict::Continue,
            Invoked::Failed | Invoked::Returned { stopped: true, .. } => Verdict::Stop,
            Invoked::Returned { value, .. } => match value {
                0 => Verdict::Continue,
                1 => Verdict::StopAndBuffer,
                2 => Verdict::StopAndWatermark,
                _ => Verdict::Stop,
            },
        };
        let side = self.side(stream, filter, direction);
        side.buffering = verdict == Verdict::StopAndBuffer;
        if verdict == Verdict::Continue {
            side.body = Body::None;
        }
        verdict
    }

    /// `Context::decodeTrailers`, `encodeTrailers`
    pub(super) fn filter_trailers(&mut self, stream: usize, filter: usize, direction: Direction) -> Verdict {
        if self.is_deaf(stream, filter) {
            return Verdict::Continue;
        }
        let count = self.http(stream).path(direction).trailers.as_ref().map_or(0, HeaderMap::len);
        self.side(stream, filter, direction).trailers = true;
        let verdict = match self.invoke(stream, filter, trailers_of(direction), &[size(count)]) {
            Invoked::Absent | Invoked::Returned { value: 0, stopped: false } => Verdict::Continue,
            _ => Verdict::Stop,
        };
        if verdict == Verdict::Continue {
            self.side(stream, filter, direction).trailers = false;
        }
        verdict
    }

    /// Whether the filter is not told of what follows: it never saw the request, or has failed and answered for it.
    fn is_deaf(&mut self, stream: usize, filter: usize) -> bool {
        let it = self.filter(stream, filter);
        !it.created || it.failure_replied
    }

    /// The headers have passed every filter.
    pub(super) fn headers_out(&mut self, stream: usize, direction: Direction, end: bool) {
        let headers = self.http(stream).path(direction).headers.clone().unwrap_or_default();
        match direction {
            Direction::Request => {
                if let Some(missing) =
                    [":method", ":path"].into_iter().find(|name| headers.get(name).is_none())
                {
                    self.refuse_request(stream, missing);
                    return;
                }
            }
            Direction::Response => {
                if headers.get(":status").is_none() {
                    self.refuse_response(stream);
                    return;
                }
                self.http(stream).sent = true;
            }
        }
        let to = if direction == Direction::Request { "upstream" } else { "client" };
        self.world()
            .transcript
            .proxy(|| format!("headers reach the {to}{}", if end { ", and the end" } else { "" }));
        self.http(stream).received(direction).headers = Some(headers);
        if end {
            self.path_ends(stream, direction);
        }
    }

    /// Data has passed every filter.
    pub(super) fn data_out(&mut self, stream: usize, direction: Direction, data: Data, end: bool) {
        let data = match data {
            Data::New(new) => new,
            // The buffer stays, empty, as it does in Envoy.
            Data::Buffered => {
                self.http(stream).path(direction).buffered.as_mut().map(Buffer::take).unwrap_or_default()
            }
        };
        let length = data.len();
        let to = if direction == Direction::Request { "upstream" } else { "client" };
        self.world()
            .transcript
            .proxy(|| format!("{length} bytes reach the {to}{}", if end { ", and the end" } else { "" }));
        if length > 0 {
            self.http(stream).received(direction).chunks.push(data.into_bytes());
        }
        if end {
            self.path_ends(stream, direction);
        }
    }

    /// Trailers have passed every filter.
    pub(super) fn trailers_out(&mut self, stream: usize, direction: Direction) {
        let trailers = self.http(stream).path(direction).trailers.clone();
        let to = if direction == Direction::Request { "upstream" } else { "client" };
        self.world().transcript.proxy(|| format!("trailers reach the {to}"));
        self.http(stream).received(direction).trailers = trailers;
        self.path_ends(stream, direction);
    }

    fn path_ends(&mut self, stream: usize, direction: Direction) {
        let http = self.http(stream);
        http.path(direction).complete = true;
        http.received(direction).end = true;
        let path = http.path(direction);
        let kept = path.headers.as_ref().is_some_and(|headers| headers.get("content-length").is_some());
        if path.body_changed && !path.length_changed && kept && self.length_is_wrong(stream, direction) {
            let response = direction == Direction::Response;
            self.world().findings.add(Finding::ContentLengthKept { response });
        }
        match direction {
            Direction::Request => self.world().posted.push_back(Posted::Respond { stream }),
            Direction::Response => self.end_stream(stream, End::Complete),
        }
    }

    fn length_is_wrong(&mut self, stream: usize, direction: Direction) -> bool {
        let received = self.http(stream).received(direction);
        let length: usize = received.chunks.iter().map(bytes::Bytes::len).sum();
        let said = received.headers.as_ref().and_then(|headers| headers.get("content-length"));
        said.is_some_and(|said| said != length.to_string().as_bytes())
    }

    /// Ends the stream: it is logged, then every filter is told (`doDeferredStreamDestroy`).
    pub(super) fn end_stream(&mut self, stream: usize, how: End) {
        let now = self.world().clock.monotonic();
        let http = self.http(stream);
        if http.is_over() {
            return;
        }
        http.end = Some(how);
        http.ended_at = now;
        self.world().transcript.proxy(|| match how {
            End::Complete => "the stream is complete".to_owned(),
            End::Reset => "the stream is reset".to_owned(),
            End::Disconnected => "the client has gone".to_owned(),
        });
        let count = self.http(stream).filters.len();
        if self.is_envoy() {
            (0..count).for_each(|filter| self.log_stream(stream, filter));
        }
        for filter in 0..count {
            self.finish_filter(stream, filter);
        }
    }

    fn log_stream(&mut self, stream: usize, filter: usize) {
        // A request that never came this far is made known only to be logged.
        self.create(stream, filter);
        let it = self.filter(stream, filter);
        it.logging = true;
        let (vm, context) = (it.vm, it.context);
        if let Some(vm) = vm {
            self.world().transcript.stream = Some(stream);
            if self.enter(vm, context, Callback::Log, &[context]) != Called::Absent {
                self.after(vm);
            }
        }
        self.filter(stream, filter).logging = false;
    }

    /// `onDestroy`
    fn finish_filter(&mut self, stream: usize, filter: usize) {
        let it = self.filter(stream, filter);
        if std::mem::replace(&mut it.destroyed, true) {
            return;
        }
        let (vm, context, created) = (it.vm, it.context, it.created);
        let Some(vm) = vm else { return };
        if !created {
            self.guest(vm).contexts.remove(&context);
            return;
        }
        self.world().transcript.stream = Some(stream);
        if self.enter(vm, context, Callback::Done, &[context]) != Called::Absent {
            self.after(vm);
        }
        if !self.is_envoy() {
            self.log_stream(stream, filter);
        }
        if self.enter(vm, context, Callback::Delete, &[context]) != Called::Absent {
            self.after(vm);
        }
        self.guest(vm).contexts.remove(&context);
        self.world().transcript.stream = None;
    }

    /// The proxy resets the stream.
    pub(crate) fn reset(&mut self, stream: usize) {
        self.end_stream(stream, End::Reset);
    }

    /// The client goes away.
    pub(crate) fn disconnect(&mut self, stream: usize) {
        let http = self.http(stream);
        if http.is_over() {
            return;
        }
        http.details.get_or_insert_with(|| "downstream_remote_disconnect".to_owned());
        // DownstreamConnectionTermination
        http.flags |= 0x4000;
        self.end_stream(stream, End::Disconnected);
    }

    /// Headers come from the client.
    pub(crate) fn receive_request(&mut self, stream: usize, headers: HeaderMap, end: bool) {
        let http = self.http(stream);
        http.head = headers.get(":method") == Some(b"HEAD");
        http.grpc = headers.get("content-type").is_some_and(is_grpc);
        http.request.headers = Some(headers);
        http.request.ended = end;
        self.headers(stream, Direction::Request, Start::First, end);
        self.pump();
    }

    /// A part of a body comes, from either side.
    pub(crate) fn receive_data(
        &mut self,
        stream: usize,
        direction: Direction,
        data: bytes::Bytes,
        end: bool,
    ) {
        if self.http(stream).is_over() {
            return;
        }
        self.http(stream).path(direction).ended |= end;
        self.data(stream, direction, Start::First, Data::New(Buffer::from(data)), end);
        self.pump();
    }

    /// Trailers come, from either side.
    pub(crate) fn receive_trailers(&mut self, stream: usize, direction: Direction, trailers: HeaderMap) {
        if self.http(stream).is_over() {
            return;
        }
        let path = self.http(stream).path(direction);
        path.ended = true;
        path.trailers = Some(trailers);
        self.trailers(stream, direction, Start::First);
        self.pump();
    }

    /// Response headers come from the upstream.
    pub(crate) fn receive_response(&mut self, stream: usize, headers: HeaderMap, end: bool) {
        let http = self.http(stream);
        if http.is_over() || http.response.headers.is_some() {
            return;
        }
        http.source = Source::Upstream;
        http.details = Some("via_upstream".to_owned());
        http.response.headers = Some(headers);
        http.response.ended = end;
        self.headers(stream, Direction::Response, Start::First, end);
        self.pump();
    }

    /// The test's upstream answers without being asked, if it is one that does.
    pub(super) fn respond_by_itself(&mut self, stream: usize) {
        let world = self.world();
        let Some(Some(http)) = world.http.get(stream) else { return };
        if http.is_over() || http.response.headers.is_some() {
            return;
        }
        let request = http.upstream.request();
        let Some(mut upstream) = world.upstream.take() else { return };
        let response = upstream(&request);
        self.world().upstream.get_or_insert(upstream);
        self.respond(stream, &response, None);
    }

    /// A whole response comes from the upstream, its body in the given pieces.
    pub(crate) fn respond(&mut self, stream: usize, response: &Response, pieces: Option<&[bytes::Bytes]>) {
        let whole = [response.body.clone()];
        let pieces = pieces.unwrap_or(&whole);
        let empty = pieces.iter().all(bytes::Bytes::is_empty);
        let ends_in_headers = self.http(stream).head || (empty && response.trailers.is_none());
        self.receive_response(stream, response.headers.clone(), ends_in_headers);
        if ends_in_headers {
            return;
        }
        for (index, piece) in pieces.iter().enumerate() {
            let last = index + 1 == pieces.len() && response.trailers.is_none();
            self.receive_data(stream, Direction::Response, piece.clone(), last);
        }
        if let Some(trailers) = &response.trailers {
            self.receive_trailers(stream, Direction::Response, trailers.clone());
        }
    }
}

/// `Grpc::Common::isGrpcRequestHeaders`
fn is_grpc(content_type: &[u8]) -> bool {
    content_type
        .strip_prefix(b"application/grpc")
        .is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'+'))
}
