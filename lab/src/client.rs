//! A client that sends any bytes HTTP allows and keeps what comes back as it came.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

/// How long a whole exchange may take before the test that waits for it fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request about to be sent, each on a connection of its own.
#[derive(Clone, Debug)]
pub struct Request {
    address: SocketAddr,
    request: hyper::Request<Full<Bytes>>,
    trailers: HeaderMap,
    http2: bool,
}

/// A response, whole.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header lines in order; values are bytes.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body's parts as they arrived.
    pub parts: Vec<Bytes>,
    /// The trailer lines in order.
    pub trailers: Vec<(String, Vec<u8>)>,
    /// Whether the body ended as it should have.
    pub complete: bool,
}

impl Request {
    /// A request for `path` to `address`.
    pub fn new(address: SocketAddr, method: &str, path: &str) -> Self {
        let request = hyper::Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "localhost")
            .body(Full::default())
            .expect("a request");
        Self { address, request, trailers: HeaderMap::new(), http2: false }
    }

    /// Adds a header line. `host` replaces the one that every request has.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        let value = HeaderValue::from_bytes(value.as_ref()).expect("a header value");
        if name == HOST {
            self.request.headers_mut().insert(name, value);
        } else {
            self.request.headers_mut().append(name, value);
        }
        self
    }

    /// Sets the body, sent with a content-length.
    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        *self.request.body_mut() = Full::new(body.into());
        self
    }

    /// Ends it with a trailer line: by HTTP/2, which has them without a word beforehand.
    pub fn trailer(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a trailer name");
        let value = HeaderValue::from_bytes(value.as_ref()).expect("a trailer value");
        self.trailers.append(name, value);
        self.http2()
    }

    /// Sends it by HTTP/2 with prior knowledge.
    pub fn http2(mut self) -> Self {
        self.http2 = true;
        self
    }

    /// Sends it and waits for the whole response.
    ///
    /// # Panics
    ///
    /// When no response headers come back.
    #[track_caller]
    pub fn send(self) -> Response {
        self.try_send().unwrap_or_else(|error| panic!("no response: {error:#}"))
    }

    /// Sends it and waits for the whole response; an error says that no response headers came.
    pub fn try_send(self) -> anyhow::Result<Response> {
        crate::runtime().block_on(async {
            match tokio::time::timeout(PATIENCE, self.exchange()).await {
                Ok(result) => result,
                Err(_) => anyhow::bail!("nothing within {PATIENCE:?}"),
            }
        })
    }

    /// Sends it and hangs up without waiting: what came back by then is not looked at.
    pub fn send_and_leave(self, after: Duration) {
        crate::runtime().block_on(async {
            // Dropping the exchange closes its connection.
            let _ = tokio::time::timeout(after, self.exchange()).await;
        });
    }

    async fn exchange(self) -> anyhow::Result<Response> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let io = TokioIo::new(stream);
        let response = if self.http2 {
            let mut request = self.outgoing();
            let host = request.headers_mut().remove(HOST).expect("every request has a host");
            let uri = format!("http://{}{}", host.to_str()?, request.uri());
            *request.uri_mut() = uri.parse()?;
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await?;
            let _connection = AbortOnDrop(tokio::spawn(connection));
            collect(sender.send_request(request).await?).await
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
            let _connection = AbortOnDrop(tokio::spawn(connection));
            collect(sender.send_request(self.outgoing()).await?).await
        };
        Ok(response)
    }

    fn outgoing(self) -> hyper::Request<Outgoing> {
        let trailers = self.trailers;
        self.request.map(|body| match trailers.is_empty() {
            true => body.boxed(),
            false => body.with_trailers(async move { Some(Ok(trailers)) }).boxed(),
        })
    }
}

/// A body with its trailers.
type Outgoing = BoxBody<Bytes, Infallible>;

/// A connection that is kept for many requests, one after the other.
pub struct Session {
    sender: hyper::client::conn::http1::SendRequest<Outgoing>,
    _connection: AbortOnDrop<hyper::Result<()>>,
}

impl Session {
    pub(crate) fn new(address: SocketAddr) -> Self {
        crate::runtime().block_on(async {
            let stream = TcpStream::connect(address).await.expect("a connection");
            stream.set_nodelay(true).expect("a live connection");
            let (sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a connection");
            Self { sender, _connection: AbortOnDrop(tokio::spawn(connection)) }
        })
    }

    /// Sends `request` here, and waits for the whole response.
    ///
    /// # Panics
    ///
    /// When no response headers come back.
    #[track_caller]
    pub fn send(&mut self, request: Request) -> Response {
        let sender = &mut self.sender;
        crate::runtime().block_on(async {
            sender.ready().await.expect("a connection that is still open");
            let response = sender.send_request(request.outgoing()).await;
            collect(response.unwrap_or_else(|error| panic!("no response: {error:#}"))).await
        })
    }
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn collect(response: hyper::Response<hyper::body::Incoming>) -> Response {
    let (head, mut body) = response.into_parts();
    let mut parts = Vec::new();
    let mut trailers = Vec::new();
    let mut complete = true;
    while let Some(frame) = body.frame().await {
        match frame {
            Ok(frame) if frame.is_data() => parts.extend(frame.into_data()),
            Ok(frame) => trailers = frame.into_trailers().map(|map| lines(&map)).unwrap_or_default(),
            Err(_) => {
                complete = false;
                break;
            }
        }
    }
    Response { status: head.status.as_u16(), headers: lines(&head.headers), parts, trailers, complete }
}

pub(crate) fn lines(map: &hyper::HeaderMap) -> Vec<(String, Vec<u8>)> {
    map.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect()
}

impl Response {
    /// The value of a header that stands once; bytes that are not UTF-8 are shown as `\u{fffd}`.
    ///
    /// # Panics
    ///
    /// When it stands more than once.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<String> {
        one(&self.headers, name)
    }

    /// The whole body.
    pub fn body(&self) -> Vec<u8> {
        self.parts.concat()
    }

    /// The whole body as text.
    #[track_caller]
    pub fn text(&self) -> String {
        String::from_utf8(self.body()).expect("a body in UTF-8")
    }

    /// The whole body as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body()).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }
}

#[track_caller]
pub(crate) fn one(lines: &[(String, Vec<u8>)], name: &str) -> Option<String> {
    let mut values = lines.iter().filter(|(other, _)| other == name).map(|(_, value)| value);
    let value = values.next()?;
    assert!(values.next().is_none(), "{name} stands more than once");
    Some(String::from_utf8_lossy(value).into_owned())
}
