//! Replies that do not come from the upstream (Envoy's `sendLocalReply`).

use super::Machine;
use super::chain::{Data, Start, runs};
use crate::buffer::Buffer;
use crate::grpc_status::of_http;
use crate::guest::Reply;
use crate::header::HeaderMap;
use crate::stream::{Direction, End, Source};
use crate::world::Posted;

impl Machine {
    /// Answers the stream, whoever asks for it.
    pub(crate) fn local_reply(&mut self, stream: usize, reply: Reply) {
        let http = self.http(stream);
        if http.replaced {
            // The client has had a whole response.
            return;
        }
        if http.is_over() {
            if runs(http.calling, Direction::Request) {
                http.prepared.get_or_insert(reply);
            }
            return;
        }
        let decoding = runs(http.calling, Direction::Request);
        if decoding {
            http.request.aborted = true;
        } else if runs(http.calling, Direction::Response) {
            http.response.aborted = true;
        }
        http.details = Some(reply.details.clone());
        let status = reply.status;
        if http.response.headers.is_none() {
            self.world().transcript.proxy(|| format!("a local reply: {status}"));
            if decoding {
                // Not within a filter's callback, and the first one counts.
                self.http(stream).prepared.get_or_insert(reply);
            } else {
                self.reply_through_filters(stream, &reply);
            }
        } else if !self.http(stream).sent {
            self.world().transcript.proxy(|| format!("a local reply, past the filters: {status}"));
            self.reply_directly(stream, &reply);
        } else {
            // Headers are out already: nothing else can be done.
            self.reset(stream);
        }
    }

    /// `executeLocalReplyIfPrepared`
    pub(super) fn send_prepared(&mut self, stream: usize) {
        if let Some(reply) = self.http(stream).prepared.take() {
            self.reply_through_filters(stream, &reply);
        }
    }

    /// A reply to a stream that was reset in the same callback: Envoy shows its headers to filters that have been
    /// told that all is over, and goes no further.
    pub(super) fn reply_after_the_end(&mut self, stream: usize) {
        let Some(reply) = self.http(stream).prepared.take() else { return };
        let http = self.http(stream);
        let (headers, body) = written(&reply, http.grpc, http.head);
        http.response.headers = Some(headers);
        let count = http.filters.len();
        for filter in (0..count).rev() {
            self.filter_headers(stream, filter, Direction::Response, body.is_empty());
        }
    }

    fn reply_through_filters(&mut self, stream: usize, reply: &Reply) {
        let http = self.http(stream);
        let (headers, body) = written(reply, http.grpc, http.head);
        let end = body.is_empty();
        http.source = Source::Local;
        http.code = Some(reply.status);
        http.response.headers = Some(headers);
        http.response.ended = true;
        self.headers(stream, Direction::Response, Start::First, end);
        if !end {
            let data = Data::New(Buffer::from(bytes::Bytes::from(body)));
            self.data(stream, Direction::Response, Start::First, data, true);
        }
    }

    /// `sendDirectLocalReply`. What is on its way through the filters goes on to them, and no further.
    fn reply_directly(&mut self, stream: usize, reply: &Reply) {
        let http = self.http(stream);
        let (headers, body) = written(reply, http.grpc, http.head);
        http.source = Source::Local;
        http.code = Some(reply.status);
        http.sent = true;
        http.replaced = true;
        http.response.headers = Some(headers.clone());
        http.response.trailers = None;
        http.response.complete = true;
        http.downstream.headers = Some(headers);
        http.downstream.chunks = if body.is_empty() { Vec::new() } else { vec![body.into()] };
        http.downstream.end = true;
        self.world().posted.push_back(Posted::End { stream });
    }

    /// A filter took away what a request cannot be without (the router's `checkRequiredRequestHeaders`).
    pub(super) fn refuse_request(&mut self, stream: usize, missing: &str) {
        let body = format!("missing required header: {missing}").into_bytes();
        let details =
            format!("filter_removed_required_request_headers{{missing_required_header:_{missing}}}");
        self.local_reply(stream, Reply { status: 503, details, body, ..Reply::default() });
    }

    /// A filter wrote a name or a value that HTTP does not allow.
    pub(super) fn refuse_bad_header(&mut self, stream: usize, what: &str, name: &str) {
        let body = format!("{what}: {name}");
        let details = format!("filter_removed_required_request_headers{{{}}}", body.replace(' ', "_"));
        self.local_reply(stream, Reply { status: 503, details, body: body.into_bytes(), ..Reply::default() });
    }

    /// No route fits a request without a path.
    pub(super) fn no_route(&mut self, stream: usize) {
        self.local_reply(
            stream,
            Reply { status: 404, details: "route_not_found".to_owned(), ..Reply::default() },
        );
    }

    /// The same for a response (`checkRequiredResponseHeaders`).
    pub(super) fn refuse_response(&mut self, stream: usize) {
        let body = b"missing required header: :status".to_vec();
        let details = "filter_removed_required_response_headers{missing_required_header:_:status}".to_owned();
        self.local_reply(stream, Reply { status: 502, details, body, ..Reply::default() });
    }

    /// A filter held back more than may be held back.
    pub(super) fn too_large(&mut self, stream: usize, direction: Direction) {
        let (status, body, details) = match direction {
            Direction::Request => (413, "Payload Too Large", "request_payload_too_large"),
            Direction::Response => (500, "Internal Server Error", "response_payload_too_large"),
        };
        let reply =
            Reply { status, details: details.to_owned(), body: body.as_bytes().to_vec(), ..Reply::default() };
        self.local_reply(stream, reply);
        if self.http(stream).replaced {
            // Before the VM is asked what it makes of the part that was too much.
            self.end_stream(stream, End::Complete);
        }
    }

    /// The upstream is lost before or after its headers have come.
    pub(crate) fn upstream_fails(&mut self, stream: usize, reason: &str, details: &str) {
        let http = self.http(stream);
        if http.is_over() {
            return;
        }
        if http.response.headers.is_some() {
            http.details = Some(details.to_owned());
            self.reset(stream);
        } else {
            let body =
                format!("upstream connect error or disconnect/reset before headers. reset reason: {reason}");
            let details = details.to_owned();
            self.local_reply(
                stream,
                Reply { status: 503, details, body: body.into_bytes(), ..Reply::default() },
            );
        }
        self.pump();
    }
}

/// Headers and body of a local reply (`Utility::prepareLocalReply`).
fn written(reply: &Reply, grpc: bool, head: bool) -> (HeaderMap, Vec<u8>) {
    // Envoy keeps it in sixteen bits.
    let mut headers = HeaderMap::from([(":status", (reply.status & 0xffff).to_string())]);
    headers.extend(reply.headers.iter());
    // A filter may have added another one.
    headers.set(":status", (reply.status & 0xffff).to_string());
    if grpc {
        headers.replace(":status", "200");
        headers.replace("content-type", "application/grpc");
        let status = reply.grpc_status.unwrap_or_else(|| of_http(reply.status));
        headers.replace("grpc-status", status.to_string());
        if !reply.body.is_empty() && !head {
            headers.replace("grpc-message", percent_encoded(&reply.body));
        }
        return (headers, Vec::new());
    }
    if reply.body.is_empty() {
        headers.remove("content-length");
        headers.remove("content-type");
    } else {
        headers.replace("content-length", reply.body.len().to_string());
        if headers.get("content-type").is_none() {
            headers.add("content-type", "text/plain");
        }
    }
    (headers, if head { Vec::new() } else { reply.body.clone() })
}

/// As in `grpc-message`: printable ASCII but `%` as it is.
fn percent_encoded(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| match byte {
            b'%' => "%25".to_owned(),
            b' '..=b'~' => char::from(*byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
