//! What comes from either side goes into the chain.

use super::out::status_of;
use crate::buffer::Buffer;
use crate::header::HeaderMap;
use crate::machine::Machine;
use crate::machine::chain::{Data, Start};
use crate::message::Response;
use crate::stream::{Direction, Source};

impl Machine {
    /// Reads on where reading had stopped, if there is room again.
    pub(in crate::machine) fn unblock(&mut self, stream: usize, direction: Direction) {
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
    pub(in crate::machine) fn choose_route(&mut self, stream: usize) {
        let path = self.http(stream).request.headers.as_ref().and_then(|headers| headers.get(":path"));
        let path = path.unwrap_or_default().to_vec();
        let routes = &self.world().routes;
        let route = routes.iter().find(|(prefix, _)| path.starts_with(prefix.as_bytes()));
        let route = route.map(|(_, name)| name.clone());
        self.http(stream).route = route;
    }

    /// Notes that a part of a message has come, and whether it is the last.
    pub(in crate::machine) fn comes(&mut self, stream: usize, direction: Direction, end: bool) {
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
    pub(in crate::machine) fn respond_by_itself(&mut self, stream: usize) {
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
