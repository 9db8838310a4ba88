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
use crate::stream::{Body, Direction, End, Filter, HttpStream, Received, Side, Source};
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
        self.world().http.push(None);
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
        if let Some(place) = self.world().http.get_mut(stream) {
            *place = Some(Box::new(http));
        }
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
            if self.enter(vm, context, Callback::ContextCreate, &[root]) != Called::Absent {
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
        let called = self.enter(vm, context, callback, arguments);
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
        let [count, _] = both;
        let arguments: &[u32] = if old { &[count] } else { &both };
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
        let operation = self.operation;
        let mut headers = self.http(stream).path(direction).headers.clone().unwrap_or_default();
        match direction {
            Direction::Request => {
                if !self.can_be_forwarded(stream, &headers) {
                    return;
                }
                let http = self.http(stream);
                if http.upstream.headers.is_some() {
                    // A filter resumed what it had not stopped: the router begins anew.
                    let received = std::mem::take(&mut http.upstream);
                    http.abandoned.push(received);
                }
                http.forwarded_in = operation;
                if headers.get(":scheme").is_none() {
                    headers.add(":scheme", "http");
                }
            }
            Direction::Response => {
                let status = headers.get(":status").and_then(|status| std::str::from_utf8(status).ok());
                if status.and_then(|status| status.parse::<u64>().ok()).is_none() {
                    self.refuse_response(stream);
                    return;
                }
                let http = self.http(stream);
                if std::mem::replace(&mut http.sent, true) {
                    // A filter resumed what it had not stopped: headers cannot be sent twice.
                    self.reset(stream);
                    return;
                }
                http.unwritable = headers.iter().any(|(name, value)| bad_header(name, value).is_some());
                headers = self.signed(stream, headers);
            }
        }
        let to = if direction == Direction::Request { "upstream" } else { "client" };
        self.world()
            .transcript
            .proxy(|| format!("headers reach the {to}{}", if end { ", and the end" } else { "" }));
        if direction == Direction::Request {
            self.choose_route(stream);
        }
        let now = self.world().clock.monotonic();
        let http = self.http(stream);
        match direction {
            Direction::Request => http.upstream_begun_at = Some(now),
            Direction::Response => http.code = status_of(&headers),
        }
        if direction == Direction::Request || !self.http(stream).unwritable {
            self.http(stream).received(direction).headers = Some(headers);
        }
        if end {
            self.path_ends(stream, direction);
        }
    }

    /// What the connection manager adds to every response.
    fn signed(&mut self, stream: usize, mut headers: HeaderMap) -> HeaderMap {
        let now = self.world().clock.wall();
        headers.set("date", crate::clock::http_date(now));
        headers.set("server", "envoy");
        self.http(stream).response.headers = Some(headers.clone());
        headers
    }

    /// Whether the router finds a route and the codec takes the headers; if not, it answers.
    fn can_be_forwarded(&mut self, stream: usize, headers: &HeaderMap) -> bool {
        if !headers.get(":path").is_some_and(|path| path.starts_with(b"/")) {
            let connects = headers.get(":method") == Some(b"CONNECT");
            let asterisk = headers.get(":path") == Some(b"*");
            if !connects && !asterisk {
                self.no_route(stream);
                return false;
            }
        }
        if headers.get(":method").is_none() {
            self.refuse_request(stream, ":method");
            return false;
        }
        let Some((what, name)) = headers.iter().find_map(|(name, value)| {
            bad_header(name, value).map(|what| (what, String::from_utf8_lossy(name).into_owned()))
        }) else {
            return true;
        };
        if name.is_empty() || name.starts_with(':') {
            // The upstream's codec refuses it.
            self.upstream_fails(
                stream,
                "remote refused stream reset",
                "upstream_reset_before_response_started{remote_refused_stream_reset}",
            );
        } else {
            self.refuse_bad_header(stream, what, &name);
        }
        false
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
        if direction == Direction::Response && self.http(stream).replaced {
            return;
        }
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
        http.received(direction).end = !(direction == Direction::Response && http.unwritable);
        let path = http.path(direction);
        let kept = path.headers.as_ref().is_some_and(|headers| headers.get("content-length").is_some());
        if path.body_changed && !path.length_changed && kept && self.length_is_wrong(stream, direction) {
            let response = direction == Direction::Response;
            self.world().findings.add(Finding::ContentLengthKept { response });
        }
        match direction {
            Direction::Request => self.world().posted.push_back(Posted::Respond { stream }),
            Direction::Response => {
                // The codec refuses to write it.
                let how = if self.http(stream).unwritable { End::Reset } else { End::Complete };
                self.end_stream(stream, how);
            }
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
        let operation = self.operation;
        let http = self.http(stream);
        if http.is_over() {
            return;
        }
        http.end = Some(how);
        http.ended_at = now;
        if http.forwarded_in == operation && http.source == Source::Local {
            // It was over before a connection to the upstream could be made.
            http.upstream = Received::default();
        }
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
            if self.enter(vm, context, Callback::Log, &[]) != Called::Absent {
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
        let (vm, context, root, created) = (it.vm, it.context, it.root, it.created);
        let Some(vm) = vm else { return };
        if !created {
            self.guest(vm).forget(context);
            return;
        }
        self.world().transcript.stream = Some(stream);
        if self.enter(vm, context, Callback::Done, &[]) != Called::Absent {
            self.after(vm);
        }
        if !self.is_envoy() {
            self.log_stream(stream, filter);
        }
        if self.enter(vm, context, Callback::Delete, &[]) != Called::Absent {
            self.after(vm);
        }
        self.guest(vm).forget(context);
        self.finish_retired(vm, root);
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
        http.details = Some("downstream_remote_disconnect".to_owned());
        // DownstreamConnectionTermination
        http.flags |= 0x4000;
        self.end_stream(stream, End::Disconnected);
    }

    /// The client resets the stream.
    pub(crate) fn reset_by_client(&mut self, stream: usize) {
        let http = self.http(stream);
        if http.is_over() {
            return;
        }
        http.details = Some("downstream_remote_reset".to_owned());
        // DownstreamRemoteReset
        http.flags |= 0x1000_0000;
        self.end_stream(stream, End::Disconnected);
        self.pump();
    }

    /// Reads on where reading had stopped, if there is room again.
    pub(super) fn unblock(&mut self, stream: usize, direction: Direction) {
        let path = self.http(stream).path(direction);
        if !path.blocked || path.buffered.as_ref().is_some_and(|buffer| buffer.len() > 0) {
            return;
        }
        path.blocked = false;
        let (data, end) = (path.waiting.take().into_bytes(), std::mem::take(&mut path.waiting_end));
        let trailers = path.waiting_trailers.take();
        if !data.is_empty() {
            self.receive_data(stream, direction, data, false);
        }
        match trailers {
            Some(trailers) => self.receive_trailers(stream, direction, trailers),
            // The codec has read on meanwhile, and tells of the end by itself.
            None if end => self.receive_data(stream, direction, bytes::Bytes::new(), true),
            None => {}
        }
    }

    /// Headers come from the client.
    pub(crate) fn receive_request(&mut self, stream: usize, headers: HeaderMap, end: bool) {
        let http = self.http(stream);
        http.head = headers.get(":method") == Some(b"HEAD");
        http.grpc = headers.get("content-type").is_some_and(is_grpc);
        http.request.headers = Some(headers);
        http.request.ended = end;
        self.choose_route(stream);
        self.headers(stream, Direction::Request, Start::First, end);
        self.pump();
    }

    /// Takes the first route that is for the path.
    fn choose_route(&mut self, stream: usize) {
        let path = self.http(stream).request.headers.as_ref().and_then(|headers| headers.get(":path"));
        let path = path.unwrap_or_default().to_vec();
        let routes = &self.world().routes;
        let route = routes.iter().find(|(prefix, _)| path.starts_with(prefix.as_bytes()));
        let route = route.map(|(_, name)| name.clone());
        self.http(stream).route = route;
    }

    /// Notes that a part of a message has come, and whether it is the last.
    fn comes(&mut self, stream: usize, direction: Direction, end: bool) {
        let now = self.world().clock.monotonic();
        let http = self.http(stream);
        http.path(direction).ended |= end;
        if end && direction == Direction::Response {
            http.upstream_ended_at = Some(now);
        }
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
        let path = self.http(stream).path(direction);
        if path.blocked {
            path.waiting.push(data);
            path.waiting_end |= end;
            return;
        }
        if direction == Direction::Request {
            self.http(stream).bytes_received += data.len();
        }
        self.comes(stream, direction, end);
        self.data(stream, direction, Start::First, Data::New(Buffer::from(data)), end);
        self.pump();
    }

    /// Trailers come, from either side.
    pub(crate) fn receive_trailers(&mut self, stream: usize, direction: Direction, trailers: HeaderMap) {
        if self.http(stream).is_over() {
            return;
        }
        let path = self.http(stream).path(direction);
        if path.blocked {
            path.waiting_trailers = Some(trailers);
            return;
        }
        self.comes(stream, direction, true);
        self.http(stream).path(direction).trailers = Some(trailers);
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
        http.code = status_of(&headers);
        http.response.headers = Some(headers);
        self.comes(stream, Direction::Response, end);
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

fn status_of(headers: &HeaderMap) -> Option<u32> {
    std::str::from_utf8(headers.get(":status")?).ok()?.parse().ok()
}

/// What is wrong with a header line, if HTTP does not allow it.
fn bad_header(name: &[u8], value: &[u8]) -> Option<&'static str> {
    const PSEUDO: [&[u8]; 6] = [b":method", b":path", b":authority", b":scheme", b":protocol", b":status"];
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let good_name = PSEUDO.contains(&name) || (!name.is_empty() && name.iter().all(token));
    if !good_name {
        Some("invalid header name")
    } else if value.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
        Some("invalid header value for")
    } else {
        None
    }
}

/// `Grpc::Common::isGrpcRequestHeaders`
fn is_grpc(content_type: &[u8]) -> bool {
    content_type
        .strip_prefix(b"application/grpc")
        .is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'+'))
}
