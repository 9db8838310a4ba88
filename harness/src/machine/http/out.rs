//! What has passed every filter reaches the other end, if it can.

use crate::buffer::Buffer;
use crate::finding::Finding;
use crate::header::HeaderMap;
use crate::machine::Machine;
use crate::machine::chain::Data;
use crate::stream::{Direction, End};
use crate::world::Posted;

impl Machine {
    /// The headers have passed every filter.
    pub(in crate::machine) fn headers_out(&mut self, stream: usize, direction: Direction, end: bool) {
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
    pub(in crate::machine) fn signed(&mut self, stream: usize, mut headers: HeaderMap) -> HeaderMap {
        let now = self.world().clock.wall();
        headers.set("date", crate::clock::http_date(now));
        headers.set("server", "envoy");
        self.http(stream).response.headers = Some(headers.clone());
        headers
    }

    /// Whether the router finds a route and the codec takes the headers; if not, it answers.
    pub(in crate::machine) fn can_be_forwarded(&mut self, stream: usize, headers: &HeaderMap) -> bool {
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
    pub(in crate::machine) fn data_out(
        &mut self,
        stream: usize,
        direction: Direction,
        data: Data,
        end: bool,
    ) {
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
    pub(in crate::machine) fn trailers_out(&mut self, stream: usize, direction: Direction) {
        let trailers = self.http(stream).path(direction).trailers.clone();
        let to = if direction == Direction::Request { "upstream" } else { "client" };
        self.world().transcript.proxy(|| format!("trailers reach the {to}"));
        self.http(stream).received(direction).trailers = trailers;
        self.path_ends(stream, direction);
    }

    pub(in crate::machine) fn path_ends(&mut self, stream: usize, direction: Direction) {
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

    pub(in crate::machine) fn length_is_wrong(&mut self, stream: usize, direction: Direction) -> bool {
        let received = self.http(stream).received(direction);
        let length: usize = received.chunks.iter().map(bytes::Bytes::len).sum();
        let said = received.headers.as_ref().and_then(|headers| headers.get("content-length"));
        said.is_some_and(|said| said != length.to_string().as_bytes())
    }
}

pub(super) fn status_of(headers: &HeaderMap) -> Option<u32> {
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
