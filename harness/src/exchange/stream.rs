//! A stream in flight, and what became of it.

use bytes::Bytes;

use crate::chunks::Chunks;
use crate::cost::Costs;
use crate::header::HeaderMap;
use crate::host::Host;
use crate::message::{Request, Response};
use crate::stream::{Direction, End, HttpStream, Source};

/// One request and its response. Dropped before it is over, its client goes away.
#[derive(Debug)]
pub struct Stream {
    host: Host,
    id: usize,
}

impl Stream {
    pub(crate) fn new(host: Host, id: usize) -> Self {
        Self { host, id }
    }

    fn read<T>(&self, read: impl FnOnce(&HttpStream) -> T) -> T {
        let mut machine = self.host.lock();
        #[expect(
            clippy::expect_used,
            clippy::indexing_slicing,
            reason = "a stream lives as long as its handle"
        )]
        let http = machine.world().http[self.id].as_ref().expect("the stream lives");
        read(http)
    }

    /// Sends a piece of the request's body.
    pub fn data(&self, piece: impl Into<Bytes>, end: bool) -> &Self {
        self.host.lock().receive_data(self.id, Direction::Request, piece.into(), end);
        self
    }

    /// Sends trailers, and with them the end of the request.
    pub fn trailers(&self, trailers: impl Into<HeaderMap>) -> &Self {
        self.host.lock().receive_trailers(self.id, Direction::Request, trailers.into());
        self
    }

    /// The client goes away.
    pub fn disconnect(&self) -> &Self {
        self.host.lock().disconnect(self.id);
        self
    }

    /// The upstream answers, all at once.
    pub fn respond(&self, response: impl Into<Response>) -> &Self {
        self.host.lock().respond(self.id, &response.into(), None);
        self
    }

    /// The upstream answers, the body cut by a plan.
    pub fn respond_cut(&self, response: &Response, plan: &Chunks) -> &Self {
        let pieces = plan.cut(&response.body);
        self.host.lock().respond(self.id, response, Some(&pieces));
        self
    }

    /// The upstream answers with headers; more comes by [`Stream::respond_data`].
    pub fn respond_headers(&self, response: &Response, end: bool) -> &Self {
        self.host.lock().receive_response(self.id, response.headers.clone(), end);
        self
    }

    /// The upstream sends a piece of the response's body.
    pub fn respond_data(&self, piece: impl Into<Bytes>, end: bool) -> &Self {
        self.host.lock().receive_data(self.id, Direction::Response, piece.into(), end);
        self
    }

    /// The upstream sends trailers, and with them the end of the response.
    pub fn respond_trailers(&self, trailers: impl Into<HeaderMap>) -> &Self {
        self.host.lock().receive_trailers(self.id, Direction::Response, trailers.into());
        self
    }

    /// The upstream resets the stream.
    pub fn upstream_resets(&self) -> &Self {
        self.upstream_is_lost("remote reset")
    }

    /// The upstream's connection breaks.
    pub fn upstream_disconnects(&self) -> &Self {
        self.upstream_is_lost("connection termination")
    }

    fn upstream_is_lost(&self, reason: &str) -> &Self {
        let started = self.read(|http| http.response.headers.is_some());
        let when = if started { "after" } else { "before" };
        let details = format!("upstream_reset_{when}_response_started{{{}}}", reason.replace(' ', "_"));
        self.host.lock().upstream_fails(self.id, reason, &details);
        self
    }

    /// The client resets the stream and keeps its connection.
    pub fn reset_by_client(&self) -> &Self {
        self.host.lock().reset_by_client(self.id);
        self
    }

    /// Requests that the upstream had received a part of when a filter resumed what it had not stopped: Envoy then
    /// sends the headers again, and resets what it had sent.
    #[must_use]
    pub fn abandoned(&self) -> Vec<Request> {
        self.read(|http| http.abandoned.iter().map(crate::stream::Received::request).collect())
    }

    /// The request as the upstream received it, whole.
    ///
    /// # Panics
    ///
    /// If it did not reach the upstream, or not all of it.
    #[must_use]
    #[track_caller]
    pub fn forwarded(&self) -> Request {
        match self.upstream() {
            Some(request) if self.read(|http| http.upstream.end) => request,
            _ => self.expected("the request to be forwarded"),
        }
    }

    /// What the upstream has received so far, if it has received anything.
    #[must_use]
    pub fn upstream(&self) -> Option<Request> {
        self.read(|http| http.upstream.headers.is_some().then(|| http.upstream.request()))
    }

    /// Whether the upstream has the whole request.
    #[must_use]
    pub fn has_reached_upstream(&self) -> bool {
        self.read(|http| http.upstream.end)
    }

    /// Whether the client has the whole response.
    #[must_use]
    pub fn has_reached_downstream(&self) -> bool {
        self.read(|http| http.downstream.end)
    }

    /// The reply that a filter, or the proxy, gave in the upstream's place.
    ///
    /// # Panics
    ///
    /// If there is none.
    #[must_use]
    #[track_caller]
    pub fn answered(&self) -> Response {
        let (local, end) = self.read(|http| (http.source == Source::Local, http.end));
        if local && end == Some(End::Complete) {
            return self.read(|http| http.downstream.response());
        }
        self.expected("a local reply")
    }

    /// The response as the client received it, whole, whoever made it.
    ///
    /// # Panics
    ///
    /// If it did not reach the client, or not all of it.
    #[must_use]
    #[track_caller]
    pub fn received(&self) -> Response {
        if self.read(|http| http.downstream.end) {
            return self.read(|http| http.downstream.response());
        }
        self.expected("the client to receive a whole response")
    }

    /// What the client has received so far, if it has received anything.
    #[must_use]
    pub fn downstream(&self) -> Option<Response> {
        self.read(|http| http.downstream.headers.is_some().then(|| http.downstream.response()))
    }

    /// # Panics
    ///
    /// If no filter holds the stream.
    #[track_caller]
    pub fn paused(&self) -> &Self {
        if self.paused_in().is_none() {
            self.expected("the stream to be paused")
        }
        self
    }

    /// The callback in which a filter stopped the stream, if one did and nothing has resumed it.
    #[must_use]
    pub fn paused_in(&self) -> Option<crate::abi::Callback> {
        self.read(|http| {
            if http.is_over() {
                return None;
            }
            http.filters.iter().find_map(|filter| filter.request.stopped_in.or(filter.response.stopped_in))
        })
    }

    /// # Panics
    ///
    /// If the proxy did not reset the stream.
    #[track_caller]
    pub fn was_reset(&self) -> &Self {
        if self.read(|http| http.end) != Some(End::Reset) {
            self.expected("the stream to be reset")
        }
        self
    }

    /// Whether the whole request has reached the upstream.
    #[must_use]
    pub fn is_forwarded(&self) -> bool {
        self.read(|http| http.upstream.headers.is_some() && http.upstream.end)
    }

    /// Whether a filter, or the proxy, has answered in the upstream's place.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.read(|http| http.source == Source::Local && http.end == Some(End::Complete))
    }

    /// Whether a whole response has reached the client, whoever made it.
    #[must_use]
    pub fn is_received(&self) -> bool {
        self.read(|http| http.downstream.end)
    }

    /// Whether the proxy has reset the stream.
    #[must_use]
    pub fn is_reset(&self) -> bool {
        self.read(|http| http.end == Some(End::Reset))
    }

    /// Whether nothing more happens on it.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.read(HttpStream::is_over)
    }

    /// Response code details, as an access log would have them.
    #[must_use]
    pub fn details(&self) -> Option<String> {
        self.read(|http| http.details.clone())
    }

    /// What the stream's callbacks have cost so far.
    #[must_use]
    pub fn costs(&self) -> Costs {
        self.read(|http| http.costs.clone())
    }

    /// What went back and forth on this stream, in order.
    #[must_use]
    pub fn transcript(&self) -> String {
        self.host.lock().world().transcript.text(Some(self.id))
    }

    #[track_caller]
    #[expect(clippy::panic, reason = "an expectation that is not met fails the test")]
    fn expected(&self, what: &str) -> ! {
        let was = self.read(|http| match (http.end, http.source, http.upstream.end) {
            (Some(End::Complete), Source::Local, _) => {
                format!("it was answered {} in place of the upstream", http.downstream.response().status())
            }
            (Some(End::Complete), _, _) => "it is complete, answered by the upstream".to_owned(),
            (Some(End::Reset), ..) => "it was reset".to_owned(),
            (Some(End::Disconnected), ..) => "the client went away".to_owned(),
            (None, _, true) => "the request was let through, and the response is not complete".to_owned(),
            (None, _, false) if http.upstream.headers.is_some() => {
                "a part of it has reached the upstream".to_owned()
            }
            (None, ..) => "nothing of it has reached the upstream".to_owned(),
        });
        let paused = self.paused_in().map(|callback| format!(", it is paused in {}", callback.name()));
        let traps: String = self.host.traps().iter().map(|trap| format!("\ntrapped: {trap}")).collect();
        panic!("expected {what}; {was}{}{traps}\n{}", paused.unwrap_or_default(), self.transcript())
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // The test has failed already; what a guest does now helps nobody.
        if std::thread::panicking() {
            return;
        }
        let mut machine = self.host.lock();
        machine.note_unresumed(self.id);
        machine.disconnect(self.id);
        machine.pump();
        if let Some(place) = machine.world().http.get_mut(self.id) {
            *place = None;
        }
    }
}
