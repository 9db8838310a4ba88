//! A server that answers as a test tells it and remembers what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// A request as the upstream got it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The header lines in order; `:authority` of HTTP/2 stands as `host`.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The whole body.
    pub body: Vec<u8>,
    /// The trailer lines in order.
    pub trailers: Vec<(String, Vec<u8>)>,
}

impl Seen {
    /// The value of a header that stands once.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<String> {
        crate::client::one(&self.headers, name)
    }
}

/// What an upstream answers.
#[derive(Clone, Debug)]
pub struct Reply {
    status: u16,
    headers: HeaderMap,
    parts: Vec<Bytes>,
    pause: Duration,
    trailers: Option<HeaderMap>,
    after: Duration,
    breaks: bool,
    is_cut_short: bool,
}

impl Reply {
    /// A response with a body of known length.
    pub fn new(status: u16, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, body.len().into());
        let parts = if body.is_empty() { Vec::new() } else { vec![body] };
        let none = Duration::ZERO;
        Self {
            status,
            headers,
            parts,
            pause: none,
            trailers: None,
            after: none,
            breaks: false,
            is_cut_short: false,
        }
    }

    /// Adds a header line.
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        self.headers.append(name, HeaderValue::from_bytes(value.as_ref()).expect("a header value"));
        self
    }

    /// Removes a header.
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.remove(name);
        self
    }

    /// Sends the body in parts of `size` bytes without a content-length, with a pause after each so that
    /// they arrive one by one.
    pub fn in_chunks_of(self, size: usize) -> Self {
        let body = self.parts.concat();
        self.chunks(body.chunks(size).map(Bytes::copy_from_slice))
    }

    /// Sends these parts without a content-length, with a pause after each.
    pub fn chunks(mut self, parts: impl IntoIterator<Item = impl Into<Bytes>>) -> Self {
        self.parts = parts.into_iter().map(Into::into).collect();
        self.pause = Duration::from_millis(2);
        self.without_header("content-length")
    }

    /// Waits that long after each part.
    pub fn pausing(mut self, pause: Duration) -> Self {
        self.pause = pause;
        self
    }

    /// Ends with a trailer line.
    pub fn trailer(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a trailer name");
        let value = HeaderValue::from_str(value).expect("a trailer value");
        self.trailers.get_or_insert_default().append(name, value);
        self.without_header("content-length")
    }

    /// Answers only after that time.
    pub fn after(mut self, wait: Duration) -> Self {
        self.after = wait;
        self
    }

    /// Breaks the connection after the body's parts, in place of its end.
    pub fn cut_short(mut self) -> Self {
        self.is_cut_short = true;
        self.without_header("content-length")
    }

    /// Breaks the connection in place of an answer.
    pub fn reset() -> Self {
        Self { breaks: true, ..Self::new(200, "") }
    }
}

type Answer = dyn Fn(&Seen) -> Reply + Send + Sync;

/// A server on a port of its own, for HTTP/1.1 and for HTTP/2 with prior knowledge. It ends when dropped.
pub struct Upstream {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Upstream {
    /// Answers each request by `answer`.
    pub fn answering(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let answer: Arc<Answer> = Arc::new(answer);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let listener = crate::runtime().block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let accepting = crate::runtime().spawn(accept(listener, answer, Arc::clone(&seen)));
        Self { address, seen, accepting }
    }

    /// Answers every request with 200 and a short text.
    pub fn ok() -> Self {
        Self::answering(|_| Reply::new(200, "hello\n").header("content-type", "text/plain"))
    }

    /// Answers with the status in the path, after the milliseconds in it: `/200/50`. 200 at once if there is none.
    pub fn as_asked() -> Self {
        Self::answering(|seen| {
            let mut parts = seen.path.split(['/', '?']).skip(1).map(|part| part.parse::<u16>());
            let status = parts.next().and_then(Result::ok).unwrap_or(200);
            let wait = parts.next().and_then(Result::ok).unwrap_or(0);
            Reply::new(status, "").after(Duration::from_millis(wait.into()))
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it was asked so far, in order.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no test panics while it holds this").clone()
    }

    /// The one request it was asked.
    ///
    /// # Panics
    ///
    /// When it was asked none, or several.
    #[track_caller]
    pub fn only_seen(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "one request should have reached the upstream: {seen:?}");
        seen.into_iter().next().expect("one")
    }

    /// Forgets what it was asked.
    pub fn forget(&self) {
        self.seen.lock().expect("no test panics while it holds this").clear();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, answer: Arc<Answer>, seen: Arc<Mutex<Vec<Seen>>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
        tokio::spawn(async move {
            let service = service_fn(move |request| respond(request, Arc::clone(&answer), Arc::clone(&seen)));
            // A connection that breaks is the other side's business.
            let _ = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

type Body = StreamBody<tokio_stream::wrappers::ReceiverStream<std::io::Result<Frame<Bytes>>>>;

async fn respond(
    request: hyper::Request<Incoming>,
    answer: Arc<Answer>,
    seen: Arc<Mutex<Vec<Seen>>>,
) -> Result<hyper::Response<Body>, std::io::Error> {
    let (head, body) = request.into_parts();
    let mut headers = crate::client::lines(&head.headers);
    if let Some(authority) = head.uri.authority() {
        headers.push(("host".to_owned(), authority.as_str().into()));
    }
    let path = head.uri.path_and_query().map_or("*", |path| path.as_str()).to_owned();
    let body = body.collect().await.map_err(std::io::Error::other)?;
    let trailers = body.trailers().map(crate::client::lines).unwrap_or_default();
    let body = body.to_bytes().to_vec();
    let request = Seen { method: head.method.to_string(), path, headers, body, trailers };
    let reply = answer(&request);
    seen.lock().expect("no test panics while it holds this").push(request);

    wait(reply.after).await;
    if reply.breaks {
        return Err(broken());
    }
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        for part in reply.parts {
            if sender.send(Ok(Frame::data(part))).await.is_err() {
                return;
            }
            wait(reply.pause).await;
        }
        if reply.is_cut_short {
            // So that what was sent is on its way.
            wait(Duration::from_millis(50)).await;
            let _ = sender.send(Err(broken())).await;
            return;
        }
        if let Some(trailers) = reply.trailers {
            let _ = sender.send(Ok(Frame::trailers(trailers))).await; // the client may have left
        }
    });
    let body = StreamBody::new(tokio_stream::wrappers::ReceiverStream::new(receiver));
    let mut response = hyper::Response::new(body);
    *response.status_mut() = hyper::StatusCode::from_u16(reply.status).expect("a status");
    *response.headers_mut() = reply.headers;
    Ok(response)
}

fn broken() -> std::io::Error {
    std::io::Error::other("the test wants this connection broken")
}

/// Sleeps, unless that is for no time at all: tokio's timer rounds up to a millisecond.
async fn wait(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}
