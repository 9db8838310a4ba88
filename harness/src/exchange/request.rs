//! A request that is about to be sent.

use bytes::Bytes;

use super::Stream;
use crate::chunks::Chunks;
use crate::header::HeaderMap;
use crate::host::Host;
use crate::property::given::given_methods;
use crate::stream::HttpStream;

/// A request in the making. Without a body it ends with its headers.
#[must_use = "a request does nothing until it is sent"]
#[derive(Debug)]
pub struct RequestBuilder {
    host: Host,
    headers: HeaderMap,
    body: Option<Bytes>,
    chunks: Plan,
    trailers: Option<HeaderMap>,
    http2: bool,
    http: HttpStream,
}

#[derive(Debug)]
enum Plan {
    Cut(Chunks),
    Pieces(Vec<Bytes>),
}

impl RequestBuilder {
    pub(crate) fn new(host: Host, method: &[u8], path: &[u8]) -> Self {
        let headers = HeaderMap::from([
            (&b":authority"[..], &b"example.com"[..]),
            (b":path", path),
            (b":method", method),
            (b":scheme", b"http"),
            (b"x-forwarded-proto", b"http"),
        ]);
        Self {
            host,
            headers,
            body: None,
            chunks: Plan::Cut(Chunks::Whole),
            trailers: None,
            http2: false,
            http: HttpStream::default(),
        }
    }

    /// Adds a header.
    pub fn header(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.headers.add(name, value);
        self
    }

    /// `:authority`, which HTTP/1.1 calls Host; `example.com` by default.
    pub fn authority(mut self, authority: impl AsRef<[u8]>) -> Self {
        self.headers.replace(":authority", authority);
        self
    }

    /// Exactly these headers and no others.
    pub fn headers(mut self, headers: impl Into<HeaderMap>) -> Self {
        self.headers = headers.into();
        self
    }

    /// Adds a body, and its `content-length`.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        self.headers.replace("content-length", body.len().to_string());
        self.body = Some(body);
        self
    }

    /// Adds a body in just these pieces, without a `content-length`.
    pub fn pieces<B: Into<Bytes>>(mut self, pieces: impl IntoIterator<Item = B>) -> Self {
        self.body = Some(Bytes::new());
        self.chunks = Plan::Pieces(pieces.into_iter().map(Into::into).collect());
        self
    }

    /// Cuts the body into pieces of so many bytes.
    pub fn in_chunks_of(self, bytes: usize) -> Self {
        self.cut(Chunks::Of(bytes))
    }

    /// Cuts the body by a plan.
    pub fn cut(mut self, plan: Chunks) -> Self {
        self.chunks = Plan::Cut(plan);
        self
    }

    /// Adds a trailer.
    pub fn trailer(mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.trailers.get_or_insert_default().add(name, value);
        self
    }

    /// Sends it as HTTP/2 does, where the last piece of a body says that it is the last. Envoy's HTTP/1.1 codec says
    /// so in a piece of its own, which is empty; that is the default.
    pub fn http2(mut self) -> Self {
        self.http2 = true;
        self.http.http2 = true;
        self
    }

    given_methods!(http.given, "this stream");

    /// Sends all of it.
    pub fn send(mut self) -> Stream {
        let body = self.body.take();
        let trailers = self.trailers.take();
        let (http2, chunks) = (self.http2, std::mem::replace(&mut self.chunks, Plan::Cut(Chunks::Whole)));
        let stream = self.start(body.is_none() && trailers.is_none());
        if let Some(body) = body {
            let pieces = match chunks {
                Plan::Cut(plan) => plan.cut(&body),
                Plan::Pieces(pieces) => pieces,
            };
            let last = pieces.len().saturating_sub(1);
            for (index, piece) in pieces.into_iter().enumerate() {
                let ends = http2 && index == last && trailers.is_none();
                if !piece.is_empty() || ends {
                    stream.data(piece, ends);
                }
            }
            if !http2 && trailers.is_none() {
                stream.data(Bytes::new(), true);
            }
        }
        if let Some(trailers) = trailers {
            stream.trailers(trailers);
        }
        stream
    }

    /// Sends the headers and leaves the request open for [`Stream::data`] and [`Stream::trailers`].
    pub fn open(self) -> Stream {
        self.start(false)
    }

    fn start(self, end: bool) -> Stream {
        let mut machine = self.host.lock();
        let id = machine.open_stream(self.http);
        machine.receive_request(id, self.headers, end);
        drop(machine);
        Stream::new(self.host, id)
    }
}
