//! One HTTP stream: its filters' callbacks, its two ends, its end. Envoy's Wasm `Context` and the router.

mod end;
mod out;
mod receive;

use super::chain::{Data, Verdict, data_of, headers_of, trailers_of};
use super::{Machine, size};
use crate::abi::Callback;
use crate::buffer::Buffer;
use crate::guest::{Context, Reply};
use crate::header::HeaderMap;
use crate::plugin::FailurePolicy;
use crate::stream::{Body, Direction, Filter, HttpStream, Side};
use crate::vm::Called;

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
}
