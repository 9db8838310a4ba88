//! Upstreams and called services: HTTP/2, so that each part of a body is a frame.

mod tcp;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::observation::{End, Message};
use crate::pace::Pace;
use crate::scenario::{After, Answer, Kind, Reset, Text};

/// A server that answers as a scenario says and remembers what it was asked. It ends when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    seen: Seen,
    accepting: JoinHandle<()>,
}

type Seen = Arc<Mutex<Vec<Message>>>;

impl Server {
    pub(crate) async fn start(kind: Kind, answers: Vec<Answer>, pace: Pace) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let seen = Seen::default();
        let accepting = tokio::spawn(accept(kind, listener, answers.into(), Arc::clone(&seen), pace));
        Self { address, seen, accepting }
    }

    pub(crate) fn seen(&self) -> Vec<Message> {
        self.seen.lock().expect("no panic while this is held").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(kind: Kind, listener: TcpListener, answers: Arc<[Answer]>, seen: Seen, pace: Pace) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        // A connection that breaks is the other side's business.
        match kind {
            Kind::Http => {
                drop(tokio::spawn(serve(stream, Arc::clone(&answers), Arc::clone(&seen), pace.clone())))
            }
            Kind::Tcp => {
                let answer = answers.first().cloned();
                drop(tokio::spawn(tcp::serve(stream, answer, Arc::clone(&seen), pace.clone())));
            }
        }
    }
}

async fn serve(stream: TcpStream, answers: Arc<[Answer]>, seen: Seen, pace: Pace) -> Result<()> {
    let mut connection = h2::server::Builder::new()
        .initial_window_size(8 << 20)
        .initial_connection_window_size(16 << 20)
        .handshake(stream)
        .await?;
    while let Some(accepted) = connection.accept().await {
        let (request, respond) = accepted?;
        let answer = answers.iter().find(|answer| {
            answer
                .path
                .as_deref()
                .is_none_or(|path| request.uri().path_and_query().is_some_and(|p| p == path))
        });
        let answer = answer.cloned().unwrap_or_else(Answer::hello);
        let index = {
            let mut seen = seen.lock().expect("no panic while this is held");
            seen.push(head(&request));
            seen.len() - 1
        };
        pace.event();
        let one = One { index, seen: Arc::clone(&seen), pace: pace.clone() };
        tokio::spawn(one.handle(request.into_body(), respond, answer));
    }
    Ok(())
}

fn head(request: &Request<RecvStream>) -> Message {
    let uri = request.uri();
    let pseudo = [
        (":method", Some(request.method().as_str())),
        (":scheme", uri.scheme_str()),
        (":authority", uri.authority().map(|authority| authority.as_str())),
        (":path", uri.path_and_query().map(|path| path.as_str())),
    ];
    let pseudo = pseudo.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
    Message { headers: pseudo.chain(lines(request.headers())).collect(), ..Message::default() }
}

/// One request of many.
struct One {
    index: usize,
    seen: Seen,
    pace: Pace,
}

impl One {
    async fn handle(self, body: RecvStream, respond: SendResponse<Bytes>, answer: Answer) -> Result<()> {
        if answer.after == After::Headers {
            let answering = tokio::spawn(send(answer, respond, self.pace.clone()));
            self.receive(body).await;
            answering.await?
        } else {
            self.receive(body).await;
            send(answer, respond, self.pace).await
        }
    }

    async fn receive(&self, mut body: RecvStream) {
        let change = |change: &dyn Fn(&mut Message)| {
            change(&mut self.seen.lock().expect("no panic while this is held")[self.index]);
            self.pace.event();
        };
        while let Some(part) = body.data().await {
            let Ok(part) = part else { return change(&|message| message.end = End::Reset) };
            let _ = body.flow_control().release_capacity(part.len()); // the stream may just have ended
            change(&|message| message.body.get_or_insert_default().extend(&part));
        }
        match body.trailers().await {
            Ok(trailers) => change(&|message| {
                message.trailers = trailers.as_ref().map(|map| lines(map).collect()).unwrap_or_default();
                message.end = End::Complete;
            }),
            Err(_) => change(&|message| message.end = End::Reset),
        }
    }
}

async fn send(answer: Answer, mut respond: SendResponse<Bytes>, pace: Pace) -> Result<()> {
    pace.pass(answer.delay).await;
    if answer.status == 0 {
        let _ = std::future::poll_fn(|context| respond.poll_reset(context)).await;
        return Ok(());
    }
    if answer.reset == Some(Reset::BeforeHeaders) {
        respond.send_reset(Reason::INTERNAL_ERROR);
        return Ok(());
    }
    let mut response = Response::builder().status(answer.status).body(()).context("a status")?;
    *response.headers_mut() = map(&answer.headers);
    let ends = |more: bool| !more && answer.trailers.is_empty() && answer.reset.is_none();
    let mut mark = pace.mark();
    let mut stream = respond.send_response(response, ends(!answer.body.is_empty()))?;
    for (index, part) in answer.body.iter().enumerate() {
        pace.settle_server(mark).await;
        pace.pass(answer.pause).await;
        mark = pace.mark();
        stream.send_data(part.bytes().into(), ends(index + 1 < answer.body.len()))?;
    }
    if answer.reset.is_some() || !answer.trailers.is_empty() {
        pace.settle_server(mark).await;
        pace.pass(answer.pause).await;
    }
    if answer.reset.is_some() {
        stream.send_reset(Reason::INTERNAL_ERROR);
    } else if !answer.trailers.is_empty() {
        stream.send_trailers(map(&answer.trailers))?;
    }
    Ok(())
}

/// The header lines of a map, in order.
pub(crate) fn lines(map: &HeaderMap) -> impl Iterator<Item = (String, Vec<u8>)> {
    map.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
}

/// The map of header lines.
pub(crate) fn map(lines: &[(String, Text)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header name");
        map.append(name, HeaderValue::from_bytes(&value.bytes()).expect("a header value"));
    }
    map
}
